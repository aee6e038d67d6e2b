//! Series of single numbers that SageMaker publishes beside what a meter records: one point per minute at most.

use std::collections::VecDeque;

use super::chance::Purpose;
use super::meter::Publishing;
use super::options::SpanRange;
use super::series::MetricKey;
use super::stats::StatSet;
use super::time::{Instant, Span};

/// One published minute.
#[derive(Debug, Clone, Copy)]
struct Point {
    start: Instant,
    visible_at: Instant,
    set: StatSet,
}

/// A series. Like CloudWatch's data it belongs to its name and outlives what published it.
#[derive(Debug)]
pub(crate) struct Gauge {
    pub(crate) key: MetricKey,
    pub(crate) unit: &'static str,
    /// Keys the chance of publishing delays.
    serial: u64,
    points: VecDeque<Point>,
}

/// Gauges draw their delays apart from meters, which count their serials from zero.
const SERIALS: u64 = 1 << 32;

impl Gauge {
    pub(crate) fn new(key: MetricKey, unit: &'static str, number: usize) -> Self {
        Self {
            key,
            unit,
            serial: SERIALS + u64::try_from(number).unwrap_or(0),
            points: VecDeque::new(),
        }
    }

    /// Publishes a minute; minutes come in order.
    pub(crate) fn push(&mut self, minute: i64, set: StatSet, publishing: &Publishing) {
        let SpanRange { low, high } = publishing.delay;
        let (low, high) = (low.millis(), high.millis());
        let key = minute.unsigned_abs();
        let delay = publishing
            .chance
            .between(Purpose::PublishDelay, self.serial, key, low, high);
        self.points.push_back(Point {
            start: Instant::of_minute(minute),
            visible_at: Instant::of_minute(minute + 1) + Span::from_millis(delay),
            set,
        });
    }

    /// The samples in [`start`, `end`) that can be seen at `now`.
    pub(crate) fn samples(&self, start: Instant, end: Instant, now: Instant) -> Option<StatSet> {
        let first = self.points.partition_point(|p| p.start < start);
        self.points
            .iter()
            .skip(first)
            .take_while(|p| p.start < end)
            .filter(|p| p.visible_at <= now)
            .map(|p| p.set)
            .reduce(StatSet::merge)
    }

    /// Forgets points before `oldest`.
    pub(crate) fn forget_before(&mut self, oldest: Instant) {
        while self.points.front().is_some_and(|p| p.start < oldest) {
            self.points.pop_front();
        }
    }

    pub(crate) fn has_data_since(&self, since: Instant) -> bool {
        self.points.back().is_some_and(|p| p.start >= since)
    }
}
