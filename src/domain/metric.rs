//! Metrics that target tracking can follow, and what SageMaker publishes them under.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::target::{Dimension, TargetId};

/// A metric that Application Auto Scaling knows by one word (aws-autoscaling.md 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PredefinedMetric {
    /// Requests per minute per instance.
    InvocationsPerInstance,
    /// Requests executing or queued per model, 10 s resolution.
    ConcurrentRequestsPerModel,
    /// Executions over allocated provisioned concurrency, as a ratio.
    ProvisionedConcurrencyUtilization,
    /// Requests per minute per copy.
    InvocationsPerCopy,
    /// Requests executing or queued per copy, 10 s resolution.
    ConcurrentRequestsPerCopy,
}

/// A word that names no predefined metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a predefined metric")]
pub struct UnknownMetric(pub String);

impl PredefinedMetric {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::InvocationsPerInstance,
        Self::ConcurrentRequestsPerModel,
        Self::ProvisionedConcurrencyUtilization,
        Self::InvocationsPerCopy,
        Self::ConcurrentRequestsPerCopy,
    ];

    /// The name that our config uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvocationsPerInstance => "invocations_per_instance",
            Self::ConcurrentRequestsPerModel => "concurrent_requests_per_model",
            Self::ProvisionedConcurrencyUtilization => "provisioned_concurrency_utilization",
            Self::InvocationsPerCopy => "invocations_per_copy",
            Self::ConcurrentRequestsPerCopy => "concurrent_requests_per_copy",
        }
    }

    /// AWS's `PredefinedMetricType`.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::InvocationsPerInstance => "SageMakerVariantInvocationsPerInstance",
            Self::ConcurrentRequestsPerModel => {
                "SageMakerVariantConcurrentRequestsPerModelHighResolution"
            }
            Self::ProvisionedConcurrencyUtilization => {
                "SageMakerVariantProvisionedConcurrencyUtilization"
            }
            Self::InvocationsPerCopy => "SageMakerInferenceComponentInvocationsPerCopy",
            Self::ConcurrentRequestsPerCopy => {
                "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
            }
        }
    }

    /// The one dimension whose targets may track this metric; AWS rejects it on any other.
    #[must_use]
    pub fn dimension(self) -> Dimension {
        match self {
            Self::InvocationsPerInstance | Self::ConcurrentRequestsPerModel => Dimension::Instances,
            Self::ProvisionedConcurrencyUtilization => Dimension::ProvisionedConcurrency,
            Self::InvocationsPerCopy | Self::ConcurrentRequestsPerCopy => Dimension::Copies,
        }
    }

    /// What the target value counts.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::InvocationsPerInstance => "requests per minute per instance",
            Self::ConcurrentRequestsPerModel => "concurrent requests per model",
            Self::ProvisionedConcurrencyUtilization => "ratio of provisioned concurrency in use",
            Self::InvocationsPerCopy => "requests per minute per copy",
            Self::ConcurrentRequestsPerCopy => "concurrent requests per copy",
        }
    }

    /// The CloudWatch metric behind the word: name, statistic and period in seconds. The namespace is
    /// always `AWS/SageMaker`.
    #[must_use]
    pub fn cloudwatch(self) -> (&'static str, Statistic, u32) {
        match self {
            Self::InvocationsPerInstance => ("InvocationsPerInstance", Statistic::Sum, 60),
            Self::ConcurrentRequestsPerModel => {
                ("ConcurrentRequestsPerModel", Statistic::Maximum, 10)
            }
            Self::ProvisionedConcurrencyUtilization => (
                "ServerlessProvisionedConcurrencyUtilization",
                Statistic::Average,
                60,
            ),
            Self::InvocationsPerCopy => ("InvocationsPerCopy", Statistic::Sum, 60),
            Self::ConcurrentRequestsPerCopy => {
                ("ConcurrentRequestsPerCopy", Statistic::Maximum, 10)
            }
        }
    }
}

impl fmt::Display for PredefinedMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Accepts our readable name and AWS's own.
impl FromStr for PredefinedMetric {
    type Err = UnknownMetric;

    fn from_str(s: &str) -> Result<Self, UnknownMetric> {
        Self::ALL
            .into_iter()
            .find(|m| m.name() == s || m.aws_name() == s)
            .ok_or_else(|| UnknownMetric(s.to_owned()))
    }
}

/// How the samples of a period become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// Sum over count.
    Average,
    /// Smallest sample.
    Minimum,
    /// Largest sample.
    Maximum,
    /// Number of samples.
    SampleCount,
    /// Sum of the samples.
    Sum,
}

/// A word that names no statistic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a statistic")]
pub struct UnknownStatistic(pub String);

impl Statistic {
    /// All statistics that target tracking accepts.
    pub const ALL: [Self; 5] = [
        Self::Average,
        Self::Minimum,
        Self::Maximum,
        Self::SampleCount,
        Self::Sum,
    ];

    /// AWS's name.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
            Self::SampleCount => "SampleCount",
            Self::Sum => "Sum",
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.aws_name())
    }
}

impl FromStr for Statistic {
    type Err = UnknownStatistic;

    fn from_str(s: &str) -> Result<Self, UnknownStatistic> {
        Self::ALL
            .into_iter()
            .find(|x| x.aws_name().eq_ignore_ascii_case(s))
            .ok_or_else(|| UnknownStatistic(s.to_owned()))
    }
}

/// One CloudWatch metric, named in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomMetric {
    /// Namespace, for example `/aws/sagemaker/Endpoints`.
    pub namespace: String,
    /// Metric name, for example `CPUUtilization`.
    pub name: String,
    /// Every dimension, exactly as published: CloudWatch never sums over one that is left out.
    pub dimensions: BTreeMap<String, String>,
    /// Statistic over the fixed period of 60 s.
    pub statistic: Statistic,
    /// Unit, only when the publisher sets exactly this one; a wrong unit matches no data at all.
    pub unit: Option<String>,
}

/// A part of metric math.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MathPart {
    /// A metric.
    Series(CustomMetric),
    /// An expression over other parts.
    Expression(String),
}

/// Metric math: an expression over metrics, in CloudWatch's own language.
///
/// Two are equal when they compute the same; what the result is called, and labels for graphs, do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MathMetric {
    /// What is tracked.
    pub expression: String,
    /// What it is made of, by id.
    pub parts: BTreeMap<String, MathPart>,
}

impl MathMetric {
    /// The id that the tracked expression is given; parts may not be called so.
    pub const RESULT: &'static str = "result";

    /// The math that returns the part `id` of these parts. An expression that nothing else is made of is the tracked
    /// one itself, whatever it is called.
    #[must_use]
    pub fn returning(id: &str, mut parts: BTreeMap<String, MathPart>) -> Self {
        let used = parts.iter().any(|(other, part)| match part {
            MathPart::Expression(text) => other != id && Self::names(text, id),
            MathPart::Series(_) => false,
        });
        let own = match parts.get(id) {
            Some(MathPart::Expression(text)) if !used => Some(text.clone()),
            _ => None,
        };
        let expression = match own {
            Some(text) => {
                parts.remove(id);
                text
            }
            None => id.to_owned(),
        };
        Self { expression, parts }
    }

    /// Whether an expression names a part.
    #[must_use]
    pub fn names(expression: &str, id: &str) -> bool {
        expression
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .any(|word| word == id)
    }

    /// CloudWatch's rule for ids.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        text.len() <= 255
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
}

/// What target tracking follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// One of AWS's words.
    Predefined(PredefinedMetric),
    /// A metric named in full.
    Custom(CustomMetric),
    /// Metric math.
    Math(MathMetric),
}

/// The data behind a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricData {
    /// One series with its period in seconds.
    Series(CustomMetric, u32),
    /// Metric math over periods of 60 s.
    Math(MathMetric),
}

impl CustomMetric {
    /// The metric that is to `to` what this one is to `from`: dimensions that follow from the target follow along.
    #[must_use]
    pub fn retargeted(&self, from: &TargetId, to: &TargetId) -> Self {
        let of = |target| known_dimensions(&self.namespace, &self.name, target);
        let mut metric = self.clone();
        if of(from).as_ref() == Some(&self.dimensions) {
            metric.dimensions = of(to).unwrap_or_default();
        }
        metric
    }
}

impl Metric {
    /// See [`CustomMetric::retargeted`].
    #[must_use]
    pub fn retargeted(&self, from: &TargetId, to: &TargetId) -> Self {
        match self {
            Self::Predefined(metric) => Self::Predefined(*metric),
            Self::Custom(metric) => Self::Custom(metric.retargeted(from, to)),
            Self::Math(math) => {
                let part = |part: &MathPart| match part {
                    MathPart::Series(metric) => MathPart::Series(metric.retargeted(from, to)),
                    MathPart::Expression(text) => MathPart::Expression(text.clone()),
                };
                let parts = math.parts.iter().map(|(id, p)| (id.clone(), part(p)));
                Self::Math(MathMetric {
                    expression: math.expression.clone(),
                    parts: parts.collect(),
                })
            }
        }
    }

    /// Whether two policies on one target may not both use these metrics (AWS allows one target-tracking
    /// policy per metric specification, aws-autoscaling.md 1.5). The unit does not make a metric another one.
    #[must_use]
    pub fn is_same_series(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Predefined(a), Self::Predefined(b)) => a == b,
            (Self::Custom(a), Self::Custom(b)) => {
                (&a.namespace, &a.name, &a.dimensions, a.statistic)
                    == (&b.namespace, &b.name, &b.dimensions, b.statistic)
            }
            (Self::Math(a), Self::Math(b)) => a == b,
            (Self::Predefined(_) | Self::Custom(_) | Self::Math(_), _) => false,
        }
    }

    /// The metric in full, as CloudWatch knows it.
    #[must_use]
    pub fn resolve(&self, target: &TargetId) -> MetricData {
        match self {
            Self::Math(math) => MetricData::Math(math.clone()),
            Self::Custom(metric) => MetricData::Series(metric.clone(), 60),
            Self::Predefined(predefined) => {
                let (name, statistic, period) = predefined.cloudwatch();
                let metric = CustomMetric {
                    namespace: "AWS/SageMaker".to_owned(),
                    name: name.to_owned(),
                    dimensions: target_dimensions(target),
                    statistic,
                    unit: None,
                };
                MetricData::Series(metric, period)
            }
        }
    }
}

/// The metric in a few words: its readable name, or statistic and name.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Predefined(metric) => f.pad(metric.name()),
            Self::Custom(metric) => {
                write!(
                    f,
                    "{} of {} {}",
                    metric.statistic, metric.namespace, metric.name
                )
            }
            Self::Math(math) => f.write_str(&math.expression),
        }
    }
}

/// A value and the period it is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datapoint {
    /// Start of the period.
    pub at: DateTime<Utc>,
    /// The statistic over the period.
    pub value: f64,
}

/// The dimensions that SageMaker publishes per variant or per component.
fn target_dimensions(target: &TargetId) -> BTreeMap<String, String> {
    match target {
        TargetId::Instances { endpoint, variant }
        | TargetId::ProvisionedConcurrency { endpoint, variant } => BTreeMap::from([
            ("EndpointName".to_owned(), endpoint.to_string()),
            ("VariantName".to_owned(), variant.to_string()),
        ]),
        TargetId::Copies { component } => {
            BTreeMap::from([("InferenceComponentName".to_owned(), component.to_string())])
        }
    }
}

/// Async endpoints publish their queue per endpoint, without a variant (aws-autoscaling.md 6.2).
const PER_ENDPOINT: [&str; 4] = [
    "ApproximateBacklogSize",
    "ApproximateBacklogSizePerInstance",
    "ApproximateAgeOfOldestRequest",
    "HasBacklogWithoutCapacity",
];

/// The dimensions under which SageMaker publishes `name` in `namespace` for `target`, or `None` for a namespace
/// that is not SageMaker's.
#[must_use]
pub fn known_dimensions(
    namespace: &str,
    name: &str,
    target: &TargetId,
) -> Option<BTreeMap<String, String>> {
    match namespace {
        "AWS/SageMaker" if PER_ENDPOINT.contains(&name) => target
            .endpoint()
            .map(|endpoint| BTreeMap::from([("EndpointName".to_owned(), endpoint.to_string())])),
        "AWS/SageMaker" | "/aws/sagemaker/Endpoints" | "/aws/sagemaker/InferenceComponents" => {
            Some(target_dimensions(target))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_predefined_metric_are_read() {
        for metric in PredefinedMetric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(metric.aws_name().parse(), Ok(metric));
        }
        assert!("CPUUtilization".parse::<PredefinedMetric>().is_err());
    }

    #[test]
    fn backlog_metrics_have_no_variant() {
        let target: TargetId = "endpoint/e/variant/v".parse().unwrap();
        let of = |name| known_dimensions("AWS/SageMaker", name, &target).unwrap();
        assert_eq!(of("ApproximateBacklogSizePerInstance").len(), 1);
        assert_eq!(of("Invocations").len(), 2);
        assert_eq!(known_dimensions("MyApp", "QueueLength", &target), None);
    }
}
