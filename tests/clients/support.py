"""Starts evenkeel for tests with clients that are not ours, and judges its answers by the service models."""

import datetime
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("EVENKEEL_BIN", str(ROOT / "target" / "debug" / "evenkeel"))
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
PATIENCE = 60


class Process:
    """A command that goes on until told to stop; its output is read as it comes."""

    def __init__(self, *arguments, through=()):
        self.process = subprocess.Popen(
            [*through, BINARY, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines = {"out": [], "err": []}
        self.readers = []
        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr)):
            reader = threading.Thread(target=self._read, args=(name, stream), daemon=True)
            reader.start()
            self.readers.append(reader)

    def _read(self, name, stream):
        for line in stream:
            self.lines[name].append(line)

    def text(self, name):
        return "".join(self.lines[name])

    def wait_for(self, pattern, name="err", start=0, within=PATIENCE):
        """The first match of a pattern in the output from an offset on."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            match = re.search(pattern, self.text(name)[start:])
            if match:
                return match
            if self.process.poll() is not None and not any(reader.is_alive() for reader in self.readers):
                break
            time.sleep(0.02)
        raise AssertionError(f"no /{pattern}/ in:\n{self.text('out')}\n{self.text('err')}")

    def stop(self, how=signal.SIGTERM):
        """Asks it to stop and waits; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def eventually(condition, told=lambda: "", within=90):
    """What a condition finds as soon as it finds something."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited for {within} s\n{told()}")


class Server:
    """A server of someone else's on a port of its own; what it says goes to a file."""

    def __init__(self, directory, program, *arguments):
        self.address = f"127.0.0.1:{free_port()}"
        self.log = pathlib.Path(directory) / f"{program}.log"
        command = [shutil.which(program), f"--web.listen-address={self.address}", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            eventually(self.is_ready, self.log.read_text)
        except BaseException:
            self.stop()
            raise

    def is_ready(self):
        try:
            return self.ask("/-/ready")
        except OSError:
            return None

    def ask(self, path):
        return get(f"http://{self.address}{path}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()


class Alertmanager(Server):
    """It keeps alerts and tells nobody."""

    def __init__(self, directory):
        config = pathlib.Path(directory) / "alertmanager.yml"
        config.write_text("route: { receiver: none }\nreceivers: [{ name: none }]\n")
        super().__init__(
            directory, "prometheus-alertmanager", f"--config.file={config}",
            f"--storage.path={config.with_name('alertmanager')}", "--cluster.listen-address=",
        )  # fmt: skip

    def alerts(self, name):
        """Those of a name that are not over."""
        return [alert for alert in json.loads(self.ask("/api/v2/alerts")) if alert["labels"]["alertname"] == name]


class Sandbox:
    """A simulated AWS whose clock stands until it is turned, and boto3's clients for it."""

    called = set()

    def __init__(self, *arguments):
        self.process = Process("sandbox", "--listen", "127.0.0.1:0", "--speed", "0", *arguments)
        self.url = self.process.wait_for(r"http://[\d.:]+", "out").group(0)
        self.faults = []
        self.scaling = self._client("application-autoscaling")
        self.sagemaker = self._client("sagemaker")
        self.cloudwatch = self._client("cloudwatch")
        self.runtime = self._client("sagemaker-runtime")

    def _client(self, service):
        session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
        config = Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=20)
        client = session.client(service, endpoint_url=self.url, config=config)
        client.meta.events.register("after-call", self._judge)
        return client

    def _judge(self, http_response, parsed, model, **_):
        """Holds the raw answer against the service's own model."""
        if http_response.status_code >= 300 or model.service_model.service_name == "sagemaker-runtime":
            return
        Sandbox.called.add(model.name)
        raw = decoded(http_response)
        if model.output_shape is not None:
            self.faults += [f"{model.name}: {fault}" for fault in faults(model.output_shape, raw, "output")]

    def now(self):
        return datetime.datetime.fromisoformat(json.loads(get(f"{self.url}/_sandbox/clock"))["now"])

    def advance(self, seconds):
        self._send("POST", "advance", {"seconds": seconds})

    def traffic(self, endpoint, **shape):
        self._send("PUT", f"endpoints/{endpoint}/traffic", shape)

    def shortage(self, instance_type, short):
        self._send("PUT", f"shortages/{instance_type}", {"short": short})

    def _send(self, method, path, body):
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}", json.dumps(body).encode(), {"content-type": "application/json"}, method=method
        )
        urllib.request.urlopen(request, timeout=20).close()

    def stop(self):
        assert self.process.stop() == 0, self.process.text("err")
        assert not self.faults, "\n".join(self.faults)


def decoded(response):
    if "cbor" in response.headers.get("content-type", ""):
        from botocore.parsers import RpcV2CBORParser

        stream = io.BufferedReader(io.BytesIO(response.content))
        return RpcV2CBORParser().parse_data_item(stream)
    return json.loads(response.content or b"{}")


SCALARS = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, datetime.datetime),
}


def faults(shape, value, at):
    """What a service model has to object to in a value."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no structure"]
        found = [f"{at}.{name}: not in the model" for name in value if name not in shape.members]
        found += [f"{at}.{name}: required" for name in shape.required_members if name not in value]
        for name, member in shape.members.items():
            if name in value:
                found += faults(member, value[name], f"{at}.{name}")
        return found
    if kind == "list":
        if not isinstance(value, list):
            return [f"{at}: {value!r} is no list"]
        return [fault for i, entry in enumerate(value) for fault in faults(shape.member, entry, f"{at}[{i}]")]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no map"]
        return [fault for key, entry in value.items() for fault in faults(shape.value, entry, f"{at}.{key}")]
    wanted = SCALARS[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{at}: {value!r} is no {kind}"]
    if kind == "string" and shape.enum and value not in shape.enum:
        return [f"{at}: {value!r} is none of {shape.enum}"]
    return []
