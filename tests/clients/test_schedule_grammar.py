"""Schedules against an independent reading of AWS's grammar (pyawscron) and against stepping over every minute."""

import datetime
import json
import random
import subprocess
import unittest
import zoneinfo

from pyawscron import AWSCron
from support import BINARY, ENVIRONMENT

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()

# Forms that pyawscron does not read as AWS documents them. Those are judged minute by minute instead.
NOT_FOR_PYAWSCRON = {
    "wrap": "a range that wraps matches nothing",
    "step in a list": "splits at the slash before the comma",
    "bare L of the week": "looks for day 0, where AWS means Saturday",
    "LW": "reads a number where L stands",
    "W of a range": "reads a number where the range stands",
}
# It raises, and gives no answer to compare with, when ten tries have not found a firing, and when a list of days names
# one that a month on the way does not have.
GIVES_UP = ("shouldn't happen", "day is out of range for month")

# Nights on which clocks change, by zone. Each is looked at from a day before, for three days.
NIGHTS = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/Dublin", "2025-10-26"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/St_Johns", "2026-03-08"),
    ("America/St_Johns", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Australia/Sydney", "2026-04-05"),
    ("Australia/Sydney", "2025-10-05"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2025-09-07"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"),
    ("Africa/Casablanca", "2025-02-23"),
    ("Africa/Casablanca", "2025-04-06"),
    ("Asia/Kolkata", "2026-03-29"),
    ("Asia/Tehran", "2021-03-22"),
    ("Africa/Cairo", "2024-04-26"),
    ("Asia/Beirut", "2024-10-27"),
    ("Pacific/Chatham", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Etc/GMT+9", "2024-02-29"),
    ("UTC", "2023-12-31"),
]


class Field:
    """A field of an expression: its text, the values that it means, and which of the odd forms it has."""

    def __init__(self, text, values=None, odd=(), rule=None):
        self.text, self.values, self.odd, self.rule = text, values, set(odd), rule


def plain(chance, low, high, names=None, wraps=True):
    """A list of values, ranges and steps."""

    def word(value):
        if names and chance.random() < 0.5:
            name = names[value - low]
            return chance.choice([name, name.lower(), name.capitalize()])
        return str(value)

    texts, values, odd = [], set(), set()
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        form = chance.choice(["value", "value", "range", "step", "every", "range step"])
        start, end = chance.randint(low, high), chance.randint(low, high)
        if start > end and (not wraps or chance.random() < 0.7):
            start, end = end, start
        if start > end and form.startswith("range"):
            odd.add("wrap")
        around = list(range(start, end + 1)) if start <= end else [*range(start, high + 1), *range(low, end + 1)]
        by = chance.randint(1, min(high, high - low + 1))
        if form == "value":
            texts.append(word(start))
            values.add(start)
        elif form == "range":
            texts.append(f"{word(start)}-{word(end)}")
            values.update(around)
        elif form == "range step":
            texts.append(f"{word(start)}-{word(end)}/{by}")
            values.update(around[::by])
        elif form == "step":
            texts.append(f"{word(start)}/{by}")
            values.update(range(start, high + 1, by))
        else:
            texts.append(f"*/{by}")
            values.update(range(low, high + 1, by))
    if len(texts) > 1 and any("/" in text for text in texts):
        odd.add("step in a list")
    return Field(",".join(texts), values, odd)


def last_of(date):
    return (date.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)


def week_day(date):
    return date.isoweekday() % 7 + 1


def nearest(date, day):
    """Whether a date is the weekday nearest to a day of its month."""
    if not 1 <= day <= last_of(date).day or not 2 <= week_day(date) <= 6:
        return False
    weekdays = [d for d in range(1, last_of(date).day + 1) if 2 <= week_day(date.replace(day=d)) <= 6]
    return date.day == min(weekdays, key=lambda d: abs(d - day))


def days(chance):
    """Both day fields, one of them `?`."""
    any_day = Field("?")
    form = chance.choice(["month"] * 4 + ["week"] * 4 + ["every", "L", "L-n", "LW", "L-nW", "nW", "nW", "a-bW", "dL", "dL", "d#k", "d#k", "Lweek"])
    day, low, high = chance.randint(1, 7), *sorted(chance.sample(range(1, 32), 2))
    name = chance.choice([str(day), DAYS[day - 1], DAYS[day - 1].lower()])
    number, before, nth = chance.randint(1, 31), chance.randint(0, 30), chance.randint(1, 5)
    of_month = {
        "month": lambda: plain(chance, 1, 31),
        "every": lambda: Field("*", set(range(1, 32))),
        "L": lambda: Field("L", rule=lambda d: d == last_of(d)),
        "L-n": lambda: Field(f"L-{before}", rule=lambda d: d.day + before == last_of(d).day),
        "LW": lambda: Field("LW", odd=["LW"], rule=lambda d: nearest(d, last_of(d).day)),
        "L-nW": lambda: Field(f"L-{before}W", odd=["LW"], rule=lambda d: nearest(d, last_of(d).day - before)),
        "nW": lambda: Field(f"{number}W", rule=lambda d: nearest(d, number)),
        "a-bW": lambda: Field(f"{low}-{high}W", set(range(low, high + 1)), ["W of a range"]),
    }
    of_week = {
        "week": lambda: plain(chance, 1, 7, DAYS),
        "Lweek": lambda: Field("L", {7}, ["bare L of the week"]),
        "dL": lambda: Field(f"{name}L", rule=lambda d: week_day(d) == day and d.day + 7 > last_of(d).day),
        "d#k": lambda: Field(f"{name}#{nth}", rule=lambda d: week_day(d) == day and (d.day + 6) // 7 == nth),
    }
    if form in of_month:
        return of_month[form](), any_day
    return any_day, of_week[form]()


class Cron:
    """A random expression that AWS takes, and what it means."""

    def __init__(self, chance, around, seconds=False, often=False):
        every = 0.6 if often else 0.2
        star = lambda low, high: Field("*", set(range(low, high + 1)))  # noqa: E731
        self.second = plain(chance, 0, 59) if seconds else None
        self.minute = star(0, 59) if chance.random() < 0.1 else plain(chance, 0, 59)
        self.hour = star(0, 23) if chance.random() < every else plain(chance, 0, 23)
        self.month = star(1, 12) if chance.random() < (0.9 if often else 0.5) else plain(chance, 1, 12, MONTHS)
        self.of_month, self.of_week = days(chance)
        self.year = star(1970, 2199)
        if not often and chance.random() < 0.3:
            self.year = plain(chance, max(1970, around - 4), min(2199, around + 6), wraps=False)
            # A step goes on to the end of the field, not to that of the years that were chosen from.
            if "/" in self.year.text:
                self.year = Field(str(around), {around})
        fields = [self.minute, self.hour, self.of_month, self.month, self.of_week, self.year]
        if self.second:
            fields.insert(0, self.second)
        self.odd = set().union(*(field.odd for field in fields))
        self.text = " ".join(field.text for field in fields)

    def on(self, date):
        """Whether it fires on a date."""
        if date.month not in self.month.values or date.year not in self.year.values:
            return False
        for field, value in ((self.of_month, date.day), (self.of_week, week_day(date))):
            if field.rule:
                return field.rule(date)
            if field.values is not None:
                return value in field.values
        raise AssertionError(self.text)


def text_of(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(questions):
    """Answers to a batch of questions, in one process."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [BINARY, "schedule", "--batch", "-"]
    done = subprocess.run(command, env=ENVIRONMENT, input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def utc_of(answer):
    assert "error" not in answer, answer
    return [firing["utc"] for firing in answer["firings"]]


def theirs(text, after, count, backward=False):
    """What pyawscron finds, or None where it gives up."""
    found = []
    try:
        cron = AWSCron(text)
        for _ in range(count):
            occurrence = cron.occurrence(after)
            after = occurrence.prev() if backward else occurrence.next()
            if after is None:
                break
            found.append(text_of(after))
    except Exception as error:
        if not any(reason in str(error) for reason in GIVES_UP):
            raise
        return None
    return found


class ScheduleGrammar(unittest.TestCase):
    maxDiff = None

    def test_thousands_of_expressions_fire_when_pyawscron_says(self):
        chance = random.Random(20261122)
        cases = []
        while len(cases) < 5000:
            after = datetime.datetime(1990, 1, 1, tzinfo=UTC) + MINUTE * chance.randint(0, 200 * 525_960)
            cron = Cron(chance, after.year)
            if not cron.odd & NOT_FOR_PYAWSCRON.keys():
                cases.append((cron.text, after))
        forward = ask([{"cron": text, "after": text_of(after), "count": 3} for text, after in cases])
        # pyawscron looks back from the minute before, evenkeel from the instant itself.
        back = ask(
            [
                {"cron": text, "after": text_of(after - MINUTE), "count": 3, "backward": True}
                for text, after in cases
            ]
        )
        compared = {False: 0, True: 0}
        for (text, after), ours_forward, ours_back in zip(cases, forward, back):
            for backward, ours in ((False, ours_forward), (True, ours_back)):
                # Looking back it takes what `L-n` leaves for a day of the month even if it is zero or less.
                if backward and "L-" in text:
                    continue
                expected = theirs(text, after, 3, backward)
                if expected is not None:
                    compared[backward] += 1
                    with self.subTest(cron=text, after=text_of(after), backward=backward):
                        self.assertEqual(utc_of(ours), expected)
        self.assertGreaterEqual(min(compared.values()), 3000, compared)

    def test_every_minute_around_the_nights_on_which_clocks_change(self):
        chance = random.Random(20260329)
        questions, expected = [], []
        for zone_name, night in NIGHTS:
            zone = zoneinfo.ZoneInfo(zone_name)
            start = datetime.datetime.fromisoformat(night) - datetime.timedelta(days=1)
            minutes = []
            for n in range(3 * 24 * 60):
                local = start + n * MINUTE
                # `fold` is 0: of two instants, the first.
                at = local.replace(tzinfo=zone).astimezone(UTC)
                if at.astimezone(zone).replace(tzinfo=None) == local:
                    minutes.append((local, at))
            after, end = minutes[0][1] - datetime.timedelta(seconds=1), minutes[-1][1] + MINUTE
            for n in range(40):
                cron = Cron(chance, start.year, seconds=n % 8 == 0, often=True)
                on = {}
                fires = []
                for local, at in minutes:
                    if local.minute not in cron.minute.values or local.hour not in cron.hour.values:
                        continue
                    date = local.date()
                    if date not in on:
                        on[date] = cron.on(date)
                    if on[date]:
                        seconds = sorted(cron.second.values) if cron.second else [0]
                        fires += [text_of(at + datetime.timedelta(seconds=second)) for second in seconds]
                # One more, which has to be after the end.
                count = min(len(fires) + 1, 1000)
                questions.append({"cron": cron.text, "timezone": zone_name, "after": text_of(after), "count": count})
                expected.append((fires[:1000], text_of(end)))
        self.assertGreaterEqual(len(questions), 1000)
        seen, fired = set(), 0
        for question, answer, (fires, end) in zip(questions, ask(questions), expected):
            with self.subTest(**question):
                ours = utc_of(answer)
                self.assertEqual([at for at in ours if at < end], fires)
            fired += bool(fires)
            seen |= {odd for odd, sign in (("LW", "LW"), ("#", "#"), ("W", "W"), ("/", "/")) if sign in question["cron"]}
        self.assertEqual(seen, {"LW", "#", "W", "/"})
        self.assertGreaterEqual(fired, 300)

    def test_every_form_that_pyawscron_misreads_is_looked_at_day_by_day(self):
        chance = random.Random(7)
        questions, expected, judged = [], [], dict.fromkeys(NOT_FOR_PYAWSCRON, 0)
        first = datetime.date(2026, 1, 1)
        while min(judged.values()) < 30:
            cron = Cron(chance, 2026, often=True)
            if not cron.odd:
                continue
            for odd in cron.odd:
                judged[odd] += 1
            dates = [first + datetime.timedelta(days=n) for n in range(400)]
            times = [(hour, minute) for hour in sorted(cron.hour.values) for minute in sorted(cron.minute.values)]
            fires = [
                f"{date}T{hour:02}:{minute:02}:00Z" for date in dates if cron.on(date) for hour, minute in times
            ]
            questions.append({"cron": cron.text, "after": "2025-12-31T23:59:59Z", "count": min(len(fires) + 1, 300)})
            expected.append(fires[:300])
        for question, answer, fires in zip(questions, ask(questions), expected):
            with self.subTest(**question):
                self.assertEqual([at for at in utc_of(answer) if at < "2027-02-05"][:300], fires)

    def test_the_strict_form_means_the_same(self):
        chance = random.Random(99)
        questions = [
            {"cron": Cron(chance, 2026, seconds=n % 5 == 0).text, "after": "2026-11-22T03:17:00Z", "count": 3}
            for n in range(500)
        ]
        answers = ask(questions)
        again = ask([{**question, "cron": answer["strict"]} for question, answer in zip(questions, answers)])
        self.assertEqual(answers, again)

    def test_rates_keep_their_phase_and_at_fires_once(self):
        chance = random.Random(3)
        units = {"minute": 60, "hour": 3600, "day": 86400}
        questions, expected = [], []
        for _ in range(300):
            value, unit = chance.randint(1, 90), chance.choice(sorted(units))
            step = value * units[unit]
            start = datetime.datetime(2026, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=chance.randint(0, 10**7))
            after = start + datetime.timedelta(seconds=chance.randint(-(10**6), 10**7))
            passed = int((after - start).total_seconds())
            n = 0 if passed < 0 else passed // step + 1
            expected.append([text_of(start + datetime.timedelta(seconds=step * (n + more))) for more in range(3)])
            rate = f"rate({value} {unit}{chance.choice(['', 's'])})"
            question = {"rate": rate, "timezone": "Europe/Berlin", "start": text_of(start)}
            questions.append({**question, "after": text_of(after), "count": 3})
        for _ in range(300):
            zone = chance.choice(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
            local = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=chance.randint(0, 365 * 86400))
            at = local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)
            expected.append([text_of(at)])
            text = local.isoformat()
            question = {"at": chance.choice([text, f"at({text})"]), "timezone": zone}
            questions.append({**question, "after": "2025-12-30T00:00:00Z", "count": 3})
        for question, answer, fires in zip(questions, ask(questions), expected):
            with self.subTest(**question):
                self.assertEqual(utc_of(answer), fires)

    def test_what_aws_rejects_is_rejected(self):
        wrong = [
            {"cron": "0 8 * * 1-5"},
            {"cron": "0 8 * * * *"},
            {"cron": "0 8 ? * ? *"},
            {"cron": "0 8 ? * 0 *"},
            {"cron": "0 8 ? * 2#1,3#1 *"},
            {"cron": "*/0 8 * * ? *"},
            {"cron": "0 8 * * ? 2200"},
            {"rate": "rate(0 minutes)"},
            {"rate": "rate(30 seconds)"},
            {"at": "at(2026-12-24T18:00:00Z)"},
            {"at": "at(2026-03-29T02:30:00)", "timezone": "Europe/Berlin"},
            {"cron": "0 8 * * ? *", "timezone": "Local"},
            {"cron": "0 8 * * ? *", "timezone": "+02:00"},
            {"cron": "0 8 * * ? *", "timezone": "W. Europe Standard Time"},
            {"cron": "0 8 * * ? *", "timezone": ""},
        ]
        for answer in ask([{"after": "2026-11-22T03:17:00Z", "count": 1, **question} for question in wrong]):
            self.assertIn("error", answer)

    def test_the_command_itself(self):
        command = [BINARY, "schedule", "--cron", "0 9 ? * MON-FRI *", "--timezone", "Europe/Berlin"]
        command += ["--after", "2026-11-22T03:17:00Z", "--count", "4", "--output", "json"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        firings = json.loads(done.stdout)["firings"]
        self.assertEqual(firings[0], {"utc": "2026-11-23T08:00:00Z", "local": "2026-11-23T09:00:00+01:00"})
        self.assertEqual(len(firings), 4)
        command[3] = "0 8 * * 1-5"
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 64)
        self.assertIn("cron(0 8 ? * MON-FRI *)", done.stderr)


if __name__ == "__main__":
    unittest.main()
