//! From an alarm's signal to a change of capacity (aws-autoscaling.md 2.5, 3.4 to 3.6).
//!
//! This is AWS's arithmetic as documented and measured, and shares nothing with the code that it is used to check.

use std::sync::Arc;

use super::activity::{Activity, ActivityStatus, Cause, Deed, Reason};
use super::alarm::{AlarmState, Signal};
use super::scaling::{
    Adjustment, InFlight, OutCooldown, PolicyKind, ScalableTarget, ScalingPolicy, Step, Stepping,
    Tracking,
};
use super::time::Span;
use super::world::{World, view};

/// What a policy makes of a signal.
enum Proposal {
    /// It wants this capacity.
    Capacity(u32),
    /// The signal does not concern it after all.
    Nothing,
}

impl World {
    /// An alarm's scaling action reaches a policy.
    pub(crate) fn receive_signal(&mut self, alarm: usize, policy: usize, signal: Signal) {
        if self.now - signal.at > self.options.signal_freshness {
            return;
        }
        let Some(alarm) = self.alarms.get(alarm) else {
            return;
        };
        let Some(held) = self.scaling.policy(policy) else {
            return;
        };
        let upward = alarm.rule.comparison.is_upward();
        let cause = || Cause::Alarm {
            alarm: Arc::clone(&alarm.name),
            policy: Arc::clone(&held.name),
        };
        match self.decide(policy, held, upward, signal) {
            Decision::Ignore => {}
            Decision::Refuse(reason) => {
                // The same reason twice in a row is recorded once.
                let target = held.target;
                if self
                    .scaling
                    .target(target)
                    .is_some_and(|t| t.last_reason != Some(reason))
                {
                    let cause = cause();
                    self.record_not_scaled(target, reason, cause);
                }
            }
            Decision::Scale { from, to } => {
                let in_flight = InFlight { policy, from, to };
                let (target, cause) = (held.target, cause());
                self.scale(target, to, cause, Some(in_flight));
            }
        }
    }

    fn decide(
        &self,
        index: usize,
        policy: &ScalingPolicy,
        upward: bool,
        signal: Signal,
    ) -> Decision {
        let Some(target) = self.scaling.target(policy.target) else {
            return Decision::Ignore;
        };
        let Some(standing) = self.standing(&target.resource) else {
            return Decision::Ignore;
        };
        if !standing.scalable {
            return Decision::Refuse(Reason::Unscalable);
        }
        let current = standing.current;
        let proposal = match &policy.kind {
            PolicyKind::Tracking(tracking) => track(
                tracking,
                self.options.low_alarm.threshold_ratio,
                upward,
                signal,
                current,
            ),
            PolicyKind::Stepping(stepping) => step(stepping, upward, signal, current),
        };
        let Proposal::Capacity(mut proposed) = proposal else {
            return Decision::Ignore;
        };
        if proposed == current {
            return Decision::Refuse(Reason::AtDesired(current));
        }
        let out = proposed > current;
        if (out && target.suspended.scale_out) || (!out && target.suspended.scale_in) {
            return Decision::Ignore;
        }
        if let (false, PolicyKind::Tracking(tracking)) = (out, &policy.kind) {
            if tracking.disable_scale_in {
                return Decision::Ignore;
            }
            match self.agreed_scale_in(index, target, current, proposed) {
                Some(agreed) => proposed = agreed,
                None => return Decision::Ignore,
            }
            let after = f64::from(proposed.max(target.min).max(1));
            if signal.mean * f64::from(current) / after > tracking.target {
                return Decision::Refuse(Reason::AnticipatedFlapping);
            }
        }
        let Some(proposed) = self.after_cooldown(policy, current, proposed) else {
            return Decision::Ignore;
        };
        bounded(target, current, proposed)
    }

    /// Scale-in by target tracking needs every other target-tracking policy that may scale in to be ready; the
    /// largest of their proposals wins. `None` when one is not ready.
    fn agreed_scale_in(
        &self,
        index: usize,
        target: &ScalableTarget,
        current: u32,
        own: u32,
    ) -> Option<u32> {
        let publishing = self.publishing();
        let view = view(&self.metrics, &publishing, &self.options, self.now);
        let mut agreed = own;
        for (_, other) in self
            .scaling
            .policies_of(target)
            .filter(|(i, _)| *i != index)
        {
            let PolicyKind::Tracking(tracking) = &other.kind else {
                continue;
            };
            if tracking.disable_scale_in {
                continue;
            }
            let low = self.alarms.named(other.alarms.get(1)?)?;
            let cooling = other
                .in_cooldown_until
                .is_some_and(|until| self.now < until);
            if low.state != AlarmState::Alarm || cooling {
                return None;
            }
            let mean = low.rule.signal(view)?.mean;
            agreed = agreed.max(proportional(current, mean, tracking.target));
        }
        Some(agreed)
    }

    /// What is left of a proposal inside a cooldown; `None` when nothing is.
    fn after_cooldown(&self, policy: &ScalingPolicy, current: u32, proposed: u32) -> Option<u32> {
        if proposed < current {
            let cooling = policy
                .in_cooldown_until
                .is_some_and(|until| self.now < until);
            return (!cooling).then_some(proposed);
        }
        let credit = policy
            .out_cooldown
            .filter(|c| self.now < c.until)
            .map_or(0, |c| c.added);
        let wanted = proposed - current;
        (wanted > credit).then(|| current + (wanted - credit))
    }

    /// Sets the capacity of a target, and records it as an activity. What SageMaker refuses is recorded as a failure,
    /// which starts no cooldown and gives no credit.
    fn scale(&mut self, target: usize, to: u32, cause: Cause, in_flight: Option<InFlight>) {
        let now = self.now;
        let Some(held) = self.scaling.target_mut(target) else {
            return;
        };
        held.last_reason = None;
        let (resource_id, dimension) = (Arc::clone(&held.resource_id), Arc::clone(&held.dimension));
        let resource = held.resource.clone();
        let number = self.scaling.activities.add(|number| Activity {
            number,
            resource_id,
            dimension,
            deed: Deed::Set(to),
            cause,
            started: now,
            ended: None,
            status: ActivityStatus::InProgress,
            failure: None,
        });
        if let Some(in_flight) = in_flight {
            self.scaling.in_flight.insert(number, in_flight);
        }
        if let Err(refusal) = self.set_capacity(&resource, to, number) {
            self.fail_activity(number, &refusal);
        }
    }

    /// An activity has come to nothing.
    pub(crate) fn fail_activity(&mut self, number: u64, why: &str) {
        self.scaling.in_flight.remove(&number);
        let now = self.now;
        if let Some(activity) = self.scaling.activities.get_mut(number) {
            activity.status = ActivityStatus::Failed;
            activity.ended = Some(now);
            activity.failure = Some(why.into());
        }
    }

    /// A capacity change that Application Auto Scaling asked for has come to its end.
    pub(crate) fn complete_activity(&mut self, number: u64) {
        let now = self.now;
        if let Some(activity) = self.scaling.activities.get_mut(number) {
            activity.status = ActivityStatus::Successful;
            activity.ended = Some(now);
        }
        if let Some(in_flight) = self.scaling.in_flight.remove(&number) {
            self.start_cooldown(in_flight);
        }
    }

    /// Cooldowns start when the change is done, not when it was asked for.
    fn start_cooldown(&mut self, done: InFlight) {
        let (now, default) = (self.now, self.options.default_cooldown);
        let Some(policy) = self.scaling.policy_mut(done.policy) else {
            return;
        };
        let (out, scale_in) = match &policy.kind {
            PolicyKind::Tracking(t) => (t.scale_out_cooldown, t.scale_in_cooldown),
            PolicyKind::Stepping(s) => (s.cooldown, s.cooldown),
        };
        let span = |secs: Option<i64>| secs.map_or(default, Span::from_secs);
        if done.to < done.from {
            policy.in_cooldown_until = Some(now + span(scale_in));
            return;
        }
        let credited = policy
            .out_cooldown
            .filter(|c| now < c.until)
            .map_or(0, |c| c.added);
        let added = credited.saturating_add(done.to - done.from);
        policy.out_cooldown = Some(OutCooldown {
            until: now + span(out),
            added,
        });
        // A scale-out ends the scale-in cooldowns of the whole target.
        let target = policy.target;
        for other in self
            .scaling
            .policies
            .iter_mut()
            .flatten()
            .filter(|p| p.target == target)
        {
            other.in_cooldown_until = None;
        }
    }

    /// Records why nothing was scaled.
    fn record_not_scaled(&mut self, target: usize, reason: Reason, cause: Cause) {
        let now = self.now;
        let Some(held) = self.scaling.target_mut(target) else {
            return;
        };
        held.last_reason = Some(reason);
        let (resource_id, dimension) = (Arc::clone(&held.resource_id), Arc::clone(&held.dimension));
        let status = match reason {
            Reason::AtDesired(_) => ActivityStatus::Successful,
            Reason::AnticipatedFlapping
            | Reason::Unscalable
            | Reason::AtMax(_)
            | Reason::AtMin(_) => ActivityStatus::Failed,
        };
        self.scaling.activities.add(|number| Activity {
            number,
            resource_id,
            dimension,
            deed: Deed::Nothing(reason),
            cause,
            started: now,
            ended: Some(now),
            status,
            failure: None,
        });
    }

    /// Pulls the running capacity into the bounds, as every successful registration does.
    pub(crate) fn clamp_to_bounds(&mut self, target: usize) {
        let Some(held) = self.scaling.target(target) else {
            return;
        };
        let Some(standing) = self.standing(&held.resource).filter(|s| s.scalable) else {
            return;
        };
        let to = standing.desired.clamp(held.min, held.max);
        let cause = match to.cmp(&standing.desired) {
            std::cmp::Ordering::Greater => Cause::Minimum(held.min),
            std::cmp::Ordering::Less => Cause::Maximum(held.max),
            std::cmp::Ordering::Equal => return,
        };
        self.scale(target, to, cause, None);
    }
}

/// The outcome of a signal.
enum Decision {
    /// Nothing happens and nothing is recorded.
    Ignore,
    /// Nothing happens, for a recorded reason.
    Refuse(Reason),
    /// Capacity changes.
    Scale { from: u32, to: u32 },
}

fn bounded(target: &ScalableTarget, current: u32, proposed: u32) -> Decision {
    let to = proposed.clamp(target.min, target.max);
    if to != current {
        return Decision::Scale { from: current, to };
    }
    Decision::Refuse(match proposed.cmp(&current) {
        std::cmp::Ordering::Greater => Reason::AtMax(target.max),
        std::cmp::Ordering::Less => Reason::AtMin(target.min),
        std::cmp::Ordering::Equal => Reason::AtDesired(current),
    })
}

/// Capacity in proportion to the metric, rounded up in both directions.
fn proportional(current: u32, mean: f64, target: f64) -> u32 {
    crate::num::ceil_to_u32(f64::from(current) * mean / target)
}

fn track(
    tracking: &Tracking,
    low_ratio: f64,
    upward: bool,
    signal: Signal,
    current: u32,
) -> Proposal {
    let target = tracking.target;
    let vanished = if upward {
        signal.mean <= target
    } else {
        signal.mean >= low_ratio * target
    };
    if vanished {
        return Proposal::Nothing;
    }
    if current == 0 {
        // The ratio says nothing at zero; one is what the emulator of aws-autoscaling.md 3.4 observed.
        return if upward {
            Proposal::Capacity(1)
        } else {
            Proposal::Nothing
        };
    }
    Proposal::Capacity(proportional(current, signal.mean, target))
}

fn step(stepping: &Stepping, upward: bool, signal: Signal, current: u32) -> Proposal {
    let metric = match stepping.aggregation.as_deref() {
        Some("Minimum") => signal.min,
        Some("Maximum") => signal.max,
        _ => signal.mean,
    };
    let distance = metric - signal.threshold;
    let matching = stepping
        .steps
        .iter()
        .find(|s| contains(s, distance, upward));
    matching.map_or(Proposal::Nothing, |step| {
        let capacity = adjusted(stepping, step.adjustment, i64::from(current));
        Proposal::Capacity(u32::try_from(capacity.max(0)).unwrap_or(u32::MAX))
    })
}

/// The lower end belongs to the interval above the threshold, the upper end to the one below it.
fn contains(step: &Step, distance: f64, upward: bool) -> bool {
    let lower = step.lower.unwrap_or(f64::NEG_INFINITY);
    let upper = step.upper.unwrap_or(f64::INFINITY);
    if upward {
        lower <= distance && distance < upper
    } else {
        lower < distance && distance <= upper
    }
}

fn adjusted(stepping: &Stepping, adjustment: i64, current: i64) -> i64 {
    match stepping.adjustment {
        Adjustment::Change => current.saturating_add(adjustment),
        Adjustment::Exact => adjustment,
        Adjustment::PercentChange => {
            let exact = crate::num::from_i64(current) * crate::num::from_i64(adjustment) / 100.0;
            let rounded = if exact.abs() < 1.0 && exact != 0.0 {
                exact.signum()
            } else {
                exact.trunc()
            };
            let least = crate::num::from_i64(stepping.min_magnitude.unwrap_or(0));
            let sign = if adjustment < 0 { -1.0 } else { 1.0 };
            let change = sign * rounded.abs().max(least);
            current.saturating_add(crate::num::round_to_i64(change))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(adjustment: i64, min_magnitude: Option<i64>, current: i64) -> i64 {
        let stepping = Stepping {
            adjustment: Adjustment::PercentChange,
            steps: Vec::new(),
            min_magnitude,
            cooldown: None,
            aggregation: None,
        };
        adjusted(&stepping, adjustment, current) - current
    }

    /// The rounding examples of aws-autoscaling.md 2.5.
    #[test]
    fn percentages_round_as_aws_says() {
        assert_eq!(percent(127, None, 10), 12);
        assert_eq!(percent(10, None, 4), 1);
        assert_eq!(percent(-10, None, 4), -1);
        assert_eq!(percent(-667, None, 1), -6);
        assert_eq!(percent(25, Some(2), 4), 2);
        assert_eq!(percent(-25, Some(3), 4), -3);
    }

    #[test]
    fn interval_ends_belong_to_one_step_only() {
        let step = |lower, upper| Step {
            lower,
            upper,
            adjustment: 1,
        };
        let low = step(Some(0.0), Some(10.0));
        let high = step(Some(10.0), None);
        assert!(contains(&low, 0.0, true) && !contains(&low, 10.0, true));
        assert!(contains(&high, 10.0, true));
        let near = step(Some(-10.0), Some(0.0));
        assert!(contains(&near, 0.0, false) && !contains(&near, -10.0, false));
    }

    #[test]
    fn proportional_capacity_rounds_up_both_ways() {
        assert_eq!(proportional(4, 90.0, 70.0), 6);
        assert_eq!(proportional(4, 35.1, 70.0), 3);
        assert_eq!(proportional(2, 35.0, 70.0), 1);
    }
}
