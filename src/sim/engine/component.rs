//! Inference components: models in copies, on instances of a variant that host them (aws-autoscaling.md 5.4, 5.5).

use std::collections::BTreeMap;

use super::chance::Chance;
use super::fleet::Fleet;
use super::machine::{Machine, Usage, concurrency_of};
use super::meter::Publishing;
use super::series::Metrics;
use super::stats::StatSet;
use super::time::{Instant, Span};
use super::traffic::Traffic;

/// Status of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComponentStatus {
    Creating,
    Updating,
    InService,
    Failed,
    Deleting,
}

impl ComponentStatus {
    /// SageMaker's words.
    pub(crate) const WORDS: [&'static str; 5] =
        ["InService", "Creating", "Updating", "Failed", "Deleting"];

    /// SageMaker's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::InService => "InService",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
        }
    }

    fn serves(self) -> bool {
        matches!(self, Self::Updating | Self::InService)
    }
}

/// A change that runs on a component.
#[derive(Debug, Clone)]
pub(crate) enum CopiesChange {
    /// The number of copies; `activity` when Application Auto Scaling asked for it, `doomed` with the reason when
    /// there is no place for them.
    Copies {
        activity: Option<u64>,
        doomed: Option<&'static str>,
    },
    Delete,
}

/// A component.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) endpoint: String,
    /// The endpoint's number: one that is made again under its name has another, and none of its components.
    pub(crate) endpoint_index: usize,
    pub(crate) variant: String,
    pub(crate) status: ComponentStatus,
    pub(crate) failure: Option<&'static str>,
    pub(crate) created: Instant,
    pub(crate) modified: Instant,
    pub(crate) current: u32,
    pub(crate) desired: u32,
    /// Copies that one instance has room for.
    pub(crate) copies_per_instance: u32,
    /// What one copy can do.
    pub(crate) machine: Machine,
    /// `Specification` as created, given back by `DescribeInferenceComponent`.
    pub(crate) specification: serde_json::Value,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) traffic: Traffic,
    /// Numbers the component for draws of chance.
    pub(crate) serial: u64,
    pub(crate) meter: usize,
    /// The series of requests that found no copy.
    pub(crate) refused: usize,
    pub(crate) running: Option<(u64, CopiesChange)>,
    /// Whether its endpoint serves. A component outlives its endpoint, and then does nothing.
    hosted: bool,
    minute_requests: f64,
    settled: Instant,
    usage: Usage,
}

/// What a component is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) endpoint: String,
    pub(crate) endpoint_index: usize,
    pub(crate) variant: String,
    pub(crate) copies_per_instance: u32,
    pub(crate) machine: Machine,
    pub(crate) specification: serde_json::Value,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) traffic: Traffic,
    pub(crate) meter: usize,
    pub(crate) refused: usize,
}

/// Components draw their traffic apart from endpoints, which count their serials from zero.
const SERIALS: u64 = 1 << 33;

impl Component {
    fn settle(&mut self, now: Instant) {
        let part = now - self.settled;
        self.settled = now;
        if part <= Span::ZERO || !self.hosted || !self.status.serves() {
            return;
        }
        let rpm = self.minute_requests;
        if self.current > 0 {
            self.usage.serve(rpm, part, self.current, &self.machine);
        } else {
            self.usage.refuse(rpm, part);
        }
    }

    fn begin_minute(&mut self, now: Instant, chance: Chance) {
        self.minute_requests = if self.hosted && self.status.serves() {
            self.traffic.requests(now.minute(), self.serial, chance)
        } else {
            0.0
        };
    }

    /// Instances that its copies take, those that are on their way included.
    pub(crate) fn instances_for(&self, copies: u32) -> f64 {
        f64::from(copies) / f64::from(self.copies_per_instance.max(1))
    }
}

/// All components of the account.
#[derive(Debug, Default)]
pub(crate) struct Components {
    slots: Vec<Option<Component>>,
    by_name: BTreeMap<String, usize>,
    next_change: u64,
}

impl Components {
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Component> {
        self.slots.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Component> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Component> {
        self.get(self.index_of(name)?)
    }

    /// All components in order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Component> {
        self.by_name.values().filter_map(|index| self.get(*index))
    }

    /// Adds a component without copies, in service.
    pub(crate) fn insert(&mut self, parts: Parts, now: Instant) -> usize {
        let index = self.slots.len();
        self.by_name.insert(parts.name.clone(), index);
        self.slots.push(Some(Component {
            name: parts.name,
            arn: parts.arn,
            endpoint: parts.endpoint,
            endpoint_index: parts.endpoint_index,
            variant: parts.variant,
            status: ComponentStatus::InService,
            failure: None,
            created: now,
            modified: now,
            current: 0,
            desired: 0,
            copies_per_instance: parts.copies_per_instance,
            machine: parts.machine,
            specification: parts.specification,
            tags: parts.tags,
            traffic: parts.traffic,
            serial: SERIALS + u64::try_from(index).unwrap_or(0),
            meter: parts.meter,
            refused: parts.refused,
            running: None,
            hosted: true,
            minute_requests: 0.0,
            settled: now,
            usage: Usage::default(),
        }));
        index
    }

    /// Starts a change; the caller schedules its end under the returned number.
    pub(crate) fn start(
        &mut self,
        index: usize,
        change: CopiesChange,
        status: ComponentStatus,
        now: Instant,
    ) -> Option<u64> {
        let number = self.next_change;
        self.next_change += 1;
        let component = self.get_mut(index)?;
        component.settle(now);
        component.modified = now;
        component.status = status;
        component.running = Some((number, change));
        Some(number)
    }

    /// Takes the change that runs, if it is still this one, with the time up to `now` accounted for.
    pub(crate) fn end(
        &mut self,
        index: usize,
        number: u64,
        now: Instant,
    ) -> Option<(&mut Component, CopiesChange)> {
        let component = self.get_mut(index)?;
        component.running.as_ref().filter(|(n, _)| *n == number)?;
        component.settle(now);
        component.modified = now;
        let (_, change) = component.running.take()?;
        Some((component, change))
    }

    pub(crate) fn remove(&mut self, index: usize) {
        if let Some(component) = self.slots.get_mut(index).and_then(Option::take) {
            self.by_name.remove(&component.name);
        }
    }

    /// Draws the load of the running minute for a component that has just begun to serve, or has another load.
    pub(crate) fn begin_serving(&mut self, index: usize, now: Instant, chance: Chance) {
        if let Some(component) = self.get_mut(index) {
            component.settle(now);
            component.begin_minute(now, chance);
        }
    }

    /// Counts one request that a client sent; nothing when there is no copy to take it.
    pub(crate) fn invoke(&mut self, index: usize) -> Option<()> {
        let component = self.get_mut(index)?;
        if component.current > 0 && component.status.serves() {
            component.usage.count_one(component.current);
            return Some(());
        }
        component.usage.refuse_one();
        None
    }

    /// Closes the minute that ends at `now`.
    pub(crate) fn close_minute(
        &mut self,
        now: Instant,
        fleet: &Fleet,
        metrics: &mut Metrics,
        publishing: &Publishing,
    ) {
        let minute = now.minute() - 1;
        for component in self.slots.iter_mut().flatten() {
            component.settle(now);
            let usage = std::mem::take(&mut component.usage);
            if let Some(meter) = metrics
                .meter_mut(component.meter)
                .filter(|_| usage.served())
            {
                meter.push(minute, usage.record(&component.machine), publishing);
            }
            // Published only when requests found no copy (aws-autoscaling.md 6.2).
            if usage.refused() > 0.0 {
                let set = StatSet {
                    sum: usage.refused(),
                    ..StatSet::repeated(1.0, usage.refused())
                };
                metrics.push_gauge(component.refused, minute, set, publishing);
            }
            component.hosted = fleet
                .get(component.endpoint_index)
                .is_some_and(|e| e.status.serves());
            component.begin_minute(now, publishing.chance);
        }
    }

    /// Closes the 10 s that end at `now`.
    pub(crate) fn close_slot(&self, now: Instant, metrics: &mut Metrics, publishing: &Publishing) {
        for component in self.slots.iter().flatten() {
            let serves = component.hosted && component.status.serves() && component.current > 0;
            let Some(meter) = metrics.meter_mut(component.meter).filter(|_| serves) else {
                continue;
            };
            let (rpm, copies) = (component.minute_requests, component.current);
            let mean = concurrency_of(rpm, copies, &component.machine);
            meter.push_slot(now, mean, publishing);
        }
    }
}
