//! Values with a unit that a person would state: requests a second, percents of all cores.

use super::node::Node;
use crate::domain::{CustomMetric, Metric, PredefinedMetric, TargetValue};

/// A value that a metric is held at or compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    /// The number, in the metric's own unit, or in percent of all cores.
    pub(super) number: f64,
    /// Whether it is to be multiplied by the number of cores.
    pub(super) of_all_cores: bool,
}

/// What a number can be said to be of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Requests, which AWS counts per minute.
    Rate,
    /// Percents that add up over cores.
    Cores,
    /// Percents that add up over accelerators.
    Gpus,
    /// Percents of something that is 100 when it is full.
    Percent,
    /// A ratio, 1 when it is full.
    Ratio,
    /// A number of its own.
    Plain,
}

fn unit_of(metric: &Metric) -> Unit {
    match metric {
        Metric::Predefined(
            PredefinedMetric::InvocationsPerInstance | PredefinedMetric::InvocationsPerCopy,
        ) => Unit::Rate,
        Metric::Predefined(PredefinedMetric::ProvisionedConcurrencyUtilization) => Unit::Ratio,
        Metric::Predefined(_) | Metric::Math(_) => Unit::Plain,
        Metric::Custom(metric) => unit_of_custom(metric),
    }
}

fn unit_of_custom(metric: &CustomMetric) -> Unit {
    match (metric.namespace.as_str(), metric.name.as_str()) {
        ("AWS/SageMaker", "Invocations" | "InvocationsPerInstance" | "InvocationsPerCopy") => {
            Unit::Rate
        }
        ("/aws/sagemaker/Endpoints", "CPUUtilization") => Unit::Cores,
        ("/aws/sagemaker/Endpoints", "GPUUtilization" | "GPUMemoryUtilization") => Unit::Gpus,
        ("AWS/SageMaker", name)
            if name.starts_with("Serverless") && name.ends_with("Utilization") =>
        {
            Unit::Ratio
        }
        (_, name) if name.ends_with("Utilization") || name.ends_with("Normalized") => Unit::Percent,
        _ => Unit::Plain,
    }
}

/// Reads a number, with a unit where the metric has one.
pub(super) fn read_value(node: &Node<'_>, metric: &Metric) -> Option<Value> {
    let text = node.text()?;
    let plain = |number| Value {
        number,
        of_all_cores: false,
    };
    if text.trim().parse::<f64>().is_ok() {
        return node.number().map(plain);
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (digits, words) = text.split_at(end.unwrap_or(text.len()));
    let Ok(number) = digits.trim().parse::<f64>() else {
        node.report(format!("{} is no number", node.shown()), remedy(metric));
        return None;
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let value = match (unit_of(metric), words.join(" ").as_str()) {
        (Unit::Rate, "/s" | "per second") => plain(number * 60.0),
        (Unit::Rate, "/min" | "per minute")
        | (Unit::Cores, "% of one core")
        | (Unit::Gpus, "% of one gpu")
        | (Unit::Percent, "%") => plain(number),
        (Unit::Cores, "% of all cores") => Value {
            number,
            of_all_cores: true,
        },
        (Unit::Ratio, "%") => plain(number / 100.0),
        _ => {
            node.report(
                format!("{} is no value of {metric}", node.shown()),
                remedy(metric),
            );
            return None;
        }
    };
    Some(value)
}

fn remedy(metric: &Metric) -> &'static str {
    match unit_of(metric) {
        Unit::Rate => "write requests per minute, for example 600, or with a unit: 10/s or 600/min",
        Unit::Cores => "write for example `60% of all cores`, or `60% of one core`",
        Unit::Gpus => "write a number, for example 60, or `60% of one gpu`: they add up over GPUs",
        Unit::Percent => "write a number in the metric's unit, for example 60 or 60%",
        Unit::Ratio => "write a ratio, for example 0.7 or 70%",
        Unit::Plain => "write a number in the metric's unit",
    }
}

fn has_unit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.trim().parse::<f64>().is_err()
}

/// Reads what target tracking holds a metric at. Where the metric itself could not be read, only what is wrong with any
/// metric is told.
pub(super) fn read_target(node: &Node<'_>, metric: Option<&Metric>) -> Option<(TargetValue, bool)> {
    let value = match metric {
        Some(metric) => read_value(node, metric)?,
        // With a unit, it depends on the metric whether it is right.
        None if has_unit(&node.text()?) => return None,
        None => Value {
            number: node.number()?,
            of_all_cores: false,
        },
    };
    match TargetValue::new(value.number) {
        Ok(target) => Some((target, value.of_all_cores)),
        Err(error) => {
            let number = value.number;
            node.report(format!("`{number}` can not be a target"), error.to_string());
            None
        }
    }
}
