"""The dashboards that are shipped: Grafana can load them, and every query of theirs asks for what there is."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml
from promql import Contract, Expression, Fault, within
from support import ROOT

RULES = ROOT / "config/prometheus/evenkeel.rules.yml"
DASHBOARDS = {
    "evenkeel-fleet": ROOT / "config/grafana/evenkeel-fleet.json",
    "evenkeel-target": ROOT / "config/grafana/evenkeel-target.json",
}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"currencyUSD", "dateTimeFromNow", "none", "opm", "percent", "percentunit", "reqpm", "s", "short"}
# What Grafana puts in place of its variables; `All` is `.*`.
VARIABLES = {"__rate_interval": "5m", "scope": ".*", "endpoint": ".*", "variant": ".*", "component": ".*"}
LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")


def load(uid):
    return json.loads(DASHBOARDS[uid].read_text())


def panels(dashboard):
    """All panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def filled(expression, variables=None):
    """An expression as the data source gets it."""
    variables = VARIABLES if variables is None else variables
    return re.sub(r"\$(?!\d)\{?(\w+)\}?", lambda found: variables[found[1]], expression)


def expressions(variables=None):
    """Every query of the dashboards with where it stands, as the data source gets it."""
    found = {}
    for uid in DASHBOARDS:
        dashboard = load(uid)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                series = LABEL_VALUES.fullmatch(variable["query"]["query"])[1]
                found[f"{uid}, variable {variable['name']}"] = filled(series, variables)
        for panel in panels(dashboard):
            for target in panel["targets"]:
                place = f"{uid}, {panel['id']} {panel['title']}, {target['refId']}"
                found[place] = filled(target["expr"], variables)
    return found


def contract():
    """What docs/metrics.md promises, and what the rules make of it."""
    documented = [(ROOT / "docs" / name).read_text() for name in ("metrics.md", "alerts.md")]
    held = Contract.of_docs(*documented)
    held.add_rules(yaml.safe_load(RULES.read_text())["groups"])
    return held


def shape_faults(dashboard):
    """What is wrong with a dashboard before it is asked anything."""
    found = []
    ids = [panel["id"] for panel in dashboard["panels"]]
    found += [f"panel id {one} is there twice" for one in set(ids) if ids.count(one) > 1]
    cells = {}
    for panel in dashboard["panels"]:
        place, at = f"panel {panel['id']} {panel['title']}", panel["gridPos"]
        if at["x"] < 0 or at["w"] < 1 or at["x"] + at["w"] > 24:
            found.append(f"{place}: not within 24 columns")
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            if (other := cells.setdefault(cell, place)) != place:
                found.append(f"{place}: lies over {other}")
                break
    titles = [panel["title"] for panel in panels(dashboard)]
    if len(dashboard["panels"]) == len(titles):
        found.append("no rows")
    for panel in panels(dashboard):
        place, defaults = f"panel {panel['id']} {panel['title']}", panel["fieldConfig"]["defaults"]
        if not re.search(r"\S.*[.?]$", panel.get("description", "")):
            found.append(f"{place}: does not say what it answers")
        if defaults.get("unit") not in UNITS:
            found.append(f"{place}: unit {defaults.get('unit')}")
        steps = [step["value"] for step in defaults["thresholds"]["steps"]]
        if steps[0] is not None or steps[1:] != sorted(steps[1:]):
            found.append(f"{place}: thresholds {steps}")
        if not panel["targets"] or len({target["refId"] for target in panel["targets"]}) < len(panel["targets"]):
            found.append(f"{place}: its queries need names of their own")
        for asked in [panel, *panel["targets"]]:
            if asked.get("datasource") != DATASOURCE:
                found.append(f"{place}: data source {asked.get('datasource')}")
        # The last value of a range would be shown long after the series is gone.
        instant = panel["type"] in ("stat", "table")
        if any(target["instant"] is not instant or target["range"] is instant for target in panel["targets"]):
            found.append(f"{place}: {'of now' if instant else 'over time'} is what it shows")
    return found


def label_faults(panel, known):
    """Labels that a panel shows or links by, and its queries do not give."""
    found = []
    given = set()
    for target in panel["targets"]:
        try:
            labels = Expression(filled(target["expr"]), known).labels
            shown = set(re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", "")))
            within(shown, labels or frozenset(), "the legend")
            given |= labels or frozenset()
        except Fault as fault:
            found.append(f"{target['refId']}: {fault}")
            return found
    columns = given | {"Time", "Value"}
    named = [o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"] if o["matcher"]["id"] == "byName"]
    for change in panel.get("transformations", ()):
        named += change["options"]["indexByName"]
    found += [f"there is no column {name}" for name in named if name not in columns]
    linked = re.findall(r"\$\{__data\.fields\.(\w+)", json.dumps(panel))
    found += [f"a link goes by {name}" for name in linked if name not in columns]
    return found


class Dashboards(unittest.TestCase):
    def each(self):
        for uid in DASHBOARDS:
            with self.subTest(uid):
                yield uid, load(uid)

    def test_grafana_can_load_them(self):
        for uid, dashboard in self.each():
            self.assertEqual(dashboard["uid"], uid)
            self.assertNotIn("id", dashboard)
            self.assertNotIn("__inputs", dashboard)
            self.assertEqual(dashboard["schemaVersion"], 39)
            self.assertEqual((dashboard["tags"], dashboard["refresh"]), (["evenkeel"], "30s"))
            self.assertEqual(dashboard["timezone"], "browser")
            self.assertEqual(shape_faults(dashboard), [])

    def test_no_data_source_is_written_out(self):
        for _, dashboard in self.each():
            first = dashboard["templating"]["list"][0]
            self.assertEqual((first["type"], first["name"], first["query"]), ("datasource", "datasource", "prometheus"))
            text = json.dumps(dashboard)
            # The other one is Grafana's own, of its annotations.
            self.assertEqual(set(re.findall(r'"uid": "([^"]*)"', text)) - {dashboard["uid"]},
                             {"${datasource}", "-- Grafana --"})

    def test_variables_stand_before_what_uses_them(self):
        for _, dashboard in self.each():
            known = {"__rate_interval", "__data", "__url_time_range"}
            for variable in dashboard["templating"]["list"]:
                used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(variable["query"])))
                self.assertLessEqual(used, known, variable["name"])
                known.add(variable["name"])
                if variable["type"] == "query":
                    self.assertEqual(variable["datasource"], DATASOURCE)
                    self.assertEqual(variable["definition"], variable["query"]["query"])
                    # A label that a series does not have is empty: only `.*` takes it in.
                    self.assertEqual((variable["includeAll"], variable["allValue"]), (True, ".*"))
            used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(dashboard["panels"])))
            self.assertLessEqual(used, known)
            self.assertLessEqual(known, used | {"__rate_interval", "__data", "__url_time_range", "runbooks"})

    def test_names_can_not_break_a_matcher(self):
        for place, expression in expressions({name: f"${name}" for name in VARIABLES}).items():
            # Grafana escapes a value for a regular expression, and lists several with `|`.
            for label, sign, name in re.findall(r'(\w+)\s*([=!~]+)\s*"\$(\w+)"', expression):
                self.assertEqual((label, sign), (name, "=~"), place)
            self.assertEqual(expression.count("$"), len(re.findall(r'=~"\$\w+"|\$__rate_interval', expression))
                             + len(re.findall(r"=\$\d", expression)), place)

    def test_they_lead_to_one_another_and_to_the_runbooks(self):
        for uid, dashboard in self.each():
            (link,) = dashboard["links"]
            (other,) = set(DASHBOARDS) - {uid}
            self.assertEqual((link["url"], link["includeVars"], link["keepTime"]), (f"/d/{other}", True, True))
        fleet = json.dumps(load("evenkeel-fleet"))
        variables = [variable["name"] for variable in load("evenkeel-target")["templating"]["list"]]
        linked = set(re.findall(r"(/d/[^?\"]+)\?\$\{__data\.fields\.go:raw\}&var-(\w+)=", fleet))
        self.assertEqual(linked, {("/d/evenkeel-target", "datasource")})
        asked = set(re.findall(r"var-(\w+)=", fleet))
        self.assertEqual(asked, set(variables))
        # As the rules have it: a folder, and the name of the alert.
        (runbooks,) = [v["query"] for v in load("evenkeel-fleet")["templating"]["list"] if v["name"] == "runbooks"]
        self.assertIn(f'runbook: "{runbooks}/{{{{ $labels.alert }}}}.md"', RULES.read_text())
        self.assertIn("${runbooks:raw}/${__data.fields.alert:raw}.md", fleet)

    def test_they_ask_for_what_is_documented(self):
        known = contract()
        for uid, dashboard in self.each():
            for panel in panels(dashboard):
                with self.subTest(panel=f"{uid}, {panel['id']} {panel['title']}"):
                    self.assertEqual(label_faults(panel, known), [])
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    series, label = LABEL_VALUES.fullmatch(variable["query"]["query"]).groups()
                    within({label}, Expression(filled(series), known).labels, variable["name"])

    def test_every_signal_has_a_panel(self):
        shown = set()
        for expression in expressions().values():
            for names in re.findall(r'evenkeel_target_signal_value{[^}]*signal=~"([^"]+)"', expression):
                shown |= set(names.split("|"))
        (line,) = re.findall(r"^\| `evenkeel_target_signal_value` .*$", (ROOT / "docs/metrics.md").read_text(), re.M)
        listed = {word for word in re.findall(r"`(\w+)`", line.split("|")[4]) if not word.startswith("evenkeel_")}
        self.assertEqual(shown, listed)

    def promtool(self, texts):
        """What promtool says of expressions, as rules: the exit code and its output."""
        rules = [{"record": f"test:{number}", "expr": text} for number, text in enumerate(texts)]
        with tempfile.TemporaryDirectory() as held:
            path = pathlib.Path(held) / "rules.yml"
            path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, width=10_000))
            command = [shutil.which("promtool"), "check", "rules", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_promtool_takes_every_query(self):
        asked = expressions()
        self.assertGreater(len(asked), 70)
        code, told = self.promtool(asked.values())
        self.assertEqual(code, 0, told)
        self.assertIn(f"{len(asked)} rules found", told)


class TheChecksThemselves(unittest.TestCase):
    """A check that can not fail says nothing."""

    def setUp(self):
        self.known = Contract()
        self.known.add("e_size", "gauge", ["scope", "endpoint"])
        self.known.add("e_done_total", "counter", ["scope", "outcome"])
        self.known.add("e_late_seconds", "histogram", ["scope"])
        self.known.values |= {"ok"}
        self.known.add_rules([{"rules": [
            {"record": "e:size:sum", "expr": "sum by (scope) (e_size)"},
            {"alert": "Large", "expr": "e_size > 9", "labels": {"severity": "{{ $labels.scope }}"}},
        ]}])

    def labels(self, text):
        return Expression(text, self.known).labels

    def test_labels_of_a_result(self):
        for text, labels in {
            'e_size{scope=~".*"}': "scope endpoint",
            "1 + 2 * 3": None,
            "sum(e_size)": "",
            "sum by (scope) (e_size) > 0": "scope",
            "max without (scope) (e_size)": "endpoint",
            "topk(3, e_size)": "scope endpoint",
            "time() - e_size": "scope endpoint",
            "e:size:sum or vector(0)": "scope",
            'e_size and on (scope) e_done_total{outcome="ok"} > 0': "scope endpoint",
            "e_size / on (scope) e:size:sum": "scope",
            "histogram_quantile(0.9, sum by (scope, le) (rate(e_late_seconds_bucket[5m])))": "scope",
            "rate(e_late_seconds_count[5m])": "scope",
            'label_replace(e_size, "to", "$1", "scope", "(.*)")': "scope endpoint to",
            'label_join(e_size, "to", "/", "scope", "endpoint")': "scope endpoint to",
            'ALERTS{alertname="Large",alertstate="firing"}': "scope endpoint severity alertname alertstate",
        }.items():
            with self.subTest(text):
                self.assertEqual(self.labels(text), None if labels is None else set(labels.split()))

    def test_what_there_is_not(self):
        for text, told in {
            "e_sise": "no metric e_sise",
            "e_late_seconds": "no metric",
            "e:size:max": "no metric",
            'e_size{variant="v"}': "no variant",
            'ALERTS{outcome="ok"}': "no outcome",
            'e_done_total{outcome="okay"}': "never okay",
            'e_done_total{outcome=~"ok|bad"}': "never bad",
            "sum by (endpoint) (e_done_total)": "no endpoint",
            "sum by (endpoint) (sum by (scope) (e_size))": "no endpoint",
            "e_size and on (outcome) e_size": "no outcome",
            "e_size and on (endpoint) e_done_total": "no endpoint",
            "e_size - e_done_total": "joins",
            "e_size or e_done_total": "joins",
            "rate(e_size[5m])": "rate of the gauge",
            "max_over_time(e_done_total[5m])": "of the counter",
            "rate(e_done_total)": "needs a range",
            "histogram_quantile(0.9, e_size)": "no le",
            'label_replace(e_size, "to", "$1", "variant", "(.*)")': "no variant",
            "guess(e_size)": "not understood",
            "sum(e_size": "should come",
            "e_size e_size": "goes on",
        }.items():
            with self.subTest(text), self.assertRaisesRegex(Fault, told):
                self.labels(text)

    def test_a_rule_that_names_what_there_is_not(self):
        with self.assertRaisesRegex(Fault, "no variant"):
            self.known.add_rules([{"rules": [{
                "alert": "Small", "expr": "e_size < 1", "annotations": {"summary": "{{ $labels.variant }}"}}]}])

    def test_docs_that_can_not_be_read(self):
        intro = "Of a scope (label `scope`):\n\n| metric | type | further labels | means |\n|---|---|---|---|\n"
        read = Contract.of_docs(intro + "| `e_a`, `e_b` | gauge | `x`, `y` | `ok` |\n", "").metrics
        self.assertEqual(read, {name: ("gauge", {"scope", "x", "y"}) for name in ("e_a", "e_b")})
        for text in (
            intro.split("\n\n")[1] + "| `e_a` | gauge | | |\n",
            intro.replace("further labels", "names"),
            intro + "| e_a | gauge | | |\n",
            intro + "| `e_a` | number | | |\n",
            intro + "| `e_a` | gauge | x | |\n",
            intro + "| `e_a` | gauge | |\n",
        ):
            with self.subTest(text), self.assertRaises(Fault):
                Contract.of_docs(text, "")

    def test_a_panel_that_shows_what_there_is_not(self):
        def panel(**more):
            target = {"refId": "A", "expr": 'sum by (scope) (e_size{scope=~"$scope"})', "legendFormat": "{{scope}}"}
            return {"targets": [target | more], "fieldConfig": {"overrides": []}}

        self.assertEqual(label_faults(panel(), self.known), [])
        self.assertRegex(label_faults(panel(legendFormat="{{endpoint}}"), self.known)[0], "the legend: .* no endpoint")
        self.assertRegex(label_faults(panel(expr="e_sise"), self.known)[0], "no metric")
        wrong = panel()
        wrong["fieldConfig"]["overrides"] = [{"matcher": {"id": "byName", "options": "endpoint"}, "properties": []}]
        self.assertEqual(label_faults(wrong, self.known), ["there is no column endpoint"])
        wrong = panel() | {"links": [{"url": "${__data.fields.endpoint}"}]}
        self.assertEqual(label_faults(wrong, self.known), ["a link goes by endpoint"])

    def test_a_dashboard_out_of_shape(self):
        def spoiled(spoil):
            dashboard = load("evenkeel-fleet")
            spoil(dashboard, panels(dashboard)[0], panels(dashboard)[1])
            return " ".join(shape_faults(dashboard))

        for told, spoil in {
            "is there twice": lambda d, one, two: two.update(id=one["id"]),
            "lies over": lambda d, one, two: two.update(gridPos=one["gridPos"]),
            "24 columns": lambda d, one, two: one["gridPos"].update(x=23, w=3, y=1000),
            "what it answers": lambda d, one, two: one.pop("description"),
            "unit": lambda d, one, two: one["fieldConfig"]["defaults"].update(unit="furlongs"),
            "data source": lambda d, one, two: one["targets"][0].update(datasource={"type": "prometheus", "uid": "x"}),
            "names of their own": lambda d, one, two: one["targets"].append(one["targets"][0]),
            "of now": lambda d, one, two: one["targets"][0].update(instant=False),
            "thresholds": lambda d, one, two: one["fieldConfig"]["defaults"]["thresholds"]["steps"].reverse(),
        }.items():
            with self.subTest(told):
                self.assertIn(told, spoiled(spoil))

    def test_promtool_refuses_what_is_no_promql(self):
        code, _ = Dashboards().promtool(["sum by (scope) (up)", "sum by scope (up"])
        self.assertNotEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
