//! What the operations on scheduled actions take and give.

use serde::{Deserialize, Serialize};

use super::super::time::Timestamp;

/// The bounds that a scheduled action sets; at least one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalableTargetAction {
    /// The new minimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<i64>,
    /// The new maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<i64>,
}

/// Input of `PutScheduledAction`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutScheduledAction {
    /// The action.
    pub scheduled_action_name: Option<String>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// The target's resource id.
    pub resource_id: Option<String>,
    /// The target's dimension.
    pub scalable_dimension: Option<String>,
    /// `at(...)`, `rate(...)` or `cron(...)`; needed for a new action.
    pub schedule: Option<String>,
    /// The time zone of `at` and `cron`; UTC where there is none.
    pub timezone: Option<String>,
    /// From when on it runs; an update without it removes it.
    pub start_time: Option<Timestamp>,
    /// Until when it runs; an update without it removes it.
    pub end_time: Option<Timestamp>,
    /// Needed for a new action.
    pub scalable_target_action: Option<ScalableTargetAction>,
}

/// Input of `DeleteScheduledAction`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteScheduledAction {
    /// The action.
    pub scheduled_action_name: Option<String>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// The target's resource id.
    pub resource_id: Option<String>,
    /// The target's dimension.
    pub scalable_dimension: Option<String>,
}

/// Input of `DescribeScheduledActions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScheduledActions {
    /// At most 50.
    pub scheduled_action_names: Option<Vec<String>>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// One target's actions only.
    pub resource_id: Option<String>,
    /// Only together with a resource id.
    pub scalable_dimension: Option<String>,
    /// 1 to 50.
    pub max_results: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// Output of `DescribeScheduledActions`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeScheduledActionsResponse {
    /// A page of actions, in order of target and name.
    pub scheduled_actions: Vec<ScheduledActionShape>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An action as `DescribeScheduledActions` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduledActionShape {
    /// Its name.
    pub scheduled_action_name: String,
    /// Its ARN.
    #[serde(rename = "ScheduledActionARN")]
    pub arn: String,
    /// Always `sagemaker`.
    pub service_namespace: &'static str,
    /// Its expression, as put.
    pub schedule: String,
    /// Its time zone, as put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The target's resource id.
    pub resource_id: String,
    /// The target's dimension.
    pub scalable_dimension: String,
    /// From when on it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// Until when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// The bounds that it sets.
    pub scalable_target_action: ScalableTargetAction,
    /// When it was first put.
    pub creation_time: Timestamp,
}
