"""What packaging/build.sh made, judged by dpkg, lintian, readelf, and an empty root with nothing but certificates.

Needs root, for chroot and the ports 53 and 443 of an address of the loopback that nobody else uses.
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "target" / "package"
sys.path.insert(0, str(ROOT / "tests" / "clients"))
os.environ["EVENKEEL_BIN"] = str(PACKAGE / "evenkeel")

from support import BINARY, ENVIRONMENT, Sandbox  # noqa: E402

ADDRESS = "127.0.0.77"
CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"


def said(*command, code=0, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, **options)
    if done.returncode != code:
        raise AssertionError(f"{command}: {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class ProgramTest(unittest.TestCase):
    def test_it_is_static_stripped_and_knows_what_it_was_built_from(self):
        headers = said("readelf", "--wide", "--program-headers", "--dynamic", BINARY)
        self.assertNotIn("INTERP", headers)
        self.assertNotIn("NEEDED", headers)
        self.assertNotIn(".symtab", said("readelf", "--wide", "--sections", BINARY))
        version = said(BINARY, "--version")
        head = said("git", "rev-parse", "--short=12", "HEAD", cwd=ROOT).strip()
        self.assertIn(f"commit:   {head}", version)
        self.assertIn("profile:  release", version)
        self.assertRegex(version, r"compiler: rustc \d")
        self.assertRegex(said(BINARY, "-V"), rf"^evenkeel \d+\.\d+\.\d+ \({head}.*\)\n$")

    def test_the_bill_of_materials_has_what_is_linked(self):
        bill = json.loads((PACKAGE / "evenkeel.cdx.json").read_text())
        listed = {(part["name"], part["version"]) for part in bill["components"]}
        # Where code of a crate may panic its place is in the program: what is linked, told by the linker's own work.
        places = re.findall(rb"index\.crates\.io-[0-9a-f]+/([a-z0-9_-]+?)-(\d+\.\d+\.\d+[^/]*)/", pathlib.Path(BINARY).read_bytes())
        linked = {(name.decode(), version.decode()) for name, version in places}
        self.assertGreater(len(linked), 50)
        self.assertEqual(linked - listed, set())
        self.assertFalse({"proptest", "insta", "tempfile"} & {name for name, _ in listed})
        for part in bill["components"]:
            self.assertTrue(part["licenses"], part["name"])
            self.assertEqual(part["hashes"][0]["alg"], "SHA-256")
            self.assertTrue(part["purl"].startswith("pkg:cargo/"))
        said("sha256sum", "--check", "SHA256SUMS", cwd=PACKAGE)

    def test_the_image_is_as_hadolint_wants_it_and_copies_what_is_needed(self):
        hadolint = pathlib.Path(sys.executable).with_name("hadolint")
        said(hadolint, ROOT / "docker" / "Dockerfile")
        text = (ROOT / "docker" / "Dockerfile").read_text()
        last = text[text.rindex("FROM ") :]
        self.assertTrue(last.startswith("FROM scratch"))
        # What the empty root of the test below has.
        self.assertIn("/etc/ssl/certs/ca-certificates.crt", last)
        self.assertIn("target-feature=+crt-static", text)


    def test_what_the_image_is_built_from_is_enough_to_build_it(self):
        with tempfile.TemporaryDirectory() as held:
            for line in (ROOT / ".dockerignore").read_text().split():
                if line.startswith("!"):
                    source, target = ROOT / line[1:], pathlib.Path(held) / line[1:]
                    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
            environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
            command = ["cargo", "check", "--locked", "--quiet", "--bin", "evenkeel"]
            subprocess.run(command, cwd=held, env=environment, check=True, timeout=600)


class DebianTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.root = pathlib.Path(held.name)
        for part in ("info", "updates", "triggers"):
            (self.root / "var/lib/dpkg" / part).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (self.deb,) = PACKAGE.glob("*.deb")

    def dpkg(self, *arguments):
        # Scripts run outside, and are told where the root is: nothing of this machine is touched.
        return said("dpkg", f"--root={self.root}", "--force-script-chrootless", "--force-depends", *arguments)

    def left(self):
        """Everything of ours in the root, but for dpkg's own books."""
        return sorted(
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if "evenkeel" in path.name and "var/lib/dpkg" not in str(path)
        )

    def test_lintian_finds_no_error(self):
        # Static by intent, in a package that is nobody's upload to Debian.
        tags = ["statically-linked-binary", "shared-library-lacks-prerequisites", "initial-upload-closes-no-bugs"]
        report = said("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", ",".join(tags), self.deb)
        self.assertNotIn("E: ", report)

    def test_it_installs_and_goes_without_a_trace(self):
        self.dpkg("--install", self.deb)
        program = self.root / "usr/bin/evenkeel"
        said(program, "validate", "--config", self.root / "etc/evenkeel", env=ENVIRONMENT)
        unit = self.root / "usr/lib/systemd/system/evenkeel.service"
        if not unit.exists():
            unit = self.root / "lib/systemd/system/evenkeel.service"
        self.assertEqual(unit.read_text(), (ROOT / "systemd/evenkeel.service").read_text())
        # It starts nothing by itself, now or at boot.
        self.assertEqual(list(self.root.glob("etc/systemd/system/*.wants/*")), [])
        pages = {path.name for path in (self.root / "usr/share/man/man1").iterdir()}
        self.assertIn("evenkeel.1.gz", pages)
        self.assertIn("evenkeel-hold.1.gz", pages)
        for page in pages:
            said("gzip", "--test", self.root / "usr/share/man/man1" / page)
        completions = self.root / "usr/share/bash-completion/completions/evenkeel"
        words = "COMP_WORDS=(evenkeel over); COMP_CWORD=1; _evenkeel evenkeel over evenkeel; echo ${COMPREPLY[@]}"
        self.assertEqual(said("bash", "-c", f"source {completions}; {words}").strip(), "override")
        self.assertTrue((self.root / "usr/share/zsh/vendor-completions/_evenkeel").exists())
        self.assertTrue((self.root / "usr/share/fish/vendor_completions.d/evenkeel.fish").exists())

        mine = self.root / "etc/evenkeel/evenkeel.yaml"
        mine.write_text("daemon: { mode: observe }\n")
        (self.root / "var/lib/evenkeel").mkdir(parents=True)
        (self.root / "var/lib/evenkeel/journal.jsonl").touch()
        self.dpkg("--force-confold", "--install", self.deb)
        self.assertEqual(mine.read_text(), "daemon: { mode: observe }\n")
        self.dpkg("--remove", "evenkeel")
        kept = {"etc/default/evenkeel", "etc/evenkeel", "etc/evenkeel/evenkeel.yaml", "var/lib/evenkeel"}
        # systemd's helper masks the unit of a package that is removed, and keeps book of that until it is purged.
        left = {path for path in self.left() if "systemd" not in path}
        self.assertEqual(left, kept)
        self.dpkg("--purge", "evenkeel")
        self.assertEqual(self.left(), [])


class Resolver(threading.Thread):
    """A name server that knows one address for every name."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 53))
        self.socket.settimeout(0.2)
        self.open = True
        self.asked = set()
        self.start()

    def run(self):
        while self.open:
            try:
                question, client = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            end = question.index(b"\0", 12) + 5
            kind = question[end - 4 : end - 2]
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1 : at + 1 + question[at]].decode())
                at += 1 + question[at]
            self.asked.add(".".join(labels))
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\x04" + socket.inet_aton(ADDRESS) if kind == b"\0\1" else b""
            head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0"
            self.socket.sendto(head + question[12:end] + answer, client)

    def stop(self):
        self.open = False
        self.join()
        self.socket.close()


def front(url, certificate, key):
    """AWS's addresses with TLS, before a sandbox."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        hosts = set()

        def do_POST(self):
            self.hosts.add(self.headers["host"])
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
            request = urllib.request.Request(url + self.path, body, headers, method="POST")
            try:
                answer = urllib.request.urlopen(request, timeout=20)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                text = answer.read()
                self.send_response(answer.status)
                for name in ("content-type", "smithy-protocol", "x-amzn-requestid"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that hangs up is no fault of this test."""

    server = Server((ADDRESS, 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, Handler


def certified(directory, name):
    """An authority, and what it signed for AWS's names in us-east-1: authority, certificate and key."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca, ca_key, certificate, key = (directory / f"{name}.{kind}" for kind in ("ca.crt", "ca.key", "crt", "key"))
    said("openssl", "req", "-x509", *curve, "-subj", f"/CN={name}", "-keyout", ca_key, "-out", ca)
    names = ["*.us-east-1.amazonaws.com", "api.sagemaker.us-east-1.amazonaws.com"]
    said(
        "openssl", "req", "-x509", *curve, "-subj", "/CN=aws", "-CA", ca, "-CAkey", ca_key,
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names), "-keyout", key, "-out", certificate,
    )  # fmt: skip
    return ca, certificate, key


WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2 }]
"""
CONFIG = """
daemon: { http: { listen: "127.0.0.77:9464" } }
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 4 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 300, scale_out_cooldown: 60s } }]
    schedules:
      - { name: up, cron: "0 8 ? * MON-FRI *", timezone: Europe/Berlin, bounds: { min: 2 } }
      - { name: down, cron: "0 20 ? * MON-FRI *", timezone: Europe/Berlin, bounds: { min: 1 } }
"""


class EmptyRootTest(unittest.TestCase):
    """What `FROM scratch` has: the program, its config, certificates, and the name server that the host gives."""

    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = pathlib.Path(held.name)
        (self.directory / "world.yaml").write_text(WORLD)
        sandbox = Sandbox("--world", str(self.directory / "world.yaml"))
        self.addCleanup(sandbox.stop)
        authority, certificate, key = certified(self.directory, "aws")
        self.front, self.seen = front(sandbox.url, certificate, key)
        self.addCleanup(self.front.server_close)
        self.addCleanup(self.front.shutdown)
        self.names = Resolver()
        self.addCleanup(self.names.stop)
        self.root = self.directory / "root"
        (self.root / "etc/ssl/certs").mkdir(parents=True)
        (self.root / "etc/evenkeel").mkdir()
        (self.root / "usr/bin").mkdir(parents=True)
        shutil.copy(BINARY, self.root / "usr/bin/evenkeel")
        shutil.copy(authority, self.root / "etc/ssl/certs/ca-certificates.crt")
        (self.root / "etc/resolv.conf").write_text(f"nameserver {ADDRESS}\noptions timeout:2 attempts:2\n")
        (self.root / "etc/evenkeel/evenkeel.yaml").write_text(CONFIG)

    def inside(self, *arguments, code=0):
        # As nobody, as the image runs it.
        command = [CHROOT, "--userspec=65532:65532", self.root, "/usr/bin/evenkeel", *arguments]
        environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("HOME", "PATH")}
        return said(*command, code=code, env=environment)

    def test_names_certificates_and_zones_are_all_there(self):
        self.assertEqual(len(list(self.root.rglob("*.so*"))), 0)
        planned = self.inside("plan", code=2)
        self.assertIn("+ register with bounds", planned)
        self.assertEqual(
            self.seen.hosts,
            {f"{name}.us-east-1.amazonaws.com" for name in ("api.sagemaker", "application-autoscaling", "monitoring")},
        )
        self.assertTrue(self.names.asked >= self.seen.hosts)
        self.inside("apply", "--yes")
        self.assertIn("No changes", self.inside("plan"))
        firing = self.inside("schedule", "--cron", "0 8 ? * SUN *", "--timezone", "Europe/Berlin", "--count", "1")
        self.assertRegex(firing, r"\+0[12]:00")

        environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("HOME", "PATH")}
        daemon = subprocess.Popen(
            [CHROOT, "--userspec=65532:65532", str(self.root), "/usr/bin/evenkeel", "run"],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.kill)
        line = ""
        while "status page on" not in line:
            line = daemon.stderr.readline()
            self.assertTrue(line, "the daemon ended")
        # The image's health check, in its own root.
        self.assertEqual(self.inside("health"), "ok\n")
        daemon.terminate()
        self.assertEqual(daemon.wait(timeout=30), 0, daemon.stderr.read())

    def test_a_certificate_of_someone_else_is_refused(self):
        other, _, _ = certified(self.directory, "someone-else")
        shutil.copy(other, self.root / "etc/ssl/certs/ca-certificates.crt")
        refused = self.inside("plan", code=1)
        self.assertRegex(refused, r"(?i)certificate")
        self.assertEqual(self.seen.hosts, set())


if __name__ == "__main__":
    unittest.main()
