//! `DescribeScalingActivities`.

use serde::{Deserialize, Serialize};

use super::super::activity::{Activity, Reason};
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::time::Timestamp;
use super::super::world::World;
use super::page;

use super::targets::check_listing;

/// Input of `DescribeScalingActivities`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingActivities {
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// One target's activities only.
    pub resource_id: Option<String>,
    /// Only together with a resource id.
    pub scalable_dimension: Option<String>,
    /// 1 to 50.
    pub max_results: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
    /// Also the activities that tell why nothing was scaled.
    pub include_not_scaled_activities: Option<bool>,
}

/// Output of `DescribeScalingActivities`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeScalingActivitiesResponse {
    /// A page of activities, newest first.
    pub scaling_activities: Vec<ScalingActivityShape>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An activity as `DescribeScalingActivities` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingActivityShape {
    /// Its id.
    pub activity_id: String,
    /// Always `sagemaker`.
    pub service_namespace: &'static str,
    /// The target's resource id.
    pub resource_id: String,
    /// The target's dimension.
    pub scalable_dimension: String,
    /// What it does.
    pub description: String,
    /// What made it do so.
    pub cause: String,
    /// When it began.
    pub start_time: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// How it stands.
    pub status_code: &'static str,
    /// A comment on the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// Why nothing was scaled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_scaled_reasons: Vec<NotScaledReason>,
}

/// Why nothing was scaled.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotScaledReason {
    /// AWS's code.
    pub code: &'static str,
    /// The maximum it stands at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<u32>,
    /// The minimum it stands at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<u32>,
    /// The capacity it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_capacity: Option<u32>,
}

impl From<Reason> for NotScaledReason {
    fn from(reason: Reason) -> Self {
        let mut shape = Self {
            code: reason.code(),
            max_capacity: None,
            min_capacity: None,
            current_capacity: None,
        };
        match reason {
            Reason::AtMax(n) => shape.max_capacity = Some(n),
            Reason::AtMin(n) => shape.min_capacity = Some(n),
            Reason::AtDesired(n) => shape.current_capacity = Some(n),
            Reason::AnticipatedFlapping | Reason::Unscalable => {}
        }
        shape
    }
}

impl World {
    /// Lists activities, newest first.
    ///
    /// # Errors
    /// `ValidationException`, `InvalidNextTokenException`.
    pub fn describe_scaling_activities(
        &self,
        request: &DescribeScalingActivities,
    ) -> Result<DescribeScalingActivitiesResponse, ApiError> {
        let mut checks = Checks::default();
        checks.length("resourceId", request.resource_id.as_ref(), 1, 1600);
        check_listing(
            &mut checks,
            request.service_namespace.as_ref(),
            request.scalable_dimension.as_ref(),
            request.resource_id.is_some(),
            request.max_results,
            50,
        )?;
        let with_reasons = request.include_not_scaled_activities.unwrap_or(false);
        let wanted = self
            .scaling
            .activities
            .newest_first()
            .filter(|a| with_reasons || a.not_scaled().is_none())
            .filter(|a| {
                request
                    .resource_id
                    .as_ref()
                    .is_none_or(|id| **id == *a.resource_id)
            })
            .filter(|a| {
                request
                    .scalable_dimension
                    .as_ref()
                    .is_none_or(|d| **d == *a.dimension)
            })
            .collect();
        let shape = |a: &Activity| ScalingActivityShape {
            activity_id: self.activity_id(a.number),
            service_namespace: "sagemaker",
            resource_id: a.resource_id.to_string(),
            scalable_dimension: a.dimension.to_string(),
            description: a.description(),
            cause: a.cause_text(),
            start_time: Timestamp(a.started),
            end_time: a.ended.map(Timestamp),
            status_code: a.status.word(),
            status_message: a.status_message(),
            not_scaled_reasons: a
                .not_scaled()
                .map(NotScaledReason::from)
                .into_iter()
                .collect(),
        };
        let key = (
            "activities",
            &request.resource_id,
            &request.scalable_dimension,
            with_reasons,
        );
        let size = page::size(request.max_results, 50);
        let (scaling_activities, next_token) =
            page::cut_shaped(wanted, shape, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::invalid_next_token)?;
        Ok(DescribeScalingActivitiesResponse {
            scaling_activities,
            next_token,
        })
    }
}
