"""A real Prometheus with the rules that are shipped, between a daemon and a real Alertmanager.

It scrapes what is served, answers every query of the dashboards, and tells when something is wrong and when it is over.
"""

import json
import pathlib
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

import yaml
from support import BINARY, ENVIRONMENT, ROOT, Alertmanager, Process, Sandbox, Server, eventually, free_port
from test_dashboards import RULES, expressions

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, start_up: 1m }]
    traffic: { steady: 500 }
    exact: true
  - name: llms
    variants:
      - { name: AllTraffic, instance_type: ml.g5.xlarge, hosts_components: { min_instances: 2, max_instances: 4 } }
    components:
      - { name: llama, copies: 1, copies_per_instance: 2, serves: 60, start_up: 1m, traffic: { steady: 20 } }
  - name: batch
    async: true
    variants: [{ name: AllTraffic, instance_type: ml.m5.large, instances: 1, serves: 60 }]
    traffic: { steady: 20 }
  - name: nobodys
    variants: [{ name: AllTraffic, instance_type: ml.c5.xlarge, instances: 1 }]
"""

CONFIG = """
daemon: {{ http: {{ listen: "{listen}" }}, watch_interval: 1s, reconcile_interval: 1s }}
alerting: {{ alertmanagers: ["http://{dead}", "http://{live}"] }}
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: {{ min: 1, max: 6 }}
    policies: [{{ target_tracking: {{ metric: invocations_per_instance, target: 300, scale_out_cooldown: 0s }} }}]
  - component: llama
    bounds: {{ min: 1, max: 1 }}
    schedules:
      - {{ name: up, rate: "10 minutes", start: "2026-01-01T00:00", bounds: {{ max: 2 }} }}
      - {{ name: down, rate: "10 minutes", start: "2026-01-01T00:05", bounds: {{ max: 1 }} }}
    policies: [{{ target_tracking: {{ metric: invocations_per_copy, target: 300 }} }}]
  - endpoint: batch
    variant: AllTraffic
    bounds: {{ min: 1, max: 4 }}
    policies:
      - target_tracking:
          metric: {{ namespace: AWS/SageMaker, name: ApproximateBacklogSizePerInstance, statistic: Average }}
          target: 5
"""

# Panels that have something to show only in a world where something is wrong, by the end of their places.
AT_TIMES = (
    "Alerts that fire, A", "What evenkeel can not say itself, A", "Unmet demand, top 10, A", "Reversals, top 10, A",
    "Requests without an answer, A", "Alerts, A",
)  # fmt: skip


class Prometheus(Server):
    """Looks every second."""

    def __init__(self, directory, scraped, alertmanager, rules):
        self.config = pathlib.Path(directory) / "prometheus.yml"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [{"job_name": "evenkeel", "static_configs": [{"targets": [scraped]}]}],
        }
        self.config.write_text(yaml.safe_dump(config))
        super().__init__(
            directory, "prometheus", f"--config.file={self.config}",
            f"--storage.tsdb.path={self.config.with_name('prometheus')}",
            # It finds Alertmanager seconds after its rules began, and what it told before that is lost.
            "--rules.alert.resend-delay=1s",
        )  # fmt: skip

    def api(self, path, **parameters):
        answer = json.loads(self.ask(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success" and "warnings" not in answer, answer
        return answer["data"]

    def query(self, expression):
        """The series of an instant."""
        found = self.api("query", query=expression)
        return found["result"] if found["resultType"] == "vector" else [found["result"]]

    def firing(self, **labels):
        matchers = "".join(f',{label}="{value}"' for label, value in labels.items())
        return self.query(f'ALERTS{{alertstate="firing"{matchers}}}')


def hasty(path):
    """The rules that wait, waiting for a second only, and marked: minutes of a real clock are too long for a test."""
    waiting = []
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        waiting += [rule for rule in group["rules"] if "for" in rule]
    for rule in waiting:
        rule["for"] = "1s"
        rule["labels"]["hasty"] = "yes"
    path.write_text(yaml.safe_dump({"groups": [{"name": "hasty", "rules": waiting}]}))
    return path


class ThroughPrometheus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.path = pathlib.Path(held.name)
        (cls.path / "world.yaml").write_text(WORLD)
        cls.manager = Alertmanager(cls.path)
        cls.addClassCleanup(cls.manager.stop)
        cls.sandbox = Sandbox("--world", str(cls.path / "world.yaml"))
        cls.addClassCleanup(cls.sandbox.stop)
        # A world that has metrics already: the daemon asks rarely for what an endpoint does not publish.
        cls.sandbox.advance(900)
        cls.listen, cls.dead = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        cls.config = cls.path / "evenkeel.yaml"
        cls.config.write_text(CONFIG.format(listen=cls.listen, live=cls.manager.address, dead=cls.dead))
        cls.start()
        cls.daemon.wait_for("writes done")
        cls.addClassCleanup(lambda: cls.daemon.stop())
        rules = [RULES, hasty(cls.path / "hasty.yml")]
        cls.prometheus = Prometheus(cls.path, cls.listen, cls.manager.address, rules)
        cls.addClassCleanup(cls.prometheus.stop)

    @classmethod
    def start(cls):
        cls.daemon = Process("run", "--config", str(cls.config), "--endpoint-url", cls.sandbox.url)
        cls.daemon.wait_for("supervising 3 targets")

    def until(self, condition, turning=0, told=lambda: ""):
        """Waits for something; a sandbox's minutes pass when they are told to."""

        def looked():
            if turning:
                self.sandbox.advance(turning)
            return condition()

        return eventually(looked, lambda: f"{told()}\nthe daemon says:\n{self.daemon.text('err')[-3000:]}")

    def heard(self, name, **labels):
        """What Alertmanager has from Prometheus."""
        return [one for one in self.manager.alerts(name) if labels.items() <= one["labels"].items()]

    def test_it_is_scraped_and_the_rules_run(self):
        (target,) = self.until(lambda: self.prometheus.api("targets", state="active")["activeTargets"])
        self.until(lambda: self.prometheus.query('up{job="evenkeel"} == 1'))
        self.assertEqual(target["labels"], {"instance": self.listen, "job": "evenkeel"})

        def groups():
            found = self.prometheus.api("rules")["groups"]
            rules = [rule for group in found for rule in group["rules"]]
            return found if all(rule["health"] != "unknown" for rule in rules) else None

        found = self.until(groups)
        shipped = yaml.safe_load(RULES.read_text())["groups"]
        loaded = {group["name"]: group["rules"] for group in found if group["file"] == str(RULES)}
        self.assertEqual({name: len(rules) for name, rules in loaded.items()},
                         {group["name"]: len(group["rules"]) for group in shipped})
        for rule in (rule for group in found for rule in group["rules"]):
            self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
        self.until(lambda: self.prometheus.firing(alertname="EvenkeelWatchdog"))
        self.until(lambda: self.heard("EvenkeelWatchdog"))

    def test_it_answers_every_query_of_the_dashboards(self):
        hold = ["hold", "chat", "--in", "--for", "6h", "--reason", "a test"]
        override = ["override", "chat", "--max", "7", "--for", "6h", "--reason", "a test"]
        for command in (hold, override):
            command = [BINARY, *command, "--config", str(self.config), "--endpoint-url", self.sandbox.url]
            subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, timeout=60)

        asked = expressions()
        missing = [*asked]

        def all_there():
            """What has had an answer is not asked again: an alert may be over."""
            missing[:] = [place for place in missing if not self.prometheus.query(asked[place])]
            return not [place for place in missing if not place.endswith(AT_TIMES)]

        self.until(all_there, turning=60, told=lambda: f"no series for {missing}")
        # What is selected is what is shown; a component has no endpoint.
        for chosen in (("chat", "AllTraffic", ""), ("", "", "llama")):
            variables = dict(zip(("endpoint", "variant", "component"), chosen), scope="default", __rate_interval="1m")
            of_target = {place: asked for place, asked in expressions(variables).items() if "Capacity, " in place}
            self.assertEqual(len(of_target), 4)
            for place, asked in of_target.items():
                ((labels, _),) = [(series["metric"], series["value"]) for series in self.prometheus.query(asked)]
                self.assertEqual(labels, {k: v for k, v in variables.items() if v and k != "__rate_interval"}, place)

    def test_a_fault_is_told_and_so_is_its_end(self):
        wrong = {"alert": "ScalingFailed", "endpoint": "chat", "variant": "AllTraffic", "severity": "critical"}
        self.assertEqual(self.prometheus.firing(**wrong), [])
        self.sandbox.shortage("ml.m5.xlarge", True)
        self.sandbox.traffic("chat", steady=1100)
        self.until(lambda: self.prometheus.firing(alertname="EvenkeelAlert", **wrong), turning=60)
        (told,) = self.until(lambda: self.heard("EvenkeelAlert", **wrong))
        self.assertEqual(told["annotations"]["runbook"], "docs/runbooks/ScalingFailed.md")
        self.assertTrue((ROOT / told["annotations"]["runbook"]).is_file())
        self.assertEqual(told["annotations"]["summary"], "ScalingFailed: chat (default)")
        # The dashboard has it too, with the way to its target.
        (table,) = [asked for place, asked in expressions().items() if place.endswith("Alerts that fire, A")]
        (shown,) = [one for one in self.prometheus.query(table) if one["metric"]["alert"] == "ScalingFailed"]
        self.assertEqual(shown["value"][1], "3")
        self.assertEqual(shown["metric"]["go"],
                         "var-scope=default&var-endpoint=chat&var-variant=AllTraffic&var-component=")

        self.sandbox.shortage("ml.m5.xlarge", False)
        self.until(lambda: not self.prometheus.firing(alertname="EvenkeelAlert", **wrong), turning=60)
        self.until(lambda: not self.heard("EvenkeelAlert", **wrong))

    def test_a_config_that_is_refused(self):
        good = self.config.read_text()
        self.config.write_text("targets: 7\n")
        self.addCleanup(self.config.write_text, good)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.heard("EvenkeelConfigRefused", hasty="yes"))
        # As it is shipped it waits for its minutes.
        (shipped,) = self.prometheus.query('ALERTS{alertname="EvenkeelConfigRefused",hasty=""}')
        self.assertEqual(shipped["metric"]["alertstate"], "pending")
        self.config.write_text(good)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.until(lambda: not self.prometheus.firing(alertname="EvenkeelConfigRefused"))
        self.until(lambda: not self.heard("EvenkeelConfigRefused"))

    def test_a_daemon_that_is_gone(self):
        # It is there before it goes.
        self.until(lambda: self.prometheus.query("evenkeel_build_info"))
        self.daemon.stop()
        self.until(lambda: self.heard("EvenkeelGone", hasty="yes"))
        type(self).start()
        self.until(lambda: not self.prometheus.firing(alertname="EvenkeelGone"))
        self.until(lambda: not self.heard("EvenkeelGone"))


if __name__ == "__main__":
    unittest.main()
