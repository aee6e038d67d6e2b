//! Scheduled actions: putting, listing, deleting. Their running is in `engine::scheduled`.

use std::sync::Arc;

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::scaling::ScalableTarget;
use super::super::schedule::Timing;
use super::super::scheduled::{Run, ScheduledAction};
use super::super::time::Timestamp;
use super::super::world::World;
use super::scheduled_shapes::{
    DeleteScheduledAction, DescribeScheduledActions, DescribeScheduledActionsResponse,
    PutScheduledAction, ScalableTargetAction, ScheduledActionShape,
};
use super::targets::{Ids, check_listing};
use super::{Empty, page};

/// AWS's limit of scheduled actions per target (aws-autoscaling.md 1.3).
const MAX_ACTIONS: usize = 200;

/// The service model's pattern for names.
const NAME: &str = r"(?!((^[ ]+.*)|(.*([\u0000-\u001f]|[\u007f-\u009f]|[:/|])+.*)|(.*[ ]+$))).+";

type Bounds = (Option<u32>, Option<u32>);

/// What a put makes of an action.
struct Wanted {
    schedule: String,
    timezone: Option<String>,
    bounds: Bounds,
    timing: Timing,
}

impl World {
    /// Makes a scheduled action, or changes one. What an update leaves out stays, but `StartTime` and `EndTime`, which
    /// go.
    ///
    /// # Errors
    /// `ValidationException`, `ObjectNotFoundException` when there is no such target, `LimitExceededException`.
    pub fn put_scheduled_action(
        &mut self,
        request: &PutScheduledAction,
    ) -> Result<Empty, ApiError> {
        let name = request.scheduled_action_name.as_ref();
        let mut checks = Checks::default();
        checks
            .required("scheduledActionName", name)
            .length("scheduledActionName", name, 1, 256)
            .pattern("scheduledActionName", name, NAME, is_action_name)
            .length("schedule", request.schedule.as_ref(), 1, 1600)
            .length("timezone", request.timezone.as_ref(), 1, 1600);
        let ids = Ids::checked(
            &mut checks,
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        self.claim_write(ids.key())?;
        let name: Arc<str> = name.map(String::as_str).unwrap_or_default().into();
        let missing = || ids.not_found("scalable target");
        let index = self.scaling.find(ids.resource_id, ids.dimension);
        let index = index.ok_or_else(missing)?;
        let target = self.scaling.target(index).ok_or_else(missing)?;
        if target.visible_from > self.now {
            return Err(missing());
        }
        let held = target.actions.get(&name);
        if held.is_none() && target.actions.len() >= MAX_ACTIONS {
            return Err(ApiError::limit_exceeded(format!(
                "You have reached the limit of {MAX_ACTIONS} scheduled actions for {}.",
                ids.resource_id
            )));
        }
        let wanted = self.wanted_action(request, held)?;
        let held = held.cloned();
        let same = held.as_ref().filter(|h| h.timing.is_like(&wanted.timing));
        let (number, timing) = match same {
            // It goes on as it was: an action that was put again as it is does not run again.
            Some(held) => (held.number, held.timing.clone()),
            None => {
                let number = self.scaling.next_timing;
                self.scaling.next_timing += 1;
                (number, wanted.timing)
            }
        };
        let begins = same.is_none();
        let (arn, created) = match held {
            Some(held) => (held.arn, held.created),
            None => (self.action_arn(index, &name), self.now),
        };
        let action = ScheduledAction {
            name: Arc::clone(&name),
            arn,
            created,
            schedule: wanted.schedule,
            timezone: wanted.timezone,
            start: request.start_time.map(|t| t.0),
            end: request.end_time.map(|t| t.0),
            min: wanted.bounds.0,
            max: wanted.bounds.1,
            timing,
            number,
        };
        if let Some(target) = self.scaling.target_mut(index) {
            target.actions.insert(name, action);
        }
        self.scaling.scheduled.insert(index);
        if begins {
            self.begin_action(Run {
                target: index,
                action: number,
            });
        }
        Ok(Empty {})
    }

    fn wanted_action(
        &self,
        request: &PutScheduledAction,
        held: Option<&ScheduledAction>,
    ) -> Result<Wanted, ApiError> {
        let schedule = request
            .schedule
            .clone()
            .or_else(|| held.map(|h| h.schedule.clone()))
            .ok_or_else(|| {
                ApiError::validation("Schedule is required to create a new scheduled action.")
            })?;
        let timezone = request
            .timezone
            .clone()
            .or_else(|| held.and_then(|h| h.timezone.clone()));
        let merged = held.filter(|_| self.options.scheduled_bounds_merge);
        let bounds = match (request.scalable_target_action, held) {
            (Some(wanted), _) => wanted_bounds(wanted, merged.map(|h| (h.min, h.max)))?,
            (None, Some(held)) => (held.min, held.max),
            (None, None) => {
                return Err(ApiError::validation(
                    "ScalableTargetAction is required to create a new scheduled action.",
                ));
            }
        };
        let window = (
            request.start_time.map(|t| t.0),
            request.end_time.map(|t| t.0),
        );
        if let (Some(start), Some(end)) = window
            && start >= end
        {
            return Err(ApiError::validation("StartTime must be before EndTime."));
        }
        let timing =
            Timing::parse(&schedule, timezone.as_deref(), window, self.now).map_err(|why| {
                ApiError::validation(format!(
                    "Invalid schedule expression {schedule}. Details: {why}."
                ))
            })?;
        Ok(Wanted {
            schedule,
            timezone,
            bounds,
            timing,
        })
    }

    fn action_arn(&self, target: usize, name: &str) -> String {
        let (region, account) = (&self.options.region, &self.options.account);
        let of = |t: &ScalableTarget| {
            format!(
                "arn:aws:autoscaling:{region}:{account}:scheduledAction:{}:resource/sagemaker/{}:\
                 scheduledActionName/{name}",
                t.uuid, t.resource_id
            )
        };
        self.scaling.target(target).map(of).unwrap_or_default()
    }

    /// Deletes a scheduled action. What it set stays.
    ///
    /// # Errors
    /// `ObjectNotFoundException`, `ValidationException`.
    pub fn delete_scheduled_action(
        &mut self,
        request: &DeleteScheduledAction,
    ) -> Result<Empty, ApiError> {
        let name = request.scheduled_action_name.as_ref();
        let mut checks = Checks::default();
        checks
            .required("scheduledActionName", name)
            .length("scheduledActionName", name, 1, 1600);
        let ids = Ids::checked(
            &mut checks,
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        self.claim_write(ids.key())?;
        let name = name.map(String::as_str).unwrap_or_default();
        let missing = || {
            ApiError::object_not_found(format!(
                "No scheduled action found for service namespace: sagemaker, resource ID: {}, scalable dimension: \
                 {}, scheduled action name: {name}",
                ids.resource_id, ids.dimension
            ))
        };
        let index = self.scaling.find(ids.resource_id, ids.dimension);
        let index = index.ok_or_else(missing)?;
        let target = self.scaling.target_mut(index).ok_or_else(missing)?;
        target.actions.remove(name).ok_or_else(missing)?;
        if target.actions.is_empty() {
            self.scaling.scheduled.remove(&index);
        }
        Ok(Empty {})
    }

    /// Lists scheduled actions, in order of target and name, also those that will never run again.
    ///
    /// # Errors
    /// `ValidationException`, `InvalidNextTokenException`.
    pub fn describe_scheduled_actions(
        &self,
        request: &DescribeScheduledActions,
    ) -> Result<DescribeScheduledActionsResponse, ApiError> {
        let names = request.scheduled_action_names.as_ref();
        let (id, dimension) = (&request.resource_id, &request.scalable_dimension);
        let mut checks = Checks::default();
        checks.entries("scheduledActionNames", names, 0, 50).length(
            "resourceId",
            id.as_ref(),
            1,
            1600,
        );
        check_listing(
            &mut checks,
            request.service_namespace.as_ref(),
            dimension.as_ref(),
            id.is_some(),
            request.max_results,
            50,
        )?;
        let wanted = |t: &&ScalableTarget| {
            id.as_ref().is_none_or(|id| **id == *t.resource_id)
                && dimension.as_ref().is_none_or(|d| **d == *t.dimension)
        };
        let named = |action: &&ScheduledAction| {
            names.is_none_or(|n| n.is_empty() || n.iter().any(|n| **n == *action.name))
        };
        let targets = self.scaling.targets_by_key().filter(wanted);
        let all = targets
            .flat_map(|t| t.actions.values().filter(named).map(move |a| (t, a)))
            .collect();
        let shape = |(t, a): (&ScalableTarget, &ScheduledAction)| action_shape(t, a);
        let key = ("actions", names, id, dimension);
        let size = page::size(request.max_results, 50);
        let (scheduled_actions, next_token) =
            page::cut_shaped(all, shape, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::invalid_next_token)?;
        Ok(DescribeScheduledActionsResponse {
            scheduled_actions,
            next_token,
        })
    }
}

fn action_shape(target: &ScalableTarget, action: &ScheduledAction) -> ScheduledActionShape {
    ScheduledActionShape {
        scheduled_action_name: action.name.to_string(),
        arn: action.arn.clone(),
        service_namespace: "sagemaker",
        schedule: action.schedule.clone(),
        timezone: action.timezone.clone(),
        resource_id: target.resource_id.to_string(),
        scalable_dimension: target.dimension.to_string(),
        start_time: action.start.map(Timestamp),
        end_time: action.end.map(Timestamp),
        scalable_target_action: ScalableTargetAction {
            min_capacity: action.min.map(i64::from),
            max_capacity: action.max.map(i64::from),
        },
        creation_time: Timestamp(action.created),
    }
}

fn is_action_name(name: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, ':' | '/' | '|');
    !name.is_empty() && !name.contains(odd) && !name.starts_with(' ') && !name.ends_with(' ')
}

/// The bounds that were sent; `held` fills in what was not.
fn wanted_bounds(wanted: ScalableTargetAction, held: Option<Bounds>) -> Result<Bounds, ApiError> {
    let capacity = |n: i64| {
        i32::try_from(n)
            .ok()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| ApiError::validation("Capacities must not be negative."))
    };
    let sent = (
        wanted.min_capacity.map(capacity).transpose()?,
        wanted.max_capacity.map(capacity).transpose()?,
    );
    let held = held.unwrap_or_default();
    match (sent.0.or(held.0), sent.1.or(held.1)) {
        (None, None) => Err(ApiError::validation(
            "ScalableTargetAction must have a MinCapacity or a MaxCapacity.",
        )),
        (Some(min), Some(max)) if min > max => Err(ApiError::validation(
            "Minimum capacity cannot be greater than maximum capacity",
        )),
        bounds => Ok(bounds),
    }
}
