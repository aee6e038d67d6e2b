//! What happens, told once. Whoever listens logs and counts it in one place, so that a log line and its counter
//! can not drift apart.

use std::fmt::Debug;

use chrono::{DateTime, Utc};

use super::error::ApiError;
use crate::domain::{
    Action, Activity, Alert, AlertKey, CapacityReset, Conflict, Gap, Leases, MarkerKind,
    PassSummary, ScheduleRun, ScopeName, TargetId, Verdict, Violation,
};

/// Something worth telling.
#[derive(Debug)]
pub enum Event<'a> {
    /// Part of the world could not be read.
    Unseen {
        /// The scope.
        scope: &'a ScopeName,
        /// What, and why.
        gap: &'a Gap,
    },
    /// A difference was found that the pass before did not have.
    Drift {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// The action that would mend it.
        action: &'a Action,
        /// Whether the pass before found the target as declared, so that someone else must have changed it.
        was_converged: bool,
    },
    /// A write worked.
    Done {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// The write.
        action: &'a Action,
        /// Whether it undoes a change from outside: the pass before found the target as declared.
        mends: bool,
    },
    /// A write failed.
    Failed {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// The write.
        action: &'a Action,
        /// Why.
        error: &'a ApiError,
    },
    /// A target came to wait, to be held, or to be as declared.
    Settled {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// The outcome of planning it.
        verdict: &'a Verdict,
    },
    /// The checker refused a plan.
    Refused {
        /// The scope.
        scope: &'a ScopeName,
        /// The laws it breaks.
        violations: &'a [Violation],
    },
    /// Someone keeps changing a target back, and it is left alone for a while.
    Conflict {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// How often, and until when.
        conflict: Conflict,
    },
    /// An update of an endpoint took capacity away.
    CapacityReset {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// From what to what.
        reset: &'a CapacityReset,
    },
    /// Someone asks for something for a while, or no longer for all of it.
    Asked {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// What is asked for now.
        leases: &'a Leases,
    },
    /// A change of bounds that schedules made due came out.
    Scheduled {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// How.
        run: &'a ScheduleRun,
    },
    /// A hold or an override stands although its time is over.
    LeaseOverdue {
        /// The scope.
        scope: &'a ScopeName,
        /// The target.
        target: &'a TargetId,
        /// Which of the two.
        kind: MarkerKind,
        /// When it should have ended.
        since: DateTime<Utc>,
    },
    /// A pass ended.
    PassEnded {
        /// The scope.
        scope: &'a ScopeName,
        /// How.
        summary: &'a PassSummary,
    },
    /// AWS began to scale, finished scaling, or refused to.
    Scaling {
        /// The scope.
        scope: &'a ScopeName,
        /// The activity.
        activity: &'a Activity,
    },
    /// The watcher could not read something.
    WatchFailed {
        /// The scope.
        scope: &'a ScopeName,
        /// What, and why.
        error: &'a ApiError,
    },
    /// Metrics were not read, to keep to the budget; or nothing is left out any more.
    WatchSkipped {
        /// The scope.
        scope: &'a ScopeName,
        /// How many queries were not sent.
        queries: usize,
        /// Whether it was otherwise at the last look.
        is_news: bool,
    },
    /// An alert began to fire, or is over.
    Alert {
        /// The scope.
        scope: &'a ScopeName,
        /// Which alert.
        key: &'a AlertKey,
        /// How it stands.
        alert: &'a Alert,
    },
    /// Alerts were sent, or could not be.
    Sent {
        /// To whom.
        receiver: &'a str,
        /// Why it failed.
        problem: Option<&'a str>,
        /// Whether it was otherwise the last time.
        is_news: bool,
    },
    /// A message was given up: its receiver refuses it, or too many wait for it.
    Dropped {
        /// For whom it was.
        receiver: &'a str,
        /// What it was about.
        what: &'a str,
        /// Why it was given up.
        why: &'a str,
    },
    /// The config was reloaded, or a reload was refused.
    Reloaded {
        /// Why it was refused.
        problem: Option<&'a str>,
    },
}

/// Listens to events.
pub trait EventSink: Debug + Send + Sync {
    /// Something happened.
    fn emit(&self, event: &Event<'_>);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _event: &Event<'_>) {}
}
