//! CloudWatch alarms as observed.

use chrono::{DateTime, Utc};

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    /// The threshold is kept.
    Ok,
    /// The threshold is broken. For the low alarm of target tracking this is the normal idle state.
    Alarm,
    /// Too little data to say; no scaling in either direction follows from it.
    InsufficientData,
}

impl AlarmState {
    /// CloudWatch's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// One metric alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedAlarm {
    /// Its name, unique per scope.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Whether its actions run at all.
    pub actions_enabled: bool,
    /// Threshold in the metric's unit; absent for alarms on anomaly bands.
    pub threshold: Option<f64>,
    /// When the state last changed.
    pub since: Option<DateTime<Utc>>,
}
