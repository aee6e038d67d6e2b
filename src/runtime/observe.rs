//! One look at a scope.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::{
    DesiredFleet, EndpointName, EndpointStatus, Gap, Observation, ObservedEndpoint,
    ObservedVariant, Part, VariantName,
};
use crate::ports::{ApiError, EndpointSummary, ScopePorts};

/// Looks at a scope. It remembers the variants of endpoints that have not changed, because DescribeEndpoint is one
/// call per endpoint at 5 a second, while the list shows for all of them when they last changed.
#[derive(Debug)]
pub struct Observer {
    ports: ScopePorts,
    known: BTreeMap<EndpointName, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    created: DateTime<Utc>,
    modified: DateTime<Utc>,
    looks: u32,
    variants: BTreeMap<VariantName, ObservedVariant>,
}

/// After so many looks the variants are read again even if the list shows no change: whether every change of
/// capacity moves the list's time is not documented.
const READ_AGAIN_AFTER: u32 = 10;

impl Observer {
    /// Looks through these ports.
    #[must_use]
    pub fn new(ports: ScopePorts) -> Self {
        Self {
            ports,
            known: BTreeMap::new(),
        }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &ScopePorts {
        &self.ports
    }

    /// Reads endpoints, targets and policies. What can not be read becomes a gap, and the rest goes on.
    pub async fn observe(&mut self, fleet: &DesiredFleet, now: DateTime<Utc>) -> Observation {
        let (endpoints, targets, policies) = tokio::join!(
            self.ports.endpoints.endpoints(),
            self.ports.scaling.targets(),
            self.ports.scaling.policies(),
        );
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
        for policy in policies.items {
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
            gaps,
        }
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
                looks: 0,
                variants: variants.clone(),
            };
            self.known.insert(summary.name.clone(), known);
        } else {
            self.known.remove(&summary.name);
        }
        Ok(variants)
    }
}
