//! Scheduled actions: how they come due and what a run does (aws-autoscaling.md 3.7, 4.3).
//!
//! Two events make a run. It comes due at its second, where suspension is asked for, and it runs a little later, where
//! suspension and the endpoint are. What it misses is lost: nothing is queued and nothing is tried again.

use std::sync::Arc;

use super::activity::{Activity, ActivityStatus, Cause, Deed};
use super::chance::Purpose;
use super::change::Status;
use super::options::ScheduleOrder;
use super::resource::Standing;
use super::scaling::{Resource, ScalableTarget};
use super::schedule::Timing;
use super::time::{Instant, Span};
use super::world::{Event, World};

/// A scheduled action of a target.
#[derive(Debug, Clone)]
pub(crate) struct ScheduledAction {
    pub(crate) name: Arc<str>,
    pub(crate) arn: String,
    pub(crate) created: Instant,
    /// `Schedule` and `Timezone` as put.
    pub(crate) schedule: String,
    pub(crate) timezone: Option<String>,
    pub(crate) start: Option<Instant>,
    pub(crate) end: Option<Instant>,
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) timing: Timing,
    /// Names this timing in events. Another timing gets another number, and what was due of the old one is void.
    pub(crate) number: u64,
}

/// One run of an action on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) target: usize,
    pub(crate) action: u64,
}

/// What a run makes of the bounds of its target.
enum Outcome {
    /// It sets them.
    Set(u32, u32),
    /// It fails, and leaves them as they are.
    Failed(String),
    /// It fails, and sets them all the same.
    FailedAndSet(String, u32, u32),
}

impl World {
    /// Queues the runs of the minute that begins now.
    pub(crate) fn begin_scheduled_minute(&mut self) {
        if self.scaling.scheduled.is_empty() {
            return;
        }
        let minute = self.now;
        let mut due: Vec<(Instant, Run)> = Vec::new();
        for target in &self.scaling.scheduled {
            let Some(held) = self.scaling.target(*target) else {
                continue;
            };
            let mut actions: Vec<&ScheduledAction> = held.actions.values().collect();
            if self.options.schedule_order == ScheduleOrder::ByCreation {
                // The sort is stable: what was made at one instant stays in order of name.
                actions.sort_by_key(|a| a.created);
            }
            for action in actions {
                let (target, action, runs) =
                    (*target, action.number, action.timing.runs_in(minute));
                due.extend(runs.map(|at| (at, Run { target, action })));
            }
        }
        for (at, run) in due {
            self.schedule(at - minute, Event::ActionDue(run));
        }
    }

    /// Queues the runs of an action whose timing begins now, as far as they lie in the running minute.
    pub(crate) fn begin_action(&mut self, run: Run) {
        let now = self.now;
        let Some(action) = self.action_of(run) else {
            return;
        };
        let at_once = action.timing.runs_when_put().then_some(now);
        let minute = now.floor(Span::MINUTE);
        let due: Vec<Instant> = at_once
            .into_iter()
            .chain(action.timing.runs_in(minute))
            .collect();
        for at in due {
            self.schedule(at - now, Event::ActionDue(run));
        }
    }

    fn action_of(&self, run: Run) -> Option<&ScheduledAction> {
        let target = self.scaling.target(run.target)?;
        target.actions.values().find(|a| a.number == run.action)
    }

    /// An action has come due; it runs when AWS gets to it, and never before one of its target that came due earlier.
    pub(crate) fn action_due(&mut self, run: Run) {
        let now = self.now;
        if self.action_of(run).is_none() {
            return;
        }
        let at = now.millis().unsigned_abs();
        let lateness = self.options.schedule_lateness;
        let late = self.draw(Purpose::Lateness, run.action, at, lateness);
        let Some(target) = self.scaling.target_mut(run.target) else {
            return;
        };
        if target.suspended.scheduled {
            return;
        }
        let at = (now + late).max(target.busy_until);
        target.busy_until = at;
        self.schedule(at - now, Event::ActionRuns(run));
    }

    /// An action runs.
    pub(crate) fn run_action(&mut self, run: Run) {
        let (Some(target), Some(action)) = (self.scaling.target(run.target), self.action_of(run))
        else {
            return;
        };
        if target.suspended.scheduled {
            return;
        }
        let (name, min, max) = (Arc::clone(&action.name), action.min, action.max);
        let outcome = self.outcome(target, action);
        let failure = match outcome {
            Outcome::Set(min, max) => {
                self.set_bounds(run.target, min, max);
                None
            }
            Outcome::Failed(why) => Some(why),
            Outcome::FailedAndSet(why, min, max) => {
                self.set_bounds(run.target, min, max);
                Some(why)
            }
        };
        let failed = failure.is_some();
        self.record_bounds(run.target, name, (min, max), failure);
        if !failed {
            // A second activity, and only where capacity has to move. Cooldowns are the policies' affair.
            self.clamp_to_bounds(run.target);
        }
    }

    fn outcome(&self, target: &ScalableTarget, action: &ScheduledAction) -> Outcome {
        let min = action.min.unwrap_or(target.min);
        let max = action.max.unwrap_or(target.max);
        if min > max {
            return Outcome::Failed(format!(
                "Failed to set min capacity to {min} and max capacity to {max}. Reason: minimum capacity cannot be \
                 greater than maximum capacity."
            ));
        }
        match self.unscalable(&target.resource) {
            None => Outcome::Set(min, max),
            Some(why) => {
                let why = format!(
                    "Resource Id [{}] is not scalable. Reason: {why}",
                    target.resource_id
                );
                if self.options.unscalable_runs_set_bounds {
                    Outcome::FailedAndSet(why, min, max)
                } else {
                    Outcome::Failed(why)
                }
            }
        }
    }

    /// Why a resource can not be scaled now; nothing when it can.
    fn unscalable(&self, resource: &Resource) -> Option<String> {
        match self.standing(resource) {
            None => Some("The resource was not found.".to_owned()),
            Some(Standing { scalable: true, .. }) => None,
            Some(_) => Some(match resource {
                Resource::Variant { endpoint, .. } => {
                    let status = self.fleet.named(endpoint).map(|e| e.status);
                    let word = status.map_or("Deleting", Status::word);
                    format!("The endpoint {endpoint} is in status {word}.")
                }
                Resource::Component { name, .. } => {
                    format!("The inference component {name} is not in service.")
                }
            }),
        }
    }

    fn set_bounds(&mut self, target: usize, min: u32, max: u32) {
        if let Some(target) = self.scaling.target_mut(target) {
            (target.min, target.max) = (min, max);
        }
    }

    fn record_bounds(
        &mut self,
        target: usize,
        action: Arc<str>,
        asked: (Option<u32>, Option<u32>),
        failure: Option<String>,
    ) {
        let now = self.now;
        let Some(held) = self.scaling.target_mut(target) else {
            return;
        };
        let (resource_id, dimension) = (Arc::clone(&held.resource_id), Arc::clone(&held.dimension));
        held.last_reason = None;
        let status = match failure {
            Some(_) => ActivityStatus::Failed,
            None => ActivityStatus::Successful,
        };
        let (min, max) = if self.options.one_sided_texts_name_both {
            (
                asked.0.or_else(|| Some(self.scaling.target(target)?.min)),
                asked.1.or_else(|| Some(self.scaling.target(target)?.max)),
            )
        } else {
            asked
        };
        self.scaling.activities.add(|number| Activity {
            number,
            resource_id,
            dimension,
            deed: Deed::Bounds { min, max },
            cause: Cause::Schedule(action),
            started: now,
            ended: Some(now),
            status,
            failure: failure.map(String::into_boxed_str),
        });
    }

    /// Drops actions that are over for longer than they are kept, where there is such a limit.
    pub(crate) fn purge_actions(&mut self) {
        let Some(kept) = self.options.expired_actions_kept else {
            return;
        };
        let before = self.now - kept;
        for index in self.scaling.scheduled.clone() {
            if let Some(target) = self.scaling.target_mut(index) {
                target
                    .actions
                    .retain(|_, a| a.timing.over_from().is_none_or(|over| over >= before));
                if target.actions.is_empty() {
                    self.scaling.scheduled.remove(&index);
                }
            }
        }
    }
}
