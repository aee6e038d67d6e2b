//! Which resources may be registered, and with which bounds (aws-autoscaling.md 2.1).

use super::super::error::ApiError;
use super::super::fleet::{Endpoint, Variant};
use super::super::kinds::Hosting;
use super::super::scaling::{CONCURRENCY, COPIES, INSTANCES, Resource};
use super::super::world::World;
use super::targets::Ids;

/// Bounds that a registration asks for, the lower one first.
type Wanted = (u32, u32);

impl World {
    /// The resource that ids of one of the three forms name, whether it is there or not.
    pub(super) fn resource_of(&self, ids: &Ids<'_>) -> Result<Resource, ApiError> {
        let parts: Vec<&str> = ids.resource_id.split('/').collect();
        match (ids.dimension, parts.as_slice()) {
            (INSTANCES | CONCURRENCY, ["endpoint", endpoint, "variant", variant]) => {
                Ok(Resource::Variant {
                    endpoint: (*endpoint).to_owned(),
                    variant: (*variant).to_owned(),
                    index: self.fleet.index_of(endpoint).unwrap_or(usize::MAX),
                })
            }
            (COPIES, ["inference-component", name]) => Ok(Resource::Component {
                name: (*name).to_owned(),
                index: self.components.index_of(name).unwrap_or(usize::MAX),
            }),
            _ => Err(ApiError::validation(
                "Unsupported service namespace, resource type or scalable dimension",
            )),
        }
    }

    /// Refuses what can not be scaled. The sentences are not AWS's, which are not known.
    pub(super) fn require_scalable(
        &self,
        ids: &Ids<'_>,
        resource: &Resource,
        wanted: Wanted,
    ) -> Result<(), ApiError> {
        let unreadable = |why: String| {
            ApiError::validation(format!(
                "Resource {} could not be read: {why}",
                ids.resource_id
            ))
        };
        let (endpoint, name) = match resource {
            Resource::Component { name, .. } => {
                return match self.components.named(name) {
                    Some(_) => Ok(()),
                    None => Err(unreadable(self.no_component(name).message)),
                };
            }
            Resource::Variant {
                endpoint, variant, ..
            } => (endpoint, variant),
        };
        let serving = self
            .fleet
            .named(endpoint)
            .ok_or_else(|| unreadable(self.no_endpoint(endpoint).message))?;
        if serving.shadows.iter().any(|v| v.name == *name) {
            return Err(unreadable(format!(
                "variant {name} is a shadow variant, which cannot be scaled."
            )));
        }
        let variant = serving
            .variant(name)
            .ok_or_else(|| unreadable(format!("endpoint {endpoint} has no variant {name}.")))?;
        let refusal = if ids.dimension == CONCURRENCY {
            refuse_concurrency(variant, wanted)
        } else {
            let managed = !self.options.hosting_variants_register;
            refuse_instances(serving, variant, wanted, managed)
        };
        refusal.map_or(Ok(()), |why| {
            Err(ApiError::validation(format!("{} {why}", ids.resource_id)))
        })
    }
}

fn refuse_concurrency(variant: &Variant, (min, max): Wanted) -> Option<String> {
    let Hosting::Serverless(it) = variant.hosting else {
        return Some("is not serverless and has no provisioned concurrency.".to_owned());
    };
    let most = it.max_concurrency;
    if it.provisioned.is_none() {
        Some("has no provisioned concurrency.".to_owned())
    } else if min < 1 {
        Some("needs a minimum capacity of at least 1.".to_owned())
    } else if max > most {
        Some(format!(
            "cannot have a maximum capacity above its MaxConcurrency, {most}."
        ))
    } else {
        None
    }
}

fn refuse_instances(
    endpoint: &Endpoint,
    variant: &Variant,
    (min, _): Wanted,
    refuse_hosting: bool,
) -> Option<String> {
    match variant.hosting {
        Hosting::Serverless(_) => {
            return Some("is serverless and has no instances.".to_owned());
        }
        Hosting::Components { .. } if refuse_hosting => {
            return Some(
                "hosts inference components, whose copies are to be scaled instead.".to_owned(),
            );
        }
        Hosting::Instances | Hosting::Components { .. } => {}
    }
    let instance_type = variant.instance_type.as_deref().unwrap_or_default();
    if is_burstable(instance_type) {
        return Some(format!(
            "runs on burstable instances, {instance_type}, which cannot be scaled."
        ));
    }
    (min == 0 && endpoint.queue.is_none())
        .then(|| "needs a minimum capacity of at least 1.".to_owned())
}

/// The T family: `ml.t2.medium`, `ml.t3.large`.
fn is_burstable(instance_type: &str) -> bool {
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    family
        .strip_prefix('t')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_t_family_is_burstable() {
        assert!(is_burstable("ml.t2.medium") && is_burstable("ml.t3.large"));
        assert!(!is_burstable("ml.trn1.2xlarge") && !is_burstable("ml.m5.large"));
        assert!(!is_burstable(""));
    }
}
