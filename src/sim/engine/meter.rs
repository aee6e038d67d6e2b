//! What a variant or a component publishes about itself: one record per minute, from which its metrics are read.

use std::collections::{BTreeMap, VecDeque};

use super::chance::{Chance, Purpose};
use super::machine::{in_flight, peak};
use super::options::SpanRange;
use super::stats::{Stat, StatSet};
use super::time::{Instant, Span};

/// One minute of a variant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MinuteRecord {
    /// Requests; NaN marks a minute in which nothing was published.
    pub(crate) requests: f64,
    /// Each request adds one over the instances that served when it came.
    pub(crate) per_instance: f64,
    /// CPU of a mean instance in percent of one core, up to 100 times the cores.
    pub(crate) cpu: f64,
    /// Mean model latency in microseconds.
    pub(crate) latency: f64,
    /// Instances in service, averaged over the minute.
    pub(crate) instances: f64,
    /// When the minute's data can be seen; drawn once, as every alarm asks at every evaluation.
    visible_at: Instant,
}

impl MinuteRecord {
    const SILENT: Self = Self {
        requests: f64::NAN,
        per_instance: 0.0,
        cpu: 0.0,
        latency: 0.0,
        instances: 0.0,
        visible_at: Instant::from_millis(i64::MAX),
    };

    /// A minute of a serving variant.
    pub(crate) fn new(
        requests: f64,
        per_instance: f64,
        cpu: f64,
        latency: f64,
        instances: f64,
    ) -> Self {
        Self {
            requests,
            per_instance,
            cpu,
            latency,
            instances,
            ..Self::SILENT
        }
    }
}

/// Whose metrics a meter records; what they are published under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Variant { endpoint: String, variant: String },
    Component(String),
}

impl Owner {
    /// The owner that dimensions name, if they name exactly one.
    pub(crate) fn named(dimensions: &BTreeMap<String, String>) -> Option<Self> {
        if let (Some(name), 1) = (dimensions.get(COMPONENT_NAME), dimensions.len()) {
            return Some(Self::Component(name.clone()));
        }
        let endpoint = dimensions.get("EndpointName")?;
        let variant = dimensions.get("VariantName")?;
        (dimensions.len() == 2).then(|| Self::Variant {
            endpoint: endpoint.clone(),
            variant: variant.clone(),
        })
    }

    pub(crate) fn dimensions(&self) -> BTreeMap<String, String> {
        match self {
            Self::Variant { endpoint, variant } => BTreeMap::from([
                ("EndpointName".to_owned(), endpoint.clone()),
                ("VariantName".to_owned(), variant.clone()),
            ]),
            Self::Component(name) => BTreeMap::from([(COMPONENT_NAME.to_owned(), name.clone())]),
        }
    }
}

const COMPONENT_NAME: &str = "InferenceComponentName";

/// A metric that SageMaker publishes per variant or per component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariantMetric {
    Invocations,
    /// For a component it is called `InvocationsPerCopy`.
    InvocationsPerInstance,
    CpuUtilization,
    MemoryUtilization,
    DiskUtilization,
    ModelLatency,
    OverheadLatency,
    Errors4xx,
    Errors5xx,
    /// In flight and queued, per model or per copy; every 10 s.
    ConcurrentRequests,
}

impl VariantMetric {
    /// What a real-time variant publishes.
    pub(crate) const ALL: [Self; 10] = [
        Self::Invocations,
        Self::InvocationsPerInstance,
        Self::CpuUtilization,
        Self::MemoryUtilization,
        Self::DiskUtilization,
        Self::ModelLatency,
        Self::OverheadLatency,
        Self::Errors4xx,
        Self::Errors5xx,
        Self::ConcurrentRequests,
    ];
    /// What a variant of an asynchronous endpoint publishes (aws-autoscaling.md 2.2).
    pub(crate) const ASYNC: [Self; 4] = [
        Self::CpuUtilization,
        Self::MemoryUtilization,
        Self::DiskUtilization,
        Self::ModelLatency,
    ];
    /// What a serverless variant publishes, beside its utilization (aws-autoscaling.md 6.2).
    pub(crate) const SERVERLESS: [Self; 6] = [
        Self::Invocations,
        Self::MemoryUtilization,
        Self::ModelLatency,
        Self::OverheadLatency,
        Self::Errors4xx,
        Self::Errors5xx,
    ];
    /// What a variant publishes whose requests go to components.
    pub(crate) const HOSTING: [Self; 1] = [Self::CpuUtilization];
    /// What a component publishes.
    pub(crate) const COMPONENT: [Self; 4] = [
        Self::Invocations,
        Self::InvocationsPerInstance,
        Self::ModelLatency,
        Self::ConcurrentRequests,
    ];

    /// Namespace, name and unit as published (aws-autoscaling.md 6.2). Units that are not documented are assumed to
    /// be `None`.
    pub(crate) fn published(self, owner: &Owner) -> (&'static str, &'static str, &'static str) {
        let of_component = matches!(owner, Owner::Component(_));
        match self {
            Self::Invocations => ("AWS/SageMaker", "Invocations", "None"),
            Self::InvocationsPerInstance if of_component => {
                ("AWS/SageMaker", "InvocationsPerCopy", "None")
            }
            Self::InvocationsPerInstance => ("AWS/SageMaker", "InvocationsPerInstance", "None"),
            Self::CpuUtilization => ("/aws/sagemaker/Endpoints", "CPUUtilization", "Percent"),
            Self::MemoryUtilization => ("/aws/sagemaker/Endpoints", "MemoryUtilization", "Percent"),
            Self::DiskUtilization => ("/aws/sagemaker/Endpoints", "DiskUtilization", "Percent"),
            Self::ModelLatency => ("AWS/SageMaker", "ModelLatency", "Microseconds"),
            Self::OverheadLatency => ("AWS/SageMaker", "OverheadLatency", "Microseconds"),
            Self::Errors4xx => ("AWS/SageMaker", "Invocation4XXErrors", "None"),
            Self::Errors5xx => ("AWS/SageMaker", "Invocation5XXErrors", "None"),
            Self::ConcurrentRequests if of_component => {
                ("AWS/SageMaker", "ConcurrentRequestsPerCopy", "None")
            }
            Self::ConcurrentRequests => ("AWS/SageMaker", "ConcurrentRequestsPerModel", "None"),
        }
    }

    /// The short way from a record with requests to one number, where there is one.
    fn reader(self, stat: Stat) -> Option<fn(&MinuteRecord) -> f64> {
        match (self, stat) {
            (Self::Invocations, Stat::Sum) => Some(|r| r.requests),
            (Self::InvocationsPerInstance, Stat::Sum) => Some(|r| r.per_instance),
            (Self::CpuUtilization, Stat::Average) => Some(|r| r.cpu),
            (Self::ModelLatency, Stat::Average) => Some(|r| r.latency),
            _ => None,
        }
    }

    /// The samples of one minute.
    fn samples(self, record: &MinuteRecord, idle_publishes_zeros: bool) -> Option<StatSet> {
        if record.requests.is_nan() {
            return None;
        }
        let idle = record.requests <= 0.0;
        match self {
            Self::Invocations | Self::InvocationsPerInstance if idle => {
                idle_publishes_zeros.then(|| StatSet::repeated(0.0, 1.0))
            }
            Self::Invocations => Some(StatSet::repeated(1.0, record.requests)),
            Self::InvocationsPerInstance => {
                let share = record.per_instance / record.requests;
                Some(StatSet {
                    sum: record.per_instance,
                    ..StatSet::repeated(share, record.requests)
                })
            }
            Self::CpuUtilization => {
                let mut set = StatSet::repeated(record.cpu, record.instances);
                set.min *= 0.9;
                set.max *= 1.1;
                Some(set)
            }
            Self::MemoryUtilization => Some(StatSet::repeated(MEMORY_PERCENT, record.instances)),
            Self::DiskUtilization => Some(StatSet::repeated(DISK_PERCENT, record.instances)),
            Self::ModelLatency | Self::OverheadLatency | Self::Errors4xx | Self::Errors5xx
                if idle =>
            {
                None
            }
            Self::OverheadLatency => Some(StatSet::repeated(OVERHEAD_MICROS, record.requests)),
            // The simulated model does not fail, however long it takes.
            Self::Errors4xx | Self::Errors5xx => Some(StatSet::repeated(0.0, record.requests)),
            Self::ModelLatency => {
                let mut set = StatSet::repeated(record.latency, record.requests);
                set.min *= 0.6;
                set.max *= 3.0;
                Some(set)
            }
            Self::ConcurrentRequests if record.instances <= 0.0 => None,
            Self::ConcurrentRequests if idle => {
                idle_publishes_zeros.then(|| StatSet::repeated(0.0, SLOTS_PER_MINUTE))
            }
            Self::ConcurrentRequests => {
                let mean = in_flight(record.requests, record.latency) / record.instances;
                Some(concurrency(mean, SLOTS_PER_MINUTE))
            }
        }
    }
}

/// What no simulated load changes: memory and disk of an instance, and the time around the model.
const MEMORY_PERCENT: f64 = 42.0;
const DISK_PERCENT: f64 = 18.0;
const OVERHEAD_MICROS: f64 = 4_000.0;

/// The length of a slot.
const SLOT: Span = Span::from_secs(10);

/// Points of 10 s in a minute.
const SLOTS_PER_MINUTE: f64 = 6.0;

/// Slots of 10 s that are kept: 3 hours.
const MOST_SLOTS: usize = 3 * 360;

/// Samples of concurrency around a mean.
fn concurrency(mean: f64, count: f64) -> StatSet {
    StatSet {
        max: peak(mean),
        min: (2.0 * mean - peak(mean)).max(0.0),
        ..StatSet::repeated(mean, count)
    }
}

/// Concurrency in 10 s of a minute that is not over yet. Only worlds with fast alarms record them; all others
/// read concurrency from the whole minute.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: Instant,
    visible_at: Instant,
    mean: f64,
}

/// The published minutes of one variant or component. It belongs to the names, not to the endpoint: like
/// CloudWatch's data, it outlives a deletion.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) owner: Owner,
    pub(crate) publishes: &'static [VariantMetric],
    /// Keys the chance of publishing delays.
    serial: u64,
    first: i64,
    records: VecDeque<MinuteRecord>,
    slots: VecDeque<Slot>,
    keep: usize,
}

/// When what was measured can be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publishing {
    pub(crate) delay: SpanRange,
    pub(crate) fast_delay: SpanRange,
    pub(crate) idle_zeros: bool,
    /// The most that utilization of provisioned concurrency can show.
    pub(crate) provisioned_most: f64,
    pub(crate) chance: Chance,
}

impl Meter {
    pub(crate) fn new(
        owner: Owner,
        publishes: &'static [VariantMetric],
        serial: u64,
        retention: Span,
    ) -> Self {
        let keep = usize::try_from(retention.millis() / Span::MINUTE.millis())
            .unwrap_or(0)
            .max(1);
        Self {
            owner,
            publishes,
            serial,
            first: 0,
            records: VecDeque::new(),
            slots: VecDeque::new(),
            keep,
        }
    }

    /// Records a minute. Minutes that were skipped published nothing.
    pub(crate) fn push(&mut self, minute: i64, mut record: MinuteRecord, publishing: &Publishing) {
        let SpanRange { low, high } = publishing.delay;
        let (serial, key) = (self.serial, minute.unsigned_abs());
        let (low, high) = (low.millis(), high.millis());
        let delay = publishing
            .chance
            .between(Purpose::PublishDelay, serial, key, low, high);
        record.visible_at = Instant::of_minute(minute + 1) + Span::from_millis(delay);
        if self.records.is_empty() {
            self.first = minute;
        }
        let gap = minute - self.end();
        if gap > 0 {
            let silent = usize::try_from(gap).unwrap_or(usize::MAX).min(self.keep);
            self.records
                .extend(std::iter::repeat_n(MinuteRecord::SILENT, silent));
        }
        self.records.push_back(record);
        while self.records.len() > self.keep {
            self.records.pop_front();
        }
        self.first = minute + 1 - i64::try_from(self.records.len()).unwrap_or(i64::MAX);
    }

    /// Records the mean concurrency of the slot that ends at `end`.
    pub(crate) fn push_slot(&mut self, end: Instant, mean: f64, publishing: &Publishing) {
        let SpanRange { low, high } = publishing.fast_delay;
        let (low, high) = (low.millis(), high.millis());
        let key = end.millis().unsigned_abs();
        let delay = publishing
            .chance
            .between(Purpose::PublishDelay, self.serial, key, low, high);
        self.slots.push_back(Slot {
            start: end - SLOT,
            visible_at: end + Span::from_millis(delay),
            mean,
        });
        if self.slots.len() > MOST_SLOTS {
            self.slots.pop_front();
        }
    }

    /// Concurrency in a period shorter than a minute: from its slots, or from its minute where there are none.
    pub(crate) fn concurrency(
        &self,
        start: Instant,
        end: Instant,
        now: Instant,
        publishing: &Publishing,
    ) -> Option<StatSet> {
        let first = self.slots.partition_point(|s| s.start < start);
        let mut slots = self.slots.iter().skip(first).take_while(|s| s.start < end);
        let mut seen = slots.clone().filter(|s| s.visible_at <= now).peekable();
        if seen.peek().is_some() {
            return seen
                .map(|s| concurrency(s.mean, 1.0))
                .reduce(StatSet::merge);
        }
        if slots.next().is_some() {
            return None;
        }
        let minute = start.minute();
        self.minute(VariantMetric::ConcurrentRequests, minute, now, publishing)
    }

    /// The minute after the last recorded one.
    fn end(&self) -> i64 {
        self.first + i64::try_from(self.records.len()).unwrap_or(i64::MAX)
    }

    fn record(&self, minute: i64) -> Option<&MinuteRecord> {
        self.records.get(usize::try_from(minute - self.first).ok()?)
    }

    /// The samples of one minute, if they can be seen.
    pub(crate) fn minute(
        &self,
        metric: VariantMetric,
        minute: i64,
        now: Instant,
        publishing: &Publishing,
    ) -> Option<StatSet> {
        let record = self.record(minute)?;
        if record.visible_at > now {
            return None;
        }
        metric.samples(record, publishing.idle_zeros)
    }

    /// One number per minute, from `newest` backwards without end. Alarms read little else, minute after minute,
    /// so this path makes no more of a record than the one number.
    pub(crate) fn newest_first<'a>(
        &'a self,
        (metric, stat): (VariantMetric, Stat),
        newest: i64,
        now: Instant,
        publishing: &'a Publishing,
    ) -> impl Iterator<Item = Option<f64>> + 'a {
        let read = metric.reader(stat);
        (0..).map(move |age| {
            let record = self.record(newest - age)?;
            if record.requests.is_nan() || record.visible_at > now {
                return None;
            }
            match read {
                Some(read) if record.requests > 0.0 => Some(read(record)),
                _ => metric.samples(record, publishing.idle_zeros)?.pick(stat),
            }
        })
    }

    /// Whether anything was recorded in the given minutes.
    pub(crate) fn has_data_since(&self, minute: i64) -> bool {
        (minute.max(self.first)..self.end())
            .any(|m| self.record(m).is_some_and(|r| !r.requests.is_nan()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(requests: f64) -> MinuteRecord {
        let per_instance = requests / 2.0;
        MinuteRecord::new(requests, per_instance, 50.0, 80_000.0, 2.0)
    }

    fn publishing(low: i64, high: i64) -> Publishing {
        Publishing {
            delay: SpanRange::secs(low, high),
            fast_delay: SpanRange::secs(10, 20),
            idle_zeros: true,
            provisioned_most: 1.0,
            chance: Chance::new(1),
        }
    }

    fn meter() -> Meter {
        let owner = Owner::Component("c".to_owned());
        Meter::new(owner, &VariantMetric::ALL, 1, Span::from_secs(600))
    }

    #[test]
    fn a_minute_is_visible_only_after_its_delay() {
        let mut meter = meter();
        meter.push(10, record(120.0), &publishing(60, 180));
        let seen = |secs| {
            let now = Instant::of_minute(11) + Span::from_secs(secs);
            meter
                .minute(VariantMetric::Invocations, 10, now, &publishing(60, 180))
                .is_some()
        };
        assert!(!seen(0) && !seen(59));
        assert!(seen(180));
        assert!((60..=180).any(|s| !seen(s)) && (60..180).any(seen));
    }

    #[test]
    fn invocations_per_instance_sums_what_each_request_adds() {
        let mut meter = meter();
        meter.push(10, record(120.0), &publishing(0, 0));
        let now = Instant::of_minute(20);
        let of = |metric, stat| {
            meter
                .minute(metric, 10, now, &publishing(0, 0))
                .unwrap()
                .pick(stat)
                .unwrap()
        };
        assert!((of(VariantMetric::InvocationsPerInstance, Stat::Sum) - 60.0).abs() < 1e-9);
        assert!((of(VariantMetric::InvocationsPerInstance, Stat::Maximum) - 0.5).abs() < 1e-9);
        assert!((of(VariantMetric::Invocations, Stat::Sum) - 120.0).abs() < 1e-9);
        assert!((of(VariantMetric::CpuUtilization, Stat::SampleCount) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn idle_minutes_publish_zeros_or_nothing_as_the_option_says() {
        let mut meter = meter();
        meter.push(10, record(0.0), &publishing(0, 0));
        let now = Instant::of_minute(20);
        let zeros = publishing(0, 0);
        let silent = Publishing {
            idle_zeros: false,
            ..zeros
        };
        assert!(
            meter
                .minute(VariantMetric::Invocations, 10, now, &zeros)
                .is_some()
        );
        assert!(
            meter
                .minute(VariantMetric::Invocations, 10, now, &silent)
                .is_none()
        );
        assert!(
            meter
                .minute(VariantMetric::ModelLatency, 10, now, &zeros)
                .is_none()
        );
    }

    /// The short way of alarms and the long way of everyone else give the same numbers.
    #[test]
    fn both_ways_of_reading_agree() {
        let mut meter = meter();
        let publishing = publishing(60, 180);
        for minute in 10..18 {
            let requests = if minute % 3 == 0 {
                0.0
            } else {
                7.0 * crate::num::from_i64(minute)
            };
            meter.push(minute, record(requests), &publishing);
        }
        let now = Instant::of_minute(19);
        for metric in VariantMetric::ALL {
            for stat in [Stat::Sum, Stat::Average, Stat::Maximum, Stat::SampleCount] {
                let short: Vec<_> = meter
                    .newest_first((metric, stat), 18, now, &publishing)
                    .take(12)
                    .collect();
                let long: Vec<_> = (7..=18)
                    .rev()
                    .map(|m| {
                        meter
                            .minute(metric, m, now, &publishing)
                            .and_then(|s| s.pick(stat))
                    })
                    .collect();
                for (short, long) in short.iter().zip(&long) {
                    let near = match (short, long) {
                        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                        (a, b) => a == b,
                    };
                    assert!(near, "{metric:?} {stat:?}: {short:?} {long:?}");
                }
            }
        }
    }

    #[test]
    fn skipped_minutes_are_silent_and_old_ones_are_dropped() {
        let mut meter = meter();
        meter.push(10, record(1.0), &publishing(0, 0));
        meter.push(13, record(2.0), &publishing(0, 0));
        assert!(meter.record(11).unwrap().requests.is_nan());
        for minute in 14..40 {
            meter.push(minute, record(3.0), &publishing(0, 0));
        }
        assert!(meter.record(29).is_none());
        assert!(meter.record(30).is_some() && meter.record(39).is_some());
        meter.push(1_000_000, record(4.0), &publishing(0, 0));
        assert!((meter.record(1_000_000).unwrap().requests - 4.0).abs() < 1e-9);
        assert_eq!(meter.records.len(), 10);
    }
}
