//! What a target scales: reading it and setting it, whatever it is (aws-autoscaling.md 2.1, 3.8).

use super::change::{Change, Status};
use super::fleet::{Endpoint, Fleet};
use super::kinds::Hosting;
use super::limits::{Growth, quoted};
use super::scaling::Resource;
use super::time::Span;
use super::world::World;

/// How a resource stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) current: u32,
    pub(crate) desired: u32,
    /// Whether it can be changed now.
    pub(crate) scalable: bool,
}

impl World {
    /// How a resource stands; nothing when it is gone.
    pub(crate) fn standing(&self, resource: &Resource) -> Option<Standing> {
        match resource {
            Resource::Variant {
                endpoint,
                variant,
                index,
            } => {
                let serving = self.fleet.remembered(*index, endpoint)?;
                let held = serving.variant(variant)?;
                Some(Standing {
                    current: held.current,
                    desired: held.desired,
                    scalable: serving.status == Status::InService,
                })
            }
            Resource::Component { name, index } => self.component_standing(*index, name),
        }
    }

    /// Has SageMaker set a capacity on behalf of an activity.
    ///
    /// # Errors
    /// Why it is refused whole, as the activity will quote it.
    pub(crate) fn set_capacity(
        &mut self,
        resource: &Resource,
        to: u32,
        activity: u64,
    ) -> Result<(), String> {
        match resource {
            Resource::Variant {
                endpoint, variant, ..
            } => self.set_variant(endpoint, variant, to, activity),
            Resource::Component { name, .. } => {
                let request_id = self.new_uuid();
                self.set_copies(name, to, Some(activity))
                    .map_err(|refusal| quoted(&refusal, &request_id))
            }
        }
    }

    fn set_variant(
        &mut self,
        endpoint: &str,
        variant: &str,
        to: u32,
        activity: u64,
    ) -> Result<(), String> {
        let (now, chance, scale_in) = (self.now, self.chance, self.options.scale_in);
        let gone = || "The resource is gone.".to_owned();
        let index = self.fleet.index_of(endpoint).ok_or_else(gone)?;
        let serving = self.fleet.get(index).ok_or_else(gone)?;
        let held = serving.variant(variant).ok_or_else(gone)?;
        // A registration would have refused the bounds that lead here; those of a scheduled action are not looked at
        // before it runs.
        match held.hosting {
            Hosting::Instances if to == 0 && serving.queue.is_none() => {
                return Err(format!(
                    "The instance count of variant {variant} must be at least 1."
                ));
            }
            Hosting::Serverless(it) if to < 1 || to > it.max_concurrency => {
                return Err(format!(
                    "ProvisionedConcurrency {to} of variant {variant} must be between 1 and its MaxConcurrency {}.",
                    it.max_concurrency
                ));
            }
            Hosting::Instances | Hosting::Serverless(_) | Hosting::Components { .. } => {}
        }
        let span = Fleet::capacity_span(serving, held, to > held.current, scale_in, now, chance);
        let growth = instances_beyond(serving, variant, to);
        if let Some(refusal) = self.over_quota(&growth) {
            let request_id = self.new_uuid();
            return Err(quoted(&refusal, &request_id));
        }
        let doomed = self.is_short_of(&growth);
        let variants = self.fleet.get_mut(index).map(|e| &mut e.variants);
        if let Some(held) = variants.into_iter().flatten().find(|v| v.name == variant) {
            held.desired = to;
        }
        let activity = Some(activity);
        self.start_change(index, Change::Capacity { activity, doomed }, span);
        Ok(())
    }

    /// A change found no instances: the endpoint rolls back, and the activity that asked for it has failed.
    pub(crate) fn roll_back(&mut self, endpoint: usize, activity: Option<u64>) {
        if let Some(number) = activity {
            self.fail_activity(number, super::limits::NO_CAPACITY);
        }
        let span: Span = self.options.roll_back;
        self.start_change(endpoint, Change::RollBack, span);
    }
}

/// Instances beyond those that run that a variant needs for a count.
pub(crate) fn instances_beyond(endpoint: &Endpoint, variant: &str, to: u32) -> Growth {
    let mut growth = Growth::new();
    if let Some(held) = endpoint.variant(variant) {
        let held_now = held.current.max(held.desired);
        if let (Some(instance_type), false) = (
            &held.instance_type,
            matches!(held.hosting, Hosting::Serverless(_)),
        ) && to > held_now
        {
            growth.insert(instance_type.clone(), to - held_now);
        }
    }
    growth
}
