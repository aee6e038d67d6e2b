"""What an expression of PromQL reads, held against the contract of docs/metrics.md: names, types and labels.

promtool knows whether an expression is one. It can not know that a metric or a label in it does not exist.
"""

import re

FUNCTIONS = {"abs", "ceil", "clamp_max", "clamp_min", "floor", "round", "sort", "sort_desc"}
OF_COUNTERS = {"increase", "irate", "rate", "resets"}
OF_GAUGES = {"avg_over_time", "changes", "delta", "deriv", "max_over_time", "min_over_time"}
AGGREGATIONS = {"avg", "count", "group", "max", "min", "stddev", "sum"}
PICKS = {"bottomk", "topk"}
SETS = {"and", "or", "unless"}
COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}
LEVELS = [{"or"}, {"and", "unless"}, COMPARISONS, {"+", "-"}, {"*", "/", "%"}, {"^"}]
TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]+\])|(?P<number>\d+(?:\.\d+)?(?![a-zA-Z_]))
    |(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){},]))""",
    re.VERBOSE,
)


class Fault(AssertionError):
    """Something that the contract does not have."""


class Contract:
    """Metrics with their types and labels, and which words are values of labels."""

    def __init__(self):
        self.metrics = {}
        self.values = {"firing", "pending"}
        self.alerts = frozenset()

    def add(self, name, kind, labels):
        labels = frozenset(labels)
        if kind == "histogram":
            self.metrics[f"{name}_bucket"] = ("counter", labels | {"le"})
            self.metrics[f"{name}_sum"] = ("counter", labels)
            self.metrics[f"{name}_count"] = ("counter", labels)
        else:
            self.metrics[name] = (kind, labels)

    def of(self, name):
        if name not in self.metrics:
            raise Fault(f"there is no metric {name}")
        return self.metrics[name]

    @classmethod
    def of_docs(cls, metrics, alerts):
        """Read from docs/metrics.md; a table or a line of one that can not be understood is a fault."""
        contract = cls()
        common = None
        for block in re.split(r"\n\s*\n", metrics):
            text = " ".join(block.split())
            if found := re.search(r"Targets have the labels ((?:`\w+`(?:, | and )?)+):", text):
                common = words(found[1])
            elif found := re.fullmatch(r"Of a scope \(label (`\w+`)\):", text):
                common = words(found[1])
            elif text == "Of the process:":
                common = []
            if text.startswith("| metric |"):
                contract._add_table(block.splitlines(), common)
                common = None
        contract.values |= set(words(metrics))
        for alert, urgency in re.findall(r"^\| \[`(\w+)`\]\S+ \| (\w+) \|", alerts, re.MULTILINE):
            contract.values |= {alert, urgency}
        return contract

    def _add_table(self, lines, common):
        if common is None or not re.fullmatch(r"\| metric \| type \| (further )?labels \| means \|", lines[0]):
            raise Fault(f"whose metrics are these? {lines[0]}")
        for line in lines[2:]:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = r"`[a-z_0-9]+`(, `[a-z_0-9]+`)*"
            if len(cells) != 4 or not re.fullmatch(names, cells[0]) or not re.fullmatch(f"({names})?", cells[2]):
                raise Fault(f"this should be a metric, its type, its labels and its meaning: {line}")
            if cells[1] not in ("counter", "gauge", "histogram"):
                raise Fault(f"this has no type: {line}")
            for name in words(cells[0]):
                self.add(name, cells[1], [*common, *words(cells[2])])

    def add_rules(self, groups):
        """What the rules make of it: recorded series, and the labels of their alerts."""
        for rule in (rule for group in groups for rule in group["rules"]):
            labels = Expression(rule["expr"], self).labels | set(rule.get("labels", ()))
            for template in [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]:
                within(set(re.findall(r"\$labels\.(\w+)", template)), labels, template)
            if "record" in rule:
                self.add(rule["record"], "gauge", labels)
            else:
                self.alerts |= labels | {"alertname", "alertstate"}
                self.values.add(rule["alert"])


def words(text):
    return re.findall(r"`(\w+)`", text)


def within(names, labels, what):
    if unknown := sorted(names - labels):
        raise Fault(f"{what}: there is no {', '.join(unknown)}, only {', '.join(sorted(labels)) or 'no label at all'}")


class Expression:
    """An expression, read once: the labels of its result, or none for a number."""

    def __init__(self, text, contract):
        self.text, self.contract = text, contract
        self.tokens, at = [], 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                raise Fault(f"can not be read from here on: {text[at:]}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.next = 0
        self.labels = self._binary(0)
        if self.next < len(self.tokens):
            raise Fault(f"goes on after its end: {self._peek()} in {text}")

    def _peek(self):
        return self.tokens[self.next][1] if self.next < len(self.tokens) else None

    def _kind(self):
        return self.tokens[self.next][0] if self.next < len(self.tokens) else None

    def _take(self, wanted=None):
        taken = self._peek()
        if taken is None or (wanted is not None and taken != wanted):
            raise Fault(f"{wanted or 'more'} should come, not {taken}, in {self.text}")
        self.next += 1
        return taken

    def _names(self):
        """Labels in brackets."""
        self._take("(")
        names = []
        while self._peek() != ")":
            names.append(self._take())
            if self._peek() == ",":
                self._take()
        self._take(")")
        return frozenset(names)

    def _binary(self, level):
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in LEVELS[level] and self._kind() in ("sign", "name"):
            sign = self._take()
            if self._peek() == "bool":
                self._take()
            match, matched = None, frozenset()
            if self._peek() in ("on", "ignoring"):
                match, matched = self._take(), self._names()
            if self._peek() in ("group_left", "group_right"):
                raise Fault("many to one is not understood here")
            left = self._joined(sign, left, self._binary(level + 1), match, matched)
        return left

    def _joined(self, sign, left, right, match, matched):
        if left is None or right is None:
            if sign in SETS:
                raise Fault(f"{sign} joins no numbers")
            return right if left is None else left
        if match:
            within(matched, left, match)
            within(matched, right, match)
        elif left != right and not (sign == "or" and not (left and right)):
            raise Fault(f"{sign} joins {sorted(left)} with {sorted(right)}")
        if sign == "or":
            return left | right
        if sign in SETS or not match:
            return left
        return matched if match == "on" else left - matched

    def _unary(self):
        if self._peek() in ("-", "+"):
            self._take()
        return self._primary()

    def _primary(self):
        kind, word = self._kind(), self._take()
        if kind == "number":
            return None
        if word == "(":
            labels = self._binary(0)
            self._take(")")
            return labels
        if kind != "name":
            raise Fault(f"{word} begins nothing, in {self.text}")
        if word in AGGREGATIONS | PICKS:
            return self._aggregated(word)
        if self._peek() == "(":
            return self._called(word)
        return self._selected(word)[1]

    def _aggregated(self, how):
        by = (self._take(), self._names()) if self._peek() in ("by", "without") else None
        self._take("(")
        if how in PICKS:
            self._binary(0)
            self._take(",")
        labels = self._binary(0)
        self._take(")")
        if labels is None:
            raise Fault(f"{how} of a number")
        if by is None and self._peek() in ("by", "without"):
            by = (self._take(), self._names())
        named = by[1] if by else frozenset()
        within(named, labels, f"{how} {by[0]}" if by else how)
        if how in PICKS:
            return labels
        return labels - named if by and by[0] == "without" else named

    def _selected(self, name):
        if name == "ALERTS":
            kind, labels = "gauge", self.contract.alerts
        else:
            kind, labels = self.contract.of(name)
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                label, sign, value = self._take(), self._take(), self._take()
                within({label}, labels, f"{name}{{...}}")
                self._known(label, sign, value[1:-1])
                if self._peek() == ",":
                    self._take()
            self._take("}")
        return kind, labels

    def _known(self, label, sign, value):
        """Values that are written out are values that there are."""
        for word in value.split("|") if sign in ("=~", "!~") else [value]:
            if re.fullmatch(r"\w+", word) and word not in self.contract.values:
                raise Fault(f"{label} is never {word}")

    def _called(self, name):
        self._take("(")
        if name == "time":
            self._take(")")
            return None
        if name in OF_COUNTERS | OF_GAUGES:
            metric = self._take()
            kind, labels = self._selected(metric)
            if (kind == "counter") != (name in OF_COUNTERS):
                raise Fault(f"{name} of the {kind} {metric}")
            if self._kind() != "range":
                raise Fault(f"{name} of {metric} needs a range")
            self._take()
        elif name == "histogram_quantile":
            self._binary(0)
            self._take(",")
            labels = self._binary(0)
            within({"le"}, labels, name)
            labels -= {"le"}
        elif name in ("label_replace", "label_join"):
            labels = self._binary(0)
            texts = []
            while self._peek() == ",":
                self._take()
                texts.append(self._take()[1:-1])
            sources = texts[2:3] if name == "label_replace" else texts[2:]
            within({source for source in sources if source}, labels, name)
            labels |= {texts[0]}
        elif name in ("absent", "vector"):
            self._binary(0)
            labels = frozenset()
        elif name in FUNCTIONS:
            labels = self._binary(0)
            while self._peek() == ",":
                self._take()
                self._binary(0)
        else:
            raise Fault(f"{name} is not understood here")
        self._take(")")
        return labels
