//! The queue of an asynchronous endpoint (aws-autoscaling.md 5.5, 6.2).

use std::collections::VecDeque;

use super::machine::Machine;
use super::meter::Publishing;
use super::series::Metrics;
use super::stats::StatSet;
use super::time::{Instant, Span};

/// Requests that came together.
#[derive(Debug, Clone, Copy)]
struct Batch {
    came: Instant,
    requests: f64,
}

/// Waiting requests, oldest first, and what the running minute saw of them.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    waiting: VecDeque<Batch>,
    size: f64,
    gauges: Gauges,
    size_time: f64,
    minute_millis: f64,
    most: f64,
    least: f64,
}

/// The series of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) size: usize,
    pub(crate) per_instance: usize,
    pub(crate) without_capacity: usize,
    pub(crate) age: usize,
}

/// Requests that wait longer are dropped: 6 hours (aws-autoscaling.md 5.5).
const TIME_TO_LIVE: Span = Span::from_secs(6 * 3600);

/// What rounding leaves of a request is no request.
const NOTHING: f64 = 1e-6;

impl Queue {
    pub(crate) fn new(gauges: Gauges) -> Self {
        Self {
            waiting: VecDeque::new(),
            size: 0.0,
            gauges,
            size_time: 0.0,
            minute_millis: 0.0,
            most: 0.0,
            least: f64::INFINITY,
        }
    }

    /// Requests that wait.
    pub(crate) fn size(&self) -> f64 {
        self.size
    }

    /// One request comes.
    pub(crate) fn push_one(&mut self, now: Instant) {
        self.arrive(now, 1.0);
    }

    fn arrive(&mut self, came: Instant, requests: f64) {
        if requests <= 0.0 {
            return;
        }
        self.size += requests;
        self.waiting.push_back(Batch { came, requests });
    }

    /// `rpm` requests a minute come and at most `capacity_rpm` a minute are worked off, for `part` from `from` on.
    /// Returns the requests worked off, and the load from 0 to 1.
    pub(crate) fn work(
        &mut self,
        rpm: f64,
        capacity_rpm: f64,
        from: Instant,
        part: Span,
    ) -> (f64, f64) {
        let millis = crate::num::from_i64(part.millis());
        let minutes = millis / crate::num::from_i64(Span::MINUTE.millis());
        let before = self.size;
        self.arrive(from, rpm * minutes);
        let possible = capacity_rpm * minutes;
        let done = possible.min(self.size);
        self.take(done);
        self.expire(from + part);
        self.size_time += f64::midpoint(before, self.size) * millis;
        self.minute_millis += millis;
        self.most = self.most.max(before).max(self.size);
        self.least = self.least.min(before).min(self.size);
        let load = if possible > 0.0 { done / possible } else { 0.0 };
        (done, load)
    }

    fn take(&mut self, mut requests: f64) {
        self.size -= requests;
        while let Some(oldest) = self.waiting.front_mut() {
            if oldest.requests > requests + NOTHING {
                oldest.requests -= requests;
                break;
            }
            requests -= oldest.requests;
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            self.size = 0.0;
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.waiting.front().filter(|b| now - b.came > TIME_TO_LIVE) {
            self.size = (self.size - oldest.requests).max(0.0);
            self.waiting.pop_front();
        }
    }

    /// Publishes the minute that ends at `now`, at which `instances` serve.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        instances: u32,
        metrics: &mut Metrics,
        publishing: &Publishing,
    ) {
        if self.minute_millis > 0.0 {
            let minute = now.minute() - 1;
            let mean = self.size_time / self.minute_millis;
            let size = StatSet {
                count: 1.0,
                sum: mean,
                min: self.least,
                max: self.most,
            };
            let mut push = |gauge, set| metrics.push_gauge(gauge, minute, set, publishing);
            push(self.gauges.size, size);
            // Without instances there is nothing to divide by, and nothing is published (aws-autoscaling.md 3.4).
            if instances > 0 {
                let share = 1.0 / f64::from(instances);
                push(self.gauges.per_instance, size.scaled(share));
            }
            let stranded = instances == 0 && self.size >= 1.0 - NOTHING;
            let flag = if stranded { 1.0 } else { 0.0 };
            push(self.gauges.without_capacity, StatSet::repeated(flag, 1.0));
            let age = self
                .waiting
                .front()
                .map_or(0.0, |b| (now - b.came).secs_f64());
            push(self.gauges.age, StatSet::repeated(age, 1.0));
        }
        self.size_time = 0.0;
        self.minute_millis = 0.0;
        self.most = self.size;
        self.least = f64::INFINITY;
    }
}

/// Requests a minute that so many machines work off.
pub(crate) fn capacity(machine: &Machine, count: u32) -> f64 {
    machine.serves_rpm * f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(Gauges {
            size: 0,
            per_instance: 1,
            without_capacity: 2,
            age: 3,
        })
    }

    #[test]
    fn a_queue_grows_without_capacity_and_is_worked_off_oldest_first() {
        let mut queue = queue();
        let start = Instant::from_secs(0);
        let minute = Span::MINUTE;
        assert_eq!(queue.work(30.0, 0.0, start, minute), (0.0, 0.0));
        queue.work(30.0, 0.0, start + minute, minute);
        assert!((queue.size() - 60.0).abs() < 1e-9);
        let (done, load) = queue.work(0.0, 40.0, start + Span::from_secs(120), minute);
        assert!((done - 40.0).abs() < 1e-9 && (load - 1.0).abs() < 1e-9);
        assert_eq!(queue.waiting.front().unwrap().came, start + minute);
        let (done, load) = queue.work(0.0, 40.0, start + Span::from_secs(180), minute);
        assert!((done - 20.0).abs() < 1e-9 && (load - 0.5).abs() < 1e-9);
        assert!(queue.size().abs() < 1e-9 && queue.waiting.is_empty());
    }

    #[test]
    fn requests_that_wait_too_long_are_dropped() {
        let mut queue = queue();
        let start = Instant::from_secs(0);
        queue.work(10.0, 0.0, start, Span::MINUTE);
        queue.work(0.0, 0.0, start, TIME_TO_LIVE);
        assert!((queue.size() - 10.0).abs() < 1e-9);
        queue.work(0.0, 0.0, start + TIME_TO_LIVE, Span::MINUTE);
        assert!(queue.size().abs() < 1e-9);
    }
}
