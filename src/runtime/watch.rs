//! The watcher: alarms, metric values and scaling activities of a scope.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::board::Board;
use super::drive::{Again, Task};
use super::observe::{TRACKING_ALARMS, both};
use crate::domain::{
    Activity, ActivityStatus, CapacityChange, Datapoint, DesiredFleet, MathMetric, MetricData,
    ObservedAlarm, PassReason, Policy, PolicyName, ScopeName, TargetId, WatchSnapshot,
    alarm_prefix,
};
use crate::ports::{ApiError, Clock, Event, EventSink, Listing, MetricQuery, ScopePorts};

/// Watches one scope.
#[derive(Debug)]
pub struct Watcher {
    scope: ScopeName,
    ports: ScopePorts,
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
    settings: watch::Receiver<Arc<Settings>>,
    board: Arc<Board>,
    nudge: mpsc::Sender<PassReason>,
    /// Activities seen, by id, as they stood.
    seen: BTreeMap<String, (DateTime<Utc>, ActivityStatus)>,
    /// Activities that began before this are settled.
    since: Option<DateTime<Utc>>,
    /// Which reads failed at the last look: a failure is told once, not once a minute.
    failing: BTreeMap<&'static str, String>,
}

/// How far back the first look goes, so that there is something to show after a restart.
const FIRST_LOOK_BACK: TimeDelta = TimeDelta::hours(6);
/// Looks overlap by this much, for activities that AWS lists late.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// A bound on what one look reads.
const MOST_ACTIVITIES: usize = 1000;
/// CloudWatch's limit of queries per call.
const QUERIES_PER_CALL: usize = 500;
/// How far back metric values are looked for.
const VALUE_WINDOW: TimeDelta = TimeDelta::minutes(10);

impl Watcher {
    /// A watcher for one scope. It nudges the reconciler through `nudge`.
    #[must_use]
    pub fn new(
        scope: ScopeName,
        ports: ScopePorts,
        clock: Arc<dyn Clock>,
        events: Arc<dyn EventSink>,
        settings: watch::Receiver<Arc<Settings>>,
        board: Arc<Board>,
        nudge: mpsc::Sender<PassReason>,
    ) -> Self {
        Self {
            scope,
            ports,
            clock,
            events,
            settings,
            board,
            nudge,
            seen: BTreeMap::new(),
            since: None,
            failing: BTreeMap::new(),
        }
    }

    /// Looks once.
    pub async fn look(&mut self) {
        let now = self.clock.now();
        let settings = Arc::clone(&self.settings.borrow());
        let none = DesiredFleet::empty(self.scope.clone());
        let fleet = settings.fleets.get(&self.scope).unwrap_or(&none);
        let declared = declared(&self.board, &self.scope, fleet);
        let queries = queries_of(&declared);
        // Names that were there before the look: a policy put meanwhile has alarms that the list may lack.
        let named = named_alarms(&self.board, &self.scope);
        let since = self.since.unwrap_or_else(|| back(now, FIRST_LOOK_BACK));
        let owned = alarm_prefix(&fleet.manage.owner);
        let adopted = fleet.adopted_alarms();
        let (alarms, ours, adopted, activities, values) = tokio::join!(
            self.ports.alarms.alarms(TRACKING_ALARMS),
            self.ports.alarms.alarms(&owned),
            self.ports.alarms.alarms_named(&adopted),
            self.ports.scaling.activities(since, MOST_ACTIVITIES),
            read_values(&self.ports, &queries, now),
        );
        let alarms = both(both(alarms, ours), adopted);
        let (values, failed) = values;
        let problems: Vec<String> = [
            ("alarms", alarms.gap.as_ref()),
            ("activities", activities.gap.as_ref()),
            ("values", failed.as_ref()),
        ]
        .into_iter()
        .filter_map(|(what, error)| self.tell_failure(what, error))
        .collect();
        let activities = self.digest(activities, &declared, now);
        self.board.update_scope(&self.scope, |scope| {
            let held = &mut scope.watch;
            // Only a look that saw everything counts as one, or an alert on its age would never fire.
            if problems.is_empty() {
                held.at = Some(now);
            }
            held.problems = problems;
            // What could not be read keeps its last state; the problem says that it is old.
            if alarms.gap.is_none() {
                held.alarms = by_name(alarms.items);
                held.gone = named;
                held.gone.retain(|name| !held.alarms.contains_key(name));
            }
            if failed.is_none() {
                held.values.clear();
            }
            held.values.extend(values);
            keep_changes(held, &activities, &declared, now);
            keep_latest(held, activities, &declared);
        });
    }

    fn tell_failure(&mut self, what: &'static str, error: Option<&ApiError>) -> Option<String> {
        let Some(error) = error else {
            self.failing.remove(what);
            return None;
        };
        let kind = error.kind.label().to_owned();
        if self.failing.insert(what, kind.clone()) != Some(kind) {
            self.events.emit(&Event::WatchFailed {
                scope: &self.scope,
                error,
            });
        }
        Some(error.to_string())
    }

    /// Tells of activities that are new or have moved on, and returns them oldest first.
    fn digest(
        &mut self,
        listing: Listing<Activity>,
        declared: &Declared,
        now: DateTime<Utc>,
    ) -> Vec<Activity> {
        let is_first = self.since.is_none();
        let complete = listing.gap.is_none();
        let mut fresh = Vec::new();
        let mut finished = false;
        for activity in listing.items.into_iter().rev() {
            let before = self
                .seen
                .insert(activity.id.clone(), (activity.started, activity.status));
            let news = before.is_none_or(|(_, status)| status != activity.status);
            // What happened before the start is shown, and neither told nor counted.
            if news && !is_first && declared.contains_key(&activity.target) {
                self.events.emit(&Event::Scaling {
                    scope: &self.scope,
                    activity: &activity,
                });
                finished |= activity.status.is_final() && activity.not_scaled.is_empty();
            }
            fresh.push(activity);
        }
        if complete {
            let running = self.seen.values().filter(|(_, status)| !status.is_final());
            let oldest_running = running.map(|(started, _)| *started).min();
            let since = back(now, OVERLAP);
            let since = oldest_running.map_or(since, |oldest| oldest.min(since));
            self.since = Some(since);
            self.seen.retain(|_, (started, _)| *started >= since);
        }
        if finished {
            // An endpoint is in service again; whoever waited for it need not wait for the interval.
            // A full line means that a nudge is waiting already.
            self.nudge.try_send(PassReason::Nudge).unwrap_or_default();
        }
        fresh
    }
}

fn back(now: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    now.checked_sub_signed(by).unwrap_or(now)
}

/// The alarms that the declared policies name, as the last pass saw them.
fn named_alarms(board: &Board, scope: &ScopeName) -> BTreeSet<String> {
    let fleet = board.current();
    let targets = fleet
        .scopes
        .get(scope)
        .into_iter()
        .flat_map(|s| s.targets.values());
    let names = targets.flat_map(|target| {
        let declared = target
            .policies
            .iter()
            .filter_map(|p| target.alarms.get(&p.name));
        declared.flatten().cloned().collect::<Vec<_>>()
    });
    names.collect()
}

fn by_name(alarms: Vec<ObservedAlarm>) -> BTreeMap<String, ObservedAlarm> {
    alarms
        .into_iter()
        .map(|alarm| (alarm.name.clone(), alarm))
        .collect()
}

type Key = (TargetId, PolicyName);

/// What to read. Metric math has ids of its own, so each is read by itself.
#[derive(Debug, Default)]
struct Queries {
    series: Vec<(Key, MetricQuery)>,
    math: Vec<(Key, MathMetric)>,
}

/// Declared policies by target.
type Declared = BTreeMap<TargetId, Vec<Policy>>;

/// What is declared, target by target: as the last pass worked it out, or before the first one what the config names.
fn declared(board: &Board, scope: &ScopeName, fleet: &DesiredFleet) -> Declared {
    let current = board.current();
    match current.scopes.get(scope).filter(|s| s.last_pass.is_some()) {
        Some(held) => {
            let targets = held.targets.iter();
            targets
                .map(|(id, t)| (id.clone(), t.policies.clone()))
                .collect()
        }
        None => {
            let targets = fleet.targets.values();
            targets
                .map(|t| (t.id.clone(), t.policies.clone()))
                .collect()
        }
    }
}

fn queries_of(declared: &Declared) -> Queries {
    let mut queries = Queries::default();
    for (id, policies) in declared {
        for policy in policies {
            let key = (id.clone(), policy.name.clone());
            match policy.watched_metric(id) {
                MetricData::Series(metric, period) => {
                    queries.series.push((key, MetricQuery { metric, period }));
                }
                MetricData::Math(math) => queries.math.push((key, math)),
            }
        }
    }
    queries
}

type Values = BTreeMap<Key, Datapoint>;

/// The newest mature value of each query. A period that has just ended may still be filling up. A query that fails
/// takes nothing from the others; the first error is told.
async fn read_values(
    ports: &ScopePorts,
    queries: &Queries,
    now: DateTime<Utc>,
) -> (Values, Option<ApiError>) {
    let mut values = Values::new();
    let mut failed = None;
    let from = back(now, VALUE_WINDOW);
    let mut keep = |key: &Key, period: u32, points: Vec<Datapoint>| {
        let period = TimeDelta::seconds(i64::from(period));
        let newest = points.into_iter().find(|p| p.at + period + period <= now);
        values.extend(newest.map(|point| (key.clone(), point)));
    };
    for (key, math) in &queries.math {
        match ports.metrics.math(math, from, now).await {
            Ok(points) => keep(key, 60, points),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    for batch in queries.series.chunks(QUERIES_PER_CALL) {
        let asked: Vec<MetricQuery> = batch.iter().map(|(_, query)| query.clone()).collect();
        match ports.metrics.datapoints(&asked, from, now).await {
            Ok(all) => {
                for ((key, query), points) in batch.iter().zip(all) {
                    keep(key, query.period, points);
                }
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (values, failed)
}

/// Changes of capacity are kept so long: a detector looks an hour back, and needs what was before.
const CHANGES_KEPT: TimeDelta = TimeDelta::hours(3);
/// And so many of a target at the most.
const MOST_CHANGES: usize = 100;

/// Works what activities say of capacity into the changes that are known. `activities` are oldest first.
fn keep_changes(
    held: &mut WatchSnapshot,
    activities: &[Activity],
    declared: &Declared,
    now: DateTime<Utc>,
) {
    for activity in activities.iter().filter(|a| a.not_scaled.is_empty()) {
        let failed = matches!(
            activity.status,
            ActivityStatus::Failed | ActivityStatus::Unfulfilled
        );
        let Some(to) = activity.capacity().filter(|_| !failed) else {
            continue;
        };
        let changes = held.changes.entry(activity.target.clone()).or_default();
        let change = CapacityChange {
            at: activity.started,
            done: activity.ended,
            to,
            cause: activity.cause.clone(),
        };
        match changes.iter_mut().find(|c| c.at == change.at) {
            Some(known) => *known = change,
            None => changes.push(change),
        }
        changes.sort_by_key(|c| c.at);
    }
    let oldest = back(now, CHANGES_KEPT);
    for changes in held.changes.values_mut() {
        changes.retain(|c| c.at >= oldest);
        let surplus = changes.len().saturating_sub(MOST_CHANGES);
        changes.drain(..surplus);
    }
    held.changes
        .retain(|id, changes| declared.contains_key(id) && !changes.is_empty());
}

fn keep_latest(held: &mut WatchSnapshot, activities: Vec<Activity>, declared: &Declared) {
    for activity in activities {
        let latest = if activity.not_scaled.is_empty() {
            &mut held.activities
        } else {
            &mut held.refusals
        };
        let newer = latest
            .get(&activity.target)
            .is_none_or(|h| h.started <= activity.started);
        if newer {
            latest.insert(activity.target.clone(), activity);
        }
    }
    held.activities.retain(|id, _| declared.contains_key(id));
    held.refusals.retain(|id, _| declared.contains_key(id));
}

#[async_trait]
impl Task for Watcher {
    fn name(&self) -> String {
        format!("watch {}", self.scope)
    }

    fn interval(&self) -> Duration {
        self.settings.borrow().watch_interval
    }

    async fn activate(&mut self, _reason: PassReason, stop: &CancellationToken) -> Option<Again> {
        tokio::select! {
            () = self.look() => {}
            () = stop.cancelled() => {}
        }
        None
    }
}
