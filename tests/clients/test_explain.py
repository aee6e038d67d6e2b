"""What `explain` says of a past that AWS wrote down, with changes by evenkeel, by boto3 and by a schedule."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from support import BINARY, ENVIRONMENT, Process, Sandbox, eventually

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
    exact: true
"""

CONFIG = """
daemon: {{ http: {{ listen: "127.0.0.1:0" }}, watch_interval: 1s, reconcile_interval: 1s, state_dir: "{state}" }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300, scale_out_cooldown: 0s }} }}]
"""

RESOURCE = "endpoint/chat/variant/AllTraffic"


class Explain(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        path = pathlib.Path(self.dir.name)
        (path / "world.yaml").write_text(WORLD)
        self.sandbox = Sandbox("--world", str(path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        (path / "evenkeel.yaml").write_text(CONFIG.format(state=path / "state"))
        self.config = ["--config", str(path / "evenkeel.yaml"), "--endpoint-url", self.sandbox.url]
        self.daemon = Process("run", *self.config)
        self.addCleanup(self.daemon.stop)
        self.daemon.wait_for("writes done: 2")

    def run_command(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, *self.config], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
        )

    def explain(self, *arguments):
        done = self.run_command("explain", "chat", "--output", "json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        (one,) = json.loads(done.stdout)
        return one

    def test_why_it_did_not_scale_and_who_changed_what(self):
        self.sandbox.traffic("chat", steady=2400)

        def refused():
            self.sandbox.advance(60)
            return any("already at the maximum" in e["text"] for e in self.explain()["timeline"])

        eventually(refused, lambda: json.dumps(self.explain(), indent=1))
        said = self.explain()
        answer = " ".join(said["answer"])
        self.assertIn("It was at 3; its bounds were to be 1..3, as the config says.", answer)
        self.assertRegex(answer, r"Policy `evenkeel-\w+`: \d+ of 300 \(\d+ %\); high alarm in ALARM since")
        self.assertRegex(answer, r"did not scale out, although .* asked for more: already at the maximum")
        self.assertIn("The maximum, 3, comes from", answer)
        sources = {entry["source"] for entry in said["timeline"]}
        self.assertLessEqual({"metric", "alarm", "activity", "refusal", "evenkeel"}, sources)
        times = [entry["at"] for entry in said["timeline"]]
        self.assertEqual(times, sorted(times))

        # Somebody else raises the bounds; the daemon mends that. Who did which is told apart.
        self.sandbox.scaling.register_scalable_target(
            ServiceNamespace="sagemaker", ResourceId=RESOURCE,
            ScalableDimension="sagemaker:variant:DesiredInstanceCount", MinCapacity=4, MaxCapacity=6,
        )  # fmt: skip
        # The endpoint is busy with that at first.
        eventually(lambda: self.sandbox.advance(60) or "set bounds 1..3" in self.daemon.text("err"))

        ours = [e["text"] for e in self.explain()["timeline"] if e["source"] == "evenkeel"]
        self.assertTrue(any("set bounds 1..3" in text and "AWS holds bounds 4..6" in text for text in ours), ours)
        text = self.run_command("explain", RESOURCE, "--since", "2h")
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn(f"{RESOURCE} from ", text.stdout)

    def test_an_instant_of_before(self):
        self.sandbox.advance(1200)
        now = self.explain()["at"]
        self.sandbox.traffic("chat", steady=2400)
        self.sandbox.advance(1800)
        before = self.explain("--at", now)
        answer = " ".join(before["answer"])
        # 250 are less than nine tenths of 300, and one instance would be too few for them.
        self.assertRegex(answer, "250 of 300 .* did not scale in, although .* already at the computed capacity, 2")
        self.assertTrue(all(entry["at"] <= now for entry in before["timeline"]))
        refused = self.run_command("explain", "chat", "--at", "2099-01-01T00:00:00Z")
        self.assertEqual(refused.returncode, 64)
        self.assertIn("has not come yet", refused.stderr)
        nobody = self.run_command("explain", "nobody")
        self.assertEqual(nobody.returncode, 64)
        self.assertIn("no declared target matches", nobody.stderr)

    def test_status_says_what_is_wrong_again_and_again(self):
        self.sandbox.traffic("chat", steady=2400)

        def wrong():
            self.sandbox.advance(60)
            return "MaxCapacitySaturated" in self.run_command("status").stdout

        eventually(wrong, lambda: self.run_command("status").stdout)
        text = self.run_command("status").stdout
        self.assertRegex(text, r"alert: endpoint/chat/variant/AllTraffic: MaxCapacitySaturated: at the maximum, 3")
        self.assertRegex(text, r"watched at every look: 1 of 1 targets; about \$\d+\.\d\d a month")
        self.assertRegex(text, r"signals +invocations 2400/min, model latency \d\.\d+ s, 5XX 0/min")
        watching = Process("status", "--watch", "--every", "5s", *self.config)
        self.addCleanup(watching.stop)
        eventually(lambda: watching.text("out").count("MaxCapacitySaturated") >= 2, lambda: watching.text("out"))


if __name__ == "__main__":
    unittest.main()
