//! What a variant's capacity is made of, and how variants of each kind come to be.

use super::fleet::{Variant, VariantSpec};
use super::machine::Machine;
use super::meter::{Owner, VariantMetric};
use super::options::SpanRange;
use super::queue;
use super::world::World;

/// The concurrency of a serverless variant (aws-autoscaling.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serverless {
    /// 1024 to 6144 MB, in steps of 1024.
    pub memory_mb: u32,
    /// Most executions at one time, 1 to 200.
    pub max_concurrency: u32,
    /// Executions that are kept warm, 1 to `max_concurrency`; without it there is nothing to scale.
    pub provisioned: Option<u32>,
}

/// What a variant's capacity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosting {
    /// Instances that serve one model.
    Instances,
    /// No instances. The variant's capacity is its provisioned concurrency.
    Serverless(Serverless),
    /// Instances that host inference components and follow their copies, within bounds.
    Components {
        /// They never shrink below.
        min: u32,
        /// They never grow above.
        max: u32,
    },
}

impl Hosting {
    /// Whether both have capacity of one kind, whatever its size.
    pub(crate) fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The series of a serverless variant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerlessGauges {
    pub(crate) executions: usize,
    pub(crate) provisioned: usize,
}

impl World {
    /// A variant as its spec declares it, with the meter and the series that its kind publishes.
    pub(crate) fn make_variant(
        &mut self,
        endpoint: &str,
        spec: &VariantSpec,
        machine: Machine,
        is_async: bool,
    ) -> Variant {
        let publishes: &'static [VariantMetric] = match spec.hosting {
            Hosting::Instances if is_async => &VariantMetric::ASYNC,
            Hosting::Instances => &VariantMetric::ALL,
            Hosting::Serverless(_) => &VariantMetric::SERVERLESS,
            Hosting::Components { .. } => &VariantMetric::HOSTING,
        };
        let owner = Owner::Variant {
            endpoint: endpoint.to_owned(),
            variant: spec.name.clone(),
        };
        let retention = self.options.metric_retention;
        let meter = self.metrics.meter_for(owner, publishes, retention);
        let mut variant = Variant::new(spec, machine, meter);
        if matches!(spec.hosting, Hosting::Serverless(_)) {
            let dimensions = [
                ("EndpointName", endpoint),
                ("VariantName", spec.name.as_str()),
            ];
            let mut gauge = |name| self.metrics.gauge_for(name, &dimensions, "None");
            variant.gauges = Some(ServerlessGauges {
                executions: gauge("ServerlessConcurrentExecutionsUtilization"),
                provisioned: gauge("ServerlessProvisionedConcurrencyUtilization"),
            });
        }
        variant
    }

    /// The queue of an asynchronous endpoint, empty.
    pub(crate) fn make_queue(&mut self, endpoint: &str) -> queue::Queue {
        let dimensions = [("EndpointName", endpoint)];
        let mut gauge = |name, unit| self.metrics.gauge_for(name, &dimensions, unit);
        queue::Queue::new(queue::Gauges {
            size: gauge("ApproximateBacklogSize", "Count"),
            per_instance: gauge("ApproximateBacklogSizePerInstance", "Count"),
            without_capacity: gauge("HasBacklogWithoutCapacity", "Count"),
            age: gauge("ApproximateAgeOfOldestRequest", "Seconds"),
        })
    }
}

/// Shadow variants of an endpoint, which have no meters.
pub(crate) fn shadow_variants(specs: &[VariantSpec], start_up: SpanRange) -> Vec<Variant> {
    specs
        .iter()
        .map(|spec| {
            let machine = Machine::of_type(spec.instance_type.as_deref(), start_up);
            Variant::new(spec, machine, usize::MAX)
        })
        .collect()
}
