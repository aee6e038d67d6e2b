//! Every metric of the world: what variants publish, and what clients put.

use std::collections::{BTreeMap, BTreeSet};

use super::gauge::Gauge;
use super::meter::{Meter, Owner, Publishing, VariantMetric};
use super::stats::StatSet;
use super::time::{Instant, Span};

/// The name of a metric in full. Dimensions are sorted, so equal sets are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// Where the datapoints of a metric come from. Resolved once, so that an alarm need not search at each evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A metric of a variant or a component.
    Meter(usize, VariantMetric),
    /// A series beside the meters.
    Gauge(usize),
    /// Data that clients put.
    Put(usize),
    /// No data at all, so far.
    Nothing,
}

/// Data that clients put, by unit and second.
#[derive(Debug)]
struct PutSeries {
    key: MetricKey,
    points: BTreeMap<(Instant, String), StatSet>,
    last_put: Instant,
}

/// All metrics.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    meters: Vec<Meter>,
    meter_of: BTreeMap<Owner, usize>,
    gauges: Vec<Gauge>,
    gauge_of: BTreeMap<MetricKey, usize>,
    put: Vec<PutSeries>,
    put_of: BTreeMap<MetricKey, usize>,
}

impl Metrics {
    /// The meter of a variant or a component, made on first use. From now on it publishes `publishes`.
    pub(crate) fn meter_for(
        &mut self,
        owner: Owner,
        publishes: &'static [VariantMetric],
        retention: Span,
    ) -> usize {
        if let Some(&index) = self.meter_of.get(&owner) {
            if let Some(meter) = self.meters.get_mut(index) {
                meter.publishes = publishes;
            }
            return index;
        }
        let index = self.meters.len();
        let serial = u64::try_from(index).unwrap_or(u64::MAX);
        self.meters
            .push(Meter::new(owner.clone(), publishes, serial, retention));
        self.meter_of.insert(owner, index);
        index
    }

    /// A gauge in the namespace `AWS/SageMaker`, made on first use.
    pub(crate) fn gauge_for(
        &mut self,
        name: &str,
        dimensions: &[(&str, &str)],
        unit: &'static str,
    ) -> usize {
        let pair = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        let key = MetricKey {
            namespace: "AWS/SageMaker".to_owned(),
            name: name.to_owned(),
            dimensions: dimensions.iter().map(pair).collect(),
        };
        if let Some(&index) = self.gauge_of.get(&key) {
            return index;
        }
        let index = self.gauges.len();
        self.gauges.push(Gauge::new(key.clone(), unit, index));
        self.gauge_of.insert(key, index);
        index
    }

    pub(crate) fn push_gauge(
        &mut self,
        index: usize,
        minute: i64,
        set: StatSet,
        publishing: &Publishing,
    ) {
        if let Some(gauge) = self.gauges.get_mut(index) {
            gauge.push(minute, set, publishing);
        }
    }

    pub(crate) fn meter(&self, index: usize) -> Option<&Meter> {
        self.meters.get(index)
    }

    pub(crate) fn meter_mut(&mut self, index: usize) -> Option<&mut Meter> {
        self.meters.get_mut(index)
    }

    /// Finds where the data of a metric comes from.
    pub(crate) fn resolve(&self, key: &MetricKey, unit: Option<&str>) -> Source {
        if let Some(&index) = self.put_of.get(key) {
            return Source::Put(index);
        }
        // A unit that is not the published one matches no data (aws-autoscaling.md 2.3).
        let fits = |published: &str| unit.is_none_or(|unit| unit == published);
        if let Some(&index) = self.gauge_of.get(key) {
            return match self.gauges.get(index) {
                Some(gauge) if fits(gauge.unit) => Source::Gauge(index),
                _ => Source::Nothing,
            };
        }
        let index = Owner::named(&key.dimensions).and_then(|o| self.meter_of.get(&o).copied());
        let found = index.and_then(|index| {
            let meter = self.meters.get(index)?;
            let metric = meter.publishes.iter().find(|m| {
                let (namespace, name, published) = m.published(&meter.owner);
                (namespace, name) == (key.namespace.as_str(), key.name.as_str()) && fits(published)
            })?;
            Some(Source::Meter(index, *metric))
        });
        found.unwrap_or(Source::Nothing)
    }

    /// The samples in [`start`, `start + period`) that can be seen at `now`.
    pub(crate) fn samples(
        &self,
        source: Source,
        unit: Option<&str>,
        start: Instant,
        period: Span,
        now: Instant,
        publishing: &Publishing,
    ) -> Option<StatSet> {
        match source {
            Source::Nothing => None,
            Source::Meter(index, metric) => {
                let meter = self.meters.get(index)?;
                let first = start.minute();
                if period == Span::MINUTE {
                    return meter.minute(metric, first, now, publishing);
                }
                if period < Span::MINUTE && metric == VariantMetric::ConcurrentRequests {
                    return meter.concurrency(start, start + period, now, publishing);
                }
                // A period below a minute finds the minute's one point in the slot that begins it.
                let end = (start + period - Span::from_millis(1)).minute();
                (first..=end)
                    .filter(|m| Instant::of_minute(*m) >= start)
                    .filter_map(|m| meter.minute(metric, m, now, publishing))
                    .reduce(StatSet::merge)
            }
            Source::Gauge(index) => self.gauges.get(index)?.samples(start, start + period, now),
            Source::Put(index) => {
                let series = self.put.get(index)?;
                series
                    .points
                    .range((start, String::new())..(start + period, String::new()))
                    .filter(|((_, u), _)| unit.is_none_or(|unit| unit == u))
                    .map(|(_, set)| *set)
                    .reduce(StatSet::merge)
            }
        }
    }

    /// Takes a datapoint from a client. Returns whether the metric is new, so that alarms waiting for it can look
    /// again.
    pub(crate) fn put(
        &mut self,
        key: MetricKey,
        unit: &str,
        at: Instant,
        now: Instant,
        set: StatSet,
    ) -> bool {
        let known = self.put_of.get(&key).copied();
        let index = known.unwrap_or_else(|| {
            let index = self.put.len();
            self.put.push(PutSeries {
                key: key.clone(),
                points: BTreeMap::new(),
                last_put: now,
            });
            self.put_of.insert(key, index);
            index
        });
        if let Some(series) = self.put.get_mut(index) {
            series.last_put = now;
            series
                .points
                .entry((at, unit.to_owned()))
                .and_modify(|held| *held = held.merge(set))
                .or_insert(set);
        }
        known.is_none()
    }

    /// Forgets what clients put, and gauges showed, before `oldest`.
    pub(crate) fn forget_before(&mut self, oldest: Instant) {
        for gauge in &mut self.gauges {
            gauge.forget_before(oldest);
        }
        for series in &mut self.put {
            series.points = series.points.split_off(&(oldest, String::new()));
        }
    }

    /// Every metric with data since `since`, in order of name.
    pub(crate) fn list(&self, since: Instant) -> BTreeSet<MetricKey> {
        let put = self
            .put
            .iter()
            .filter(|s| s.last_put >= since)
            .map(|s| s.key.clone());
        let live = self
            .meters
            .iter()
            .filter(|m| m.has_data_since(since.minute()));
        let published = live.flat_map(|meter| {
            meter.publishes.iter().map(|metric| {
                let (namespace, name, _) = metric.published(&meter.owner);
                MetricKey {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    dimensions: meter.owner.dimensions(),
                }
            })
        });
        let shown = self.gauges.iter().filter(|g| g.has_data_since(since));
        let shown = shown.map(|g| g.key.clone());
        put.chain(published).chain(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::chance::Chance;
    use super::super::options::SpanRange;
    use super::super::stats::Stat;
    use super::*;

    fn key(name: &str) -> MetricKey {
        MetricKey {
            namespace: "App".to_owned(),
            name: name.to_owned(),
            dimensions: BTreeMap::new(),
        }
    }

    fn publishing() -> Publishing {
        Publishing {
            delay: SpanRange::secs(0, 0),
            fast_delay: SpanRange::secs(0, 0),
            idle_zeros: true,
            provisioned_most: 1.0,
            chance: Chance::new(1),
        }
    }

    #[test]
    fn put_data_is_found_by_period_and_unit() {
        let mut metrics = Metrics::default();
        let now = Instant::from_secs(600);
        for (at, unit, value) in [(60, "Count", 1.0), (90, "Count", 3.0), (120, "None", 9.0)] {
            let set = StatSet::repeated(value, 1.0);
            metrics.put(key("Queue"), unit, Instant::from_secs(at), now, set);
        }
        let source = metrics.resolve(&key("Queue"), None);
        let sum = |unit, start, secs| {
            let (start, period) = (Instant::from_secs(start), Span::from_secs(secs));
            let set = metrics.samples(source, unit, start, period, now, &publishing());
            set.and_then(|s| s.pick(Stat::Sum))
        };
        assert_eq!(sum(None, 60, 60), Some(4.0));
        assert_eq!(sum(None, 60, 120), Some(13.0));
        assert_eq!(sum(Some("Count"), 60, 120), Some(4.0));
        assert_eq!(sum(Some("Seconds"), 60, 120), None);
        assert_eq!(sum(None, 180, 60), None);
    }

    #[test]
    fn a_wrong_unit_or_a_missing_dimension_finds_nothing() {
        let mut metrics = Metrics::default();
        let owner = Owner::Variant {
            endpoint: "e".to_owned(),
            variant: "v".to_owned(),
        };
        metrics.meter_for(owner, &VariantMetric::ALL, Span::from_secs(3600));
        let dimensions = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect()
        };
        let cpu = |dimensions| MetricKey {
            namespace: "/aws/sagemaker/Endpoints".to_owned(),
            name: "CPUUtilization".to_owned(),
            dimensions,
        };
        let full = cpu(dimensions(&[("EndpointName", "e"), ("VariantName", "v")]));
        assert_eq!(
            metrics.resolve(&full, None),
            Source::Meter(0, VariantMetric::CpuUtilization)
        );
        assert_eq!(metrics.resolve(&full, Some("Count")), Source::Nothing);
        let partial = cpu(dimensions(&[("EndpointName", "e")]));
        assert_eq!(metrics.resolve(&partial, None), Source::Nothing);
    }
}
