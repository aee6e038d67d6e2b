"""TLS and the token of the daemon's pages, judged by Python's ssl, a real Prometheus, and openssl's certificates."""

import base64
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from support import BINARY, ENVIRONMENT, Process, Sandbox, Server, eventually, free_port

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2 }]
"""
CONFIG = """
daemon:
  http:
    listen: 127.0.0.1:PORT
    tls: { cert_file: DIR/tls.crt, key_file: DIR/tls.key }
    token_file: DIR/token
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 4 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300 } }]
"""
FIRST, SECOND = "first-0123456789abcdef", "second-0123456789abcdef"


class Prometheus(Server):
    def __init__(self, directory, address, authority, token):
        config = pathlib.Path(directory) / "prometheus.json"
        scrape = {
            "job_name": "evenkeel",
            "scheme": "https",
            "tls_config": {"ca_file": str(authority)},
            "authorization": {"credentials_file": str(token)},
            "static_configs": [{"targets": [address]}],
        }
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
        super().__init__(
            directory, "prometheus", f"--config.file={config}", f"--storage.tsdb.path={config.with_name('tsdb')}"
        )

    def is_up(self):
        answer = json.loads(self.ask("/api/v1/query?query=up"))["data"]["result"]
        return bool(answer) and answer[0]["value"][1] == "1"


class AccessTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = pathlib.Path(held.name)
        (self.directory / "world.yaml").write_text(WORLD)
        self.sandbox = Sandbox("--world", str(self.directory / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.port = free_port()
        config = CONFIG.replace("PORT", str(self.port)).replace("DIR", str(self.directory))
        self.config = self.directory / "evenkeel.yaml"
        self.config.write_text(config)
        self.certify("one")
        (self.directory / "token").write_text(FIRST + "\n")
        self.arguments = ["--config", str(self.config), "--endpoint-url", self.sandbox.url]

    def certify(self, name):
        """A new key and certificate for localhost, in place of those that are there."""
        for kind, path in (("-keyout", "tls.key.new"), ("-out", "tls.crt.new")):
            self.assertFalse((self.directory / path).exists(), kind)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.directory / "tls.key.new", "-out", self.directory / "tls.crt.new"],
            check=True, capture_output=True,
        )  # fmt: skip
        for path in ("tls.key", "tls.crt"):
            os.replace(self.directory / f"{path}.new", self.directory / path)

    def start(self):
        process = Process("run", "-vv", *self.arguments)
        self.addCleanup(process.stop)
        process.wait_for("status page on https://")
        process.wait_for("endpoint/chat.*register")
        return process

    def ask(self, path, authorization=None):
        """Status and body, over TLS that trusts what stands in the directory and nothing else."""
        trusted = ssl.create_default_context(cafile=str(self.directory / "tls.crt"))
        headers = {"authorization": authorization} if authorization else {}
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def common_name(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            trusted = ssl.create_default_context(cafile=str(self.directory / "tls.crt"))
            with trusted.wrap_socket(plain, server_hostname="localhost") as secure:
                return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]

    def command(self, *arguments):
        return subprocess.run([BINARY, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)

    def test_pages_need_tls_and_a_token_and_both_change_without_a_restart(self):
        process = self.start()
        bearer = f"Bearer {FIRST}"
        self.assertEqual(self.ask("/metrics")[0], 401)
        self.assertEqual(self.ask("/metrics", "Bearer wrong-0123456789abcdef")[0], 401)
        status, metrics = self.ask("/metrics", bearer)
        self.assertEqual(status, 200)
        self.assertIn("evenkeel_build_info", metrics)
        # A browser asks for a name and a password.
        basic = base64.b64encode(f"anyone:{FIRST}".encode()).decode()
        self.assertEqual(self.ask("/", f"Basic {basic}")[0], 200)
        self.assertEqual(self.ask("/api/v1/status")[0], 401)
        # Who starts and stops the daemon has no token.
        self.assertEqual(self.ask("/healthz"), (200, "ok\n"))
        self.assertEqual(self.ask("/readyz")[0], 200)
        health = self.command("health", "--config", str(self.config))
        self.assertEqual((health.returncode, health.stdout), (0, "ok\n"), health.stderr)
        health = self.command("health", "--ready", "--tls", "--listen", f"127.0.0.1:{self.port}")
        self.assertEqual(health.returncode, 0, health.stderr)
        # Nothing is said to who speaks no TLS.
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            self.assertNotIn(b"200", plain.recv(1000))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(self.directory / "tls.crt"))
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()

        prometheus = Prometheus(
            self.directory, f"127.0.0.1:{self.port}", self.directory / "tls.crt", self.directory / "token"
        )
        self.addCleanup(prometheus.stop)
        eventually(prometheus.is_up, prometheus.log.read_text)

        self.assertEqual(self.common_name(), "one")
        self.certify("two")
        (self.directory / "token").write_text(SECOND)
        process.process.send_signal(signal.SIGHUP)
        process.wait_for("config reloaded|reloaded the config|config was reloaded")
        self.assertEqual(self.common_name(), "two")
        self.assertEqual(self.ask("/metrics", bearer)[0], 401)
        self.assertEqual(self.ask("/metrics", f"Bearer {SECOND}")[0], 200)

        # A certificate that is none changes nothing but what is said.
        kept = (self.directory / "tls.crt").read_text()
        (self.directory / "broken.crt").write_text("no certificate\n")
        self.config.write_text(self.config.read_text().replace("tls.crt", "broken.crt"))
        process.process.send_signal(signal.SIGHUP)
        process.wait_for(r"broken\.crt.*daemon\.http\.tls\.cert_file.*no PEM certificates")
        self.assertEqual((self.directory / "tls.crt").read_text(), kept)
        self.assertIn("evenkeel_config_reload_success 0", self.ask("/metrics", f"Bearer {SECOND}")[1])
        self.assertEqual(self.common_name(), "two")
        self.assertEqual(process.stop(), 0)
        for secret in (FIRST, SECOND, "PRIVATE KEY"):
            self.assertNotIn(secret, process.text("err") + process.text("out"))

    def test_files_that_change_are_read_without_a_word(self):
        process = self.start()
        self.certify("renewed")
        process.wait_for("certificate or token changed on disk")
        self.assertEqual(self.common_name(), "renewed")
        (self.directory / "token").write_text("short")
        told = process.wait_for("could not be read again.*")
        self.assertNotIn("short", told.group(0).replace("fewer than", ""))
        self.assertEqual(self.ask("/metrics", f"Bearer {FIRST}")[0], 200)

    def test_what_is_wrong_is_said_at_once_and_no_secret_with_it(self):
        (self.directory / "tls.key").unlink()
        (self.directory / "token").write_text("too short")
        said = self.command("run", *self.arguments)
        # Not 78: a secret that is mounted late is worth another try.
        self.assertEqual(said.returncode, 1, said.stderr)
        self.assertIn("tls.key: daemon.http.tls.key_file", said.stderr)
        self.assertIn("token: daemon.http: token", said.stderr)
        self.assertIn("fewer than 16", said.stderr)
        self.assertNotIn("too short", said.stderr)
        self.certify("mine")
        key = (self.directory / "tls.key").read_text()
        self.certify("other")
        (self.directory / "tls.key").write_text(key)
        (self.directory / "token").write_text(FIRST)
        said = self.command("run", *self.arguments)
        self.assertEqual(said.returncode, 1, said.stderr)
        self.assertIn("do not go together", said.stderr)
        shown = self.command("validate", "--resolved", "--config", str(self.config))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(f"token_file: {self.directory}/token", shown.stdout)
        self.assertNotIn(FIRST, shown.stdout)
        self.config.write_text(self.config.read_text().replace(f"token_file: {self.directory}/token", f"token: {FIRST}"))
        said = self.command("validate", "--config", str(self.config))
        self.assertEqual(said.returncode, 78)
        self.assertIn("a secret stands in the config", said.stderr)
        self.assertNotIn(FIRST, said.stderr)
        # Who takes the name of a variable for the secret itself.
        self.config.write_text(self.config.read_text().replace(f"token: {FIRST}", f"token_env: {FIRST}"))
        said = self.command("validate", "--config", str(self.config))
        self.assertEqual(said.returncode, 78)
        self.assertIn("this is no name of a variable", said.stderr)
        self.assertNotIn(FIRST, said.stderr)


if __name__ == "__main__":
    unittest.main()
