//! Two owners of one thing: who keeps changing back what evenkeel mends.
//!
//! Console, infrastructure code and evenkeel can each be sure of being right for ever. After a few corrections an hour
//! evenkeel stops, says so, and tries again when the hour is over: a fleet that flips every minute is worse than one
//! that differs from its config.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{Conflict, TargetId};

/// So many corrections of one target within the hour are enough.
const ENOUGH: usize = 5;
const WITHIN: TimeDelta = TimeDelta::hours(1);

/// When each target was corrected lately.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    times: BTreeMap<TargetId, Vec<DateTime<Utc>>>,
}

impl Corrections {
    /// A target that was as declared, and was changed from outside, has been mended.
    pub(super) fn mended(&mut self, target: &TargetId, now: DateTime<Utc>) {
        self.times.entry(target.clone()).or_default().push(now);
    }

    /// The targets that are left alone at `now`, and until when.
    pub(super) fn conflicts(&mut self, now: DateTime<Utc>) -> BTreeMap<TargetId, Conflict> {
        for times in self.times.values_mut() {
            times.retain(|time| *time <= now && now.signed_duration_since(*time) < WITHIN);
        }
        self.times.retain(|_, times| !times.is_empty());
        let conflict = |(id, times): (&TargetId, &Vec<DateTime<Utc>>)| {
            let oldest = times.first().filter(|_| times.len() >= ENOUGH)?;
            let until = oldest.checked_add_signed(WITHIN)?;
            let corrections = times.len();
            Some((id.clone(), Conflict { corrections, until }))
        };
        self.times.iter().filter_map(conflict).collect()
    }

    /// The operator changed the config, and with it perhaps what the two were about.
    pub(super) fn forget(&mut self) {
        self.times.clear();
    }
}
