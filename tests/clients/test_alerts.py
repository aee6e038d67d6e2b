"""An alert from a fault in the sandbox to a real Alertmanager, and its end."""

import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

from support import Process, Sandbox

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
    exact: true
"""

CONFIG = """
daemon: {{ http: {{ listen: "127.0.0.1:0" }}, watch_interval: 1s, reconcile_interval: 1s }}
alerting: {{ alertmanagers: ["http://127.0.0.1:{dead}", "{url}"] }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300, scale_out_cooldown: 0s }} }}]
"""

ALERTMANAGER = """
route: { receiver: none }
receivers: [{ name: none }]
"""
PATIENCE = 90


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class ToAlertmanager(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        path = pathlib.Path(self.dir.name)
        (path / "world.yaml").write_text(WORLD)
        (path / "am.yaml").write_text(ALERTMANAGER)
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            shutil.which("prometheus-alertmanager"),
            f"--config.file={path / 'am.yaml'}", f"--storage.path={path / 'am'}",
            f"--web.listen-address={self.url.removeprefix('http://')}", "--cluster.listen-address=",
        ]
        manager = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(manager.wait)
        self.addCleanup(manager.terminate)
        self.wait_for(lambda: self.ask("/-/ready"))
        self.sandbox = Sandbox("--world", str(path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.dead = free_port()
        (path / "evenkeel.yaml").write_text(CONFIG.format(url=self.url, dead=self.dead))
        config = ["--config", str(path / "evenkeel.yaml")]
        self.daemon = Process("run", *config, "--endpoint-url", self.sandbox.url)
        self.addCleanup(self.daemon.stop)

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.read()
        except OSError:
            return None

    def wait_for(self, condition):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.5)
        self.fail(f"waited for {PATIENCE} s; the daemon says:\n{self.daemon.text('err')}")

    def alerts(self, name):
        all_of_them = json.loads(self.ask("/api/v2/alerts") or "[]")
        return [alert for alert in all_of_them if alert["labels"]["alertname"] == name]

    def test_it_arrives_with_its_reason_and_ends(self):
        self.daemon.wait_for("writes done: 2")
        self.sandbox.traffic("chat", steady=2400)

        def saturated():
            # A sandbox's minutes pass when they are told to.
            self.sandbox.advance(60)
            return self.alerts("MaxCapacitySaturated")

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
            return not self.alerts("MaxCapacitySaturated")

        self.wait_for(over)


if __name__ == "__main__":
    unittest.main()
