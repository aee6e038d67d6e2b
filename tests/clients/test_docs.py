"""Runs the console blocks of README and docs word for word, and compares what they print.

A block is fenced as `console`; a line that begins with `$ ` is a command, one with `> ` goes on with it, and all others are
what it prints. `…` stands for anything within a line; a line that is nothing else, for any number of lines.
The blocks of a page are run in one shell, in a directory that holds the project's `config` and nothing else. A comment
`<!-- run: ... -->` holds commands that the reader is spared.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import BINARY, ENVIRONMENT, ROOT, Sandbox

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
END = "-- end of command --"


def steps(text):
    """Commands with the lines that they print; `None` for those that nobody looks at."""
    found = []
    for hidden, block in re.findall(r"<!-- run:\n(.*?)-->|^```console\n(.*?)^```$", text, flags=re.S | re.M):
        if hidden:
            found.append((hidden, None))
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.startswith("> ") and found and found[-1][1] == []:
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
            else:
                found[-1][1].append(line)
    return found


def fits(expected, printed):
    """Whether lines are as expected."""
    if not expected:
        return not printed
    if expected[0] == "…":
        return any(fits(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    pattern = ".*".join(re.escape(part) for part in expected[0].split("…"))
    return bool(printed) and re.fullmatch(pattern, printed[0]) is not None and fits(expected[1:], printed[1:])


class Shell:
    """A shell that runs one command after the other, as a terminal would."""

    def __init__(self, directory):
        programs = directory / "bin"
        programs.mkdir()
        (programs / "evenkeel").symlink_to(BINARY)
        path = f"{programs}:{pathlib.Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"
        environment = {**ENVIRONMENT, "PATH": path, "HOME": str(directory)}
        for name in [name for name in environment if name.startswith("AWS_") and name != "AWS_EC2_METADATA_DISABLED"]:
            del environment[name]
        self.process = subprocess.Popen(
            ["bash", "--norc"], cwd=directory, env=environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, command):
        # What a command says of jobs that end belongs to no command.
        self.process.stdin.write(f"{command}\necho; echo '{END}'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == END:
                # The empty line before the end is ours.
                return lines[:-1] if lines and lines[-1] == "" else lines
            if not re.fullmatch(r"bash: line \d+: +\d+ Terminated .*", line.rstrip("\n")):
                lines.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended: {lines}")

    def stop(self):
        self.process.stdin.close()
        subprocess.run(["pkill", "-TERM", "-s", str(self.process.pid)], check=False)
        self.process.wait(timeout=30)
        self.process.stdout.close()


class DocsTest(unittest.TestCase):
    def test_console_blocks_print_what_they_say(self):
        ran = {}
        for page in PAGES:
            found = steps(page.read_text())
            if not found:
                continue
            name = str(page.relative_to(ROOT))
            with self.subTest(page=name), tempfile.TemporaryDirectory() as directory:
                self.walk(pathlib.Path(directory), found)
                ran[name] = len(found)
        print(f"\ncommands of the docs: {ran}")
        # The first hour is walked in config/demo/first-hour.yaml, whatever else is.
        self.assertGreater(ran.get("docs/guide.md", 0), 15)

    def walk(self, directory, found):
        (directory / "config").symlink_to(ROOT / "config")
        shell = Shell(directory)
        try:
            for command, expected in found:
                printed = shell.run(command)
                if expected is not None and not fits(expected, printed):
                    said = "\n".join(printed)
                    self.fail(f"$ {command}\n-- expected:\n" + "\n".join(expected) + f"\n-- printed:\n{said}")
        finally:
            shell.stop()

    def test_the_config_and_the_commands_of_the_readme_do_what_they_say(self):
        text = (ROOT / "README.md").read_text()
        config = re.search(r"```yaml\n(# evenkeel\.yaml\n.*?)```", text, re.S).group(1)
        # As it stands there, but for what a test can not have: a terminal to ask on, an address that is free.
        said = re.findall(r"^(evenkeel \w+ +--config evenkeel\.yaml) +# (.*)$", text, re.M)
        self.assertEqual([command.split()[1] for command, _ in said], ["validate", "plan", "apply", "run"])
        with tempfile.TemporaryDirectory() as held:
            directory = pathlib.Path(held)
            (directory / "evenkeel.yaml").write_text(config)
            (directory / "world.yaml").write_text(
                "region: us-west-2\nendpoints:\n  - name: chat\n    variants: [{ name: AllTraffic, "
                "instance_type: ml.m5.xlarge, instances: 2 }]\n"
            )
            sandbox = Sandbox("--world", str(directory / "world.yaml"))
            self.addCleanup(sandbox.stop)
            environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": sandbox.url}
            ends = {"validate": 0, "plan": 2, "apply": 0}
            for command, _ in said[:3]:
                words = command.split()[1:] + (["--yes"] if "apply" in command else [])
                done = subprocess.run(
                    [BINARY, *words], cwd=directory, env=environment, capture_output=True, text=True, timeout=60
                )
                self.assertEqual(done.returncode, ends[words[0]], f"{command}\n{done.stdout}{done.stderr}")
            daemon = subprocess.Popen(
                [BINARY, *said[3][0].split()[1:], "--listen", "127.0.0.1:0"],
                cwd=directory, env=environment, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            line = daemon.stderr.readline()
            daemon.terminate()
            rest = daemon.communicate(timeout=30)[1]
            self.assertIn("supervising 1 targets in enforce mode", line + rest)
            self.assertEqual(daemon.returncode, 0, rest)

    def test_the_comparison_compares(self):
        self.assertTrue(fits(["a … c", "…", "z"], ["a b c", "x", "y", "z"]))
        self.assertTrue(fits(["…"], []))
        for expected, printed in [(["a"], ["a", "b"]), (["a", "b"], ["a"]), (["a … c"], ["a c"]), ([], ["a"])]:
            self.assertFalse(fits(expected, printed), (expected, printed))


if __name__ == "__main__":
    unittest.main()
