//! Scaling activities: AWS's record of what it did, or why it did nothing.

use chrono::{DateTime, Utc};

use super::bounds::Capacity;
use super::target::TargetId;

/// How an activity stands (aws-autoscaling.md 1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActivityStatus {
    /// Not begun.
    Pending,
    /// Running.
    InProgress,
    /// Done.
    Successful,
    /// Replaced by a newer activity or by a foreign change.
    Overridden,
    /// The target did not get there in time.
    Unfulfilled,
    /// Failed, or not scaled at all.
    Failed,
    /// A status that this version does not know.
    Unknown,
}

impl ActivityStatus {
    /// All of them, for series that must exist from the start.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::InProgress,
        Self::Successful,
        Self::Overridden,
        Self::Unfulfilled,
        Self::Failed,
        Self::Unknown,
    ];

    /// AWS's word, in lower case, as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Successful => "successful",
            Self::Overridden => "overridden",
            Self::Unfulfilled => "unfulfilled",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::InProgress => false,
            Self::Successful
            | Self::Overridden
            | Self::Unfulfilled
            | Self::Failed
            | Self::Unknown => true,
        }
    }
}

/// Why AWS decided not to scale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotScaled {
    /// The change would soon have been undone by the opposite one.
    AnticipatedFlapping,
    /// The endpoint could not be scaled at that moment, for example while updating.
    Unscalable,
    /// Already at the maximum.
    AtMax(Option<Capacity>),
    /// Already at the minimum.
    AtMin(Option<Capacity>),
    /// Already at the computed capacity.
    AtDesired(Option<Capacity>),
    /// A code that this version does not know.
    Other(String),
}

impl NotScaled {
    /// A closed set of metric labels.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::AnticipatedFlapping => "anticipated_flapping",
            Self::Unscalable => "unscalable",
            Self::AtMax(_) => "at_max",
            Self::AtMin(_) => "at_min",
            Self::AtDesired(_) => "at_desired",
            Self::Other(_) => "other",
        }
    }

    /// Labels of all reasons.
    pub const LABELS: [&'static str; 6] = [
        "anticipated_flapping",
        "unscalable",
        "at_max",
        "at_min",
        "at_desired",
        "other",
    ];

    /// Reads AWS's code and the capacity that may come with it.
    #[must_use]
    pub fn parse(
        code: &str,
        max: Option<Capacity>,
        min: Option<Capacity>,
        current: Option<Capacity>,
    ) -> Self {
        match code {
            "AutoScalingAnticipatedFlapping" => Self::AnticipatedFlapping,
            "TargetServicePutResourceAsUnscalable" => Self::Unscalable,
            "AlreadyAtMaxCapacity" => Self::AtMax(max),
            "AlreadyAtMinCapacity" => Self::AtMin(min),
            "AlreadyAtDesiredCapacity" => Self::AtDesired(current),
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One scaling activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// AWS's id of it.
    pub id: String,
    /// The target.
    pub target: TargetId,
    /// What AWS says it does, for example `Setting desired instance count to 3.`
    pub description: String,
    /// What AWS says made it do so.
    pub cause: String,
    /// How it stands.
    pub status: ActivityStatus,
    /// AWS's comment on the status.
    pub status_message: Option<String>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; absent while it runs.
    pub ended: Option<DateTime<Utc>>,
    /// Why nothing was scaled; empty for activities that scaled.
    pub not_scaled: Vec<NotScaled>,
}

impl Activity {
    /// The capacity that it sets, as its description says: `Setting desired instance count to 3.`
    #[must_use]
    pub fn capacity(&self) -> Option<Capacity> {
        let (what, number) = self.description.trim_end_matches('.').rsplit_once(" to ")?;
        let is_about_capacity = what.starts_with("Setting desired");
        let capacity = number.parse().ok().and_then(Capacity::new);
        capacity.filter(|_| is_about_capacity)
    }
}
