//! The lists `policies`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node::{Fields, Node, nearest};
use super::step::{read_fast, read_step_policy, read_wake};
use super::unit::read_target;
use crate::domain::{
    Cooldown, CustomMetric, Dimension, LONGEST_ALARM_NAME, MathMetric, MathPart, Metric, OwnerName,
    Policy, PolicyKind, PolicyName, PredefinedMetric, Statistic, TargetId, TargetTracking,
    alarm_name, known_dimensions,
};

/// The keys of which a policy has exactly one.
const KINDS: [&str; 4] = [
    "target_tracking",
    "step",
    "wake_from_zero",
    "fast_scale_out",
];
const POLICY_KEYS: [&str; 5] = [
    "name",
    "target_tracking",
    "step",
    "wake_from_zero",
    "fast_scale_out",
];
const TRACKING_KEYS: [&str; 5] = [
    "metric",
    "target",
    "scale_out_cooldown",
    "scale_in_cooldown",
    "disable_scale_in",
];
const MATH_KEYS: [&str; 3] = ["expression", "metrics", "expressions"];
const METRIC_KEYS: [&str; 5] = ["namespace", "name", "dimensions", "statistic", "unit"];

/// The units that CloudWatch knows.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// AWS's fixed limit of policies on one target.
const MAX_POLICIES: usize = 50;

/// Reads the policies of one target. Names and metrics must be unique among them, as AWS demands.
pub(super) fn read_policies(node: &Node<'_>, target: &TargetId, owner: &OwnerName) -> Vec<Policy> {
    let entries = node.entries();
    if entries.len() > MAX_POLICIES {
        node.report(
            format!("{} policies on one target", entries.len()),
            format!("AWS allows {MAX_POLICIES}, and that limit can not be raised"),
        );
    }
    let mut policies: Vec<Policy> = Vec::new();
    for entry in entries {
        let Some(policy) = read_policy(&entry, target, owner) else {
            continue;
        };
        let same = |p: &&Policy| match (p.tracked_metric(), policy.tracked_metric()) {
            (Some(a), Some(b)) => a.is_same_series(b),
            _ => false,
        };
        if let Some(first) = policies.iter().find(same) {
            entry.report(
                format!("policy `{}` tracks the same metric", first.name),
                "keep one: AWS allows one target-tracking policy per metric on a target",
            );
            continue;
        }
        if policies.iter().any(|p| p.name == policy.name) {
            entry.report(
                format!("a second policy of this target is called `{}`", policy.name),
                "give each policy a `name` of its own",
            );
            continue;
        }
        let alarm = alarm_name(owner, target, &policy.name);
        let is_step = matches!(policy.kind, PolicyKind::Step(_));
        if is_step && alarm.chars().count() > LONGEST_ALARM_NAME {
            entry.report(
                format!("its alarm would be called `{alarm}`, which is too long"),
                format!(
                    "shorten its name: alarm names have {LONGEST_ALARM_NAME} characters at most"
                ),
            );
            continue;
        }
        policies.push(policy);
    }
    policies
}

fn read_policy(entry: &Node<'_>, target: &TargetId, owner: &OwnerName) -> Option<Policy> {
    let fields = entry.fields(&POLICY_KEYS)?;
    let given: Vec<(&str, Node<'_>)> = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, fields.get(kind)?)))
        .collect();
    let [(kind, node)] = given.as_slice() else {
        let names: Vec<&str> = given.iter().map(|(kind, _)| *kind).collect();
        let what = match names.as_slice() {
            [] => "it is not said what the policy does".to_owned(),
            names => format!("{} in one policy", names.join(" and ")),
        };
        let remedy = format!("give exactly one of {}", KINDS.join(", "));
        entry.report(what, remedy);
        return None;
    };
    let kind_of = match *kind {
        "target_tracking" => PolicyKind::TargetTracking(read_tracking(node, target)?),
        "step" => PolicyKind::Step(read_step_policy(node, target)?),
        "wake_from_zero" => PolicyKind::Step(read_wake(node, target)?),
        _ => PolicyKind::Step(read_fast(node, target)?),
    };
    let name = match fields.get("name") {
        Some(node) => node.parsed::<PolicyName>()?,
        None => default_name(owner, kind, &kind_of)?,
    };
    Some(Policy {
        name,
        kind: kind_of,
    })
}

/// The name of a policy that was given none. It depends on the metric only, so that reordering the list or changing
/// a value does not make it another policy; and it begins with its owner, so that it is known again.
fn default_name(owner: &OwnerName, key: &str, kind: &PolicyKind) -> Option<PolicyName> {
    let slug = match kind {
        PolicyKind::TargetTracking(tracking) => match &tracking.metric {
            Metric::Predefined(metric) => metric.name().to_owned(),
            Metric::Custom(metric) => format!("{}-{}", metric.name, metric.statistic),
            Metric::Math(_) => "math".to_owned(),
        },
        PolicyKind::Step(step) if key == "step" => format!("step-{}", step.alarm.metric.name),
        PolicyKind::Step(_) => key.to_owned(),
    };
    format!("{owner}-{slug}").parse().ok()
}

fn read_tracking(node: &Node<'_>, target: &TargetId) -> Option<TargetTracking> {
    let fields = node.fields(&TRACKING_KEYS)?;
    let metric = fields
        .require("metric", "invocations_per_instance")
        .and_then(|node| read_metric(&node, target));
    let value = fields.require("target", "70");
    let value = value.and_then(|node| read_target(&node, metric.as_ref()));
    let out = read_cooldown(&fields, "scale_out_cooldown");
    let scale_in = read_cooldown(&fields, "scale_in_cooldown");
    let disable_scale_in = match fields.get("disable_scale_in") {
        Some(node) => node.truth(),
        None => Some(false),
    };
    Some(TargetTracking {
        metric: metric?,
        target: value?.0,
        of_all_cores: value?.1,
        scale_out_cooldown: out?,
        scale_in_cooldown: scale_in?,
        disable_scale_in: disable_scale_in?,
    })
}

/// AWS's default when the key is absent.
pub(super) fn read_cooldown(fields: &Fields<'_>, key: &str) -> Option<Cooldown> {
    let Some(node) = fields.get(key) else {
        return Some(Cooldown::SAGEMAKER_DEFAULT);
    };
    let duration = node.duration(Duration::ZERO, Duration::from_hours(24 * 7))?;
    match Cooldown::from_duration(duration) {
        Ok(cooldown) => Some(cooldown),
        Err(error) => {
            node.report(
                format!("{} can not be a cooldown", node.shown()),
                error.to_string(),
            );
            None
        }
    }
}

pub(super) fn read_metric(node: &Node<'_>, target: &TargetId) -> Option<Metric> {
    if node.has_key("expression") {
        return read_math(node, target).map(Metric::Math);
    }
    if node.is_section() {
        return read_custom(node, target).map(Metric::Custom);
    }
    let text = node.text()?;
    let fitting: Vec<&str> = PredefinedMetric::ALL
        .into_iter()
        .filter(|m| m.dimension() == target.dimension())
        .map(PredefinedMetric::name)
        .collect();
    let Ok(metric) = text.parse::<PredefinedMetric>() else {
        let all: Vec<&str> = PredefinedMetric::ALL
            .into_iter()
            .flat_map(|m| [m.name(), m.aws_name()])
            .collect();
        let remedy = match nearest(&text, &all) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "use one of {}, or name a metric in full: {{ namespace: …, name: …, statistic: … }}",
                fitting.join(", ")
            ),
        };
        node.report(format!("`{text}` is not a predefined metric"), remedy);
        return None;
    };
    if metric.dimension() != target.dimension() {
        node.report(
            format!(
                "`{text}` counts {}, and this target scales {}",
                metric.unit(),
                target.dimension().unit()
            ),
            match metric.dimension() {
                Dimension::ProvisionedConcurrency => {
                    "add `dimension: provisioned_concurrency` to the target, if it is serverless"
                        .to_owned()
                }
                Dimension::Copies => {
                    "declare the component itself, `component: NAME`, if copies are meant"
                        .to_owned()
                }
                Dimension::Instances => format!("use one of {}", fitting.join(", ")),
            },
        );
        return None;
    }
    Some(Metric::Predefined(metric))
}

/// CloudWatch's limit of metrics in the math of an alarm.
const MAX_PARTS: usize = 10;

fn read_math(node: &Node<'_>, target: &TargetId) -> Option<MathMetric> {
    let fields = node.fields(&MATH_KEYS)?;
    let expression = fields.require("expression", "m1 / m2")?.text();
    let mut parts = BTreeMap::new();
    for key in ["metrics", "expressions"] {
        for (id, entry) in fields.get(key).iter().flat_map(Node::named_entries) {
            if !MathMetric::is_id(id) || id == MathMetric::RESULT {
                let rule = "begin with a small letter, go on with letters, digits and underscores, and avoid `result`";
                entry.report(format!("`{id}` is no id for metric math"), rule);
                continue;
            }
            let part = match key {
                "metrics" => read_custom(&entry, target).map(MathPart::Series),
                _ => entry.text().map(MathPart::Expression),
            };
            if let Some(part) = part
                && parts.insert(id.clone(), part).is_some()
            {
                entry.report(
                    format!("`{id}` stands twice"),
                    "call one of the two differently",
                );
            }
        }
    }
    let expression = expression?;
    let texts = parts.values().filter_map(|part| match part {
        MathPart::Expression(text) => Some(text.as_str()),
        MathPart::Series(_) => None,
    });
    let texts: Vec<&str> = texts.chain([expression.as_str()]).collect();
    for word in texts.iter().flat_map(|text| unknown_ids(text, &parts)) {
        node.report(
            format!("an expression names `{word}`, and there is no such metric or expression"),
            "name it under `metrics` or `expressions`",
        );
    }
    for id in circular(&parts) {
        node.report(
            format!("expression `{id}` is made of itself"),
            "let expressions name only metrics, and expressions that do not lead back to them",
        );
    }
    // These functions take all metrics, whatever they are called.
    let takes_all = texts.iter().any(|text| text.contains("METRICS("));
    for id in parts.keys().filter(|_| !takes_all) {
        if !texts.iter().any(|text| MathMetric::names(text, id)) {
            node.report(
                format!("`{id}` is used nowhere"),
                "use it in an expression, or remove it",
            );
        }
    }
    if parts.is_empty() || parts.len() > MAX_PARTS {
        node.report(
            format!("metric math over {} metrics and expressions", parts.len()),
            format!("name 1 to {MAX_PARTS} under `metrics` and `expressions`"),
        );
        return None;
    }
    Some(MathMetric { expression, parts })
}

/// Expressions that can never be computed, because they need one another.
fn circular(parts: &BTreeMap<String, MathPart>) -> Vec<&str> {
    let mut waiting: BTreeMap<&str, &str> = parts
        .iter()
        .filter_map(|(id, part)| match part {
            MathPart::Expression(text) => Some((id.as_str(), text.as_str())),
            MathPart::Series(_) => None,
        })
        .collect();
    loop {
        let ready = waiting
            .iter()
            .find(|(_, text)| !waiting.keys().any(|id| MathMetric::names(text, id)))
            .map(|(id, _)| *id);
        match ready {
            Some(id) => waiting.remove(id),
            None => return waiting.into_keys().collect(),
        };
    }
}

/// Words of an expression that begin with a small letter, as ids do and functions do not, and that are no parts. What
/// stands in quotes is a text.
fn unknown_ids<'t>(text: &'t str, parts: &BTreeMap<String, MathPart>) -> Vec<&'t str> {
    let unquoted = text.split(['"', '\'']).step_by(2);
    let words = unquoted.flat_map(|t| t.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|word| !parts.contains_key(*word))
        .collect()
}

fn read_custom(node: &Node<'_>, target: &TargetId) -> Option<CustomMetric> {
    let fields = node.fields(&METRIC_KEYS)?;
    let namespace = fields.require("namespace", "/aws/sagemaker/Endpoints");
    let namespace = namespace.and_then(|node| node.text());
    let name = fields
        .require("name", "CPUUtilization")
        .and_then(|node| node.text());
    let statistics = Statistic::ALL.map(|s| (s.aws_name(), s));
    let statistic = fields
        .require("statistic", "Average")
        .and_then(|node| node.word(&statistics));
    let units = UNITS.map(|unit| (unit, unit));
    let unit = match fields.get("unit") {
        Some(node) => Some(node.word(&units)?.to_owned()),
        None => None,
    };
    let dimensions = match fields.get("dimensions") {
        Some(node) => Some(
            node.named_entries()
                .into_iter()
                .map(|(name, value)| Some((name.clone(), value.text()?)))
                .collect::<Option<BTreeMap<_, _>>>()?,
        ),
        None => None,
    };
    let (namespace, name) = (namespace?, name?);
    let dimensions = dimensions
        .or_else(|| known_dimensions(&namespace, &name, target))
        .unwrap_or_default();
    Some(CustomMetric {
        namespace,
        name,
        dimensions,
        statistic: statistic?,
        unit,
    })
}
