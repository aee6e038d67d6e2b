"""The rules that are shipped, by promtool: they are rules, and they fire when they should and not before."""

import re
import shutil
import subprocess
import unittest

from support import ROOT

RULES = ROOT / "config/prometheus/evenkeel.rules.yml"


class Rules(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run([shutil.which("promtool"), *arguments], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_they_are_rules(self):
        self.promtool("check", "rules", str(RULES))

    def test_they_fire_when_they_should(self):
        self.promtool("test", "rules", str(ROOT / "tests/clients/evenkeel.rules.test.yml"))

    def test_their_metrics_and_runbooks_exist(self):
        text = RULES.read_text()
        documented = (ROOT / "docs/metrics.md").read_text()
        metrics = set(re.findall(r"\bevenkeel_[a-z_]+", text))
        self.assertGreater(len(metrics), 5)
        for metric in metrics:
            self.assertIn(f"`{metric}`", documented)
        for runbook in re.findall(r'runbook: "([^"{]+)"', text):
            self.assertTrue((ROOT / runbook).is_file(), runbook)


if __name__ == "__main__":
    unittest.main()
