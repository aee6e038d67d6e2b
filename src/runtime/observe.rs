//! One look at a scope.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::details::{Details, Wanted};
use super::policies::{PolicyCache, fingerprint};
use super::scheduled::ScheduleCache;
use crate::domain::{
    DesiredFleet, Gap, Markers, OWNER_TAG, Observation, ObservedPolicy, ObservedSchedule,
    ObservedTarget, OnRemoval, OwnerName, Part, Picked, PolicyName, Selection, TargetId,
    alarm_prefix, expand, read_markers,
};
use crate::ports::{ApiError, Listing, ScopePorts};

/// One look: what was seen, and the fleet with every selection worked into targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What is declared, target by target.
    pub fleet: DesiredFleet,
    /// What was seen.
    pub observed: Observation,
}

/// Looks at a scope.
#[derive(Debug)]
pub struct Observer {
    ports: ScopePorts,
    details: Details,
    policies: PolicyCache,
    scheduled: ScheduleCache,
    /// Names of the alarms of each policy, and when they were first seen.
    named: BTreeMap<(TargetId, PolicyName), Named>,
    /// Whether policies have been looked at before.
    has_looked: bool,
    /// What selections picked at the last look, and which these were.
    picked: (Vec<Selection>, Picked),
    /// Whose tag a registration carries, by its ARN.
    owners: BTreeMap<String, Option<OwnerName>>,
}

#[derive(Debug, Clone)]
struct Named {
    alarms: Vec<String>,
    since: DateTime<Utc>,
}

/// Names of the alarms that AWS makes for target tracking begin so (aws-autoscaling.md 1.8).
pub(super) const TRACKING_ALARMS: &str = "TargetTracking-";

/// An alarm that a policy names, and that the list of alarms does not hold, is gone; but not in the first moments
/// after its policy was put, when the list may not show it yet.
const SETTLES_AFTER: TimeDelta = TimeDelta::minutes(2);

impl Observer {
    /// Looks through these ports.
    #[must_use]
    pub fn new(ports: ScopePorts) -> Self {
        Self {
            ports,
            details: Details::default(),
            policies: PolicyCache::default(),
            scheduled: ScheduleCache::default(),
            named: BTreeMap::new(),
            has_looked: false,
            picked: (Vec::new(), Picked::new()),
            owners: BTreeMap::new(),
        }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &ScopePorts {
        &self.ports
    }

    /// Tells that something was written: what is known of policies and scheduled actions is no longer true.
    pub fn forget_lists(&mut self) {
        self.policies.forget();
        self.scheduled.forget();
    }

    /// Scheduled actions; why they could not be read counts only where AWS is to run any.
    async fn read_scheduled(
        &mut self,
        fleet: &DesiredFleet,
        targets: &Listing<ObservedTarget>,
        now: DateTime<Utc>,
    ) -> Listing<ObservedSchedule> {
        let matters = fleet.has_scheduled_actions();
        if let Some(known) = self.scheduled.reuse(targets, matters, now) {
            return Listing::complete(known);
        }
        let mut listing = self.ports.scaling.scheduled_actions().await;
        self.scheduled.keep(&listing, targets, now);
        listing.gap = listing.gap.filter(|_| matters);
        listing
    }

    /// Reads endpoints, targets, policies and alarms. What can not be read becomes a gap, and the rest goes on.
    pub async fn observe(&mut self, declared: &DesiredFleet, now: DateTime<Utc>) -> Look {
        let mut observed = self.read(declared, now).await;
        if self.picked.0 != declared.selections {
            self.picked = (declared.selections.clone(), Picked::new());
        }
        let fleet = expand(declared, &observed, &self.picked.1);
        self.picked.1.clone_from(&fleet.picked);
        if declared.manage.on_removal == OnRemoval::Deregister {
            self.read_owners(&fleet, &mut observed).await;
        }
        Look { fleet, observed }
    }

    async fn read(&mut self, fleet: &DesiredFleet, now: DateTime<Utc>) -> Observation {
        let owned = alarm_prefix(&fleet.manage.owner);
        let adopted = fleet.adopted_alarms();
        let ports = self.ports.clone();
        let wants_components = Wanted::new(fleet, |_| true).components();
        let components = async {
            if wants_components {
                ports.endpoints.components().await
            } else {
                Listing::complete(Vec::new())
            }
        };
        let (endpoints, components, targets, trackers, ours, adopted) = tokio::join!(
            ports.endpoints.endpoints(),
            components,
            ports.scaling.targets(),
            ports.alarms.alarms(TRACKING_ALARMS),
            ports.alarms.alarms(&owned),
            ports.alarms.alarms_named(&adopted),
        );
        let ours = both(ours, adopted);
        let world = fingerprint(&targets, [&trackers, &ours]);
        let policies = match self.policies.reuse(world, now) {
            Some(known) => Listing::complete(known),
            None => {
                let listing = ports.scaling.policies().await;
                self.policies.keep(&listing, world, now);
                listing
            }
        };
        let scheduled = self.read_scheduled(fleet, &targets, now).await;
        let mut gaps = Vec::new();
        let mut note = |part: Part, error: Option<ApiError>| {
            gaps.extend(error.map(|error| Gap {
                part,
                why: error.to_string(),
            }));
        };
        note(Part::Endpoints, endpoints.gap);
        note(Part::Components, components.gap);
        note(Part::Targets, targets.gap);
        note(Part::Policies, policies.gap);
        note(Part::Schedules, scheduled.gap);
        note(Part::Alarms, trackers.gap.or(ours.gap));
        let targets: BTreeMap<TargetId, ObservedTarget> = targets
            .items
            .into_iter()
            .map(|t| (t.id.clone(), t))
            .collect();
        let wanted = Wanted::new(fleet, |id| targets.contains_key(id));
        let details = &mut self.details;
        let seen = details
            .endpoints(&ports, endpoints.items, &wanted, &mut gaps)
            .await;
        let components = details
            .components(&ports, components.items, &wanted, &mut gaps)
            .await;
        let mut held = BTreeMap::new();
        for policy in self.settle(policies.items, now) {
            let of_target: &mut BTreeMap<_, _> = held.entry(policy.target.clone()).or_default();
            of_target.insert(policy.name.clone(), policy);
        }
        let mut schedules = BTreeMap::new();
        for action in scheduled.items {
            let of_target: &mut BTreeMap<_, _> =
                schedules.entry(action.target.clone()).or_default();
            of_target.insert(action.name.clone(), action);
        }
        let markers = read_markers(&fleet.manage.owner, &ours.items);
        gaps.extend(unreadable(&markers));
        let alarms = trackers.items.into_iter().chain(ours.items);
        Observation {
            scope: fleet.scope.clone(),
            at: now,
            endpoints: seen,
            components,
            targets,
            policies: held,
            schedules,
            alarms: alarms.map(|alarm| (alarm.name.clone(), alarm)).collect(),
            markers,
            owners: BTreeMap::new(),
            gaps,
        }
    }

    /// Reads whose these registrations are, as far as they can be read.
    pub async fn read_owners_of(&mut self, ids: &[TargetId], observed: &mut Observation) {
        for id in ids {
            let arn = observed.targets.get(id).and_then(|held| held.arn.clone());
            if let Some(arn) = arn
                && let Ok(tags) = self.ports.scaling.tags(&arn).await
            {
                observed.owners.insert(id.clone(), owner_in(&tags));
            }
        }
    }

    /// Reads whose registrations are that are not declared: one call each, once per registration. What fails is simply
    /// not known, and so stays.
    async fn read_owners(&mut self, fleet: &DesiredFleet, observed: &mut Observation) {
        let undeclared = observed
            .targets
            .values()
            .filter(|held| !fleet.targets.contains_key(&held.id));
        let mut owners = BTreeMap::new();
        for held in undeclared {
            let Some(arn) = &held.arn else { continue };
            if !self.owners.contains_key(arn)
                && let Ok(tags) = self.ports.scaling.tags(arn).await
            {
                self.owners.insert(arn.clone(), owner_in(&tags));
            }
            if let Some(owner) = self.owners.get(arn) {
                owners.insert(held.id.clone(), owner.clone());
            }
        }
        let stands = |arn: &String| {
            observed
                .targets
                .values()
                .any(|t| t.arn.as_ref() == Some(arn))
        };
        self.owners.retain(|arn, _| stands(arn));
        observed.owners = owners;
    }

    /// Tells for each policy whether the names of its alarms have been known for a while. What stood there at the
    /// first look counts as old.
    fn settle(&mut self, policies: Vec<ObservedPolicy>, now: DateTime<Utc>) -> Vec<ObservedPolicy> {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let mut named = BTreeMap::new();
        let settled = policies.into_iter().map(|policy| {
            let key = (policy.target.clone(), policy.name.clone());
            let before = self.named.get(&key).filter(|n| n.alarms == policy.alarms);
            let since = match before {
                Some(named) => named.since,
                None if is_first => DateTime::<Utc>::MIN_UTC,
                None => now,
            };
            let alarms = policy.alarms.clone();
            named.insert(key, Named { alarms, since });
            let settled = now.signed_duration_since(since) >= SETTLES_AFTER;
            ObservedPolicy {
                alarms_settled: settled,
                ..policy
            }
        });
        let settled = settled.collect();
        self.named = named;
        settled
    }
}

/// Whose tag it is.
fn owner_in(tags: &BTreeMap<String, String>) -> Option<OwnerName> {
    tags.get(OWNER_TAG)?.parse().ok()
}

/// Markers that can not be read, as gaps: one of them may be a hold.
fn unreadable(markers: &Markers) -> impl Iterator<Item = Gap> {
    markers.unreadable.iter().map(|name| Gap {
        part: Part::Marker(name.clone()),
        why: "its description is not one that evenkeel wrote; delete the alarm if nobody needs it"
            .to_owned(),
    })
}

/// Two listings as one.
pub(super) fn both<T>(mut one: Listing<T>, other: Listing<T>) -> Listing<T> {
    one.items.extend(other.items);
    one.gap = one.gap.or(other.gap);
    one
}
