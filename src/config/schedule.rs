//! The lists `schedules`.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::holidays::read_exceptions;
use super::node::{Fields, Node};
use crate::domain::{
    Capacity, Expression, MAX_SCHEDULED_ACTIONS, OwnerName, Runner, Schedule, ScheduleName, When,
    Window, Zone, action_names, day_of_week,
};

const SCHEDULE_KEYS: [&str; 13] = [
    "name", "cron", "at", "rate", "window", "timezone", "bounds", "lead", "except", "start", "end",
    "runner", "action",
];
const RUNNERS: [(&str, Runner); 3] = [
    ("daemon", Runner::Daemon),
    ("aws", Runner::Aws),
    ("both", Runner::Both),
];
/// AWS's limit for the name of a scheduled action.
const LONGEST_ACTION: usize = 256;
const WINDOW_KEYS: [&str; 3] = ["from", "until", "days"];
const BOUNDS_KEYS: [&str; 2] = ["min", "max"];
/// The keys of which a schedule has exactly one.
const WAYS: [&str; 4] = ["cron", "at", "rate", "window"];
const LONGEST_LEAD: Duration = Duration::from_hours(24);

/// Reads the schedules of one target.
pub(super) fn read_schedules(node: &Node<'_>) -> Vec<Schedule> {
    let entries = node.entries();
    if entries.len() > MAX_SCHEDULED_ACTIONS {
        node.report(
            format!("{} schedules on one target", entries.len()),
            format!("AWS allows {MAX_SCHEDULED_ACTIONS}, and that limit can not be raised"),
        );
    }
    let mut schedules: Vec<Schedule> = Vec::new();
    for entry in entries {
        let Some(schedule) = read_schedule(&entry) else {
            continue;
        };
        if schedules.iter().any(|s| s.name == schedule.name) {
            entry.report(
                format!(
                    "a second schedule of this target is called `{}`",
                    schedule.name
                ),
                "give each schedule a `name` of its own",
            );
            continue;
        }
        schedules.push(schedule);
    }
    check_actions(node, &schedules);
    schedules
}

/// What AWS is to run has to fit AWS: so many scheduled actions, each with a name of its own.
fn check_actions(node: &Node<'_>, schedules: &[Schedule]) {
    let owner = OwnerName::default();
    let by_aws = schedules.iter().filter(|s| s.runner.has_actions());
    let names: Vec<String> = by_aws.flat_map(|s| action_names(s, &owner)).collect();
    if names.len() > MAX_SCHEDULED_ACTIONS && schedules.len() <= MAX_SCHEDULED_ACTIONS {
        node.report(
            format!("{} scheduled actions on one target", names.len()),
            format!(
                "AWS allows {MAX_SCHEDULED_ACTIONS}, and a window takes two; let `runner: daemon` run some"
            ),
        );
    }
    let mut seen = BTreeSet::new();
    for name in &names {
        if !seen.insert(name) {
            node.report(
                format!("two schedules would be the scheduled action `{name}` in AWS"),
                "give one of them another `name` or `action`",
            );
        }
    }
}

fn read_schedule(entry: &Node<'_>) -> Option<Schedule> {
    let fields = entry.fields(&SCHEDULE_KEYS)?;
    let name = fields
        .require("name", "scale-up-morning")
        .and_then(|node| node.parsed::<ScheduleName>());
    let zone = match fields.get("timezone") {
        Some(node) => read_zone(&node),
        None => Some(Zone::UTC),
    };
    let start = read_instant(&fields, "start", zone);
    let end = read_instant(&fields, "end", zone);
    let when = read_when(entry, &fields, zone, start?.is_some());
    let ends = fields
        .require("bounds", "{ min: 5, max: 20 }")
        .and_then(|node| read_ends(&node));
    let lead = match fields.get("lead") {
        Some(node) => node.duration(Duration::ZERO, LONGEST_LEAD),
        None => Some(Duration::ZERO),
    };
    let except = match fields.get("except") {
        Some(node) => read_exceptions(&node),
        None => Some(BTreeSet::new()),
    };
    let runner = match fields.get("runner") {
        Some(node) => node.word(&RUNNERS),
        None => Some(Runner::Daemon),
    };
    let adopted_action = read_action(&fields, runner);
    let (start, end) = (start?, end?);
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        entry.report("`start` is not before `end`", "swap them, or remove one");
        return None;
    }
    let (min, max) = ends?;
    let schedule = Schedule {
        name: name?,
        when: when?,
        zone: zone?,
        is_zone_assumed: fields.get("timezone").is_none(),
        min,
        max,
        lead: TimeDelta::from_std(lead?).ok()?,
        except: except?,
        start,
        end,
        runner: runner?,
        adopted_action: adopted_action?,
    };
    fits_aws(entry, &fields, &schedule).then_some(schedule)
}

/// The name of a scheduled action that stands already. `Some(None)` when none is given.
#[expect(
    clippy::option_option,
    reason = "unreadable, absent and present are three outcomes"
)]
fn read_action(fields: &Fields<'_>, runner: Option<Runner>) -> Option<Option<String>> {
    let Some(node) = fields.get("action") else {
        return Some(None);
    };
    if runner.is_some_and(|runner| !runner.has_actions()) {
        node.report(
            "`action` names what AWS runs, and `runner: daemon` has AWS run nothing",
            "remove it, or add `runner: aws`",
        );
        return None;
    }
    if fields.get("window").is_some() {
        node.report(
            "`action` stands in a window, which is two scheduled actions",
            "remove it: both get names of their own",
        );
        return None;
    }
    // Both follow AWS's rule for the names of scheduled actions.
    let name = node.parsed::<ScheduleName>()?;
    Some(Some(name.as_str().to_owned()))
}

/// Whether AWS can run it, if AWS is to.
fn fits_aws(entry: &Node<'_>, fields: &Fields<'_>, schedule: &Schedule) -> bool {
    if !schedule.runner.has_actions() {
        return true;
    }
    let recurs = match &schedule.when {
        When::Fires(Expression::At(_)) | When::Open(Window::Once { .. }) => false,
        When::Fires(_) | When::Open(Window::Daily { .. }) => true,
    };
    let is_rate = matches!(schedule.when, When::Fires(Expression::Rate(_)));
    let mut fits = true;
    let mut refuse = |key: &str, what: &str, remedy: &str| {
        fields
            .get(key)
            .as_ref()
            .unwrap_or(entry)
            .report(what, remedy);
        fits = false;
    };
    if recurs && !schedule.lead.is_zero() {
        refuse(
            "lead",
            "`lead` with a recurring schedule that AWS runs: AWS knows no lead",
            "write the earlier time, or use `runner: daemon`",
        );
    }
    if is_rate && !schedule.except.is_empty() {
        refuse(
            "except",
            "`except` with a rate that AWS runs: another start would move all its firings",
            "use `cron`, or `runner: daemon`",
        );
    }
    let owner = OwnerName::default();
    let names = action_names(schedule, &owner);
    if names
        .iter()
        .any(|name| name.chars().count() > LONGEST_ACTION)
    {
        refuse(
            "name",
            "the name would be too long for a scheduled action: AWS allows 256 characters, prefix included",
            "shorten it",
        );
    }
    fits
}

fn read_zone(node: &Node<'_>) -> Option<Zone> {
    let text = node.text()?;
    match text.parse::<Zone>() {
        Ok(zone) => Some(zone),
        Err(error) => {
            node.report(error.to_string(), error.remedy);
            None
        }
    }
}

fn read_when(
    entry: &Node<'_>,
    fields: &Fields<'_>,
    zone: Option<Zone>,
    has_start: bool,
) -> Option<When> {
    let given: Vec<(&str, Node<'_>)> = WAYS
        .into_iter()
        .filter_map(|way| Some((way, fields.get(way)?)))
        .collect();
    let [(way, node)] = given.as_slice() else {
        let what = if given.is_empty() {
            "it is not said when".to_owned()
        } else {
            let names: Vec<&str> = given.iter().map(|(way, _)| *way).collect();
            format!("{} in one schedule", names.join(" and "))
        };
        entry.report(what, format!("give exactly one of {}", WAYS.join(", ")));
        return None;
    };
    if *way == "window" {
        return read_window(node, zone?).map(When::Open);
    }
    let text = node.text()?;
    let wrapped = if text.contains('(') {
        text.clone()
    } else {
        format!("{way}({text})")
    };
    let expression = match Expression::parse(&wrapped) {
        Ok(expression) => expression,
        Err(error) => {
            node.report(error.to_string(), error.remedy);
            return None;
        }
    };
    let is_said = match &expression {
        Expression::Cron(_) => *way == "cron",
        Expression::Rate(_) => *way == "rate",
        Expression::At(_) => *way == "at",
    };
    if !is_said {
        node.report(
            format!("`{text}` stands under `{way}`"),
            "write it under the key that its form is called by",
        );
        return None;
    }
    if let Expression::At(once) = &expression
        && let Err(error) = once.instant(zone?)
    {
        node.report(error.to_string(), error.remedy);
        return None;
    }
    if matches!(expression, Expression::Rate(_)) && !has_start {
        node.report(
            "a rate without `start`: nothing says what it counts from",
            "add `start: \"2026-11-22T00:00\"`, or use `cron`",
        );
        return None;
    }
    Some(When::Fires(expression))
}

fn read_window(node: &Node<'_>, zone: Zone) -> Option<Window> {
    let fields = node.fields(&WINDOW_KEYS)?;
    let from = fields.require("from", "\"22:00\"")?;
    let until = fields.require("until", "\"06:00\"")?;
    let (first, last) = (from.text()?, until.text()?);
    let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
    if let (Some(from), Some(until)) = (time(&first), time(&last)) {
        let days = match fields.get("days") {
            Some(node) => read_days(&node)?,
            None => (0..7).collect(),
        };
        return Some(Window::Daily { from, until, days });
    }
    if let Some(node) = fields.get("days") {
        node.report(
            "`days` stands in a window of dates",
            "remove it, or write `from` and `until` as times of day",
        );
        return None;
    }
    let (opens, closes) = (read_local(&from, zone)?, read_local(&until, zone)?);
    if opens >= closes {
        until.report(
            format!("it closes at {last}, and opens at {first}"),
            "let `until` be after `from`",
        );
        return None;
    }
    Some(Window::Once {
        from: opens,
        until: closes,
    })
}

fn read_days(node: &Node<'_>) -> Option<BTreeSet<u32>> {
    let day = |entry: Node<'_>| {
        let text = entry.text()?;
        let day = day_of_week(&text);
        if day.is_none() {
            entry.report(
                format!("`{text}` is no day of the week"),
                "use MON, TUE, WED, THU, FRI, SAT and SUN",
            );
        }
        day
    };
    node.entries().into_iter().map(day).collect()
}

/// A local date and time, in the zone of the schedule.
fn read_local(node: &Node<'_>, zone: Zone) -> Option<DateTime<Utc>> {
    let text = node.text()?;
    let forms = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let parsed = forms
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
    let Some(local) = parsed else {
        node.report(
            format!("`{text}` is no date and time"),
            "write for example \"2026-11-27T06:00\", a local time without a zone",
        );
        return None;
    };
    let instant = zone.first_instant(local);
    if instant.is_none() {
        node.report(
            format!("{text} does not exist in {zone}: clocks go forward over it"),
            "write a time before or after that",
        );
    }
    instant
}

/// `Some(None)` when it is not there.
#[expect(
    clippy::option_option,
    reason = "unreadable, absent and present are three outcomes"
)]
fn read_instant(
    fields: &Fields<'_>,
    key: &str,
    zone: Option<Zone>,
) -> Option<Option<DateTime<Utc>>> {
    match fields.get(key) {
        Some(node) => read_local(&node, zone?).map(Some),
        None => Some(None),
    }
}

type Ends = (Option<Capacity>, Option<Capacity>);

fn read_ends(node: &Node<'_>) -> Option<Ends> {
    let fields = node.fields(&BOUNDS_KEYS)?;
    let end = |key: &str| match fields.get(key) {
        Some(node) => node.count().and_then(Capacity::new).map(Some),
        None => Some(None),
    };
    let (min, max) = (end("min")?, end("max")?);
    match (min, max) {
        (None, None) => {
            node.report("it sets nothing", "give `min`, `max` or both");
            None
        }
        (Some(low), Some(high)) if low > high => {
            node.report(
                format!("the minimum, {low}, is above the maximum, {high}"),
                "lower the minimum or raise the maximum",
            );
            None
        }
        ends => Some(ends),
    }
}
