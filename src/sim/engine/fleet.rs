//! Endpoints: their variants, their load, and the changes that run on them (aws-autoscaling.md 3.8, 5).

use std::collections::BTreeMap;

use super::chance::{Chance, Purpose};
use super::meter::{MinuteRecord, Publishing};
use super::options::SpanRange;
use super::series::Metrics;
use super::time::{Instant, Span};
use super::traffic::Traffic;

/// Status of an endpoint, in SageMaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `CreateEndpoint` runs.
    Creating,
    /// A config, weight or capacity change runs.
    Updating,
    /// Serving, and the only status in which anything can be changed.
    InService,
    /// `DeleteEndpoint` runs.
    Deleting,
}

impl Status {
    /// SageMaker's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::InService => "InService",
            Self::Deleting => "Deleting",
        }
    }

    fn serves(self) -> bool {
        matches!(self, Self::Updating | Self::InService)
    }
}

/// A variant as an endpoint config declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VariantSpec {
    pub(crate) name: String,
    pub(crate) instance_type: Option<String>,
    pub(crate) initial_count: u32,
    pub(crate) initial_weight: f64,
    /// The whole member as the client sent it, given back by `DescribeEndpointConfig`.
    pub(crate) raw: serde_json::Value,
}

/// An endpoint config.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EndpointConfig {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created: Instant,
    pub(crate) variants: Vec<VariantSpec>,
    /// Members that this world has no behaviour for, given back as they came.
    pub(crate) extra: serde_json::Map<String, serde_json::Value>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What an instance of a variant can do, and how long one takes to start. Not something AWS would tell; a world
/// file sets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Requests per minute that one instance serves at full load.
    pub serves_rpm: f64,
    /// Model latency without load, in microseconds.
    pub latency_us: f64,
    /// Cores; CPU utilization goes up to 100 times this.
    pub vcpus: f64,
    /// From the call to new instances in service.
    pub start_up: SpanRange,
}

impl Machine {
    /// A plausible machine for an instance type: 150 requests per minute per core.
    #[must_use]
    pub fn of_type(instance_type: Option<&str>, start_up: SpanRange) -> Self {
        let vcpus = instance_type.map_or(4.0, vcpus_of);
        Self {
            serves_rpm: 150.0 * vcpus,
            latency_us: 80_000.0,
            vcpus,
            start_up,
        }
    }
}

/// Cores by the size in the type's name: `large` has 2, `xlarge` 4, `Nxlarge` 4 N.
fn vcpus_of(instance_type: &str) -> f64 {
    let size = instance_type.rsplit('.').next().unwrap_or("");
    match size {
        "medium" => 1.0,
        "large" => 2.0,
        "xlarge" => 4.0,
        _ => size
            .strip_suffix("xlarge")
            .and_then(|n| n.parse::<u32>().ok())
            .map_or(4.0, |n| 4.0 * f64::from(n)),
    }
}

/// What was used of a variant in the running minute, up to the instant its endpoint was settled.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    requests: f64,
    per_instance: f64,
    /// Load, instances and latency, each times the milliseconds it lasted.
    load_time: f64,
    instance_time: f64,
    latency_time: f64,
    served_millis: f64,
}

/// A variant as it runs.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) instance_type: Option<String>,
    pub(crate) current: u32,
    pub(crate) desired: u32,
    pub(crate) current_weight: f64,
    pub(crate) desired_weight: f64,
    pub(crate) machine: Machine,
    meter: usize,
    usage: Usage,
}

/// CPU that an idle instance uses, as a share of one.
const IDLE_CPU: f64 = 0.02;
/// Latency grows with the queue up to this many times the unloaded one.
const LATENCY_CAP: f64 = 20.0;

impl Variant {
    pub(crate) fn new(spec: &VariantSpec, machine: Machine, meter: usize) -> Self {
        Self {
            name: spec.name.clone(),
            instance_type: spec.instance_type.clone(),
            current: spec.initial_count,
            desired: spec.initial_count,
            current_weight: spec.initial_weight,
            desired_weight: spec.initial_weight,
            machine,
            meter,
            usage: Usage::default(),
        }
    }

    /// Adds what `rpm` requests per minute do in a part of a minute.
    fn serve(&mut self, rpm: f64, part: Span) {
        let millis = crate::num::from_i64(part.millis());
        let requests = rpm * millis / crate::num::from_i64(Span::MINUTE.millis());
        let instances = f64::from(self.current);
        let usage = &mut self.usage;
        usage.requests += requests;
        usage.served_millis += millis;
        usage.instance_time += instances * millis;
        if self.current > 0 {
            usage.per_instance += requests / instances;
            let load = rpm / (instances * self.machine.serves_rpm);
            usage.load_time += load.min(1.0) * millis;
            usage.latency_time += latency_factor(load) * millis;
        }
    }

    fn record(&self) -> MinuteRecord {
        let usage = &self.usage;
        let load = usage.load_time / usage.served_millis;
        MinuteRecord::new(
            usage.requests,
            usage.per_instance,
            100.0 * self.machine.vcpus * (IDLE_CPU + (1.0 - IDLE_CPU) * load),
            self.machine.latency_us * usage.latency_time / usage.served_millis,
            usage.instance_time / usage.served_millis,
        )
    }
}

/// Latency of a loaded queue over that of an empty one: 1/(1 - load), capped.
fn latency_factor(load: f64) -> f64 {
    if load < 1.0 {
        (1.0 / (1.0 - load)).min(LATENCY_CAP)
    } else {
        LATENCY_CAP * load
    }
}

/// A change that runs on an endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create,
    /// Capacity or weights; `activity` when Application Auto Scaling asked for it.
    Capacity {
        activity: Option<u64>,
    },
    /// A new config; the variants that will serve when it is done.
    Config {
        config: String,
        variants: Vec<Variant>,
    },
    Delete,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) config: String,
    pub(crate) status: Status,
    pub(crate) created: Instant,
    pub(crate) modified: Instant,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) variants: Vec<Variant>,
    /// Numbers the endpoint for draws of chance; a re-created endpoint gets a new one.
    pub(crate) serial: u64,
    traffic: Traffic,
    /// Requests that arrive in the running minute.
    minute_requests: f64,
    /// Up to here the usage of the running minute is accounted for.
    settled: Instant,
    running: Option<(u64, Change)>,
}

impl Endpoint {
    /// An endpoint in service.
    pub(crate) fn new(
        name: &str,
        arn: String,
        config: &str,
        variants: Vec<Variant>,
        traffic: Traffic,
        now: Instant,
    ) -> Self {
        Self {
            name: name.to_owned(),
            arn,
            config: config.to_owned(),
            status: Status::InService,
            created: now,
            modified: now,
            tags: BTreeMap::new(),
            variants,
            serial: 0,
            traffic,
            minute_requests: 0.0,
            settled: now,
            running: None,
        }
    }

    pub(crate) fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|v| v.name == name)
    }

    fn share_of(&self, variant: &Variant) -> f64 {
        let total: f64 = self.variants.iter().map(|v| v.current_weight).sum();
        if total > 0.0 {
            variant.current_weight / total
        } else {
            0.0
        }
    }

    /// Draws the load of the minute that `now` lies in.
    fn begin_minute(&mut self, now: Instant, chance: Chance) {
        self.minute_requests = if self.status.serves() {
            self.traffic.requests(now.minute(), self.serial, chance)
        } else {
            0.0
        };
    }

    /// Accounts for the time up to `now`, all of which passed with the capacity of this moment.
    fn settle(&mut self, now: Instant) {
        let part = now - self.settled;
        self.settled = now;
        if part <= Span::ZERO || !self.status.serves() {
            return;
        }
        let rpm = self.minute_requests;
        if let [only] = self.variants.as_mut_slice() {
            only.serve(rpm, part);
            return;
        }
        let shares: Vec<f64> = self.variants.iter().map(|v| self.share_of(v)).collect();
        for (variant, share) in self.variants.iter_mut().zip(shares) {
            variant.serve(rpm * share, part);
        }
    }
}

/// All endpoints and configs of the account.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    endpoints: Vec<Option<Endpoint>>,
    by_name: BTreeMap<String, usize>,
    pub(crate) configs: BTreeMap<String, EndpointConfig>,
    next_serial: u64,
    next_change: u64,
}

/// What a finished change means for the rest of the world.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The endpoint serves; the activity that asked for it, if one did.
    InService { activity: Option<u64> },
    /// The endpoint is gone.
    Deleted,
}

impl Fleet {
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Endpoint> {
        self.endpoints.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(index)?.as_mut()
    }

    /// An endpoint by a remembered number, or by its name when it is another one by now.
    pub(crate) fn remembered(&self, index: usize, name: &str) -> Option<&Endpoint> {
        self.get(index)
            .filter(|e| e.name == name)
            .or_else(|| self.named(name))
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Endpoint> {
        self.get(self.index_of(name)?)
    }

    /// All endpoints in order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.by_name.values().filter_map(|index| self.get(*index))
    }

    /// Adds an endpoint that is already in service, or one whose creation the caller starts next.
    pub(crate) fn insert(&mut self, mut endpoint: Endpoint) -> usize {
        endpoint.serial = self.next_serial;
        self.next_serial += 1;
        let index = self.endpoints.len();
        self.by_name.insert(endpoint.name.clone(), index);
        self.endpoints.push(Some(endpoint));
        index
    }

    /// Draws the load of the running minute for an endpoint that has just begun to serve.
    pub(crate) fn begin_serving(&mut self, index: usize, now: Instant, chance: Chance) {
        if let Some(endpoint) = self.get_mut(index) {
            endpoint.settled = now;
            endpoint.begin_minute(now, chance);
        }
    }

    /// Replaces the load of an endpoint from now on.
    pub(crate) fn set_traffic(
        &mut self,
        index: usize,
        traffic: Traffic,
        now: Instant,
        chance: Chance,
    ) {
        if let Some(endpoint) = self.get_mut(index) {
            endpoint.settle(now);
            endpoint.traffic = traffic;
            endpoint.begin_minute(now, chance);
        }
    }

    /// Counts one request that a client sent, if the endpoint serves. Returns the variant that took it.
    pub(crate) fn invoke(&mut self, index: usize, variant: Option<&str>) -> Option<String> {
        let endpoint = self.get_mut(index).filter(|e| e.status.serves())?;
        let heaviest =
            |a: &&mut Variant, b: &&mut Variant| a.current_weight.total_cmp(&b.current_weight);
        let taken = match variant {
            Some(name) => endpoint.variants.iter_mut().find(|v| v.name == name),
            None => endpoint.variants.iter_mut().max_by(heaviest),
        }?;
        taken.usage.requests += 1.0;
        if taken.current > 0 {
            taken.usage.per_instance += 1.0 / f64::from(taken.current);
        }
        Some(taken.name.clone())
    }

    /// Starts a change; the caller schedules its end under the returned number.
    pub(crate) fn start(&mut self, index: usize, change: Change, now: Instant) -> Option<u64> {
        let number = self.next_change;
        self.next_change += 1;
        let endpoint = self.get_mut(index)?;
        endpoint.settle(now);
        endpoint.modified = now;
        endpoint.status = match change {
            Change::Create => Status::Creating,
            Change::Capacity { .. } | Change::Config { .. } => Status::Updating,
            Change::Delete => Status::Deleting,
        };
        endpoint.running = Some((number, change));
        Some(number)
    }

    /// Ends a change, if it is still the one that runs.
    pub(crate) fn finish(
        &mut self,
        index: usize,
        number: u64,
        now: Instant,
        chance: Chance,
    ) -> Option<Finished> {
        let endpoint = self.get_mut(index)?;
        endpoint
            .running
            .as_ref()
            .filter(|(running, _)| *running == number)?;
        let (_, change) = endpoint.running.take()?;
        endpoint.settle(now);
        let mut activity = None;
        match change {
            Change::Create => {}
            Change::Capacity { activity: asked } => {
                activity = asked;
                for variant in &mut endpoint.variants {
                    variant.current = variant.desired;
                    variant.current_weight = variant.desired_weight;
                }
            }
            Change::Config { config, variants } => {
                endpoint.config = config;
                // The minute's usage so far belongs to the variant that goes on under the same name.
                let before = std::mem::replace(&mut endpoint.variants, variants);
                for variant in &mut endpoint.variants {
                    if let Some(old) = before.iter().find(|old| old.name == variant.name) {
                        variant.usage = old.usage;
                    }
                }
            }
            Change::Delete => {
                let name = endpoint.name.clone();
                self.by_name.remove(&name);
                if let Some(slot) = self.endpoints.get_mut(index) {
                    *slot = None;
                }
                return Some(Finished::Deleted);
            }
        }
        let began_to_serve = endpoint.status == Status::Creating;
        endpoint.status = Status::InService;
        endpoint.modified = now;
        if began_to_serve {
            endpoint.begin_minute(now, chance);
        }
        Some(Finished::InService { activity })
    }

    /// Closes the minute that ends at `now`: every serving variant publishes it, and the next one begins.
    pub(crate) fn close_minute(
        &mut self,
        now: Instant,
        metrics: &mut Metrics,
        publishing: &Publishing,
    ) {
        let chance = publishing.chance;
        let minute = now.minute() - 1;
        for endpoint in self.endpoints.iter_mut().flatten() {
            endpoint.settle(now);
            for variant in &mut endpoint.variants {
                let served = variant.usage.served_millis > 0.0;
                if let Some(meter) = metrics.meter_mut(variant.meter).filter(|_| served) {
                    meter.push(minute, variant.record(), publishing);
                }
                variant.usage = Usage::default();
            }
            endpoint.begin_minute(now, chance);
        }
    }

    /// How long new capacity takes, or leaving capacity.
    pub(crate) fn capacity_span(
        endpoint: &Endpoint,
        variant: &Variant,
        grows: bool,
        scale_in: SpanRange,
        now: Instant,
        chance: Chance,
    ) -> Span {
        let (purpose, range) = if grows {
            (Purpose::StartUp, variant.machine.start_up)
        } else {
            (Purpose::ScaleIn, scale_in)
        };
        let at = now.millis().unsigned_abs();
        let (low, high) = (range.low.millis(), range.high.millis());
        Span::from_millis(chance.between(purpose, endpoint.serial, at, low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_follow_from_the_size() {
        for (instance_type, cores) in [
            ("ml.m5.large", 2.0),
            ("ml.m5.xlarge", 4.0),
            ("ml.g5.12xlarge", 48.0),
            ("ml.t2.medium", 1.0),
        ] {
            assert!(
                (vcpus_of(instance_type) - cores).abs() < f64::EPSILON,
                "{instance_type}"
            );
        }
    }

    #[test]
    fn a_minute_that_saw_a_change_mixes_both_capacities() {
        let spec = VariantSpec {
            name: "v".to_owned(),
            instance_type: None,
            initial_count: 1,
            initial_weight: 1.0,
            raw: serde_json::Value::Null,
        };
        let mut variant = Variant::new(&spec, Machine::of_type(None, SpanRange::secs(1, 1)), 0);
        variant.serve(120.0, Span::from_secs(30));
        variant.current = 3;
        variant.serve(120.0, Span::from_secs(30));
        let record = variant.record();
        assert!((record.requests - 120.0).abs() < 1e-9);
        assert!((record.per_instance - (60.0 + 20.0)).abs() < 1e-9);
        assert!((record.instances - 2.0).abs() < 1e-9);
    }

    #[test]
    fn latency_grows_with_load_and_stays_finite() {
        assert!((latency_factor(0.0) - 1.0).abs() < 1e-9);
        assert!((latency_factor(0.5) - 2.0).abs() < 1e-9);
        assert!((latency_factor(0.999) - LATENCY_CAP).abs() < 1e-9);
        assert!(latency_factor(2.0).is_finite());
    }
}
