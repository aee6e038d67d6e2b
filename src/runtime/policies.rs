//! When the list of policies has to be read again.
//!
//! AWS gives it out in pages of 10, so for a large fleet it is most of what a pass costs. But whatever happens to a
//! target-tracking policy gives its alarms new names, and alarms come in pages of 100: while targets and alarms are the
//! same, so are those policies. What alarms can not tell (the steps of a step policy) is noticed when the list is read
//! for its age.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{ObservedAlarm, ObservedPolicy, ObservedTarget};
use crate::ports::Listing;

/// A list that is not longer than this is read at every look: it is a page or three.
const SHORT: usize = 30;

/// The longest time that a list is taken for the truth.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(10);

/// The last complete list of policies, and what the world looked like then.
#[derive(Debug, Default)]
pub(super) struct PolicyCache {
    last: Option<Cached>,
}

#[derive(Debug)]
struct Cached {
    items: Vec<ObservedPolicy>,
    world: u64,
    read: DateTime<Utc>,
}

impl PolicyCache {
    /// The list, if nothing has happened that would have changed it.
    pub(super) fn reuse(
        &self,
        world: Option<u64>,
        now: DateTime<Utc>,
    ) -> Option<Vec<ObservedPolicy>> {
        let cached = self.last.as_ref()?;
        // A clock that was wrong may have said a later time.
        let young = cached.read <= now && now.signed_duration_since(cached.read) < GOOD_FOR;
        let same = world == Some(cached.world);
        (young && same && cached.items.len() > SHORT).then(|| cached.items.clone())
    }

    /// Keeps a list that was read to its end.
    pub(super) fn keep(
        &mut self,
        listing: &Listing<ObservedPolicy>,
        world: Option<u64>,
        now: DateTime<Utc>,
    ) {
        self.last = match (world, &listing.gap) {
            (Some(world), None) => Some(Cached {
                items: listing.items.clone(),
                world,
                read: now,
            }),
            _ => None,
        };
    }

    /// After writes of our own the list is read again.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

/// What targets and alarms look like, in one number; `None` when one of the lists was cut short. The state of an alarm
/// does not count: it changes all day.
pub(super) fn fingerprint(
    targets: &Listing<ObservedTarget>,
    alarms: [&Listing<ObservedAlarm>; 2],
) -> Option<u64> {
    if targets.gap.is_some() || alarms.iter().any(|listing| listing.gap.is_some()) {
        return None;
    }
    let mut registered: Vec<_> = targets.items.iter().map(|t| (&t.id, t.created)).collect();
    registered.sort();
    let mut named: Vec<_> = alarms
        .iter()
        .flat_map(|listing| &listing.items)
        .map(|alarm| (&alarm.name, &alarm.actions))
        .collect();
    named.sort();
    let mut hasher = DefaultHasher::new();
    (registered, named).hash(&mut hasher);
    Some(hasher.finish())
}
