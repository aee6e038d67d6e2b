"""The demo as a new user meets it: the AWS CLI, a scrape, a plan, and something broken that gets mended."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from support import BINARY, ENVIRONMENT, Process, get

POLICY = "evenkeel-invocations_per_instance"
STEADY = [
    "--service-namespace", "sagemaker", "--scalable-dimension", "sagemaker:variant:DesiredInstanceCount",
    "--resource-id", "endpoint/steady/variant/AllTraffic",
]  # fmt: skip


def samples(text, name):
    """Values of a metric by endpoint."""
    found = re.findall(rf'^{name}{{[^}}]*endpoint="(\w+)"[^}}]*}} (\S+)$', text, re.MULTILINE)
    return {endpoint: float(value) for endpoint, value in found}


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A sandbox second is 5 ms; a pass comes every 300 ms.
        cls.demo = Process("demo", "--speed", "200", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0")
        cls.page = cls.demo.wait_for(r"status page  (http://[\d.:]+)", "out").group(1)
        cls.aws = cls.demo.wait_for(r"AWS          (http://[\d.:]+)", "out").group(1)
        cls.config = cls.demo.wait_for(r"config       (\S+)", "out").group(1)
        cls.demo.wait_for("writes done")

    @classmethod
    def tearDownClass(cls):
        code = cls.demo.stop(signal.SIGINT)
        assert code == 0, cls.demo.text("err")
        assert "What happened:" in cls.demo.text("out")
        assert not os.path.exists(cls.config), "the demo leaves nothing behind"

    def cli(self, *arguments):
        aws = pathlib.Path(sys.executable).parent / "aws"
        command = [str(aws), "--endpoint-url", self.aws, "--output", "json", *arguments]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def policies(self):
        answer = self.cli("application-autoscaling", "describe-scaling-policies", "--service-namespace", "sagemaker")
        return {policy["ResourceId"].split("/")[1]: policy["PolicyName"] for policy in answer["ScalingPolicies"]}

    def evenkeel(self, *arguments):
        command = [BINARY, *arguments, "--config", self.config, "--endpoint-url", self.aws]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)

    def test_everything_declared_stands_and_a_plan_finds_nothing(self):
        self.assertEqual(self.policies(), dict.fromkeys(["steady", "daily", "bursty", "small"], POLICY))
        plan = self.evenkeel("plan")
        self.assertEqual((plan.returncode, plan.stdout.splitlines()[-1][:10]), (0, "No changes"), plan)
        status = self.evenkeel("status", "--target", "steady")
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("endpoint/steady/variant/AllTraffic", status.stdout)

    def test_a_policy_deleted_with_the_cli_is_mended_within_one_interval_and_the_log_says_why(self):
        before = len(self.demo.text("err"))
        self.cli("application-autoscaling", "delete-scaling-policy", *STEADY, "--policy-name", POLICY)
        deleted = time.monotonic()
        mended = self.demo.wait_for(rf"mended endpoint/steady/variant/AllTraffic: (.*{POLICY}.*)", "err", before)
        # An interval of 60 s is 300 ms here; with jitter and a busy machine it must not be more than a few.
        self.assertLess(time.monotonic() - deleted, 3)
        self.assertIn("because the target has no such policy", mended.group(1))
        self.demo.wait_for("endpoint/steady/variant/AllTraffic was changed from outside", "err", before)
        self.assertEqual(self.policies()["steady"], POLICY)
        self.assertIn('evenkeel_drift_total{kind="policy_missing",scope="default"} ', get(f"{self.page}/metrics"))

    def test_capacity_goes_up_and_comes_down_on_the_metrics_page(self):
        seen = {}
        ups, downs = set(), set()
        end = time.monotonic() + 120
        while time.monotonic() < end and not (ups and downs):
            for endpoint, value in samples(get(f"{self.page}/metrics"), "evenkeel_target_capacity_current").items():
                if value > seen.get(endpoint, value):
                    ups.add(endpoint)
                if value < seen.get(endpoint, value):
                    downs.add(endpoint)
                seen[endpoint] = value
            time.sleep(0.1)
        self.assertEqual(set(seen), {"steady", "daily", "bursty", "small"})
        self.assertTrue(ups and downs, f"up: {ups}, down: {downs}, at the end: {seen}")

    def test_what_prometheus_scrapes_passes_its_own_check(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed")
        text = get(f"{self.page}/metrics")
        check = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))

    def test_the_page_is_served_and_ready(self):
        self.assertIn("endpoint/daily/variant/AllTraffic", get(self.page))
        self.assertEqual(get(f"{self.page}/readyz"), "ready\n")
        self.assertEqual(get(f"{self.page}/healthz"), "ok\n")


if __name__ == "__main__":
    unittest.main()
