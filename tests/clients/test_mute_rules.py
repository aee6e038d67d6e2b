"""Alarm mute rules by boto3, and what evenkeel says of an alarm that one covers."""

import datetime
import pathlib
import tempfile
import unittest

from support import Process, Sandbox, eventually

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
    exact: true
"""

CONFIG = """
daemon: { http: { listen: "127.0.0.1:0" }, watch_interval: 1s, reconcile_interval: 1s }
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 4 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
"""


class MuteRules(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        path = pathlib.Path(self.dir.name)
        (path / "world.yaml").write_text(WORLD)
        (path / "evenkeel.yaml").write_text(CONFIG)
        self.sandbox = Sandbox("--world", str(path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        config = ["--config", str(path / "evenkeel.yaml"), "--endpoint-url", self.sandbox.url]
        self.daemon = Process("run", *config)
        self.addCleanup(self.daemon.stop)
        self.daemon.wait_for("writes done: 2")

    def test_a_muted_alarm_scales_nothing_and_is_told(self):
        cloudwatch = self.sandbox.cloudwatch
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"]
        (high,) = [a["AlarmName"] for a in alarms if "AlarmHigh" in a["AlarmName"]]
        now = self.sandbox.now().astimezone(datetime.timezone.utc)
        schedule = {"Expression": f"at({now:%Y-%m-%dT%H:%M})", "Duration": "P1DT2H", "Timezone": "UTC"}
        cloudwatch.put_alarm_mute_rule(
            Name="quiet", Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": [high]}
        )
        (rule,) = cloudwatch.list_alarm_mute_rules(Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]
        self.assertEqual(rule["Status"], "ACTIVE")
        got = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName="quiet")
        self.assertEqual(got["MuteTargets"]["AlarmNames"], [high])
        self.assertEqual(cloudwatch.list_alarm_mute_rules(Statuses=["EXPIRED"])["AlarmMuteRuleSummaries"], [])
        with self.assertRaises(cloudwatch.exceptions.ResourceNotFoundException):
            cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName="none")

        self.sandbox.traffic("chat", steady=2400)
        told = lambda: "is muted by a mute rule" in self.daemon.text("err")  # noqa: E731
        eventually(lambda: self.sandbox.advance(60) or told(), lambda: self.daemon.text("err"))
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[high])["MetricAlarms"]
        self.assertEqual(alarm["StateValue"], "ALARM")
        self.assertNotIn("Setting desired instance count", self.daemon.text("err"))

        cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="quiet")
        scaled = lambda: "Setting desired instance count" in self.daemon.text("err")  # noqa: E731
        eventually(lambda: self.sandbox.advance(60) or scaled(), lambda: self.daemon.text("err"))
        self.assertEqual(self.sandbox.faults, [])


if __name__ == "__main__":
    unittest.main()
