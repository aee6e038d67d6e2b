//! What can not be scaled as declared, told from what was seen (aws-autoscaling.md 2.1).

use super::bounds::{Bounds, Capacity};
use super::endpoint::{EndpointDetails, ObservedEndpoint, ObservedVariant, is_burstable};
use super::name::VariantName;
use super::observed::Observation;
use super::target::{Dimension, TargetId};

/// Why AWS would refuse a target, or should not be given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unscalable {
    /// Instances of the T family can not be scaled.
    Burstable(String),
    /// The variant is serverless, and instances are declared.
    Serverless,
    /// Provisioned concurrency is declared, and the variant runs on instances.
    NotServerless,
    /// The variant is serverless without provisioned concurrency: it scales by itself, and AWS takes no target.
    OnDemand,
    /// The variant hosts inference components: SageMaker sets its instances, and their copies are what scales.
    HostsComponents,
    /// The variant is a shadow.
    Shadow,
    /// Only asynchronous endpoints go down to zero instances.
    RealTimeAtZero,
    /// Provisioned concurrency does not go down to zero.
    ConcurrencyAtZero,
    /// Provisioned concurrency can not go above the variant's `MaxConcurrency`.
    AboveMaxConcurrency(Capacity),
}

impl Unscalable {
    /// Whether other bounds would help.
    #[must_use]
    pub fn is_about_bounds(&self) -> bool {
        match self {
            Self::RealTimeAtZero | Self::ConcurrencyAtZero | Self::AboveMaxConcurrency(_) => true,
            Self::Burstable(_)
            | Self::Serverless
            | Self::NotServerless
            | Self::OnDemand
            | Self::HostsComponents
            | Self::Shadow => false,
        }
    }
}

/// Why a target can not have these bounds, or can not be one at all. What was not seen speaks against nothing.
#[must_use]
pub fn unscalable(id: &TargetId, bounds: Bounds, observed: &Observation) -> Option<Unscalable> {
    let (endpoint, variant) = id.endpoint().zip(id.variant())?;
    let seen = observed.endpoints.get(endpoint)?;
    let details = seen.details.as_ref()?;
    let held = details.variants.get(variant)?;
    variant_refuses(held, id.dimension())
        .or_else(|| burstable(seen, variant))
        .or_else(|| bounds_refused(details, held, bounds))
}

/// Why a variant has no target of this dimension.
pub(super) fn variant_refuses(
    variant: &ObservedVariant,
    dimension: Dimension,
) -> Option<Unscalable> {
    match (variant, dimension) {
        (ObservedVariant::Shadow, _) => Some(Unscalable::Shadow),
        (ObservedVariant::Components(_), _) => Some(Unscalable::HostsComponents),
        (ObservedVariant::Instances(_), Dimension::ProvisionedConcurrency) => {
            Some(Unscalable::NotServerless)
        }
        (ObservedVariant::Serverless { .. }, Dimension::Instances) => Some(Unscalable::Serverless),
        (ObservedVariant::Serverless { provisioned, .. }, _) => {
            provisioned.is_none().then_some(Unscalable::OnDemand)
        }
        (ObservedVariant::Instances(_), _) => None,
    }
}

fn burstable(endpoint: &ObservedEndpoint, variant: &VariantName) -> Option<Unscalable> {
    let instance_type = endpoint.instance_type(variant)?;
    is_burstable(instance_type).then(|| Unscalable::Burstable(instance_type.to_owned()))
}

fn bounds_refused(
    details: &EndpointDetails,
    variant: &ObservedVariant,
    bounds: Bounds,
) -> Option<Unscalable> {
    let at_zero = bounds.min() == Capacity::ZERO;
    match variant {
        ObservedVariant::Instances(_) => {
            (at_zero && !details.is_async).then_some(Unscalable::RealTimeAtZero)
        }
        ObservedVariant::Serverless { .. } if at_zero => Some(Unscalable::ConcurrencyAtZero),
        ObservedVariant::Serverless {
            max_concurrency, ..
        } => max_concurrency
            .filter(|limit| bounds.max() > *limit)
            .map(Unscalable::AboveMaxConcurrency),
        ObservedVariant::Components(_) | ObservedVariant::Shadow => None,
    }
}
