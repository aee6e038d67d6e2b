//! One look at a scope.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::policies::{PolicyCache, fingerprint};
use crate::domain::{
    DesiredFleet, EndpointName, EndpointStatus, Gap, Observation, ObservedEndpoint, ObservedPolicy,
    ObservedVariant, Part, PolicyName, TargetId, VariantName, alarm_prefix,
};
use crate::ports::{ApiError, EndpointSummary, Listing, ScopePorts};

/// Looks at a scope. It remembers the variants of endpoints that have not changed, because DescribeEndpoint is one
/// call per endpoint at 5 a second, while the list shows for all of them when they last changed.
#[derive(Debug)]
pub struct Observer {
    ports: ScopePorts,
    known: BTreeMap<EndpointName, Known>,
    policies: PolicyCache,
    /// Names of the alarms of each policy, and when they were first seen.
    named: BTreeMap<(TargetId, PolicyName), Named>,
    /// Whether policies have been looked at before.
    has_looked: bool,
}

#[derive(Debug, Clone)]
struct Named {
    alarms: Vec<String>,
    since: DateTime<Utc>,
}

#[derive(Debug, Clone)]
struct Known {
    created: DateTime<Utc>,
    modified: DateTime<Utc>,
    looks: u32,
    variants: BTreeMap<VariantName, ObservedVariant>,
}

/// Names of the alarms that AWS makes for target tracking begin so (aws-autoscaling.md 1.8).
pub(super) const TRACKING_ALARMS: &str = "TargetTracking-";

/// After so many looks the variants are read again even if the list shows no change: whether every change of
/// capacity moves the list's time is not documented.
const READ_AGAIN_AFTER: u32 = 60;

/// An alarm that a policy names, and that the list of alarms does not hold, is gone; but not in the first moments
/// after its policy was put, when the list may not show it yet.
const SETTLES_AFTER: TimeDelta = TimeDelta::minutes(2);

impl Observer {
    /// Looks through these ports.
    #[must_use]
    pub fn new(ports: ScopePorts) -> Self {
        Self {
            ports,
            known: BTreeMap::new(),
            policies: PolicyCache::default(),
            named: BTreeMap::new(),
            has_looked: false,
        }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &ScopePorts {
        &self.ports
    }

    /// Tells that something was written: what is known of policies is no longer true.
    pub fn forget_policies(&mut self) {
        self.policies.forget();
    }

    /// Reads endpoints, targets, policies and alarms. What can not be read becomes a gap, and the rest goes on.
    pub async fn observe(&mut self, fleet: &DesiredFleet, now: DateTime<Utc>) -> Observation {
        let owned = alarm_prefix(&fleet.manage.owner);
        let adopted = fleet.adopted_alarms();
        let (endpoints, targets, trackers, ours, adopted) = tokio::join!(
            self.ports.endpoints.endpoints(),
            self.ports.scaling.targets(),
            self.ports.alarms.alarms(TRACKING_ALARMS),
            self.ports.alarms.alarms(&owned),
            self.ports.alarms.alarms_named(&adopted),
        );
        let ours = both(ours, adopted);
        let world = fingerprint(&targets, [&trackers, &ours]);
        let policies = match self.policies.reuse(world, now) {
            Some(known) => Listing::complete(known),
            None => {
                let listing = self.ports.scaling.policies().await;
                self.policies.keep(&listing, world, now);
                listing
            }
        };
        let mut gaps = Vec::new();
        let mut note = |part: Part, error: Option<ApiError>| {
            gaps.extend(error.map(|error| Gap {
                part,
                why: error.to_string(),
            }));
        };
        note(Part::Endpoints, endpoints.gap);
        note(Part::Targets, targets.gap);
        note(Part::Policies, policies.gap);
        note(Part::Alarms, trackers.gap.or(ours.gap));
        let needed = Observation::endpoints_of(fleet.targets.keys());
        let mut seen = BTreeMap::new();
        for summary in endpoints.items {
            let mut endpoint = ObservedEndpoint {
                name: summary.name.clone(),
                status: summary.status.clone(),
                created: summary.created,
                modified: summary.modified,
                variants: None,
            };
            if needed.contains(&summary.name) {
                match self.variants(&summary).await {
                    Ok(variants) => endpoint.variants = Some(variants),
                    Err(error) => gaps.push(Gap {
                        part: Part::Variants(summary.name.clone()),
                        why: error.to_string(),
                    }),
                }
            }
            seen.insert(summary.name, endpoint);
        }
        self.known.retain(|name, _| seen.contains_key(name));
        let mut held = BTreeMap::new();
        for policy in self.settle(policies.items, now) {
            let of_target: &mut BTreeMap<_, _> = held.entry(policy.target.clone()).or_default();
            of_target.insert(policy.name.clone(), policy);
        }
        Observation {
            scope: fleet.scope.clone(),
            at: now,
            endpoints: seen,
            targets: targets
                .items
                .into_iter()
                .map(|t| (t.id.clone(), t))
                .collect(),
            policies: held,
            alarms: trackers
                .items
                .into_iter()
                .chain(ours.items)
                .map(|alarm| (alarm.name.clone(), alarm))
                .collect(),
            gaps,
        }
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

    async fn variants(
        &mut self,
        summary: &EndpointSummary,
    ) -> Result<BTreeMap<VariantName, ObservedVariant>, ApiError> {
        let settled = summary.status == EndpointStatus::InService;
        if let Some(known) = self.known.get_mut(&summary.name) {
            let same = (known.created, known.modified) == (summary.created, summary.modified);
            if settled && same && known.looks < READ_AGAIN_AFTER {
                known.looks += 1;
                return Ok(known.variants.clone());
            }
        }
        let variants = self.ports.endpoints.variants(&summary.name).await?;
        if settled {
            let known = Known {
                created: summary.created,
                modified: summary.modified,
                // The first time they are read all at once; from then on not all in one and the same look.
                looks: match self.known.get(&summary.name) {
                    Some(_) => 0,
                    None => spread(summary.name.as_str(), READ_AGAIN_AFTER),
                },
                variants: variants.clone(),
            };
            self.known.insert(summary.name.clone(), known);
        } else {
            self.known.remove(&summary.name);
        }
        Ok(variants)
    }
}

/// Two listings as one.
pub(super) fn both<T>(mut one: Listing<T>, other: Listing<T>) -> Listing<T> {
    one.items.extend(other.items);
    one.gap = one.gap.or(other.gap);
    one
}

/// A number below `among` that depends on the name alone.
fn spread(name: &str, among: u32) -> u32 {
    let mix = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte));
    name.bytes().fold(7, mix) % among.max(1)
}
