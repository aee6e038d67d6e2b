//! Updates of endpoints that started variants with fewer instances than they had (aws-autoscaling.md 5.4).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{Capacity, CapacityReset, DesiredFleet, EndpointStatus, Observation, TargetId};

/// What each target had under which endpoint config, when it was last seen in service.
#[derive(Debug, Default)]
pub(super) struct Resets {
    last: BTreeMap<TargetId, (String, Capacity)>,
    noticed: BTreeMap<TargetId, CapacityReset>,
}

/// A reset is shown until capacity is back, or for so long.
const SHOWN_FOR: TimeDelta = TimeDelta::hours(6);

impl Resets {
    /// Compares with the look before, and returns what is new.
    pub(super) fn notice(
        &mut self,
        fleet: &DesiredFleet,
        observed: &Observation,
        now: DateTime<Utc>,
    ) -> Vec<(TargetId, CapacityReset)> {
        let mut news = Vec::new();
        for id in fleet.targets.keys() {
            let Some((config, capacity)) = standing(id, observed) else {
                continue;
            };
            if self
                .noticed
                .get(id)
                .is_some_and(|reset| capacity >= reset.from)
            {
                self.noticed.remove(id);
            }
            let before = self.last.insert(id.clone(), (config.clone(), capacity));
            let Some((_, from)) = before.filter(|(held, from)| *held != config && capacity < *from)
            else {
                continue;
            };
            let reset = CapacityReset {
                at: now,
                from,
                to: capacity,
                config,
            };
            self.noticed.insert(id.clone(), reset.clone());
            news.push((id.clone(), reset));
        }
        self.last.retain(|id, _| fleet.targets.contains_key(id));
        self.noticed.retain(|id, reset| {
            fleet.targets.contains_key(id) && now.signed_duration_since(reset.at) < SHOWN_FOR
        });
        news
    }

    /// What was noticed of a target.
    pub(super) fn of(&self, id: &TargetId) -> Option<CapacityReset> {
        self.noticed.get(id).cloned()
    }
}

/// Endpoint config and capacity of a target whose endpoint serves.
fn standing(id: &TargetId, observed: &Observation) -> Option<(String, Capacity)> {
    let endpoint = observed.endpoints.get(id.endpoint()?)?;
    if endpoint.status != EndpointStatus::InService {
        return None;
    }
    let config = endpoint.details.as_ref()?.config.clone();
    Some((config, observed.capacity(id)?.aim()?))
}
