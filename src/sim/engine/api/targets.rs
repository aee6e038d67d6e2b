//! Targets: registering, deregistering, listing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::scaling::{Resource, ScalableTarget, Suspended, TargetKey};
use super::super::time::Timestamp;
use super::super::world::World;
use super::target_tags::{MAX_TAGS, TagMap, check_tags};
use super::{Empty, SCALABLE_DIMENSIONS, SERVICE_NAMESPACES, page};

/// Suspended kinds of scaling; a member left out keeps its value.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SuspendedState {
    /// Policies may not scale in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_in_suspended: Option<bool>,
    /// Policies may not scale out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_out_suspended: Option<bool>,
    /// Scheduled actions do not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_scaling_suspended: Option<bool>,
}

/// Input of `RegisterScalableTarget`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterScalableTarget {
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// For example `endpoint/chat/variant/AllTraffic`.
    pub resource_id: Option<String>,
    /// For example `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: Option<String>,
    /// Needed for a new target.
    pub min_capacity: Option<i64>,
    /// Needed for a new target.
    pub max_capacity: Option<i64>,
    /// Kinds of scaling to suspend or resume.
    pub suspended_state: Option<SuspendedState>,
    /// Only for a new target.
    pub tags: Option<TagMap>,
}

/// Output of `RegisterScalableTarget`.
#[derive(Debug, Clone, Serialize)]
pub struct RegisterScalableTargetResponse {
    /// The target's ARN.
    #[serde(rename = "ScalableTargetARN")]
    pub arn: String,
}

/// Input of `DeregisterScalableTarget`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeregisterScalableTarget {
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// The target's resource id.
    pub resource_id: Option<String>,
    /// The target's dimension.
    pub scalable_dimension: Option<String>,
}

/// Input of `DescribeScalableTargets`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalableTargets {
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// At most 50.
    pub resource_ids: Option<Vec<String>>,
    /// Only together with resource ids.
    pub scalable_dimension: Option<String>,
    /// 1 to 50.
    pub max_results: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// Output of `DescribeScalableTargets`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeScalableTargetsResponse {
    /// A page of targets.
    pub scalable_targets: Vec<ScalableTargetShape>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A target as `DescribeScalableTargets` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalableTargetShape {
    /// Always `sagemaker`.
    pub service_namespace: &'static str,
    /// The resource id.
    pub resource_id: String,
    /// The dimension.
    pub scalable_dimension: String,
    /// Minimum capacity.
    pub min_capacity: u32,
    /// Maximum capacity.
    pub max_capacity: u32,
    /// The service-linked role, whatever was registered.
    #[serde(rename = "RoleARN")]
    pub role_arn: String,
    /// When it was first registered.
    pub creation_time: Timestamp,
    /// What is suspended.
    pub suspended_state: SuspendedState,
    /// The ARN by which it is tagged.
    #[serde(rename = "ScalableTargetARN")]
    pub arn: String,
}

/// The ids that name a target in every operation.
pub(super) struct Ids<'a> {
    pub(super) resource_id: &'a str,
    pub(super) dimension: &'a str,
}

impl<'a> Ids<'a> {
    /// Takes the ids, all of which `checks` must have required.
    pub(super) fn checked(
        checks: &mut Checks,
        namespace: Option<&String>,
        resource_id: Option<&'a String>,
        dimension: Option<&'a String>,
    ) -> Result<Self, ApiError> {
        checks
            .required("serviceNamespace", namespace)
            .one_of("serviceNamespace", namespace, &SERVICE_NAMESPACES)
            .required("resourceId", resource_id)
            .length("resourceId", resource_id, 1, 1600)
            .required("scalableDimension", dimension)
            .one_of("scalableDimension", dimension, &SCALABLE_DIMENSIONS)
            .finish()?;
        let (Some(namespace), Some(resource_id), Some(dimension)) =
            (namespace, resource_id, dimension)
        else {
            return Err(ApiError::validation("The request lacks a required member."));
        };
        only_sagemaker(namespace)?;
        Ok(Self {
            resource_id,
            dimension,
        })
    }

    pub(super) fn key(&self) -> TargetKey {
        (self.resource_id.to_owned(), self.dimension.to_owned())
    }

    /// AWS's sentence about a target that is not there.
    pub(super) fn not_found(&self, what: &str) -> ApiError {
        ApiError::object_not_found(format!(
            "No {what} found for service namespace: sagemaker, resource ID: {}, scalable dimension: {}",
            self.resource_id, self.dimension
        ))
    }
}

pub(super) fn only_sagemaker(namespace: &str) -> Result<(), ApiError> {
    if namespace == "sagemaker" {
        Ok(())
    } else {
        Err(ApiError::validation(format!(
            "This sandbox holds no resources of the service namespace {namespace}."
        )))
    }
}

/// Checks that belong to every listing of Application Auto Scaling.
pub(super) fn check_listing(
    checks: &mut Checks,
    namespace: Option<&String>,
    dimension: Option<&String>,
    has_resource: bool,
    max_results: Option<i64>,
    largest_page: i64,
) -> Result<(), ApiError> {
    checks
        .required("serviceNamespace", namespace)
        .one_of("serviceNamespace", namespace, &SERVICE_NAMESPACES)
        .one_of("scalableDimension", dimension, &SCALABLE_DIMENSIONS)
        .range("maxResults", max_results, 1, largest_page)
        .finish()?;
    if dimension.is_some() && !has_resource {
        return Err(ApiError::validation(
            "If you specify a scalable dimension, you must also specify a resource ID.",
        ));
    }
    namespace.map_or(Ok(()), |namespace| only_sagemaker(namespace))
}

/// AWS's limit of targets per region (aws-autoscaling.md 1.3).
const MAX_TARGETS: usize = 500;

impl World {
    /// Registers a target, or changes one. Every success pulls the running capacity into the bounds.
    ///
    /// # Errors
    /// `ValidationException` and `LimitExceededException`, as AWS raises them.
    pub fn register_scalable_target(
        &mut self,
        request: &RegisterScalableTarget,
    ) -> Result<RegisterScalableTargetResponse, ApiError> {
        let mut checks = Checks::default();
        let ids = Ids::checked(
            &mut checks,
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        self.claim_write(ids.key())?;
        let resource = self.resource_of(&ids)?;
        let held = self.scaling.find(ids.resource_id, ids.dimension);
        let bounds_now = held
            .and_then(|i| self.scaling.target(i))
            .map(|t| (t.min, t.max));
        let (min, max) = wanted_bounds(request, bounds_now)?;
        self.require_scalable(&ids, &resource, (min, max))?;
        let index = match held {
            Some(index) => {
                if request.tags.is_some() {
                    return Err(ApiError::validation(
                        "The scalable target that you tried to tag already exists. To update tags on an \
                         existing scalable target, use the TagResource API.",
                    ));
                }
                index
            }
            None => self.add_target(&ids, resource, request.tags.clone())?,
        };
        let arn = match self.scaling.target_mut(index) {
            Some(target) => {
                (target.min, target.max) = (min, max);
                merge_suspended(&mut target.suspended, request.suspended_state);
                target.arn.clone()
            }
            None => String::new(),
        };
        self.clamp_to_bounds(index);
        Ok(RegisterScalableTargetResponse { arn })
    }

    fn add_target(
        &mut self,
        ids: &Ids<'_>,
        resource: Resource,
        tags: Option<TagMap>,
    ) -> Result<usize, ApiError> {
        if self.scaling.target_of.len() >= MAX_TARGETS {
            return Err(ApiError::limit_exceeded(format!(
                "You have reached the limit of {MAX_TARGETS} scalable targets for service namespace sagemaker."
            )));
        }
        let tags = tags.unwrap_or_default();
        check_tags(&tags)?;
        if tags.len() > MAX_TAGS {
            return Err(ApiError::validation(
                "A scalable target can have at most 50 tags.",
            ));
        }
        let uuid = self.new_uuid();
        let suffix: String = self.new_uuid().replace('-', "").chars().take(30).collect();
        let (region, account) = (&self.options.region, &self.options.account);
        let arn = format!(
            "arn:aws:application-autoscaling:{region}:{account}:scalable-target/0sm5{suffix}"
        );
        let index = self.scaling.targets.len();
        self.scaling.targets.push(Some(ScalableTarget {
            resource_id: ids.resource_id.into(),
            dimension: ids.dimension.into(),
            resource,
            arn,
            uuid,
            min: 0,
            max: 0,
            suspended: Suspended::default(),
            tags,
            created: self.now,
            visible_from: self.now + self.options.registration_lag,
            policies: BTreeMap::new(),
            actions: BTreeMap::new(),
            busy_until: self.now,
            last_reason: None,
        }));
        self.scaling.target_of.insert(ids.key(), index);
        Ok(index)
    }

    /// Deregisters a target, with its scheduled actions, its policies and the alarms that AWS made for them.
    ///
    /// # Errors
    /// `ObjectNotFoundException` when there is no such target.
    pub fn deregister_scalable_target(
        &mut self,
        request: &DeregisterScalableTarget,
    ) -> Result<Empty, ApiError> {
        let ids = Ids::checked(
            &mut Checks::default(),
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        let index = self
            .scaling
            .find(ids.resource_id, ids.dimension)
            .ok_or_else(|| ids.not_found("scalable target"))?;
        self.claim_write(ids.key())?;
        self.remove_target(index);
        Ok(Empty {})
    }

    /// Removes a target and what goes with it; alarms that users made stay behind.
    pub(crate) fn remove_target(&mut self, index: usize) {
        let alarms = self.scaling.remove_target(index);
        let now = self.now;
        for name in alarms {
            self.alarms.delete(&name, now);
        }
        self.link_alarms();
    }

    /// Lists targets.
    ///
    /// # Errors
    /// `ValidationException`, `InvalidNextTokenException`.
    pub fn describe_scalable_targets(
        &self,
        request: &DescribeScalableTargets,
    ) -> Result<DescribeScalableTargetsResponse, ApiError> {
        let ids = request.resource_ids.as_ref();
        let mut checks = Checks::default();
        checks.entries("resourceIds", ids, 0, 50);
        check_listing(
            &mut checks,
            request.service_namespace.as_ref(),
            request.scalable_dimension.as_ref(),
            ids.is_some_and(|ids| !ids.is_empty()),
            request.max_results,
            50,
        )?;
        let wanted = |t: &&ScalableTarget| {
            ids.is_none_or(|ids| ids.is_empty() || ids.iter().any(|id| **id == *t.resource_id))
                && request
                    .scalable_dimension
                    .as_ref()
                    .is_none_or(|d| **d == *t.dimension)
        };
        let all = self.scaling.targets_by_key().filter(wanted).collect();
        let shape = |t| self.target_shape(t);
        let key = ("targets", ids, &request.scalable_dimension);
        let size = page::size(request.max_results, 50);
        let (scalable_targets, next_token) =
            page::cut_shaped(all, shape, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::invalid_next_token)?;
        Ok(DescribeScalableTargetsResponse {
            scalable_targets,
            next_token,
        })
    }

    fn target_shape(&self, target: &ScalableTarget) -> ScalableTargetShape {
        let account = &self.options.account;
        ScalableTargetShape {
            service_namespace: "sagemaker",
            resource_id: target.resource_id.to_string(),
            scalable_dimension: target.dimension.to_string(),
            min_capacity: target.min,
            max_capacity: target.max,
            role_arn: format!(
                "arn:aws:iam::{account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/\
                 AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
            ),
            creation_time: Timestamp(target.created),
            suspended_state: SuspendedState {
                dynamic_scaling_in_suspended: Some(target.suspended.scale_in),
                dynamic_scaling_out_suspended: Some(target.suspended.scale_out),
                scheduled_scaling_suspended: Some(target.suspended.scheduled),
            },
            arn: target.arn.clone(),
        }
    }
}

/// Bounds after the request; what it leaves out keeps its value.
fn wanted_bounds(
    request: &RegisterScalableTarget,
    held: Option<(u32, u32)>,
) -> Result<(u32, u32), ApiError> {
    let min = request
        .min_capacity
        .or_else(|| held.map(|(min, _)| i64::from(min)));
    let max = request
        .max_capacity
        .or_else(|| held.map(|(_, max)| i64::from(max)));
    let (Some(min), Some(max)) = (min, max) else {
        return Err(ApiError::validation(
            "MinCapacity and MaxCapacity are required to register a new scalable target.",
        ));
    };
    let capacity = |n: i64, which: &str| {
        i32::try_from(n)
            .ok()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| ApiError::validation(format!("{which} capacity must not be negative")))
    };
    let (min, max) = (capacity(min, "Minimum")?, capacity(max, "Maximum")?);
    if min > max {
        return Err(ApiError::validation(
            "Minimum capacity cannot be greater than maximum capacity",
        ));
    }
    Ok((min, max))
}

fn merge_suspended(held: &mut Suspended, wanted: Option<SuspendedState>) {
    let wanted = wanted.unwrap_or_default();
    held.scale_in = wanted.dynamic_scaling_in_suspended.unwrap_or(held.scale_in);
    held.scale_out = wanted
        .dynamic_scaling_out_suspended
        .unwrap_or(held.scale_out);
    held.scheduled = wanted.scheduled_scaling_suspended.unwrap_or(held.scheduled);
}
