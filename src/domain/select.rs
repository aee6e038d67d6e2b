//! Targets that are declared by a description, not by name: whatever fits it, also what is made tomorrow.

use std::collections::BTreeMap;
use std::fmt;

use wildmatch::WildMatch;

use super::desired::{DesiredFleet, DesiredTarget};
use super::endpoint::{EndpointKind, ObservedComponent, ObservedEndpoint, cores_of};
use super::observed::{Observation, Part};
use super::policy::PolicyKind;
use super::scalable::variant_refuses;
use super::target::{Dimension, TargetId};
use super::value::TargetValue;

/// A pattern with `*` and `?`, matched against a whole name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob(String);

impl Glob {
    /// A pattern. Every text is one.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern that fits every name.
    #[must_use]
    pub fn any() -> Self {
        Self::new("*")
    }

    /// Whether the whole of `name` fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        WildMatch::new(&self.0).matches(name)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which targets are meant. Everything that is said must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The endpoint's name; for components, that of the endpoint that hosts them.
    pub endpoint: Glob,
    /// The variant's name.
    pub variant: Glob,
    /// The component's name, where copies of components are meant.
    pub component: Option<Glob>,
    /// Tags of the endpoint.
    pub tags: BTreeMap<String, Glob>,
    /// What kind of endpoint.
    pub kind: Option<EndpointKind>,
    /// What of it is to scale.
    pub dimension: Dimension,
}

/// The selector as the config says it, in one line.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "select endpoint {}", self.endpoint)?;
        if self.variant != Glob::any() {
            write!(f, ", variant {}", self.variant)?;
        }
        if let Some(component) = &self.component {
            write!(f, ", component {component}")?;
        }
        for (key, value) in &self.tags {
            write!(f, ", tag {key}={value}")?;
        }
        if let Some(kind) = self.kind {
            write!(f, ", kind {}", kind.name())?;
        }
        Ok(())
    }
}

impl Selector {
    /// Whether an endpoint of this name may be meant, as far as the name tells.
    #[must_use]
    pub fn may_mean(&self, endpoint: &str) -> bool {
        self.endpoint.matches(endpoint)
    }

    /// Whether the endpoint is meant; `None` when something about it is not known.
    fn means_endpoint(&self, endpoint: &ObservedEndpoint) -> Option<bool> {
        if !self.may_mean(endpoint.name.as_str()) {
            return Some(false);
        }
        if !self.tags.is_empty() {
            let held = endpoint.tags.as_ref()?;
            let fits = |(key, glob): (&String, &Glob)| {
                held.get(key).is_some_and(|value| glob.matches(value))
            };
            if !self.tags.iter().all(fits) {
                return Some(false);
            }
        }
        let details = endpoint.details.as_ref()?;
        Some(self.kind.is_none_or(|kind| kind == details.kind()))
    }

    fn means_component(&self, component: &ObservedComponent) -> bool {
        let named = self.component.as_ref();
        named.is_some_and(|glob| glob.matches(component.name.as_str()))
            && self.variant.matches(component.variant.as_str())
    }

    /// The targets that are meant among what was seen.
    fn picks(&self, observed: &Observation) -> Vec<TargetId> {
        let mut picked = Vec::new();
        for endpoint in observed.endpoints.values() {
            if self.means_endpoint(endpoint) != Some(true) {
                continue;
            }
            if self.component.is_some() {
                let hosted = observed.components.values();
                let meant =
                    hosted.filter(|c| c.endpoint == endpoint.name && self.means_component(c));
                picked.extend(meant.map(|c| TargetId::Copies {
                    component: c.name.clone(),
                }));
                continue;
            }
            let variants = endpoint.details.iter().flat_map(|d| &d.variants);
            let fitting = variants.filter(|(name, variant)| {
                self.variant.matches(name.as_str())
                    && variant_refuses(variant, self.dimension).is_none()
            });
            picked.extend(fitting.map(|(name, _)| {
                let (endpoint, variant) = (endpoint.name.clone(), name.clone());
                match self.dimension {
                    Dimension::ProvisionedConcurrency => {
                        TargetId::ProvisionedConcurrency { endpoint, variant }
                    }
                    Dimension::Instances | Dimension::Copies => {
                        TargetId::Instances { endpoint, variant }
                    }
                }
            }));
        }
        picked
    }

    /// Whether a target that was selected before may be meant still, only that it could not be seen.
    fn may_still_mean(&self, id: &TargetId, observed: &Observation) -> bool {
        if let TargetId::Copies { component } = id
            && observed.gap(&Part::Components).is_some()
        {
            return !observed.components.contains_key(component);
        }
        let Some(endpoint) = observed.endpoint_of(id) else {
            return false;
        };
        match observed.endpoints.get(endpoint) {
            None => observed.gap(&Part::Endpoints).is_some(),
            Some(seen) => self.means_endpoint(seen).is_none(),
        }
    }
}

/// A selector, and what is declared for each target that it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Which targets.
    pub selector: Selector,
    /// What is declared, written for [`placeholder`]; see [`DesiredTarget::for_target`].
    pub template: DesiredTarget,
}

/// Targets that selections picked, each with the number of its selection.
pub type Picked = BTreeMap<TargetId, usize>;

/// A name as long as names get, so that what fits with it fits with every name.
const STAND_IN: &str = "any-0123456789012345678901234567890123456789012345678901234-any";

/// The target that stands in a selection's template for those that it will select.
#[must_use]
pub fn placeholder(dimension: Dimension) -> Option<TargetId> {
    let (endpoint, variant) = (STAND_IN.parse().ok()?, STAND_IN.parse().ok()?);
    Some(match dimension {
        Dimension::Instances => TargetId::Instances { endpoint, variant },
        Dimension::ProvisionedConcurrency => TargetId::ProvisionedConcurrency { endpoint, variant },
        Dimension::Copies => TargetId::Copies {
            component: STAND_IN.parse().ok()?,
        },
    })
}

/// The fleet with every selection worked into targets, and shares of cores into numbers, as far as they are known.
///
/// A target that is declared by name is not selected; of two selections the first one counts. What was picked before
/// and can not be seen now stays: a partial look lets nothing go.
#[must_use]
pub fn expand(declared: &DesiredFleet, observed: &Observation, before: &Picked) -> DesiredFleet {
    let mut fleet = declared.clone();
    let mut picked = Picked::new();
    for (number, selection) in declared.selections.iter().enumerate() {
        let selector = &selection.selector;
        let held = before.iter().filter(|(_, from)| **from == number);
        let unseen = held
            .map(|(id, _)| id.clone())
            .filter(|id| selector.may_still_mean(id, observed));
        for id in selector.picks(observed).into_iter().chain(unseen) {
            let wanted = fleet.only.as_ref().is_none_or(|only| id.matches(only));
            if wanted && !fleet.targets.contains_key(&id) {
                let target = selection.template.for_target(&id);
                fleet.targets.insert(id.clone(), target);
                picked.insert(id, number);
            }
        }
    }
    for target in fleet.targets.values_mut() {
        work_out_cores(target, observed);
    }
    fleet.picked = picked;
    fleet
}

/// Turns percents of all cores into what the metric counts, percents of one core, where the instance type is known.
fn work_out_cores(target: &mut DesiredTarget, observed: &Observation) {
    let TargetId::Instances { endpoint, variant } = &target.id else {
        return;
    };
    let seen = observed.endpoints.get(endpoint);
    let cores = seen.and_then(|e| cores_of(e.instance_type(variant)?));
    let Some(cores) = cores else {
        return;
    };
    for policy in &mut target.policies {
        if let PolicyKind::TargetTracking(tracking) = &mut policy.kind
            && tracking.of_all_cores
            && let Ok(value) = TargetValue::new(tracking.target.get() * f64::from(cores))
        {
            tracking.target = value;
            tracking.of_all_cores = false;
        }
    }
}
