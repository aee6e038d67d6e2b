//! What a config says of alerts: other thresholds, off, and quiet for a while.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::name::ScopeName;
use super::super::select::Glob;
use super::{AlertKey, AlertKind, Subject};

/// How an alert differs from its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tuning {
    /// It is not looked for.
    pub off: bool,
    /// So long it has to hold before it fires.
    pub pending_for: Option<TimeDelta>,
    /// Changes of direction within the hour that are thrashing; at least 2.
    pub reversals: Option<u32>,
    /// So far ahead saturation is predicted.
    pub within: Option<TimeDelta>,
}

/// How alerts differ from their defaults; what is not named does not.
pub type Tunings = BTreeMap<AlertKind, Tuning>;

/// Alerts of which nobody is told for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Which alert; `None` for all.
    pub kind: Option<AlertKind>,
    /// In which scope; `None` for all.
    pub scope: Option<ScopeName>,
    /// Of which targets and endpoints, as alerts name them; `None` for everything.
    pub subject: Option<Glob>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl Silence {
    /// Whether it covers an alert now.
    #[must_use]
    pub fn covers(&self, scope: &ScopeName, key: &AlertKey, now: DateTime<Utc>) -> bool {
        let fits = |glob: &Glob| match &key.subject {
            Subject::Target(id) => id.matches(glob),
            Subject::Endpoint(endpoint) => {
                glob.matches(endpoint.as_str()) || glob.matches(&key.subject.to_string())
            }
            Subject::Scope => glob.matches(&key.subject.to_string()),
        };
        now < self.until
            && self.kind.is_none_or(|kind| kind == key.kind)
            && self.scope.as_ref().is_none_or(|held| held == scope)
            && self.subject.as_ref().is_none_or(fits)
    }
}
