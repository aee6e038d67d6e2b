//! CloudWatch metrics and alarms.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::scaling::Listing;
use crate::domain::{AlarmExtras, AlarmRule, CustomMetric, Datapoint, MathMetric, ObservedAlarm};

/// A metric to read.
#[derive(Debug, Clone, PartialEq, Eq)]
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
