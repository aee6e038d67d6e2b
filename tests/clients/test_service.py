"""evenkeel under a service manager: what systemd is told over its socket, its unit, and the files for containers."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import yaml
from support import BINARY, ENVIRONMENT, ROOT, Process, Sandbox, eventually, free_port

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
"""

CONFIG = """
daemon: {{ http: {{ listen: "127.0.0.1:{port}" }}, watch_interval: 1s, reconcile_interval: 1s, call_timeout: 1s }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 3 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300 }} }}]
"""


class Manager:
    """The socket that systemd listens on, and what came over it."""

    def __init__(self, directory):
        self.path = str(pathlib.Path(directory) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.2)
        self.told = []
        self.open = True
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while self.open:
            try:
                message = self.socket.recv(4096).decode()
            except socket.timeout:
                continue
            except OSError:
                return
            self.told.append((time.monotonic(), message))

    def lines(self):
        return [line for _, message in list(self.told) for line in message.splitlines()]

    def stop(self):
        self.open = False
        self.reader.join()
        self.socket.close()


class Notify(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.path = pathlib.Path(self.dir.name)
        self.manager = Manager(self.dir.name)
        self.addCleanup(self.manager.stop)
        self.port = free_port()
        (self.path / "world.yaml").write_text(WORLD)
        (self.path / "evenkeel.yaml").write_text(CONFIG.format(port=self.port))
        self.config = ["--config", str(self.path / "evenkeel.yaml")]
        for name, value in (("NOTIFY_SOCKET", self.manager.path), ("WATCHDOG_USEC", "2000000")):
            ENVIRONMENT[name] = value
            self.addCleanup(ENVIRONMENT.pop, name, None)

    def health(self, *arguments):
        environment = {k: v for k, v in ENVIRONMENT.items() if k != "NOTIFY_SOCKET"}
        return subprocess.run(
            [BINARY, "health", *self.config, *arguments], env=environment, capture_output=True, text=True, timeout=30
        )

    def test_ready_alive_reloading_and_stopping(self):
        nobody = self.health()
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("can not connect", nobody.stderr)
        del ENVIRONMENT["NOTIFY_SOCKET"]
        sandbox = Sandbox("--world", str(self.path / "world.yaml"))
        self.addCleanup(sandbox.stop)
        ENVIRONMENT["NOTIFY_SOCKET"] = self.manager.path
        # The watchdog is for this process and none that it starts, says systemd.
        through = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"']
        daemon = Process("run", *self.config, "--endpoint-url", sandbox.url, through=through)
        self.addCleanup(daemon.stop)
        eventually(lambda: "READY=1" in self.manager.lines(), lambda: str(self.manager.told))
        observed = daemon.text("err")
        self.assertIn("supervising 1 targets", observed)
        eventually(lambda: "STATUS=1 targets, 0 alerts" in self.manager.lines(), lambda: str(self.manager.told))
        # Half of what the watchdog waits for.
        time.sleep(4)
        signs = [at for at, message in list(self.manager.told) if "WATCHDOG=1" in message]
        self.assertGreaterEqual(len(signs), 4)
        self.assertLess(max(b - a for a, b in zip(signs, signs[1:])), 1.9)
        self.assertEqual(self.health().returncode, 0)
        self.assertEqual(self.health("--ready").returncode, 0)

        before = len(self.manager.lines())
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "READY=1" in self.manager.lines()[before:], lambda: str(self.manager.told))
        reload = self.manager.lines()[before:]
        self.assertIn("RELOADING=1", reload)
        self.assertTrue(any(re.fullmatch(r"MONOTONIC_USEC=\d+", line) for line in reload))
        self.assertLess(reload.index("RELOADING=1"), reload.index("READY=1"))

        daemon.stop()
        self.assertIn("STOPPING=1", self.manager.lines())

    def test_no_sign_of_life_while_a_loop_hangs(self):
        """The fault: a disk that takes nothing any more. The journal is a pipe that nobody reads, and it is full."""
        state = self.path / "state"
        state.mkdir()
        os.mkfifo(state / "journal.jsonl")
        pipe = os.open(state / "journal.jsonl", os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, pipe)
        config = self.path / "evenkeel.yaml"
        config.write_text(config.read_text().replace("daemon: {", f'daemon: {{ state_dir: "{state}",'))
        del ENVIRONMENT["NOTIFY_SOCKET"]
        sandbox = Sandbox("--world", str(self.path / "world.yaml"))
        self.addCleanup(sandbox.stop)
        ENVIRONMENT["NOTIFY_SOCKET"] = self.manager.path
        through = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"']
        daemon = Process("run", *self.config, "--endpoint-url", sandbox.url, through=through)
        self.addCleanup(daemon.stop, signal.SIGKILL)
        eventually(lambda: "READY=1" in self.manager.lines(), lambda: str(self.manager.told))
        self.assertIn(b"register_target", os.read(pipe, 65536))

        def signs():
            return [at for at, message in list(self.manager.told) if "WATCHDOG=1" in message]

        def turned():
            sandbox.advance(2)
            return True

        eventually(lambda: turned() and len(signs()) > 3)
        try:
            while True:
                os.write(pipe, b"x" * 4096)
        except BlockingIOError:
            pass
        # A change that is to be written down, and can not be.
        (policy,) = sandbox.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        key = ("ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyName")
        sandbox.scaling.delete_scaling_policy(**{name: policy[name] for name in key})
        eventually(lambda: turned() and self.health().returncode == 1)
        # The page is served by the same threads: if it answers at all, it says who is silent.
        silent = self.health()
        if silent.stdout:
            self.assertIn("reconcile default: silent for", silent.stdout)
        # Ten times the second that a call may take; from then on nothing is sent, although the process lives on.
        before = len(signs())
        time.sleep(5)
        self.assertEqual(len(signs()), before)
        self.assertIsNone(daemon.process.poll())

        # The disk takes lines again, and so does the loop.
        while True:
            try:
                os.read(pipe, 65536)
            except BlockingIOError:
                break
        eventually(lambda: len(signs()) > before + 2, lambda: str(self.manager.told))
        self.assertEqual(self.health().returncode, 0)

    def test_not_ready_before_it_has_seen_aws(self):
        dead = f"http://127.0.0.1:{free_port()}"
        daemon = Process("run", *self.config, "--endpoint-url", dead)
        self.addCleanup(daemon.stop)
        eventually(lambda: any(l.startswith("STATUS=waiting") for l in self.manager.lines()))
        time.sleep(3)
        self.assertNotIn("READY=1", self.manager.lines())
        # AWS that does not answer is no loop that hangs.
        self.assertIn("WATCHDOG=1", self.manager.lines())
        self.assertEqual(self.health().returncode, 0)
        self.assertEqual(self.health("--ready").returncode, 1)

    def test_lines_for_the_journal_have_a_priority_and_no_time(self):
        with open(self.path / "log", "w+") as log:
            of = os.fstat(log.fileno())
            environment = {**ENVIRONMENT, "JOURNAL_STREAM": f"{of.st_dev}:{of.st_ino}"}
            dead = f"http://127.0.0.1:{free_port()}"
            daemon = subprocess.Popen(
                [BINARY, "run", *self.config, "--endpoint-url", dead], env=environment, stderr=log, stdout=log
            )
            try:
                eventually(lambda: "supervising" in (self.path / "log").read_text())
            finally:
                daemon.terminate()
                daemon.wait(timeout=20)
            for line in (self.path / "log").read_text().splitlines():
                self.assertRegex(line, r"^<[3467]>[^\x1b]*$")
                self.assertNotRegex(line, r"\d\d:\d\d:\d\d\.\d+Z")

    def test_wrong_configs_end_with_a_code_that_is_not_restarted(self):
        (self.path / "evenkeel.yaml").write_text("targets: [{ endpoint: x }]\n")
        done = subprocess.run(
            [BINARY, "run", *self.config], env=ENVIRONMENT, capture_output=True, text=True, timeout=30
        )
        unit = (ROOT / "systemd" / "evenkeel.service").read_text()
        codes = re.search(r"RestartPreventExitStatus=(.*)", unit).group(1).split()
        self.assertIn(str(done.returncode), codes)
        usage = subprocess.run([BINARY, "run", "--no-such"], env=ENVIRONMENT, capture_output=True, timeout=30)
        self.assertIn(str(usage.returncode), codes)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class Unit(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        text = (ROOT / "systemd" / "evenkeel.service").read_text()
        # The program has to be where the unit says.
        self.unit = pathlib.Path(self.dir.name) / "evenkeel.service"
        self.unit.write_text(text.replace("/usr/bin/evenkeel", BINARY))

    def test_systemd_has_nothing_to_object_to(self):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(self.unit)], capture_output=True, text=True, timeout=60
        )
        said = [line for line in done.stderr.splitlines() if "evenkeel" in line]
        self.assertEqual(said, [])

    def test_its_exposure_is_small(self):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(self.unit)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertLessEqual(float(level.group(1)), 1.5)


class Containers(unittest.TestCase):
    def test_cloudformation_is_accepted(self):
        template = ROOT / "docker" / "ecs" / "cloudformation.yaml"
        lint = pathlib.Path(os.sys.executable).parent / "cfn-lint"
        done = subprocess.run([str(lint), str(template)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_task_definition_is_what_ecs_takes_and_the_template_says(self):
        import boto3
        from botocore.validate import validate_parameters

        task = json.loads((ROOT / "docker" / "ecs" / "task-definition.json").read_text())
        client = boto3.client("ecs", region_name="us-west-2")
        validate_parameters(task, client.meta.service_model.operation_model("RegisterTaskDefinition").input_shape)
        (container,) = task["containerDefinitions"]
        text = (ROOT / "docker" / "ecs" / "cloudformation.yaml").read_text()
        self.assertIn(", ".join(container["command"]), text)
        self.assertIn(", ".join(container["healthCheck"]["command"]), text)

    def test_compose_and_image_name_what_is_there(self):
        compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
        for service in compose["services"].values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                self.assertTrue((ROOT / "docker" / source).exists(), source)
        dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
        ignored = (ROOT / ".dockerignore").read_text().split()
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.M):
            for source in line.split():
                self.assertTrue((ROOT / source).exists(), source)
                self.assertIn(f"!{source}", ignored)
        rust = re.search(r"FROM rust:([\d.]+)", dockerfile).group(1)
        self.assertIn(f'"{rust}', (ROOT / "rust-toolchain.toml").read_text())
        # What the compose file runs together is a config that evenkeel takes.
        with tempfile.TemporaryDirectory() as directory:
            for volume in compose["services"]["evenkeel"]["volumes"]:
                source, target, _ = volume.split(":")
                name = pathlib.Path(target).name
                shutil.copy(ROOT / "docker" / source, pathlib.Path(directory) / name)
            done = subprocess.run(
                [BINARY, "validate", "--config", directory], env=ENVIRONMENT, capture_output=True, text=True
            )
            self.assertEqual(done.returncode, 0, done.stderr)
        prometheus = yaml.safe_load((ROOT / "docker" / "compose" / "prometheus.yml").read_text())
        self.assertEqual(prometheus["scrape_configs"][0]["static_configs"][0]["targets"], ["evenkeel:9464"])


if __name__ == "__main__":
    unittest.main()
