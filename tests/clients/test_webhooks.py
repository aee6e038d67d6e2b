"""Webhooks over real HTTP: what arrives, in which form, with which secrets, and from a receiver that is slow or refuses."""

import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
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
alerting:
  webhooks:
    - {{ name: ops, form: generic, url: "{url}/ops", token_file: "{token}" }}
    - {{ name: chat, form: slack, url_env: SLACK_URL }}
    - {{ name: oncall, form: pagerduty, url: "{url}/pd", key_env: PD_KEY, urgency: critical }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300, scale_out_cooldown: 0s }} }}]
"""


class Receiver:
    """Takes what is posted, and answers as it is told."""

    def __init__(self):
        self.posts = []
        self.status = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.status.get(self.path, 202)
                if status == 202:
                    receiver.posts.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        return [(headers, body) for to, headers, body in self.posts if to == path]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Webhooks(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.path = pathlib.Path(self.dir.name)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        (self.path / "world.yaml").write_text(WORLD)
        (self.path / "token").write_text("t0ken\n")
        config = CONFIG.format(url=self.receiver.url, token=self.path / "token", state=self.path / "state")
        (self.path / "evenkeel.yaml").write_text(config)
        self.config = ["--config", str(self.path / "evenkeel.yaml")]
        # A process hands its environment on to the daemon.
        ENVIRONMENT["SLACK_URL"] = f"{self.receiver.url}/T000/B000/xyz"
        ENVIRONMENT["PD_KEY"] = "R0UT1NG"
        self.addCleanup(ENVIRONMENT.pop, "SLACK_URL", None)
        self.addCleanup(ENVIRONMENT.pop, "PD_KEY", None)

    def command(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, *self.config], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
        )

    def test_every_receiver_takes_the_test(self):
        done = self.command("alert-test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("took the alert and its end"), 3)
        (headers, begins), (_, ends) = self.receiver.of("/ops")
        self.assertEqual({k.lower(): v for k, v in headers.items()}["authorization"], "Bearer t0ken")
        self.assertEqual((begins["status"], ends["status"]), ("firing", "resolved"))
        self.assertEqual(begins["key"], ends["key"])
        self.assertIn("this is a test", begins["firing"][0]["reason"])
        (_, slack), _ = self.receiver.of("/T000/B000/xyz")
        self.assertEqual(list(slack), ["text"])
        (_, trigger), (_, resolve) = self.receiver.of("/pd")
        self.assert_pagerduty(trigger)
        self.assert_pagerduty(resolve)
        self.assertEqual(trigger["dedup_key"], resolve["dedup_key"])

    def assert_pagerduty(self, event):
        """What the Events API v2 asks for."""
        self.assertEqual(event["routing_key"], "R0UT1NG")
        self.assertIn(event["event_action"], ("trigger", "resolve"))
        self.assertLessEqual(len(event["dedup_key"]), 255)
        if event["event_action"] == "trigger":
            payload = event["payload"]
            self.assertLessEqual(len(payload["summary"]), 1024)
            self.assertTrue(payload["summary"] and payload["source"])
            self.assertIn(payload["severity"], ("critical", "error", "warning", "info"))

    def test_who_does_not_take_it_is_named_and_secrets_are_not(self):
        self.receiver.status["/pd"] = 400
        done = self.command("alert-test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("oncall: did not take it: it answered 400", done.stdout)
        self.assertEqual(done.stdout.count("took the alert"), 2)
        del ENVIRONMENT["PD_KEY"]
        (self.path / "token").write_text("\n")
        done = self.command("alert-test")
        self.assertEqual(done.returncode, 78)
        self.assertIn("variable PD_KEY: alerting.webhooks `oncall`: key: it is not set", done.stderr)
        self.assertIn("alerting.webhooks `ops`: token: it is empty", done.stderr)
        shown = self.command("validate", "--resolved")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for secret in ("R0UT1NG", "t0ken", "xyz"):
            self.assertNotIn(secret, done.stdout + done.stderr + shown.stdout + shown.stderr)

    def test_an_alert_of_the_daemon_arrives_once_and_ends_also_over_a_restart(self):
        sandbox = Sandbox("--world", str(self.path / "world.yaml"))
        self.addCleanup(sandbox.stop)
        daemon = Process("run", *self.config, "--endpoint-url", sandbox.url)
        self.addCleanup(daemon.stop)
        daemon.wait_for("writes done: 2")
        sandbox.traffic("chat", steady=2400)

        def saturated(path):
            return [body for _, body in self.receiver.of(path) if "Saturated" in json.dumps(body)]

        eventually(
            lambda: sandbox.advance(60) or saturated("/pd"), lambda: f"{self.receiver.posts}\n{daemon.text('err')}"
        )
        (event,) = saturated("/pd")
        self.assert_pagerduty(event)
        self.assertRegex(event["payload"]["summary"], "at the maximum, 3, and .* are missing")
        daemon.stop()
        for name in ("alerts.json", "told.json"):
            self.assertIn("MaxCapacitySaturated", (self.path / "state" / name).read_text())
        again = Process("run", *self.config, "--endpoint-url", sandbox.url)
        self.addCleanup(again.stop)
        again.wait_for("converged|writes done|supervis|listening")
        sandbox.traffic("chat", steady=300)
        eventually(
            lambda: sandbox.advance(60) or any(e["event_action"] == "resolve" for e in saturated("/pd")),
            lambda: f"{self.receiver.posts}\n{again.text('err')}",
        )
        actions = [event["event_action"] for event in saturated("/pd")]
        self.assertEqual(actions, ["trigger", "resolve"])
        for secret in ("R0UT1NG", "t0ken", "xyz"):
            self.assertNotIn(secret, daemon.text("err") + again.text("err"))


if __name__ == "__main__":
    unittest.main()
