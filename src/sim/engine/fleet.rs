//! Endpoints: their variants, their load, and the changes that run on them (aws-autoscaling.md 3.8, 5).

use std::collections::BTreeMap;

use super::chance::{Chance, Purpose};
use super::change::{Change, Finished, Status};
use super::kinds::{Hosting, ServerlessGauges};
use super::limits::NO_CAPACITY;
use super::machine::{Machine, Usage, concurrency_of, peak};
use super::meter::Publishing;
use super::options::SpanRange;
use super::queue::{Queue, capacity};
use super::series::Metrics;
use super::stats::StatSet;
use super::time::{Instant, Span};
use super::traffic::Traffic;

/// A variant as an endpoint config declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VariantSpec {
    pub(crate) name: String,
    pub(crate) instance_type: Option<String>,
    /// Instances, or provisioned concurrency of a serverless variant.
    pub(crate) initial_count: u32,
    pub(crate) initial_weight: f64,
    pub(crate) hosting: Hosting,
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
    /// Variants that get a copy of the traffic and answer nobody. They take no part in scaling, and this world keeps
    /// no metrics of them.
    pub(crate) shadows: Vec<VariantSpec>,
    /// Members that this world has no behaviour for, given back as they came.
    pub(crate) extra: serde_json::Map<String, serde_json::Value>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl EndpointConfig {
    /// Whether endpoints made from it put requests into a queue.
    pub(crate) fn is_async(&self) -> bool {
        self.extra
            .get("AsyncInferenceConfig")
            .is_some_and(|v| !v.is_null())
    }
}

/// A variant as it runs.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) instance_type: Option<String>,
    /// Instances in service, or provisioned concurrency of a serverless variant.
    pub(crate) current: u32,
    pub(crate) desired: u32,
    pub(crate) current_weight: f64,
    pub(crate) desired_weight: f64,
    pub(crate) machine: Machine,
    pub(crate) hosting: Hosting,
    /// Most concurrency asked for, of a serverless variant.
    pub(crate) desired_most: u32,
    pub(crate) gauges: Option<ServerlessGauges>,
    /// Idle instances of a hosting variant are kept until then.
    pub(crate) idle_until: Instant,
    meter: usize,
    usage: Usage,
}

impl Variant {
    /// Everything asked for is there.
    fn arrive(&mut self) {
        self.current = self.desired;
        self.current_weight = self.desired_weight;
        if let Hosting::Serverless(it) = &mut self.hosting {
            it.max_concurrency = self.desired_most;
        }
    }

    /// Nothing of what was asked for comes.
    fn take_back(&mut self) {
        self.desired = self.current;
        self.desired_weight = self.current_weight;
        if let Hosting::Serverless(it) = self.hosting {
            self.desired_most = it.max_concurrency;
        }
    }

    pub(crate) fn new(spec: &VariantSpec, machine: Machine, meter: usize) -> Self {
        Self {
            name: spec.name.clone(),
            instance_type: spec.instance_type.clone(),
            current: spec.initial_count,
            desired: spec.initial_count,
            current_weight: spec.initial_weight,
            desired_weight: spec.initial_weight,
            machine,
            hosting: spec.hosting,
            desired_most: match spec.hosting {
                Hosting::Serverless(it) => it.max_concurrency,
                Hosting::Instances | Hosting::Components { .. } => 0,
            },
            gauges: None,
            idle_until: Instant::default(),
            meter,
            usage: Usage::default(),
        }
    }

    /// Adds what `rpm` requests per minute do in a part of a minute.
    fn serve(&mut self, rpm: f64, part: Span) {
        match self.hosting {
            Hosting::Instances => self.usage.serve(rpm, part, self.current, &self.machine),
            Hosting::Serverless(it) => {
                let (warm, most) = (self.current, it.max_concurrency);
                self.usage
                    .serve_serverless(rpm, part, warm, most, &self.machine);
            }
            // Its components have the requests; the instances stand there.
            Hosting::Components { .. } => self.usage.serve_queued(0.0, 0.0, part, self.current),
        }
    }

    /// Whether its instances follow the components on them.
    pub(crate) fn hosts_components(&self) -> bool {
        matches!(self.hosting, Hosting::Components { .. })
    }

    /// Whether it takes part of the endpoint's own traffic and can be counted per instance.
    fn is_real_time(&self) -> bool {
        matches!(self.hosting, Hosting::Instances)
    }

    /// Publishes how much of its concurrency a serverless variant used.
    fn publish_concurrency(&self, minute: i64, metrics: &mut Metrics, publishing: &Publishing) {
        let (Some(gauges), Hosting::Serverless(it)) = (self.gauges, self.hosting) else {
            return;
        };
        let (executions, provisioned) = self.usage.concurrency();
        let most = f64::from(it.max_concurrency.max(1));
        let set = |of: f64, cap: f64| StatSet {
            count: 1.0,
            sum: (executions / of).min(cap),
            min: (executions / of).min(cap),
            max: (peak(executions) / of).min(cap),
        };
        metrics.push_gauge(gauges.executions, minute, set(most, 1.0), publishing);
        if provisioned > 0.0 {
            let cap = publishing.provisioned_most;
            metrics.push_gauge(
                gauges.provisioned,
                minute,
                set(provisioned, cap),
                publishing,
            );
        }
    }
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
    pub(crate) shadows: Vec<Variant>,
    /// Present when the endpoint is asynchronous: requests wait here.
    pub(crate) queue: Option<Box<Queue>>,
    pub(crate) failure: Option<&'static str>,
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
            shadows: Vec::new(),
            queue: None,
            failure: None,
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
        let from = self.settled;
        let part = now - from;
        self.settled = now;
        if part <= Span::ZERO || !self.status.serves() {
            return;
        }
        let rpm = self.minute_requests;
        if let Some(queue) = self.queue.as_mut() {
            let able = |v: &Variant| capacity(&v.machine, v.current);
            let all: f64 = self.variants.iter().map(able).sum();
            let (done, load) = queue.work(rpm, all, from, part);
            for variant in &mut self.variants {
                let share = if all > 0.0 { able(variant) / all } else { 0.0 };
                variant
                    .usage
                    .serve_queued(done * share, load, part, variant.current);
            }
            return;
        }
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
        if endpoint.queue.is_some() {
            return None;
        }
        let heaviest =
            |a: &&mut Variant, b: &&mut Variant| a.current_weight.total_cmp(&b.current_weight);
        let taken = match variant {
            Some(name) => endpoint.variants.iter_mut().find(|v| v.name == name),
            None => endpoint.variants.iter_mut().max_by(heaviest),
        }
        .filter(|v| !matches!(v.hosting, Hosting::Components { .. }))?;
        taken.usage.count_one(taken.current);
        Some(taken.name.clone())
    }

    /// Puts one request into the queue of an asynchronous endpoint. Returns whether there is one.
    pub(crate) fn enqueue(&mut self, index: usize, now: Instant) -> bool {
        let serving = self.get_mut(index).filter(|e| e.status.serves());
        let Some(endpoint) = serving else {
            return false;
        };
        endpoint.settle(now);
        let Some(queue) = endpoint.queue.as_mut() else {
            return false;
        };
        queue.push_one(now);
        true
    }

    /// Starts a change; the caller schedules its end under the returned number.
    pub(crate) fn start(&mut self, index: usize, change: Change, now: Instant) -> Option<u64> {
        let number = self.next_change;
        self.next_change += 1;
        let endpoint = self.get_mut(index)?;
        endpoint.settle(now);
        endpoint.modified = now;
        endpoint.status = match change {
            Change::Create { .. } => Status::Creating,
            Change::Capacity { .. } | Change::Config { .. } => Status::Updating,
            Change::RollBack => Status::RollingBack,
            Change::Maintenance => Status::SystemUpdating,
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
            Change::Create { doomed: true } => {
                endpoint.status = Status::Failed;
                endpoint.failure = Some(NO_CAPACITY);
                endpoint.modified = now;
                return Some(Finished::Failed);
            }
            Change::Capacity {
                activity,
                doomed: true,
            } => {
                endpoint.variants.iter_mut().for_each(Variant::take_back);
                return Some(Finished::Refused { activity });
            }
            Change::Config { doomed: true, .. } => {
                return Some(Finished::Refused { activity: None });
            }
            Change::Create { doomed: false } | Change::RollBack | Change::Maintenance => {}
            Change::Capacity {
                activity: asked, ..
            } => {
                activity = asked;
                endpoint.variants.iter_mut().for_each(Variant::arrive);
            }
            Change::Config {
                config, variants, ..
            } => {
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
                let served = variant.usage.served();
                if let Some(meter) = metrics.meter_mut(variant.meter).filter(|_| served) {
                    meter.push(minute, variant.usage.record(&variant.machine), publishing);
                }
                if served && variant.gauges.is_some() {
                    variant.publish_concurrency(minute, metrics, publishing);
                }
                variant.usage = Usage::default();
            }
            if let Some(queue) = endpoint.queue.as_mut() {
                let instances = endpoint.variants.iter().map(|v| v.current).sum();
                queue.publish(now, instances, metrics, publishing);
            }
            endpoint.begin_minute(now, chance);
        }
    }

    /// Closes the 10 s that end at `now`: every serving real-time variant publishes its concurrency.
    pub(crate) fn close_slot(&self, now: Instant, metrics: &mut Metrics, publishing: &Publishing) {
        for endpoint in self.endpoints.iter().flatten() {
            if !endpoint.status.serves() || endpoint.queue.is_some() {
                continue;
            }
            for variant in endpoint.variants.iter().filter(|v| v.is_real_time()) {
                let rpm = endpoint.minute_requests * endpoint.share_of(variant);
                let mean = concurrency_of(rpm, variant.current, &variant.machine);
                if let Some(meter) = metrics
                    .meter_mut(variant.meter)
                    .filter(|_| variant.current > 0)
                {
                    meter.push_slot(now, mean, publishing);
                }
            }
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
