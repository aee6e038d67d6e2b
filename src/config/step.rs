//! Step policies with their alarms, and the shorthands that stand for one.

use std::time::Duration;

use super::node::{Fields, Node};
use super::policy::{read_cooldown, read_metric};
use super::unit::read_value;
use crate::domain::{
    Adjustment, Aggregation, AlarmRule, Comparison, Cooldown, CustomMetric, LONGEST_ALARM_NAME,
    Metric, MetricData, MissingData, Number, Statistic, Step, StepPolicy, StepScaling, TargetId,
    known_dimensions,
};

const KEYS: [&str; 6] = [
    "adjustment",
    "steps",
    "min_change",
    "cooldown",
    "aggregation",
    "alarm",
];
const STEP_KEYS: [&str; 3] = ["from", "to", "adjust"];
const ALARM_KEYS: [&str; 8] = [
    "name",
    "metric",
    "threshold",
    "comparison",
    "period",
    "periods",
    "datapoints",
    "missing_data",
];
const WAKE_KEYS: [&str; 2] = ["add", "cooldown"];
const FAST_KEYS: [&str; 5] = ["metric", "above", "add", "cooldown", "periods"];

/// AWS's fixed limit of steps in a policy (aws-autoscaling.md 1.3).
const MAX_STEPS: usize = 20;
/// The longest stretch that an alarm may look at.
const LONGEST_RANGE: u64 = 86_400;

/// Reads a step policy in full.
pub(super) fn read_step_policy(node: &Node<'_>, target: &TargetId) -> Option<StepPolicy> {
    let fields = node.fields(&KEYS)?;
    let words = Adjustment::ALL.map(|a| (a.name(), a));
    let adjustment = match fields.get("adjustment") {
        Some(node) => node.word(&words),
        None => Some(Adjustment::ChangeInCapacity),
    };
    let steps = fields
        .require("steps", "[{ from: 0, adjust: 1 }]")
        .and_then(|node| read_steps(&node, adjustment));
    let min_magnitude = read_min_change(&fields, adjustment);
    let words = [
        ("average", Aggregation::Average),
        ("minimum", Aggregation::Minimum),
        ("maximum", Aggregation::Maximum),
    ];
    let aggregation = match fields.get("aggregation") {
        Some(node) => node.word(&words),
        None => Some(Aggregation::Average),
    };
    let cooldown = read_cooldown(&fields, "cooldown");
    let alarm = fields
        .require("alarm", "{ metric: …, threshold: 10 }")
        .and_then(|node| Some((read_alarm(&node, target)?, read_alarm_name(&node)?)));
    Some(StepPolicy {
        scaling: StepScaling {
            adjustment: adjustment?,
            steps: steps?,
            min_magnitude: min_magnitude?,
            cooldown: cooldown?,
            aggregation: aggregation?,
        },
        alarm_name: alarm.as_ref()?.1.clone(),
        alarm: alarm?.0,
    })
}

/// `Some(None)` when it is not there.
#[expect(
    clippy::option_option,
    reason = "unreadable, absent and present are three outcomes"
)]
fn read_min_change(fields: &Fields<'_>, adjustment: Option<Adjustment>) -> Option<Option<u32>> {
    let Some(node) = fields.get("min_change") else {
        return Some(None);
    };
    let count = node.count()?;
    if adjustment.is_some_and(|a| a != Adjustment::PercentChangeInCapacity) {
        node.report(
            "`min_change` stands without `adjustment: percent`",
            "remove it, or change by percent: AWS takes it with percents only",
        );
        return None;
    }
    Some((count > 0).then_some(count))
}

fn read_steps(node: &Node<'_>, adjustment: Option<Adjustment>) -> Option<Vec<Step>> {
    let entries = node.entries();
    if entries.is_empty() || entries.len() > MAX_STEPS {
        node.report(
            format!("{} steps", entries.len()),
            format!("AWS takes 1 to {MAX_STEPS}"),
        );
        return None;
    }
    let steps: Vec<Option<Step>> = entries
        .iter()
        .map(|entry| read_step(entry, adjustment))
        .collect();
    let mut steps = steps.into_iter().collect::<Option<Vec<Step>>>()?;
    steps.sort();
    check_intervals(node, &steps).then_some(steps)
}

fn read_step(entry: &Node<'_>, adjustment: Option<Adjustment>) -> Option<Step> {
    let fields = entry.fields(&STEP_KEYS)?;
    let end = |key| match fields.get(key) {
        Some(node) => node.number().map(Number::new),
        None => Some(None),
    };
    let (lower, upper) = (end("from"), end("to"));
    let node = fields.require("adjust", "1")?;
    let number = node.whole_number()?;
    let exact = adjustment == Some(Adjustment::ExactCapacity);
    if exact && number < 0 {
        node.report(
            format!("`{number}` is no capacity"),
            "with `adjustment: exact` write a capacity of 0 or more",
        );
        return None;
    }
    let (lower, upper) = (lower?, upper?);
    match (lower, upper) {
        (None, None) => {
            entry.report(
                "a step without `from` and `to`",
                "give one of them, for example `from: 0`: AWS takes no step without an end",
            );
            None
        }
        (Some(a), Some(b)) if a >= b => {
            entry.report(
                format!("a step from {a} to {b} holds nothing"),
                "`from` must be below `to`",
            );
            None
        }
        _ => Some(Step {
            lower,
            upper,
            adjustment: number,
        }),
    }
}

/// AWS's rules on how steps lie beside one another (aws-autoscaling.md 2.5).
fn check_intervals(node: &Node<'_>, steps: &[Step]) -> bool {
    let mut fine = true;
    let mut wrong = |what: String, remedy: &str| {
        node.report(what, remedy);
        fine = false;
    };
    for pair in steps.windows(2) {
        let [below, above] = pair else { continue };
        match (below.upper, above.lower) {
            (Some(end), Some(start)) if end == start => {}
            (Some(end), Some(start)) if end < start => wrong(
                format!("nothing is said from {end} to {start}"),
                "let each step begin where the one before it ends",
            ),
            _ => wrong(
                format!("`{}` and `{}` overlap", shown(below), shown(above)),
                "let each step begin where the one before it ends",
            ),
        }
    }
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return fine;
    };
    if first.lower.is_some_and(|lower| lower.get() < 0.0) {
        wrong(
            "steps below the threshold that end somewhere".to_owned(),
            "leave `from` out of the lowest step: AWS wants the lowest to go down without end",
        );
    }
    if last.upper.is_some_and(|upper| upper.get() > 0.0) {
        wrong(
            "steps above the threshold that end somewhere".to_owned(),
            "leave `to` out of the highest step: AWS wants the highest to go up without end",
        );
    }
    fine
}

fn shown(step: &Step) -> String {
    let end = |x: Option<Number>| x.map_or("…".to_owned(), |x| x.to_string());
    format!("{} to {}", end(step.lower), end(step.upper))
}

/// `Some(None)` when the alarm is ours to name.
#[expect(
    clippy::option_option,
    reason = "unreadable, absent and present are three outcomes"
)]
fn read_alarm_name(node: &Node<'_>) -> Option<Option<String>> {
    let Some(node) = node.entry("name") else {
        return Some(None);
    };
    let name = node.text()?;
    let length = name.chars().count();
    if (1..=LONGEST_ALARM_NAME).contains(&length) && !name.starts_with("TargetTracking-") {
        return Some(Some(name));
    }
    node.report(
        format!("`{name}` can not be the name of an alarm of ours"),
        "use 1 to 255 characters, and not one of AWS's own alarms, `TargetTracking-…`",
    );
    None
}

fn read_alarm(node: &Node<'_>, target: &TargetId) -> Option<AlarmRule> {
    let fields = node.fields(&ALARM_KEYS)?;
    let metric = fields
        .require("metric", "{ namespace: …, name: …, statistic: … }")
        .and_then(|node| read_series(&node, target));
    let threshold = fields.require("threshold", "10");
    let threshold = threshold.and_then(|node| match &metric {
        Some((metric, _)) => read_above(&node, metric),
        None => node.number().and_then(Number::new),
    });
    let signs = Comparison::ALL.map(|c| (c.sign(), c));
    let comparison = match fields.get("comparison") {
        Some(node) => node.word(&signs),
        None => Some(Comparison::GreaterOrEqual),
    };
    let words = MissingData::ALL.map(|m| (m.name(), m));
    let missing = match fields.get("missing_data") {
        Some(node) => node.word(&words),
        None => Some(MissingData::Missing),
    };
    let own_period = fields.get("period").map(|node| read_period(&node));
    let periods = read_periods(&fields, "periods", 1);
    let datapoints = read_periods(&fields, "datapoints", periods.unwrap_or(1));
    let (metric, natural_period) = metric?;
    let rule = AlarmRule {
        metric,
        period: own_period.unwrap_or(Some(natural_period))?,
        periods: periods?,
        datapoints: datapoints?,
        threshold: threshold?,
        comparison: comparison?,
        missing: missing?,
    };
    if rule.datapoints > rule.periods {
        node.report(
            format!("{} datapoints of {} periods", rule.datapoints, rule.periods),
            "`datapoints` is at most `periods`",
        );
        return None;
    }
    if u64::from(rule.period).saturating_mul(u64::from(rule.periods)) > LONGEST_RANGE {
        node.report(
            format!("{} periods of {} s", rule.periods, rule.period),
            "an alarm looks back one day at most",
        );
        return None;
    }
    Some(rule)
}

/// One metric, with its period in seconds.
fn read_series(node: &Node<'_>, target: &TargetId) -> Option<(CustomMetric, u32)> {
    match read_metric(node, target)?.resolve(target) {
        MetricData::Series(metric, period) => Some((metric, period)),
        MetricData::Math(_) => {
            node.report(
                "metric math in the alarm of a step policy",
                "name one metric: math is for target tracking in this version",
            );
            None
        }
    }
}

fn read_period(node: &Node<'_>) -> Option<u32> {
    let span = node.duration(Duration::from_secs(10), Duration::from_hours(24))?;
    let secs = u32::try_from(span.as_secs()).ok()?;
    if matches!(secs, 10 | 20 | 30) || secs.is_multiple_of(60) {
        return Some(secs);
    }
    node.report(
        format!("{} is no period of CloudWatch", node.shown()),
        "use 10s, 20s, 30s or whole minutes",
    );
    None
}

fn read_periods(fields: &Fields<'_>, key: &str, default: u32) -> Option<u32> {
    let Some(node) = fields.get(key) else {
        return Some(default);
    };
    let count = node.count()?;
    if count == 0 {
        node.report(format!("0 {key}"), "write 1 or more");
        return None;
    }
    Some(count)
}

/// `2`, or `50%`.
fn read_addition(node: &Node<'_>) -> Option<(Adjustment, i32)> {
    let text = node.text()?;
    let (adjustment, digits) = match text.strip_suffix('%') {
        Some(digits) => (Adjustment::PercentChangeInCapacity, digits),
        None => (Adjustment::ChangeInCapacity, text.as_str()),
    };
    match digits.trim().parse::<i32>() {
        Ok(n) if n > 0 => Some((adjustment, n)),
        _ => {
            node.report(
                format!("{} can not be added", node.shown()),
                "write how many, for example 2, or how many percent, for example 50%",
            );
            None
        }
    }
}

fn one_step(number: i32) -> Vec<Step> {
    vec![Step {
        lower: Number::new(0.0),
        upper: None,
        adjustment: number,
    }]
}

/// A threshold; the number of cores is not known where alarms are declared.
fn read_above(node: &Node<'_>, metric: &CustomMetric) -> Option<Number> {
    let value = read_value(node, &Metric::Custom(metric.clone()))?;
    if value.of_all_cores {
        node.report(
            "a threshold in percent of all cores",
            "write percents of one core: 60 % of 4 cores is `240% of one core`",
        );
        return None;
    }
    Number::new(value.number)
}

/// AWS's recipes for leaving zero (aws-autoscaling.md 5.5): metrics per instance or copy have no divisor at zero, so
/// target tracking alone never does it. Components wake by requests that failed, and one must be enough.
pub(super) fn read_wake(node: &Node<'_>, target: &TargetId) -> Option<StepPolicy> {
    let fields = node.fields(&WAKE_KEYS)?;
    let added = match fields.get("add") {
        Some(node) => node.count().and_then(|n| i32::try_from(n).ok())?.max(1),
        None => 1,
    };
    let is_component = matches!(target, TargetId::Copies { .. });
    if let TargetId::ProvisionedConcurrency { .. } = target {
        node.report(
            "provisioned concurrency never goes down to zero",
            "remove `wake_from_zero`: it is for asynchronous endpoints and inference components",
        );
        return None;
    }
    let cooldown = match fields.get("cooldown") {
        None if is_component => Cooldown::from_secs(60).ok()?,
        _ => read_cooldown(&fields, "cooldown")?,
    };
    wake_policy(target, added, cooldown)
}

/// The step policy that wakes a target from zero: the shorthand, spelt out.
#[must_use]
pub fn wake_policy(target: &TargetId, added: i32, cooldown: Cooldown) -> Option<StepPolicy> {
    let is_component = matches!(target, TargetId::Copies { .. });
    let namespace = "AWS/SageMaker";
    let (name, statistic, periods, aggregation) = if is_component {
        (
            "NoCapacityInvocationFailures",
            Statistic::Sum,
            1,
            Aggregation::Maximum,
        )
    } else {
        (
            "HasBacklogWithoutCapacity",
            Statistic::Average,
            2,
            Aggregation::Average,
        )
    };
    Some(StepPolicy {
        scaling: StepScaling {
            adjustment: Adjustment::ChangeInCapacity,
            steps: one_step(added),
            min_magnitude: None,
            cooldown,
            aggregation,
        },
        alarm: AlarmRule {
            metric: CustomMetric {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                dimensions: known_dimensions(namespace, name, target).unwrap_or_default(),
                statistic,
                unit: None,
            },
            period: 60,
            periods,
            datapoints: periods,
            threshold: Number::new(1.0)?,
            comparison: Comparison::GreaterOrEqual,
            missing: MissingData::Missing,
        },
        alarm_name: None,
    })
}

/// A step policy on an alarm of our own beside target tracking: it goes off sooner, and nobody rewrites the alarms that
/// AWS owns.
pub(super) fn read_fast(node: &Node<'_>, target: &TargetId) -> Option<StepPolicy> {
    let fields = node.fields(&FAST_KEYS)?;
    let metric = fields
        .require("metric", "invocations_per_instance")
        .and_then(|node| read_series(&node, target));
    let above = fields
        .require("above", "1500")
        .and_then(|node| read_above(&node, &metric.as_ref()?.0));
    let added = fields
        .require("add", "50%")
        .and_then(|node| read_addition(&node));
    let cooldown = match fields.get("cooldown") {
        Some(_) => read_cooldown(&fields, "cooldown"),
        None => Cooldown::from_secs(60).ok(),
    };
    let periods = read_periods(&fields, "periods", 1);
    let (metric, period) = metric?;
    let (adjustment, number) = added?;
    Some(StepPolicy {
        scaling: StepScaling {
            adjustment,
            steps: one_step(number),
            min_magnitude: None,
            cooldown: cooldown?,
            aggregation: Aggregation::Maximum,
        },
        alarm: AlarmRule {
            metric,
            period,
            periods: periods?,
            datapoints: periods?,
            threshold: above?,
            comparison: Comparison::Greater,
            missing: MissingData::Missing,
        },
        alarm_name: None,
    })
}
