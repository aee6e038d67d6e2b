//! Scaling activities, also those that tell why nothing was scaled (aws-autoscaling.md 1.7).

use std::collections::VecDeque;
use std::sync::Arc;

use super::scaling::{CONCURRENCY, COPIES};
use super::time::Instant;

/// How an activity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActivityStatus {
    /// Running.
    InProgress,
    /// Done, or nothing to do.
    Successful,
    /// Refused or failed.
    Failed,
}

impl ActivityStatus {
    /// AWS's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
        }
    }
}

/// Why nothing was scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The change would soon be undone.
    AnticipatedFlapping,
    /// The endpoint could not be changed at that moment.
    Unscalable,
    /// Already at the maximum.
    AtMax(u32),
    /// Already at the minimum.
    AtMin(u32),
    /// Already at the computed capacity.
    AtDesired(u32),
}

impl Reason {
    /// AWS's code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::AnticipatedFlapping => "AutoScalingAnticipatedFlapping",
            Self::Unscalable => "TargetServicePutResourceAsUnscalable",
            Self::AtMax(_) => "AlreadyAtMaxCapacity",
            Self::AtMin(_) => "AlreadyAtMinCapacity",
            Self::AtDesired(_) => "AlreadyAtDesiredCapacity",
        }
    }
}

/// What an activity did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It set the capacity.
    Set(u32),
    /// It set the bounds of the target.
    Bounds { min: Option<u32>, max: Option<u32> },
    /// It set nothing, for a reason.
    Nothing(Reason),
}

/// What made it happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An alarm triggered a policy.
    Alarm { alarm: Arc<str>, policy: Arc<str> },
    /// A scheduled action came due.
    Schedule(Arc<str>),
    /// A new minimum was above the running capacity.
    Minimum(u32),
    /// A new maximum was below it.
    Maximum(u32),
}

/// One activity. Its texts are made when someone asks for them: most are never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) number: u64,
    pub(crate) resource_id: Arc<str>,
    pub(crate) dimension: Arc<str>,
    pub(crate) deed: Deed,
    pub(crate) cause: Cause,
    pub(crate) started: Instant,
    pub(crate) ended: Option<Instant>,
    pub(crate) status: ActivityStatus,
    /// Why it failed, in SageMaker's words.
    pub(crate) failure: Option<Box<str>>,
}

impl Activity {
    /// What is counted. Only `instance count` is documented; the other two are assumed to follow it.
    fn unit(&self) -> &'static str {
        match &*self.dimension {
            CONCURRENCY => "provisioned concurrency",
            COPIES => "copy count",
            _ => "instance count",
        }
    }

    /// What it does, in AWS's words.
    pub(crate) fn description(&self) -> String {
        match self.deed {
            Deed::Set(to) => format!("Setting desired {} to {to}.", self.unit()),
            Deed::Bounds { min, max } => format!("Setting {}", bounds_text(min, max)),
            Deed::Nothing(_) => "Attempting to scale due to alarm triggered".to_owned(),
        }
    }

    /// What made it happen, in AWS's words.
    pub(crate) fn cause_text(&self) -> String {
        match &self.cause {
            Cause::Alarm { alarm, policy } => {
                format!("monitor alarm {alarm} in state ALARM triggered policy {policy}")
            }
            Cause::Schedule(name) => format!("scheduled action name {name} was triggered"),
            Cause::Minimum(min) => format!("minimum capacity was set to {min}"),
            Cause::Maximum(max) => format!("maximum capacity was set to {max}"),
        }
    }

    /// A comment on the status, in AWS's words.
    pub(crate) fn status_message(&self) -> Option<String> {
        let to = match self.deed {
            Deed::Set(to) => to,
            Deed::Nothing(_) => return None,
            Deed::Bounds { min, max } => {
                let done = || format!("Successfully set {}", bounds_text(min, max));
                return Some(self.failure.as_deref().map_or_else(done, str::to_owned));
            }
        };
        let outcome = match self.status {
            ActivityStatus::InProgress => "Waiting for change to be fulfilled by sagemaker.",
            ActivityStatus::Successful => "Change successfully fulfilled by sagemaker.",
            ActivityStatus::Failed => {
                let why = self.failure.as_deref().unwrap_or("unknown.");
                return Some(format!(
                    "Failed to set desired {} to {to}. Reason: {why}",
                    self.unit()
                ));
            }
        };
        Some(format!(
            "Successfully set desired {} to {to}. {outcome}",
            self.unit()
        ))
    }

    /// Why nothing was scaled.
    pub(crate) fn not_scaled(&self) -> Option<Reason> {
        match self.deed {
            Deed::Set(_) | Deed::Bounds { .. } => None,
            Deed::Nothing(reason) => Some(reason),
        }
    }
}

/// Bounds, in AWS's words; those for a single one are assumed.
fn bounds_text(min: Option<u32>, max: Option<u32>) -> String {
    let min = min.map(|n| format!("min capacity to {n}"));
    let max = max.map(|n| format!("max capacity to {n}"));
    let both: Vec<String> = min.into_iter().chain(max).collect();
    both.join(" and ")
}

/// The activities of the account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Activities {
    kept: VecDeque<Activity>,
    next: u64,
}

impl Activities {
    /// Adds an activity; `make` is given its number.
    pub(crate) fn add(&mut self, make: impl FnOnce(u64) -> Activity) -> u64 {
        let number = self.next;
        self.next += 1;
        self.kept.push_back(make(number));
        number
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Activity> {
        let first = self.kept.front()?.number;
        self.kept
            .get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Activity> {
        self.kept.iter().rev()
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &Activity> {
        self.kept.iter()
    }

    /// Drops what is older than `oldest` or beyond `limit`.
    pub(crate) fn trim(&mut self, oldest: Instant, limit: usize) {
        while self.kept.len() > limit || self.kept.front().is_some_and(|a| a.started < oldest) {
            self.kept.pop_front();
        }
    }
}
