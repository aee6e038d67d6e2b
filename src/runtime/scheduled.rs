//! When the list of scheduled actions has to be read again.
//!
//! It comes in pages of 50, and nobody but evenkeel and people changes it: AWS never does. Between readings a firing
//! that AWS missed is noticed all the same, by the bounds.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{ObservedSchedule, ObservedTarget, TargetId};
use crate::ports::Listing;

/// A list that is not longer than this is read at every look while AWS is to run any schedule: it is one page.
const SHORT: usize = 50;
/// The longest time that a list is taken for the truth while AWS is to run any schedule.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(15);
/// And while it is to run none: then the list only tells of what others have there.
const GOOD_FOR_OTHERS: TimeDelta = TimeDelta::minutes(60);

/// The last complete list of scheduled actions.
#[derive(Debug, Default)]
pub(super) struct ScheduleCache {
    last: Option<Cached>,
}

#[derive(Debug)]
struct Cached {
    items: Vec<ObservedSchedule>,
    /// Scheduled actions go with their registration.
    registered: BTreeMap<TargetId, DateTime<Utc>>,
    read: DateTime<Utc>,
}

fn registered(targets: &Listing<ObservedTarget>) -> BTreeMap<TargetId, DateTime<Utc>> {
    let targets = targets.items.iter();
    targets.map(|t| (t.id.clone(), t.created)).collect()
}

impl ScheduleCache {
    /// The list, if nothing has happened that would have changed it. `matters` is whether AWS is to run any schedule.
    pub(super) fn reuse(
        &self,
        targets: &Listing<ObservedTarget>,
        matters: bool,
        now: DateTime<Utc>,
    ) -> Option<Vec<ObservedSchedule>> {
        let cached = self.last.as_ref()?;
        let good_for = if matters { GOOD_FOR } else { GOOD_FOR_OTHERS };
        let young = cached.read <= now && now.signed_duration_since(cached.read) < good_for;
        let is_cheap = matters && cached.items.len() <= SHORT;
        let same = targets.gap.is_none() && registered(targets) == cached.registered;
        (young && same && !is_cheap).then(|| cached.items.clone())
    }

    /// Keeps a list that was read to its end.
    pub(super) fn keep(
        &mut self,
        listing: &Listing<ObservedSchedule>,
        targets: &Listing<ObservedTarget>,
        now: DateTime<Utc>,
    ) {
        let complete = listing.gap.is_none() && targets.gap.is_none();
        self.last = complete.then(|| Cached {
            items: listing.items.clone(),
            registered: registered(targets),
            read: now,
        });
    }

    /// After writes of our own the list is read again.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}
