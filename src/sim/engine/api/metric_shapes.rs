//! What the operations on metrics speak.

use serde::{Deserialize, Serialize};

use super::super::time::Timestamp;

/// One dimension of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Dimension {
    /// For example `EndpointName`.
    pub name: Option<String>,
    /// Absent only in filters, where it matches any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A metric by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metric {
    /// For example `AWS/SageMaker`.
    pub namespace: Option<String>,
    /// For example `Invocations`.
    pub metric_name: Option<String>,
    /// All of its dimensions.
    pub dimensions: Vec<Dimension>,
}

/// Samples in four numbers.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StatisticSet {
    /// How many.
    pub sample_count: f64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
}

/// A datapoint that a client puts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDatum {
    /// The metric.
    pub metric_name: Option<String>,
    /// All of its dimensions.
    pub dimensions: Vec<Dimension>,
    /// Now, unless said otherwise.
    pub timestamp: Option<Timestamp>,
    /// One sample.
    pub value: Option<f64>,
    /// Many samples in four numbers.
    pub statistic_values: Option<StatisticSet>,
    /// Many samples.
    pub values: Option<Vec<f64>>,
    /// How often each of them came; once, unless said otherwise.
    pub counts: Option<Vec<f64>>,
    /// `None` unless said otherwise.
    pub unit: Option<String>,
}

/// Input of `PutMetricData`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutMetricData {
    /// Not one of AWS's own.
    pub namespace: Option<String>,
    /// At most 1,000.
    pub metric_data: Option<Vec<MetricDatum>>,
}

/// A metric with a statistic.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricStat {
    /// The metric.
    pub metric: Metric,
    /// Seconds.
    pub period: Option<i64>,
    /// A statistic or a percentile.
    pub stat: Option<String>,
    /// Only data of this unit.
    pub unit: Option<String>,
}

/// A query of `GetMetricData`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDataQuery {
    /// Begins with a lowercase letter.
    pub id: Option<String>,
    /// Either this,
    pub metric_stat: Option<MetricStat>,
    /// or this.
    pub expression: Option<String>,
    /// What the result is called.
    pub label: Option<String>,
    /// Whether the result is returned; yes unless said otherwise.
    pub return_data: Option<bool>,
    /// Of an expression.
    pub period: Option<i64>,
}

/// Input of `GetMetricData`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetMetricData {
    /// At most 500.
    pub metric_data_queries: Option<Vec<MetricDataQuery>>,
    /// Inclusive.
    pub start_time: Option<Timestamp>,
    /// Exclusive.
    pub end_time: Option<Timestamp>,
    /// This world answers in one page.
    pub next_token: Option<String>,
    /// `TimestampDescending` unless said otherwise.
    pub scan_by: Option<String>,
    /// At most 100,800.
    pub max_datapoints: Option<i64>,
}

/// Output of `GetMetricData`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetMetricDataResponse {
    /// One per query that returns data.
    pub metric_data_results: Vec<MetricDataResult>,
    /// Complaints about single queries.
    pub messages: Vec<Message>,
}

/// A result of `GetMetricData`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDataResult {
    /// The query's id.
    pub id: String,
    /// What the result is called.
    pub label: String,
    /// Starts of the periods.
    pub timestamps: Vec<Timestamp>,
    /// A value for each.
    pub values: Vec<f64>,
    /// `Complete`, or `InternalError` for an expression that failed.
    pub status_code: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

/// A complaint about a query.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// What kind.
    pub code: String,
    /// In words.
    pub value: String,
}

/// Input of `ListMetrics`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListMetrics {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only this name.
    pub metric_name: Option<String>,
    /// Only metrics with these dimensions, among others.
    pub dimensions: Option<Vec<Dimension>>,
    /// From the page before.
    pub next_token: Option<String>,
    /// `PT3H`: only metrics with data in the last three hours.
    pub recently_active: Option<String>,
}

/// Output of `ListMetrics`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListMetricsResponse {
    /// A page of names.
    pub metrics: Vec<Metric>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}
