//! Copies of components, and the instances that follow them (aws-autoscaling.md 3.9, 5.5).

use super::chance::Purpose;
use super::change::Status;
use super::component::{Component, ComponentStatus, CopiesChange};
use super::error::ApiError;
use super::fleet::Variant;
use super::kinds::Hosting;
use super::limits::{Growth, NO_CAPACITY};
use super::resource::Standing;
use super::time::Span;
use super::world::{Event, World};

/// Why copies found no place, in SageMaker's words.
pub(crate) const NO_HARDWARE: &str = "There is not enough hardware resources on the instances for this endpoint to \
                                      create a copy of the inference component.";

/// What a number of copies needs of the instances.
struct Room {
    /// Instances that all copies on the variant then take.
    instances: u32,
    /// Instances to add.
    growth: Growth,
    /// Why there will not be enough.
    doomed: Option<&'static str>,
}

impl World {
    pub(crate) fn component_standing(&self, index: usize, name: &str) -> Option<Standing> {
        let component = self
            .components
            .get(index)
            .filter(|c| c.name == name)
            .or_else(|| self.components.named(name))?;
        let endpoint = self.fleet.get(component.endpoint_index);
        let in_service = endpoint.is_some_and(|e| e.status == Status::InService);
        Some(Standing {
            current: component.current,
            desired: component.desired,
            scalable: in_service && component.status == ComponentStatus::InService,
        })
    }

    /// The variant that hosts a component.
    pub(crate) fn host_of(&self, component: &Component) -> Option<&Variant> {
        self.fleet
            .get(component.endpoint_index)?
            .variant(&component.variant)
    }

    fn host_mut(&mut self, component: usize) -> Option<&mut Variant> {
        let component = self.components.get(component)?;
        let endpoint = self.fleet.get_mut(component.endpoint_index)?;
        let name = &component.variant;
        endpoint.variants.iter_mut().find(|v| v.name == *name)
    }

    /// Instances that the copies on a variant take, whole ones; `other` has a number of copies of its own.
    fn instances_taken(&self, endpoint: usize, variant: &str, other: Option<(usize, u32)>) -> u32 {
        let copies = |c: &Component| match other {
            Some((index, copies)) if self.components.index_of(&c.name) == Some(index) => copies,
            _ => c.current.max(c.desired),
        };
        let taken: f64 = self
            .components
            .iter()
            .filter(|c| c.endpoint_index == endpoint && c.variant == variant)
            .map(|c| c.instances_for(copies(c)))
            .sum();
        // Thirds of an instance do not add up exactly.
        crate::num::ceil_to_u32(taken - 1e-9)
    }

    fn room_for(&self, index: usize, copies: u32) -> Option<Room> {
        let component = self.components.get(index)?;
        let host = self.host_of(component)?;
        let Hosting::Components { max, .. } = host.hosting else {
            return None;
        };
        let other = Some((index, copies));
        let instances = self.instances_taken(component.endpoint_index, &component.variant, other);
        let held = host.current.max(host.desired);
        let mut growth = Growth::new();
        if let (Some(instance_type), true) = (&host.instance_type, instances > held) {
            growth.insert(instance_type.clone(), instances - held);
        }
        let doomed = if instances > max && copies > component.current {
            Some(NO_HARDWARE)
        } else if self.is_short_of(&growth) {
            Some(NO_CAPACITY)
        } else {
            None
        };
        Some(Room {
            instances,
            growth,
            doomed,
        })
    }

    /// Has SageMaker set the copies of a component, on behalf of an activity if there is one.
    ///
    /// # Errors
    /// Why it is refused whole.
    pub(crate) fn set_copies(
        &mut self,
        name: &str,
        to: u32,
        activity: Option<u64>,
    ) -> Result<(), String> {
        let gone = || "The resource is gone.".to_owned();
        let index = self.components.index_of(name).ok_or_else(gone)?;
        self.change_copies(index, to, activity, ComponentStatus::Updating)
    }

    /// Puts copies in service at once, with the instances that they need.
    ///
    /// # Errors
    /// `ValidationException` when the variant may not have as many.
    pub(crate) fn place_at_once(&mut self, index: usize, copies: u32) -> Result<(), ApiError> {
        let refuse = |why: &str| Err(ApiError::validation(why));
        let Some(room) = self.room_for(index, copies) else {
            return refuse("The component's variant hosts no components.");
        };
        if let Some(why) = room.doomed {
            return refuse(why);
        }
        if let Some(host) = self.host_mut(index) {
            host.desired = host.desired.max(room.instances);
            host.current = host.desired;
        }
        if let Some(component) = self.components.get_mut(index) {
            (component.current, component.desired) = (copies, copies);
        }
        Ok(())
    }

    /// Starts a change of copies, and of the instances that they need.
    pub(crate) fn change_copies(
        &mut self,
        index: usize,
        to: u32,
        activity: Option<u64>,
        status: ComponentStatus,
    ) -> Result<(), String> {
        let room = self
            .room_for(index, to)
            .ok_or_else(|| "The component's endpoint is gone.".to_owned())?;
        if let (Some(refusal), None) = (self.over_quota(&room.growth), room.doomed) {
            return Err(refusal);
        }
        let span = self.copies_span(index, to, !room.growth.is_empty());
        if let (Some(host), None) = (self.host_mut(index), room.doomed) {
            host.desired = host.desired.max(room.instances);
        }
        if let Some(component) = self.components.get_mut(index) {
            component.desired = to;
        }
        let change = CopiesChange::Copies {
            activity,
            doomed: room.doomed,
        };
        self.start_copies_change(index, change, status, span);
        Ok(())
    }

    pub(crate) fn start_copies_change(
        &mut self,
        index: usize,
        change: CopiesChange,
        status: ComponentStatus,
        span: Span,
    ) {
        if let Some(number) = self.components.start(index, change, status, self.now) {
            let component = index;
            self.schedule(span, Event::CopiesChanged { component, number });
        }
    }

    fn copies_span(&self, index: usize, to: u32, with_instances: bool) -> Span {
        let Some(component) = self.components.get(index) else {
            return Span::ZERO;
        };
        let (serial, at) = (component.serial, self.now.millis().unsigned_abs());
        if to <= component.current {
            return self.draw(Purpose::Copies, serial, at, self.options.copy_scale_in);
        }
        let copies = self.draw(Purpose::Copies, serial, at, component.machine.start_up);
        let instances = if with_instances {
            let range = self.options.hosting_start_up;
            self.draw(Purpose::Copies, serial, at ^ 1, range)
        } else {
            Span::ZERO
        };
        Span::from_millis(copies.millis() + instances.millis())
    }

    /// A change of a component has come to its end.
    pub(crate) fn finish_copies(&mut self, index: usize, number: u64) {
        let (now, chance) = (self.now, self.chance);
        let Some((component, change)) = self.components.end(index, number, now) else {
            return;
        };
        let endpoint = component.endpoint_index;
        let began = component.status == ComponentStatus::Creating;
        match change {
            CopiesChange::Delete => {
                self.components.remove(index);
                self.keep_idle(endpoint);
                return;
            }
            CopiesChange::Copies {
                activity,
                doomed: Some(why),
            } => {
                component.desired = component.current;
                component.failure = Some(why);
                component.status = if began {
                    ComponentStatus::Failed
                } else {
                    ComponentStatus::InService
                };
                if let Some(activity) = activity {
                    self.fail_activity(activity, why);
                }
            }
            CopiesChange::Copies {
                activity,
                doomed: None,
            } => {
                let shrank = component.desired < component.current;
                component.current = component.desired;
                component.failure = None;
                component.status = ComponentStatus::InService;
                if let Some(host) = self.host_mut(index) {
                    host.current = host.current.max(host.desired);
                }
                if let Some(activity) = activity {
                    self.complete_activity(activity);
                }
                if shrank {
                    self.keep_idle(endpoint);
                }
            }
        }
        if began {
            self.components.begin_serving(index, now, chance);
        }
    }

    /// Keeps instances that may be idle by now for as long as the option says.
    fn keep_idle(&mut self, endpoint: usize) {
        let (now, idle) = (self.now, self.options.idle_release);
        if let Some(serving) = self.fleet.get_mut(endpoint) {
            for variant in &mut serving.variants {
                variant.idle_until = now + idle;
            }
            self.schedule(idle, Event::IdleRelease { endpoint });
        }
    }

    /// Releases instances of an endpoint that no copy has needed for long enough.
    pub(crate) fn release_idle(&mut self, endpoint: usize) {
        let Some(serving) = self.fleet.get(endpoint) else {
            return;
        };
        let mut counts = Vec::new();
        for variant in &serving.variants {
            if let Hosting::Components { min, max } = variant.hosting
                && variant.idle_until <= self.now
            {
                let taken = self.instances_taken(endpoint, &variant.name, None);
                counts.push((variant.name.clone(), taken.max(min).min(max)));
            }
        }
        let Some(serving) = self.fleet.get_mut(endpoint) else {
            return;
        };
        for (name, count) in counts {
            if let Some(variant) = serving.variants.iter_mut().find(|v| v.name == name)
                && variant.current > count
            {
                variant.current = count;
                variant.desired = count;
            }
        }
    }
}
