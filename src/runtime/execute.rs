//! Executing a checked plan. No decisions are left here but when to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::dues::Dues;
use crate::domain::{
    Action, Change, CheckedPlan, Conflict, PolicyName, ScopeName, TargetId, TargetPlan,
    WriteFailure,
};
use crate::ports::{ApiError, Clock, ErrorKind, Event, EventSink, ScopePorts};

/// What came of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executed {
    /// Writes that worked.
    pub done: usize,
    /// Writes that failed.
    pub failed: usize,
    /// Targets passed over because their writes failed lately.
    pub backed_off: usize,
    /// Whether it was stopped in between.
    pub cancelled: bool,
}

/// What the executor works with.
#[derive(Debug)]
pub struct Executor<'a> {
    /// Where writes go.
    pub ports: &'a ScopePorts,
    /// Waits between retries.
    pub clock: &'a Arc<dyn Clock>,
    /// Hears of every write.
    pub events: &'a Arc<dyn EventSink>,
    /// The scope, for events.
    pub scope: &'a ScopeName,
    /// Targets that the pass before found as declared.
    pub was_converged: &'a BTreeSet<TargetId>,
    /// Writes that failed lately, by target.
    pub failures: &'a mut BTreeMap<TargetId, WriteFailure>,
    /// Changes that schedules made due.
    pub dues: &'a mut Dues,
    /// Targets that someone keeps changing back: they are not written.
    pub left_alone: &'a BTreeMap<TargetId, Conflict>,
    /// The first back-off; it doubles with every failure in a row.
    pub backoff: Duration,
}

/// Executes a plan target by target, one write at a time. A target that fails does not stop the others.
pub async fn execute(
    plan: &CheckedPlan,
    mut executor: Executor<'_>,
    stop: &CancellationToken,
) -> Executed {
    let now = plan.plan().at;
    let mut outcome = Executed::default();
    for entry in plan
        .plan()
        .targets
        .iter()
        .filter(|entry| !entry.actions.is_empty())
    {
        let failed_lately = executor
            .failures
            .get(&entry.id)
            .is_some_and(|failure| is_ahead(failure.retry_at, now));
        if executor.left_alone.contains_key(&entry.id) {
            continue;
        }
        if failed_lately {
            outcome.backed_off += 1;
            continue;
        }
        executor
            .execute_target(entry, now, &mut outcome, stop)
            .await;
        if outcome.cancelled {
            break;
        }
    }
    outcome
}

/// The longest time that a target with failing writes is left alone.
const LONGEST_BACKOFF: Duration = Duration::from_mins(15);

impl Executor<'_> {
    async fn execute_target(
        &mut self,
        entry: &TargetPlan,
        now: DateTime<Utc>,
        outcome: &mut Executed,
        stop: &CancellationToken,
    ) {
        let mut last_error = None;
        // ARNs of policies put here: an alarm that follows needs its policy's.
        let mut arns = BTreeMap::new();
        for action in &entry.actions {
            if stop.is_cancelled() {
                outcome.cancelled = true;
                return;
            }
            let (scope, target) = (self.scope, &entry.id);
            match self.write(target, action, &arns).await {
                Ok(arn) => {
                    arns.extend(arn);
                    outcome.done += 1;
                    if matches!(action.change, Change::Register { .. }) {
                        self.dues.applied(target, &action.reason, self.clock.now());
                    }
                    let mends = self.was_converged.contains(target);
                    self.events.emit(&Event::Done {
                        scope,
                        target,
                        action,
                        mends,
                    });
                }
                Err(error) => {
                    outcome.failed += 1;
                    if matches!(action.change, Change::Register { .. }) {
                        self.dues.failed(target, self.clock.now());
                    }
                    self.events.emit(&Event::Failed {
                        scope,
                        target,
                        action,
                        error: &error,
                    });
                    last_error = Some(error);
                    // Policies need their target; and what is not undone yet is not over.
                    if matches!(
                        action.change,
                        Change::Register { .. } | Change::Deregister { .. }
                    ) {
                        break;
                    }
                }
            }
        }
        match last_error {
            None => {
                self.failures.remove(&entry.id);
            }
            Some(error) => self.back_off(&entry.id, &error, now),
        }
    }

    /// One write, with short retries for what AWS documents as passing: a registration not visible yet, and another
    /// write in flight (aws-autoscaling.md 1.9).
    async fn write(&self, target: &TargetId, action: &Action, arns: &Arns) -> Written {
        let mut wait = Duration::from_secs(1);
        for _ in 0..2 {
            let result = self.write_once(target, action, arns).await;
            match &result {
                Err(error) if passes_soon(error.kind, &action.change) => {}
                Ok(_) | Err(_) => return result,
            }
            self.clock.sleep(wait).await;
            wait *= 3;
        }
        self.write_once(target, action, arns).await
    }

    async fn write_once(&self, target: &TargetId, action: &Action, arns: &Arns) -> Written {
        let (scaling, alarms) = (&self.ports.scaling, &self.ports.alarms);
        match &action.change {
            Change::Register {
                bounds,
                suspended,
                owner,
                ..
            } => scaling
                .register(target, *bounds, *suspended, owner.as_ref())
                .await
                .map(|()| None),
            Change::Deregister { .. } => scaling.deregister(target).await.map(|()| None),
            Change::PutPolicy { policy, .. } => scaling
                .put_policy(target, policy)
                .await
                .map(|arn| Some((policy.name.clone(), arn))),
            Change::PutAlarm {
                name,
                policy,
                rule,
                arn,
                keeps,
            } => {
                let Some(arn) = arns.get(policy).or(arn.as_ref()) else {
                    return Err(no_policy_to_drive(policy));
                };
                let keeps = keeps.clone().unwrap_or_default();
                alarms
                    .put_alarm(name, rule, arn, &keeps)
                    .await
                    .map(|()| None)
            }
            Change::PutSchedule { action, .. } => scaling
                .put_scheduled_action(target, action)
                .await
                .map(|()| None),
            Change::DeleteSchedule { name } => scaling
                .delete_scheduled_action(target, name)
                .await
                .map(|()| None),
            Change::DeletePolicy { name, .. } => {
                scaling.delete_policy(target, name).await.map(|()| None)
            }
            Change::DeleteAlarm { name } | Change::EndLease { name, .. } => {
                alarms.delete_alarm(name).await.map(|()| None)
            }
        }
    }

    /// The next pass tries again; after that, waits double.
    fn back_off(&mut self, target: &TargetId, error: &ApiError, now: DateTime<Utc>) {
        let times = self
            .failures
            .get(target)
            .map_or(0, |failure| failure.times)
            .saturating_add(1);
        let doublings = times.saturating_sub(2).min(16);
        let wait = if times == 1 {
            Duration::ZERO
        } else {
            self.backoff
                .saturating_mul(1 << doublings)
                .min(LONGEST_BACKOFF)
        };
        let retry_at = TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| now.checked_add_signed(wait))
            .unwrap_or(now);
        let failure = WriteFailure {
            times,
            error: error.to_string(),
            retry_at,
        };
        self.failures.insert(target.clone(), failure);
    }
}

/// Policies put in this execution, and their ARNs.
type Arns = BTreeMap<PolicyName, String>;

/// What a write brought: a policy's ARN, if it put one.
type Written = Result<Option<(PolicyName, String)>, ApiError>;

/// The put of the policy failed just before; its own failure says why.
fn no_policy_to_drive(policy: &PolicyName) -> ApiError {
    ApiError {
        operation: "PutMetricAlarm",
        kind: ErrorKind::NotFound,
        message: format!("was not asked for: policy `{policy}` could not be put"),
        request_id: None,
    }
}

fn passes_soon(kind: ErrorKind, change: &Change) -> bool {
    match kind {
        ErrorKind::Conflict => true,
        ErrorKind::NotFound => matches!(
            change,
            Change::PutPolicy { .. } | Change::PutSchedule { .. }
        ),
        ErrorKind::Throttled
        | ErrorKind::LimitExceeded
        | ErrorKind::Denied
        | ErrorKind::Invalid
        | ErrorKind::Transient
        | ErrorKind::Timeout
        | ErrorKind::Unreachable
        | ErrorKind::Unknown => false,
    }
}

/// Whether a retry is still to be waited for. A clock that was wrong may have set it further ahead than any.
fn is_ahead(retry_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let left = retry_at.signed_duration_since(now);
    left > TimeDelta::zero() && left.to_std().is_ok_and(|left| left <= LONGEST_BACKOFF)
}
