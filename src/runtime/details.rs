//! What is read of endpoints and components one by one, and remembered while the lists show no change.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::{
    ComponentName, DesiredFleet, EndpointDetails, EndpointName, EndpointStatus, Gap, Metric,
    ObservedComponent, ObservedConfig, ObservedEndpoint, ObservedVariant, Part, Policy, PolicyKind,
    Running, TargetId,
};
use crate::ports::{ApiError, EndpointSummary, ScopePorts};

/// Remembers, because each of these is one call, at 5 a second for everyone in the account (aws-autoscaling.md 5.1).
#[derive(Debug, Default)]
pub(super) struct Details {
    endpoints: BTreeMap<EndpointName, Known<EndpointDetails>>,
    components: BTreeMap<ComponentName, Known<Running>>,
    /// Configs never change; the name alone may be given to another one, with another endpoint or deployment.
    configs: BTreeMap<EndpointName, (Version, String, ObservedConfig)>,
    tags: BTreeMap<EndpointName, (DateTime<Utc>, u32, Tags)>,
}

type Tags = BTreeMap<String, String>;

/// When it was created and last changed.
type Version = (DateTime<Utc>, DateTime<Utc>);

#[derive(Debug, Clone)]
struct Known<T> {
    version: Version,
    looks: u32,
    value: T,
}

/// After so many looks it is read again even if the list shows no change: whether every change of capacity moves the
/// list's time is not documented.
const READ_AGAIN_AFTER: u32 = 60;
/// Changed tags move no time that a list shows.
const READ_TAGS_AGAIN_AFTER: u32 = 30;
/// So many configs are read in one look when nothing waits for them.
const CONFIGS_PER_LOOK: usize = 20;

/// What a look is to find out of which endpoint.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    fleet: &'a DesiredFleet,
    /// Endpoints with targets that are not registered, or whose policies count cores: their configs can not wait.
    urgent: BTreeSet<&'a EndpointName>,
    counts_cores: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(fleet: &'a DesiredFleet, is_registered: impl Fn(&TargetId) -> bool) -> Self {
        let urgent = fleet.targets.values().filter(|target| {
            !is_registered(&target.id) || target.policies.iter().any(counts_cores)
        });
        let templates = fleet.selections.iter().map(|s| &s.template);
        Self {
            fleet,
            urgent: urgent.filter_map(|t| t.id.endpoint()).collect(),
            counts_cores: templates.flat_map(|t| &t.policies).any(counts_cores),
        }
    }

    fn is_declared(&self, name: &EndpointName) -> bool {
        let mut ids = self.fleet.targets.keys();
        ids.any(|id| id.endpoint() == Some(name))
    }

    fn may_be_selected(&self, name: &EndpointName) -> bool {
        let mut selections = self.fleet.selections.iter();
        selections.any(|s| s.selector.may_mean(name.as_str()))
    }

    fn tags(&self, name: &EndpointName) -> bool {
        let mut selections = self.fleet.selections.iter();
        selections.any(|s| !s.selector.tags.is_empty() && s.selector.may_mean(name.as_str()))
    }

    fn component(&self, component: &ObservedComponent) -> bool {
        let id = TargetId::Copies {
            component: component.name.clone(),
        };
        let glob_means = |s: &crate::domain::Selection| {
            let named = s.selector.component.as_ref();
            named.is_some_and(|glob| glob.matches(component.name.as_str()))
        };
        self.fleet.targets.contains_key(&id) || self.fleet.selections.iter().any(glob_means)
    }

    /// Whether components are of any interest.
    pub(super) fn components(&self) -> bool {
        let declared = |id: &TargetId| matches!(id, TargetId::Copies { .. });
        self.fleet.targets.keys().any(declared)
            || self
                .fleet
                .selections
                .iter()
                .any(|s| s.selector.component.is_some())
    }
}

/// Whether the policy's target is to be multiplied by the number of cores.
fn counts_cores(policy: &Policy) -> bool {
    matches!(&policy.kind, PolicyKind::TargetTracking(t) if t.of_all_cores && matches!(t.metric, Metric::Custom(_)))
}

impl Details {
    /// Reads what is wanted of each endpoint. What fails becomes a gap.
    pub(super) async fn endpoints(
        &mut self,
        ports: &ScopePorts,
        listed: Vec<EndpointSummary>,
        wanted: &Wanted<'_>,
        gaps: &mut Vec<Gap>,
    ) -> BTreeMap<EndpointName, ObservedEndpoint> {
        let mut seen = BTreeMap::new();
        let mut configs_left = CONFIGS_PER_LOOK;
        for summary in listed {
            let name = summary.name.clone();
            let mut endpoint = ObservedEndpoint {
                name: name.clone(),
                status: summary.status.clone(),
                created: summary.created,
                modified: summary.modified,
                details: None,
                config: None,
                tags: None,
            };
            let mut note = |part: Part, error: &ApiError| {
                gaps.push(Gap {
                    part,
                    why: error.to_string(),
                });
            };
            if wanted.tags(&name) {
                match self.tags(ports, &summary).await {
                    Ok(tags) => endpoint.tags = Some(tags),
                    Err(error) => note(Part::Tags(name.clone()), &error),
                }
            }
            if wanted.is_declared(&name) || wanted.may_be_selected(&name) {
                match self.details(ports, &summary).await {
                    Ok(details) => endpoint.details = Some(details),
                    Err(error) => note(Part::Variants(name.clone()), &error),
                }
            }
            if let Some(details) = &endpoint.details {
                let urgent = wanted.urgent.contains(&name) || wanted.counts_cores;
                let config = self.config(ports, &summary, details, urgent, &mut configs_left);
                match config.await {
                    Ok(config) => endpoint.config = config,
                    Err(error) => note(Part::Config(name.clone()), &error),
                }
            }
            tell_hosts(&mut endpoint);
            seen.insert(name, endpoint);
        }
        self.endpoints.retain(|name, _| seen.contains_key(name));
        self.configs.retain(|name, _| seen.contains_key(name));
        self.tags.retain(|name, _| seen.contains_key(name));
        seen
    }

    /// Reads the copies of the components that are wanted.
    pub(super) async fn components(
        &mut self,
        ports: &ScopePorts,
        listed: Vec<ObservedComponent>,
        wanted: &Wanted<'_>,
        gaps: &mut Vec<Gap>,
    ) -> BTreeMap<ComponentName, ObservedComponent> {
        let mut seen = BTreeMap::new();
        for mut component in listed {
            if wanted.component(&component) {
                match self.copies(ports, &component).await {
                    Ok(copies) => component.copies = Some(copies),
                    Err(error) => gaps.push(Gap {
                        part: Part::Copies(component.name.clone()),
                        why: error.to_string(),
                    }),
                }
            }
            seen.insert(component.name.clone(), component);
        }
        self.components.retain(|name, _| seen.contains_key(name));
        seen
    }

    async fn details(
        &mut self,
        ports: &ScopePorts,
        summary: &EndpointSummary,
    ) -> Result<EndpointDetails, ApiError> {
        let name = &summary.name;
        let version = (summary.created, summary.modified);
        let settled = summary.status == EndpointStatus::InService;
        if let Some(known) = recall(&mut self.endpoints, name, version, settled) {
            return Ok(known);
        }
        let details = ports.endpoints.endpoint(name).await?;
        let key = (name.clone(), name.as_str().to_owned());
        remember(&mut self.endpoints, key, version, settled, &details);
        Ok(details)
    }

    async fn copies(
        &mut self,
        ports: &ScopePorts,
        component: &ObservedComponent,
    ) -> Result<Running, ApiError> {
        let name = &component.name;
        let version = (component.created, component.modified);
        let settled = component.status == EndpointStatus::InService;
        if let Some(known) = recall(&mut self.components, name, version, settled) {
            return Ok(known);
        }
        let copies = ports.endpoints.copies(name).await?;
        let key = (name.clone(), name.as_str().to_owned());
        remember(&mut self.components, key, version, settled, &copies);
        Ok(copies)
    }

    async fn config(
        &mut self,
        ports: &ScopePorts,
        summary: &EndpointSummary,
        details: &EndpointDetails,
        urgent: bool,
        left: &mut usize,
    ) -> Result<Option<ObservedConfig>, ApiError> {
        if details.config.is_empty() {
            return Ok(None);
        }
        let held = self.configs.get(&summary.name);
        if let Some(((created, _), name, config)) = held
            && (*created, name) == (summary.created, &details.config)
        {
            return Ok(Some(config.clone()));
        }
        if !urgent && *left == 0 {
            return Ok(None);
        }
        *left = left.saturating_sub(1);
        let config = ports.endpoints.config(&details.config).await?;
        let version = (summary.created, summary.modified);
        let known = (version, details.config.clone(), config.clone());
        self.configs.insert(summary.name.clone(), known);
        Ok(Some(config))
    }

    async fn tags(
        &mut self,
        ports: &ScopePorts,
        summary: &EndpointSummary,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        if let Some((created, looks, tags)) = self.tags.get_mut(&summary.name)
            && *created == summary.created
            && *looks < READ_TAGS_AGAIN_AFTER
        {
            *looks += 1;
            return Ok(tags.clone());
        }
        let tags = ports.endpoints.tags(&summary.arn).await?;
        let looks = match self.tags.get(&summary.name) {
            Some(_) => 0,
            None => spread(summary.name.as_str(), READ_TAGS_AGAIN_AFTER),
        };
        let known = (summary.created, looks, tags.clone());
        self.tags.insert(summary.name.clone(), known);
        Ok(tags)
    }
}

/// A variant whose config names no model hosts components, also before any is there.
fn tell_hosts(endpoint: &mut ObservedEndpoint) {
    let (Some(details), Some(config)) = (&mut endpoint.details, &endpoint.config) else {
        return;
    };
    for (name, variant) in &mut details.variants {
        let hosts = config.variants.get(name).is_some_and(|v| !v.has_model);
        if let (true, ObservedVariant::Instances(running)) = (hosts, &variant) {
            *variant = ObservedVariant::Components(*running);
        }
    }
}

fn recall<K: Ord, T: Clone>(
    known: &mut BTreeMap<K, Known<T>>,
    key: &K,
    version: Version,
    settled: bool,
) -> Option<T> {
    let held = known.get_mut(key)?;
    if settled && held.version == version && held.looks < READ_AGAIN_AFTER {
        held.looks += 1;
        return Some(held.value.clone());
    }
    None
}

fn remember<K: Ord, T: Clone>(
    known: &mut BTreeMap<K, Known<T>>,
    (key, name): (K, String),
    version: Version,
    settled: bool,
    value: &T,
) {
    if !settled {
        known.remove(&key);
        return;
    }
    // The first time they are read all at once; from then on not all in one and the same look.
    let looks = match known.get(&key) {
        Some(_) => 0,
        None => spread(&name, READ_AGAIN_AFTER),
    };
    let value = value.clone();
    known.insert(
        key,
        Known {
            version,
            looks,
            value,
        },
    );
}

/// A number below `among` that depends on the name alone.
fn spread(name: &str, among: u32) -> u32 {
    let mix = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte));
    name.bytes().fold(7, mix) % among.max(1)
}
