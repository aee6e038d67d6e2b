//! What the operations on alarms speak.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::time::Timestamp;
use super::Empty;

use super::metric_shapes::Dimension;

/// Input of `PutMetricAlarm`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutMetricAlarm {
    /// 1 to 255 characters.
    pub alarm_name: Option<String>,
    /// Free text.
    pub alarm_description: Option<String>,
    /// Whether actions run; yes unless said otherwise.
    pub actions_enabled: Option<bool>,
    /// Run when the alarm turns OK.
    #[serde(rename = "OKActions")]
    pub ok_actions: Option<Vec<String>>,
    /// Run when the alarm turns ALARM; scaling policies repeat.
    pub alarm_actions: Option<Vec<String>>,
    /// Run when data runs out.
    pub insufficient_data_actions: Option<Vec<String>>,
    /// Of a single metric.
    pub metric_name: Option<String>,
    /// Of a single metric.
    pub namespace: Option<String>,
    /// Of a single metric.
    pub statistic: Option<String>,
    /// A percentile, instead of a statistic.
    pub extended_statistic: Option<String>,
    /// Of a single metric.
    pub dimensions: Option<Value>,
    /// Seconds: 10, 20, 30 or a multiple of 60.
    pub period: Option<i64>,
    /// Must be the published unit, or absent.
    pub unit: Option<String>,
    /// How many periods are judged.
    pub evaluation_periods: Option<i64>,
    /// How many of them must breach.
    pub datapoints_to_alarm: Option<i64>,
    /// What a datapoint is compared with.
    pub threshold: Option<f64>,
    /// How it is compared.
    pub comparison_operator: Option<String>,
    /// `missing`, `ignore`, `breaching` or `notBreaching`.
    pub treat_missing_data: Option<String>,
    /// For percentiles.
    pub evaluate_low_sample_count_percentile: Option<String>,
    /// Metric math, instead of a single metric.
    pub metrics: Option<Value>,
}

/// A metric alarm as `DescribeAlarms` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricAlarm {
    /// Its name.
    pub alarm_name: String,
    /// Its ARN.
    pub alarm_arn: String,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_description: Option<String>,
    /// When it was last put.
    pub alarm_configuration_updated_timestamp: Timestamp,
    /// Whether actions run.
    pub actions_enabled: bool,
    /// Run when the alarm turns OK.
    #[serde(rename = "OKActions")]
    pub ok_actions: Vec<String>,
    /// Run when the alarm turns ALARM.
    pub alarm_actions: Vec<String>,
    /// Run when data runs out.
    pub insufficient_data_actions: Vec<String>,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: &'static str,
    /// Why, in a sentence.
    pub state_reason: String,
    /// Why, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason_data: Option<String>,
    /// When the state was last set.
    pub state_updated_timestamp: Timestamp,
    /// When its value last changed.
    pub state_transitioned_timestamp: Timestamp,
    /// Of a single metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    /// Of a single metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of a single metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// A percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_statistic: Option<String>,
    /// Of a single metric.
    pub dimensions: Vec<Dimension>,
    /// Seconds; absent for metric math.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<i64>,
    /// The unit, if one was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How many periods are judged.
    pub evaluation_periods: u32,
    /// How many must breach, if put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<u32>,
    /// What a datapoint is compared with.
    pub threshold: f64,
    /// How it is compared.
    pub comparison_operator: &'static str,
    /// The word that was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treat_missing_data: Option<String>,
    /// For percentiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_low_sample_count_percentile: Option<String>,
    /// Metric math, as put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Value>,
}

/// Input of `DescribeAlarms`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAlarms {
    /// At most 100; not together with a prefix.
    pub alarm_names: Option<Vec<String>>,
    /// Not together with names.
    pub alarm_name_prefix: Option<String>,
    /// `MetricAlarm` unless said otherwise.
    pub alarm_types: Option<Vec<String>>,
    /// Only alarms in this state.
    pub state_value: Option<String>,
    /// Only alarms with such an action.
    pub action_prefix: Option<String>,
    /// 1 to 100, 50 unless said otherwise.
    pub max_records: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// Output of `DescribeAlarms`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAlarmsResponse {
    /// A page of alarms, in order of name.
    pub metric_alarms: Vec<MetricAlarm>,
    /// Always empty: this world has none.
    pub composite_alarms: Vec<Empty>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Input of `DeleteAlarms`, `EnableAlarmActions` and `DisableAlarmActions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AlarmNames {
    /// At most 100.
    pub alarm_names: Option<Vec<String>>,
}

/// Input of `SetAlarmState`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetAlarmState {
    /// The alarm.
    pub alarm_name: Option<String>,
    /// The state to set, until the next evaluation.
    pub state_value: Option<String>,
    /// Why, in a sentence.
    pub state_reason: Option<String>,
    /// Why, as JSON. Without it nothing scales.
    pub state_reason_data: Option<String>,
}
