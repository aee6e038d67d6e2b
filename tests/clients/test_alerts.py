"""An alert from a fault in the sandbox to a real Alertmanager, and its end."""

import pathlib
import tempfile
import unittest

from support import Alertmanager, Process, Sandbox, eventually, free_port

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
    exact: true
"""

CONFIG = """
daemon: {{ http: {{ listen: "127.0.0.1:0" }}, watch_interval: 1s, reconcile_interval: 1s }}
alerting: {{ alertmanagers: ["http://127.0.0.1:{dead}", "http://{live}"] }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300, scale_out_cooldown: 0s }} }}]
"""


class ToAlertmanager(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        path = pathlib.Path(self.dir.name)
        (path / "world.yaml").write_text(WORLD)
        self.manager = Alertmanager(path)
        self.addCleanup(self.manager.stop)
        self.sandbox = Sandbox("--world", str(path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.dead = free_port()
        (path / "evenkeel.yaml").write_text(CONFIG.format(live=self.manager.address, dead=self.dead))
        config = ["--config", str(path / "evenkeel.yaml")]
        self.daemon = Process("run", *config, "--endpoint-url", self.sandbox.url)
        self.addCleanup(self.daemon.stop)

    def wait_for(self, condition):
        return eventually(condition, lambda: f"the daemon says:\n{self.daemon.text('err')}")

    def test_it_arrives_with_its_reason_and_ends(self):
        self.daemon.wait_for("writes done: 2")
        self.sandbox.traffic("chat", steady=2400)

        def saturated():
            # A sandbox's minutes pass when they are told to.
            self.sandbox.advance(60)
            return self.manager.alerts("MaxCapacitySaturated")

        (alert,) = self.wait_for(saturated)
        self.assertEqual(alert["labels"]["endpoint"], "chat")
        self.assertEqual(alert["labels"]["variant"], "AllTraffic")
        self.assertEqual(alert["labels"]["severity"], "critical")
        self.assertRegex(alert["annotations"]["description"], "at the maximum, 3, and .* are missing")
        self.assertEqual(alert["status"]["state"], "active")
        # A receiver that is down keeps nothing from the other one, and is told of once.
        self.assertEqual(self.daemon.text("err").count(f"127.0.0.1:{self.dead}, and are sent again"), 1)

        self.sandbox.traffic("chat", steady=300)

        def over():
            self.sandbox.advance(60)
            return not self.manager.alerts("MaxCapacitySaturated")

        self.wait_for(over)


if __name__ == "__main__":
    unittest.main()
