//! CloudWatch metrics and alarms.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::error::ApiError;
use super::scaling::Listing;
use crate::domain::{
    AlarmExtras, AlarmRecord, AlarmRecordEvent, AlarmRule, AlarmState, CustomMetric, Datapoint,
    MathMetric, Number, ObservedAlarm,
};

/// A metric to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricQuery {
    /// The metric in full.
    pub metric: CustomMetric,
    /// Period in seconds.
    pub period: u32,
}

/// Alarms of a scope.
#[async_trait]
pub trait AlarmApi: Debug + Send + Sync {
    /// All alarms whose name begins with `prefix`.
    async fn alarms(&self, prefix: &str) -> Listing<ObservedAlarm>;

    /// The alarms of these names that exist.
    async fn alarms_named(&self, names: &[String]) -> Listing<ObservedAlarm>;

    /// Names of the alarms that mute rules keep from doing anything now.
    async fn muted(&self) -> Listing<String>;

    /// What happened to an alarm between two instants, newest first, at most `limit` entries. CloudWatch keeps it for
    /// weeks, also of alarms that are gone.
    async fn history(
        &self,
        name: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Listing<AlarmRecord>;

    /// Puts an alarm in full, with its actions enabled and one action in the state `ALARM`: the policy of this ARN.
    /// What else it has is put as given: a put replaces everything.
    async fn put_alarm(
        &self,
        name: &str,
        rule: &AlarmRule,
        policy: &str,
        keeps: &AlarmExtras,
    ) -> Result<(), ApiError>;

    /// Puts an alarm that watches nothing and does nothing: it keeps its description. It begins as OK and stays so.
    async fn put_marker(&self, name: &str, description: &str) -> Result<(), ApiError>;

    /// Deletes an alarm. One that is not there counts as deleted.
    async fn delete_alarm(&self, name: &str) -> Result<(), ApiError>;
}

/// Metrics of a scope.
#[async_trait]
pub trait MetricSource: Debug + Send + Sync {
    /// Datapoints in [`from`, `until`), newest first, one list per query in the order of the queries.
    async fn datapoints(
        &self,
        queries: &[MetricQuery],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Vec<Datapoint>>, ApiError>;

    /// Values of metric math in [`from`, `until`) over periods of 60 s, newest first.
    async fn math(
        &self,
        math: &MathMetric,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Datapoint>, ApiError>;
}

/// The part of an alarm's `StateReasonData` that holds what it went by (aws-autoscaling.md 3.3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasonData {
    #[serde(default)]
    evaluated_datapoints: Vec<Evaluated>,
}

#[derive(Deserialize)]
struct Evaluated {
    timestamp: String,
    value: Option<f64>,
}

/// The newest value that an alarm went by when its state was last judged: it comes with the list of alarms and costs
/// nothing. `None` for what can not be read.
#[must_use]
pub fn last_evaluated(state_reason_data: &str) -> Option<(DateTime<Utc>, Number)> {
    let data: ReasonData = serde_json::from_str(state_reason_data).ok()?;
    let points = data.evaluated_datapoints.into_iter().filter_map(|point| {
        // AWS writes the offset without a colon.
        let local = point.timestamp.strip_suffix("+0000")?;
        let at = DateTime::parse_from_rfc3339(&format!("{local}Z")).ok()?;
        Some((at.with_timezone(&Utc), Number::new(point.value?)?))
    });
    points.max_by_key(|(at, _)| *at)
}

/// What an entry of an alarm's history tells, from CloudWatch's type, summary and data (aws-autoscaling.md 6.3).
#[must_use]
pub fn alarm_record_event(kind: &str, summary: &str, data: Option<&str>) -> AlarmRecordEvent {
    match kind {
        "StateUpdate" => data
            .and_then(state_change)
            .unwrap_or_else(|| AlarmRecordEvent::Changed(summary.to_owned())),
        "Action" => AlarmRecordEvent::Acted(summary.to_owned()),
        _ => AlarmRecordEvent::Changed(summary.to_owned()),
    }
}

fn state_change(data: &str) -> Option<AlarmRecordEvent> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    let state = |side: &str| {
        let word = data.get(side)?.get("stateValue")?.as_str()?;
        Some(AlarmState::parse(word))
    };
    let reason = data.get("newState")?.get("stateReason")?.as_str()?;
    Some(AlarmRecordEvent::State {
        from: state("oldState")?,
        to: state("newState")?,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_of_an_alarm_is_read_from_its_reason() {
        let data = r#"{"version":"1.0","queryDate":"2026-04-01T03:13:20.123+0000","statistic":"Sum","period":60,
            "recentDatapoints":[10.0,12.5],"threshold":70.0,"evaluatedDatapoints":[
            {"timestamp":"2026-04-01T03:12:00.000+0000","sampleCount":4.0,"value":12.5},
            {"timestamp":"2026-04-01T03:11:00.000+0000","value":10.0}, {"timestamp":"2026-04-01T03:13:00.000+0000"}]}"#;
        let (at, value) = last_evaluated(data).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-04-01T03:12:00+00:00");
        assert!((value.get() - 12.5).abs() < 1e-12);
        assert_eq!(last_evaluated("{}"), None);
        assert_eq!(last_evaluated("no JSON"), None);
    }
}
