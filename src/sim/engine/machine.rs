//! What capacity can do, and what was used of it in the running minute.

use super::meter::MinuteRecord;
use super::options::SpanRange;
use super::time::Span;

/// What an instance of a variant or a copy of a component can do, and how long one takes to start. Not something AWS
/// would tell; a world file sets it.
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

/// What was used of a variant or a component in the running minute, up to the instant it was settled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    requests: f64,
    per_instance: f64,
    /// Load, instances and latency, each times the milliseconds it lasted. For serverless variants the load is the
    /// number of executions, and the instances are the provisioned concurrency.
    load_time: f64,
    instance_time: f64,
    latency_time: f64,
    served_millis: f64,
    /// Requests that found no copy.
    refused: f64,
}

/// CPU that an idle instance uses, as a share of one.
const IDLE_CPU: f64 = 0.02;
/// Latency grows with the queue up to this many times the unloaded one.
const LATENCY_CAP: f64 = 20.0;

impl Usage {
    /// Adds what `rpm` requests per minute do to `count` instances or copies in a part of a minute.
    pub(crate) fn serve(&mut self, rpm: f64, part: Span, count: u32, machine: &Machine) {
        let (millis, requests) = parts(rpm, part);
        let instances = f64::from(count);
        self.requests += requests;
        self.served_millis += millis;
        self.instance_time += instances * millis;
        if count > 0 {
            self.per_instance += requests / instances;
            let load = rpm / (instances * machine.serves_rpm);
            self.load_time += load.min(1.0) * millis;
            self.latency_time += latency_factor(load) * millis;
        }
    }

    /// Adds what `rpm` requests per minute do to a serverless variant.
    pub(crate) fn serve_serverless(
        &mut self,
        rpm: f64,
        part: Span,
        provisioned: u32,
        most: u32,
        machine: &Machine,
    ) {
        let (millis, requests) = parts(rpm, part);
        let wanted = in_flight(rpm, machine.latency_us);
        let most = f64::from(most.max(1));
        self.requests += requests;
        self.served_millis += millis;
        self.instance_time += f64::from(provisioned) * millis;
        self.load_time += wanted.min(most) * millis;
        self.latency_time += (wanted / most).max(1.0) * millis;
    }

    /// Adds `requests` that instances took out of a queue, with `load` from 0 to 1.
    pub(crate) fn serve_queued(&mut self, requests: f64, load: f64, part: Span, count: u32) {
        let millis = crate::num::from_i64(part.millis());
        self.requests += requests;
        self.served_millis += millis;
        self.instance_time += f64::from(count) * millis;
        self.load_time += load * millis;
        // A queue keeps instances from being asked for more than they can do.
        self.latency_time += millis;
    }

    /// Adds requests that came when there was no copy.
    pub(crate) fn refuse(&mut self, rpm: f64, part: Span) {
        self.refused += parts(rpm, part).1;
    }

    /// Adds one request that no copy took.
    pub(crate) fn refuse_one(&mut self) {
        self.refused += 1.0;
    }

    /// Adds one request that a client sent.
    pub(crate) fn count_one(&mut self, count: u32) {
        self.requests += 1.0;
        if count > 0 {
            self.per_instance += 1.0 / f64::from(count);
        }
    }

    /// Whether any time of this minute was served.
    pub(crate) fn served(&self) -> bool {
        self.served_millis > 0.0
    }

    /// Requests that found no copy.
    pub(crate) fn refused(&self) -> f64 {
        self.refused
    }

    /// Mean executions and mean provisioned concurrency of a serverless variant.
    pub(crate) fn concurrency(&self) -> (f64, f64) {
        let millis = self.served_millis.max(1.0);
        (self.load_time / millis, self.instance_time / millis)
    }

    pub(crate) fn record(&self, machine: &Machine) -> MinuteRecord {
        let load = self.load_time / self.served_millis;
        MinuteRecord::new(
            self.requests,
            self.per_instance,
            100.0 * machine.vcpus * (IDLE_CPU + (1.0 - IDLE_CPU) * load),
            machine.latency_us * self.latency_time / self.served_millis,
            self.instance_time / self.served_millis,
        )
    }
}

/// Milliseconds of a part of a minute, and the requests that come in it.
fn parts(rpm: f64, part: Span) -> (f64, f64) {
    let millis = crate::num::from_i64(part.millis());
    let requests = rpm * millis / crate::num::from_i64(Span::MINUTE.millis());
    (millis, requests)
}

/// Latency of a loaded queue over that of an empty one: 1/(1 - load), capped.
pub(crate) fn latency_factor(load: f64) -> f64 {
    if load < 1.0 {
        (1.0 / (1.0 - load)).min(LATENCY_CAP)
    } else {
        LATENCY_CAP * load
    }
}

/// Requests that are on their way at one time, by Little's law: rate times time spent.
pub(crate) fn in_flight(rpm: f64, latency_us: f64) -> f64 {
    rpm / 60.0 * latency_us / 1e6
}

/// Requests in flight and queued per instance or copy, of which there is at least one.
pub(crate) fn concurrency_of(rpm: f64, count: u32, machine: &Machine) -> f64 {
    let each = rpm / f64::from(count.max(1));
    let factor = latency_factor(each / machine.serves_rpm);
    in_flight(each, machine.latency_us * factor)
}

/// The highest of a count that varies by chance around its mean. A metric that is a maximum lies so far above the
/// mean: about ten times at light load and a third near saturation, as measured (aws-autoscaling.md 2.2).
pub(crate) fn peak(mean: f64) -> f64 {
    mean + 2.5 * mean.max(0.0).sqrt()
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
        let machine = Machine::of_type(None, SpanRange::secs(1, 1));
        let mut usage = Usage::default();
        usage.serve(120.0, Span::from_secs(30), 1, &machine);
        usage.serve(120.0, Span::from_secs(30), 3, &machine);
        let record = usage.record(&machine);
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

    #[test]
    fn a_maximum_lies_far_above_a_small_mean_and_little_above_a_large_one() {
        assert!((peak(0.1) / 0.1 - 8.9).abs() < 0.1);
        assert!((peak(50.0) / 50.0 - 1.35).abs() < 0.01);
        assert!(peak(0.0).abs() < f64::EPSILON);
    }
}
