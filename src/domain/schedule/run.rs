//! How a change of bounds that schedules made due came out.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::bounds::EffectiveBounds;

/// A change of bounds that schedules made due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRun {
    /// When it was due.
    pub due: DateTime<Utc>,
    /// The bounds that were due, with what set each end.
    pub effective: EffectiveBounds,
    /// When it came out so.
    pub at: DateTime<Utc>,
    /// How it came out.
    pub outcome: ScheduleOutcome,
}

impl ScheduleRun {
    /// How long after it was due it came out so.
    #[must_use]
    pub fn late(&self) -> TimeDelta {
        self.at.signed_duration_since(self.due)
    }
}

/// How a change of bounds came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduleOutcome {
    /// It is not done yet.
    Waiting,
    /// It was written.
    Applied,
    /// AWS held it already.
    Found,
    /// AWS was to do it and did not, so it was written.
    Mended,
    /// The write failed; it is tried again.
    Failed,
    /// The next change came before it was done.
    Missed,
}

impl ScheduleOutcome {
    /// Those that are counted.
    pub const COUNTED: [Self; 5] = [
        Self::Applied,
        Self::Found,
        Self::Mended,
        Self::Failed,
        Self::Missed,
    ];

    /// The outcome as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Found => "found",
            Self::Mended => "mended",
            Self::Failed => "failed",
            Self::Missed => "missed",
        }
    }
}
