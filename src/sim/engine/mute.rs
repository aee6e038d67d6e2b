//! Rules that keep alarms from doing anything for a while.

use std::collections::BTreeSet;

use super::time::Instant;

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct MuteRule {
    pub(crate) targets: BTreeSet<String>,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    /// As they were put.
    pub(crate) expression: String,
    pub(crate) duration: String,
    pub(crate) put: Instant,
}

impl MuteRule {
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.from <= now && now < self.until
    }

    pub(crate) fn status(&self, now: Instant) -> &'static str {
        match (now < self.from, self.is_active(now)) {
            (true, _) => "SCHEDULED",
            (false, true) => "ACTIVE",
            (false, false) => "EXPIRED",
        }
    }
}
