//! The life of an alert: pending, firing, resolved.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Alert, AlertKey, Condition};

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It holds, but not for long enough.
    Pending,
    /// Someone is to know.
    Firing {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It has fired, and is over.
    Resolved {
        /// Since when.
        at: DateTime<Utc>,
    },
}

impl AlertState {
    /// The state as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing { .. } => "firing",
            Self::Resolved { .. } => "resolved",
        }
    }
}

/// A resolved alert is shown for so long.
const SHOWN_FOR: TimeDelta = TimeDelta::minutes(15);

#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    /// Since when the condition holds.
    met: Option<DateTime<Utc>>,
    /// Since when it does not, while it fires.
    clear: Option<DateTime<Utc>>,
    state: Option<AlertState>,
    reason: String,
    cause: Option<String>,
}

/// An alert that fired when its process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Which alert.
    pub key: AlertKey,
    /// Since when what it says holds.
    pub since: DateTime<Utc>,
    /// Since when it fires.
    pub fired: DateTime<Utc>,
    /// What was wrong, with numbers.
    pub reason: String,
    /// Why, as far as it could be told.
    pub cause: Option<String>,
}

impl Life {
    pub(super) fn restored(from: Remembered) -> Self {
        Self {
            met: Some(from.since),
            clear: None,
            state: Some(AlertState::Firing { since: from.fired }),
            reason: from.reason,
            cause: from.cause,
        }
    }

    pub(super) fn remembered(&self, key: &AlertKey) -> Option<Remembered> {
        let Some(AlertState::Firing { since: fired }) = self.state else {
            return None;
        };
        Some(Remembered {
            key: key.clone(),
            since: self.met.unwrap_or(fired),
            fired,
            reason: self.reason.clone(),
            cause: self.cause.clone(),
        })
    }

    pub(super) fn is_firing(&self) -> bool {
        matches!(self.state, Some(AlertState::Firing { .. }))
    }

    pub(super) fn step(
        &mut self,
        condition: Condition,
        now: DateTime<Utc>,
        pending_for: TimeDelta,
        resolves_after: TimeDelta,
    ) {
        match condition {
            Condition::Met {
                since,
                anew,
                reason,
                cause,
            } => {
                let met = since.unwrap_or(now).min(now);
                // What was over begins anew.
                let is_over = matches!(self.state, Some(AlertState::Resolved { .. }));
                if is_over || (anew && !self.is_firing()) {
                    self.met = None;
                }
                // What AWS says of the beginning counts; and once it has begun it does not begin again.
                let met = self.met.map_or(met, |before| before.min(met));
                self.met = Some(met);
                self.clear = None;
                self.reason = reason;
                self.cause = cause;
                if !self.is_firing() {
                    let long_enough = now.signed_duration_since(met) >= pending_for;
                    self.state = Some(if long_enough {
                        AlertState::Firing { since: now }
                    } else {
                        AlertState::Pending
                    });
                }
            }
            Condition::Clear => self.over(now, resolves_after),
            // Neither a reason to fire nor one to resolve.
            Condition::Unknown => {}
        }
    }

    fn over(&mut self, now: DateTime<Utc>, resolves_after: TimeDelta) {
        match self.state {
            Some(AlertState::Firing { .. }) => {
                // A clock that was wrong may have said a later one.
                let clear = self.clear.map_or(now, |clear| clear.min(now));
                self.clear = Some(clear);
                if now.signed_duration_since(clear) >= resolves_after {
                    self.state = Some(AlertState::Resolved { at: now });
                }
            }
            Some(AlertState::Resolved { at }) if now.signed_duration_since(at) < SHOWN_FOR => {}
            Some(AlertState::Pending | AlertState::Resolved { .. }) | None => {
                *self = Self::default();
            }
        }
    }

    pub(super) fn alert(&self, now: DateTime<Utc>) -> Option<Alert> {
        Some(Alert {
            state: self.state?,
            since: self.met.unwrap_or(now),
            reason: self.reason.clone(),
            cause: self.cause.clone(),
            inhibited_by: None,
            silenced: None,
        })
    }
}
