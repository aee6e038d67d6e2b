"""`init` and `remove` against what boto3 made and what boto3 sees afterwards."""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

from support import BINARY, ENVIRONMENT, Process, Sandbox, eventually, free_port

WORLD = """
endpoints:
  - name: calm
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, serves: 900 }]
    traffic: { steady: 600 }
    exact: true
  - name: hot
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1, serves: 300 }]
    traffic: { steady: 500 }
    exact: true
  - name: idle
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 1 }]
  - name: burst
    variants: [{ name: AllTraffic, instance_type: ml.t2.medium, instances: 1 }]
  - name: queue
    async: true
    variants: [{ name: AllTraffic, instance_type: ml.g5.xlarge, instances: 0, serves: 60 }]
  - name: tiny
    variants: [{ name: AllTraffic, serverless: { max_concurrency: 6, provisioned: 5, memory_mb: 2048 } }]
  - name: llms
    variants:
      - { name: AllTraffic, instance_type: ml.g5.xlarge, hosts_components: { min_instances: 0, max_instances: 4 } }
      - { name: next, instance_type: ml.g5.xlarge, instances: 1, shadow: true }
    components: [{ name: llama, copies: 2, serves: 60, traffic: { steady: 30 } }]
  - name: theirs
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2 }]
"""
INSTANCES = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def variant(endpoint):
    return {**INSTANCES, "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class InitRemoveTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = pathlib.Path(held.name)
        (self.directory / "world.yaml").write_text(WORLD)
        self.sandbox = Sandbox("--world", str(self.directory / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.config = self.directory / "evenkeel.yaml"

    def say(self, *arguments, code=0):
        command = [BINARY, *arguments, "--endpoint-url", self.sandbox.url]
        said = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertEqual(said.returncode, code, said.stdout + said.stderr)
        return said

    def declare(self, **bounds):
        """A config with endpoints of these bounds, whose daemon would listen where nobody does."""
        lines = [f'daemon: {{ http: {{ listen: "127.0.0.1:{free_port()}" }} }}']
        lines += ["targets:"] if bounds else []
        for endpoint, (least, most) in bounds.items():
            lines += [
                f"  - endpoint: {endpoint}",
                "    variant: AllTraffic",
                f"    bounds: {{ min: {least}, max: {most} }}",
                "    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]",
            ]
        self.config.write_text("\n".join(lines) + "\n")

    def put_theirs(self, target=40.0):
        """What someone made by hand, with two mistakes that the lint objects to."""
        scaling = self.sandbox.scaling
        scaling.register_scalable_target(**variant("theirs"), MinCapacity=1, MaxCapacity=3)
        scaling.put_scaling_policy(
            **variant("theirs"),
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target,
                "CustomizedMetricSpecification": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "CPUUtilization",
                    "Statistic": "Average",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": "theirs"},
                        {"Name": "VariantName", "Value": "AllTraffic"},
                    ],
                },
            },
        )

    def everything(self):
        """What Application Auto Scaling and CloudWatch hold, by name."""
        scaling, cloudwatch = self.sandbox.scaling, self.sandbox.cloudwatch
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        actions = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]
        return {
            "targets": sorted((t["ResourceId"], t["MinCapacity"], t["MaxCapacity"]) for t in targets),
            "suspended": [t["ResourceId"] for t in targets if any(t.get("SuspendedState", {}).values())],
            "tags": [
                tag
                for t in targets
                for tag in scaling.list_tags_for_resource(ResourceARN=t["ScalableTargetARN"])["Tags"].items()
            ],
            "policies": sorted((p["ResourceId"], p["PolicyName"]) for p in policies),
            "actions": sorted((a["ResourceId"], a["ScheduledActionName"]) for a in actions),
            "alarms": sorted(a["AlarmName"] for a in cloudwatch.describe_alarms()["MetricAlarms"]),
        }

    def test_init_proposes_for_all_that_can_be_scaled_and_changes_nothing(self):
        self.put_theirs()
        self.sandbox.advance(5 * 3600)
        before = self.everything()
        said = self.say("init", "--region", "us-east-1", "--out", str(self.config))
        self.assertIn("endpoints: 8, targets: 7 (registered already: 1), left out: 1", said.stderr)
        text = self.config.read_text()
        self.assertIn("daemon: { mode: observe }", text)
        self.assertIn("- { name: main, region: us-east-1 }", text)
        self.assertIn("endpoint burst, variant AllTraffic is left out: ml.t2.medium is of the burstable T family", text)
        # 600 a minute on two that bear 900 each: a third busy, and half busy at 450.
        self.assertRegex(self.entry("endpoint: calm"), r"min: 2\n +max: 3\n(.*\n)+.* target: 4[3-6]0\b")
        # More than it bears at every minute: what it had at the least is too much still.
        self.assertIn("is too high: its processors were more than half busy all day", text)
        self.assertRegex(self.entry("endpoint: hot"), r"target: 250\b")
        self.assertNotIn("target_tracking", self.entry("endpoint: idle"))
        self.assertIn("it had no requests within the last day", text)
        self.assertIn("ApproximateBacklogSizePerInstance", self.entry("endpoint: queue"))
        self.assertRegex(self.entry("endpoint: queue"), r"min: 0\n +max: 2")
        # At zero there is no backlog per instance to track.
        self.assertIn("metric:\n            namespace: AWS/SageMaker\n            name: HasBacklogWithoutCapacity", self.entry("endpoint: queue"))
        self.assertRegex(self.entry("endpoint: tiny"), r"dimension: provisioned_concurrency\n(.*\n)+ +max: 6\n")
        self.assertIn("metric: invocations_per_copy", self.entry("component: llama"))
        self.assertIn("name: cpu", self.entry("endpoint: theirs"))
        # What the lint objects to stands above the target that it is about.
        self.assertRegex(text, r"# policy `cpu`: .*\n( +#.*\n)* +- endpoint: theirs")
        self.assertEqual(self.everything(), before)
        # It is a config, and what stands already is as it says.
        self.say("validate", "--config", str(self.config))
        planned = self.say("plan", "--config", str(self.config), code=2).stdout
        self.assertIn("= endpoint/theirs/variant/AllTraffic: as declared, bounds 1..3", planned)
        self.assertIn("+ register with bounds 2..3", planned)
        # A file is not written over, and its text is what standard output would have had.
        refused = self.say("init", "--out", str(self.config), code=64)
        self.assertIn("it exists", refused.stderr)
        self.assertEqual(self.config.read_text(), text)
        shown = self.say("init", "--region", "us-east-1").stdout
        self.assertEqual(shown, text.replace(str(self.config), "evenkeel.yaml"))
        some = self.say("init", "--target", "calm").stdout
        self.assertNotIn("endpoint: hot", some)

    def entry(self, head):
        """The lines of a target in the config, without comments."""
        text = re.sub(r"^ *#.*\n", "", self.config.read_text(), flags=re.M)
        return re.search(rf"  - {head}\n(    .*\n)+", text).group(0)

    def test_init_writes_nothing_of_half_the_facts(self):
        self.fault("ListEndpoints", "ThrottlingException")
        said = self.say("init", "--out", str(self.config), code=1)
        self.assertIn("the list of endpoints could not be read", said.stderr)
        self.assertFalse(self.config.exists())

    def test_init_says_that_metrics_could_not_be_read(self):
        self.sandbox.advance(3600)
        self.fault("GetMetricData", "AccessDeniedException")
        said = self.say("init", "--out", str(self.config))
        self.assertIn("metrics could not be read", said.stderr)
        text = self.config.read_text()
        self.assertNotIn("it had no requests", text)
        self.assertIn("its metrics could not be read, so there is nothing to propose a target from", text)
        for wrong in (["--region", "Frankfurt"], ["--assume-role", "foo"]):
            refused = self.say("init", *wrong, code=64)
            self.assertIn(f"invalid value '{wrong[1]}'", refused.stderr)

    def fault(self, operation, code):
        self.sandbox._send("POST", "faults", {"operation": operation, "code": code, "times": 50})

    def use_up_faults(self):
        arn = self.sandbox.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
        for _ in range(50):
            try:
                self.sandbox.scaling.list_tags_for_resource(ResourceARN=arn["ScalableTargetARN"])
                return
            except self.sandbox.scaling.exceptions.ClientError:
                pass
        self.fail("there is no end of faults")

    def test_remove_leaves_no_trace_and_what_others_made(self):
        self.put_theirs()
        scaling = self.sandbox.scaling
        scaling.put_scheduled_action(
            **variant("theirs"),
            ScheduledActionName="nightly",
            Schedule="cron(0 22 * * ? *)",
            ScalableTargetAction={"MinCapacity": 1},
        )
        before = self.everything()
        port = free_port()
        self.config.write_text(f"""
daemon: {{ http: {{ listen: "127.0.0.1:{port}" }} }}
targets:
  - endpoint: calm
    variant: AllTraffic
    bounds: {{ min: 2, max: 6 }}
    policies:
      - {{ name: by-a-name-of-ours, target_tracking: {{ metric: invocations_per_instance, target: 300 }} }}
      - fast_scale_out: {{ metric: invocations_per_instance, above: 600, add: 2 }}
    schedules: [{{ name: morning, cron: "0 8 ? * MON-FRI *", runner: aws, bounds: {{ min: 3 }} }}]
  - endpoint: theirs
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300 }} }}]
""")
        config = ["--config", str(self.config)]
        self.say("apply", "--yes", *config)
        self.say("hold", "calm", "--in", "--for", "2h", "--reason", "load test", *config)
        self.say("override", "theirs", "--max", "9", "--for", "2h", "--reason", "launch", *config)
        self.assertIn("endpoint/theirs/variant/AllTraffic", self.everything()["targets"][1])
        self.assertIn(("evenkeel:owner", "evenkeel"), self.everything()["tags"])

        # Its minimum made an instance start; an endpoint that changes is left alone.
        self.sandbox.advance(1200)

        # Not while a daemon would put it back, not on half of the facts, and not without being asked to.
        daemon = Process("run", *config, "--endpoint-url", self.sandbox.url)
        daemon.wait_for("status page on")
        refused = self.say("remove", "--yes", *config, code=1)
        self.assertIn(f"a daemon answers on 127.0.0.1:{port}", refused.stderr)
        self.assertEqual(daemon.stop(), 0)
        standing = self.everything()
        self.say("remove", *config, code=64)
        self.fault("ListTagsForResource", "AccessDeniedException")
        refused = self.say("remove", "--yes", *config, code=1)
        self.assertIn("whose registration", refused.stderr)
        self.assertEqual(self.everything_but_tags(), {k: v for k, v in standing.items() if k != "tags"})
        self.use_up_faults()

        said = self.say("remove", "--yes", *config)
        self.assertIn("- deregister, with bounds 3..6 [owned]", said.stdout)
        self.assertIn("its registration stays, with the bounds it has: evenkeel did not make it", said.stdout)
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.say("remove", *config).stdout, "Nothing to remove.\n")

    def everything_but_tags(self):
        scaling = self.sandbox.scaling
        kept, scaling.list_tags_for_resource = scaling.list_tags_for_resource, lambda **_: {"Tags": {}}
        try:
            return {k: v for k, v in self.everything().items() if k != "tags"}
        finally:
            scaling.list_tags_for_resource = kept

    def test_remove_waits_for_endpoints_that_change_and_for_updates(self):
        self.declare(calm=(2, 6))
        config = ["--config", str(self.config)]
        self.say("apply", "--yes", *config)
        self.sandbox._send("POST", "endpoints/calm/system-update", {"seconds": 900})
        said = self.say("remove", "--yes", *config, code=1)
        self.assertIn("SystemUpdating", said.stdout)
        self.assertIn("Nothing to remove now; left alone until later: 1", said.stdout)
        self.sandbox.advance(1000)
        self.say("prepare-update", "calm", "--yes", *config)
        said = self.say("remove", "--yes", *config, code=1)
        self.assertIn("evenkeel finish-update calm", said.stderr)
        self.say("finish-update", "calm", "--yes", *config)
        self.say("remove", "--yes", *config)
        found = self.everything()
        self.assertEqual([found[k] for k in ("targets", "policies", "alarms")], [[], [], []])

    def test_what_others_made_stays_theirs_through_an_update(self):
        self.put_theirs()
        scaling = self.sandbox.scaling
        (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        scaling.tag_resource(ResourceARN=target["ScalableTargetARN"], Tags={"owner": "terraform"})
        said = self.say("import", "--region", "us-east-1")
        self.declare()
        self.config.write_text(self.config.read_text() + said.stdout)
        config = ["--config", str(self.config)]
        # A scheduled action that no config names would be lost.
        action = {**variant("theirs"), "ScheduledActionName": "by-hand"}
        scaling.put_scheduled_action(
            **action, Schedule="cron(0 22 * * ? *)", ScalableTargetAction={"MinCapacity": 1}
        )
        refused = self.say("prepare-update", "theirs", "--yes", *config, code=1)
        self.assertIn("scheduled action `by-hand`", refused.stderr)
        scaling.delete_scheduled_action(**action)
        before = self.everything()
        said = self.say("prepare-update", "theirs", "--yes", *config)
        self.assertIn("owner=terraform", said.stderr)
        self.say("finish-update", "theirs", "--yes", *config)
        self.assertEqual(self.everything()["tags"], [])
        self.assertEqual(self.say("remove", "--yes", *config).stdout, "Nothing to remove.\n")
        after = self.everything()
        for kind in ("targets", "policies", "actions"):
            self.assertEqual(after[kind], before[kind])

    def test_a_release_while_the_endpoint_is_busy_says_what_waits(self):
        self.declare(calm=(2, 6))
        config = ["--config", str(self.config)]
        self.say("apply", "--yes", *config)
        self.say("hold", "calm", "--for", "2h", "--reason", "test", *config)
        self.say("override", "calm", "--min", "4", "--for", "2h", "--reason", "test", *config)
        said = self.say("release", "calm", *config)
        self.assertIn("its bounds change when they can: its endpoint is Updating", said.stderr)
        self.assertIn("end the hold", said.stderr)
        self.assertNotIn("end the override", said.stderr)
        # Whoever turned evenkeel to observing can still end what stands.
        self.sandbox.advance(1200)
        self.config.write_text(self.config.read_text().replace("daemon: {", "daemon: { mode: observe,"))
        said = self.say("release", "calm", "--yes", *config)
        self.assertIn("end the override", said.stderr)
        self.say("hold", "calm", "--for", "2h", "--reason", "test", *config, code=1)

    def test_a_plan_names_another_owner(self):
        self.put_theirs()
        scaling = self.sandbox.scaling
        (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        scaling.tag_resource(ResourceARN=target["ScalableTargetARN"], Tags={"evenkeel:owner": "blue"})
        said = self.say("import", "--region", "us-east-1").stdout
        self.declare()
        self.config.write_text(self.config.read_text() + said.replace("max: 3", "max: 5"))
        planned = self.say("plan", "--config", str(self.config), code=2).stdout
        self.assertIn("carries the tag of `blue`", planned)
        self.assertEqual(self.say("remove", "--config", str(self.config)).stdout, "Nothing to remove.\n")

    def test_what_is_not_declared_can_be_removed_alone(self):
        self.declare(calm=(2, 6), idle=(1, 2))
        config = ["--config", str(self.config)]
        self.say("apply", "--yes", *config)
        port = free_port()
        self.config.write_text(f'daemon: {{ mode: observe, http: {{ listen: "127.0.0.1:{port}" }} }}\ntargets: []\n')
        # Someone who listens there, and is no evenkeel, is not asked to stop.
        stranger = subprocess.Popen(
            [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.terminate)
        eventually(lambda: listens(port))
        self.say("remove", "--target", "idle", "--yes", *config)
        self.assertEqual([t[0] for t in self.everything()["targets"]], ["endpoint/calm/variant/AllTraffic"])


if __name__ == "__main__":
    unittest.main()
