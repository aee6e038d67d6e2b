//! The watcher: alarms, metric values and scaling activities of a scope.

mod keep;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::drive::{Again, Task};
use super::observe::{TRACKING_ALARMS, both};
use super::{Settings, WatchSettings};
use crate::domain::{
    Activity, ActivityStatus, Allowance, DesiredFleet, Interest, ObservedAlarm, PassReason, Policy,
    ScopeName, ScopeSnapshot, TargetId, alarm_prefix, calls_dollars, interest, monthly_dollars,
    share,
};
use crate::ports::{ApiError, Clock, Event, EventSink, Listing, ScopePorts};
use keep::{forget_values, keep_changes, keep_evaluated, keep_latest, keep_values};
use read::{Reads, Watched, monthly};

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
    reads: Reads,
    /// What may be spent; `None` without a budget.
    allowance: Option<Allowance>,
    /// Dollars a month that it may spend.
    monthly_limit: Option<f64>,
    alarms_read: Option<DateTime<Utc>>,
    mutes_read: Option<DateTime<Utc>>,
    /// Calls that the last lists of alarms took.
    alarm_calls: usize,
    /// Whether the last look left something out for want of money.
    skips: bool,
}

/// How far back the first look goes, so that there is something to show after a restart.
const FIRST_LOOK_BACK: TimeDelta = TimeDelta::hours(6);
/// Looks overlap by this much, for activities that AWS lists late.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// A bound on what one look reads.
const MOST_ACTIVITIES: usize = 1000;
/// Mute rules are read so often: they are rare, and last.
const MUTES_EVERY: TimeDelta = TimeDelta::minutes(5);
/// Alarms of a page.
const ALARMS_PER_PAGE: usize = 100;
/// Alarms are read so often whatever the budget says: without them nothing is seen.
const ALARMS_AT_LEAST: TimeDelta = TimeDelta::minutes(5);

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
            reads: Reads::default(),
            allowance: None,
            monthly_limit: None,
            alarms_read: None,
            mutes_read: None,
            alarm_calls: 0,
            skips: false,
        }
    }

    /// Looks once: at alarms and activities, and then at the metrics that these make worth their money.
    pub async fn look(&mut self) {
        let now = self.clock.now();
        let settings = Arc::clone(&self.settings.borrow());
        let none = DesiredFleet::empty(self.scope.clone());
        let fleet = settings.fleets.get(&self.scope).unwrap_or(&none);
        let declared = declared(&self.board, &self.scope, fleet);
        self.refill(settings.watch, now);
        let found = [
            self.look_at_alarms(fleet, now).await,
            self.look_at_activities(&declared, now).await,
            self.look_at_metrics(&declared, &settings, now).await,
        ];
        let problems: Vec<String> = found.into_iter().flatten().collect();
        self.board.update_scope(&self.scope, |scope| {
            let held = &mut scope.watch;
            // Only a look that saw everything counts as one, or an alert on its age would never fire.
            if problems.is_empty() {
                held.at = Some(now);
            }
            held.problems = problems;
        });
    }

    /// This scope's share of the budget, by its share of the targets.
    fn refill(&mut self, watch: WatchSettings, now: DateTime<Utc>) {
        let Some(budget) = watch.budget else {
            self.allowance = None;
            self.monthly_limit = None;
            return;
        };
        let fleet = self.board.current();
        let count = |scope: &ScopeSnapshot| scope.targets.len().max(1);
        let all: usize = fleet.scopes.values().map(|scope| count(scope)).sum();
        let ours = fleet
            .scopes
            .get(&self.scope)
            .map_or(1, |scope| count(scope));
        let monthly = share(budget, ours, all);
        self.monthly_limit = Some(monthly);
        match &mut self.allowance {
            Some(allowance) => allowance.refill(monthly, now),
            None => self.allowance = Some(Allowance::new(monthly, now)),
        }
    }

    async fn look_at_alarms(&mut self, fleet: &DesiredFleet, now: DateTime<Utc>) -> Option<String> {
        let overdrawn = self.allowance.is_some_and(|a| a.left() < 0.0);
        let just_read = |at| at <= now && now.signed_duration_since(at) < ALARMS_AT_LEAST;
        if overdrawn && self.alarms_read.is_some_and(just_read) {
            return None;
        }
        // Names that were there before the look: a policy put meanwhile has alarms that the list may lack.
        let named = named_alarms(&self.board, &self.scope);
        let owned = alarm_prefix(&fleet.manage.owner);
        let adopted = fleet.adopted_alarms();
        let (alarms, ours, adopted) = tokio::join!(
            self.ports.alarms.alarms(TRACKING_ALARMS),
            self.ports.alarms.alarms(&owned),
            self.ports.alarms.alarms_named(&adopted),
        );
        let calls =
            pages(alarms.items.len()) + pages(ours.items.len()) + pages(adopted.items.len());
        if let Some(allowance) = &mut self.allowance {
            allowance.spend(calls_dollars(calls));
        }
        self.alarms_read = Some(now);
        let look_again =
            |at: DateTime<Utc>| at > now || now.signed_duration_since(at) >= MUTES_EVERY;
        let muted = if self.mutes_read.is_none_or(look_again) {
            self.mutes_read = Some(now);
            Some(self.ports.alarms.muted().await)
        } else {
            None
        };
        // Who may not read mute rules sees everything else.
        let muted = muted.filter(|listing| listing.gap.is_none());
        self.alarm_calls = calls;
        let alarms = both(both(alarms, ours), adopted);
        let problem = self.tell_failure("alarms", alarms.gap.as_ref());
        self.board.update_scope(&self.scope, |scope| {
            // What could not be read keeps its last state; the problem says that it is old.
            if alarms.gap.is_none() {
                let held = &mut scope.watch;
                if let Some(muted) = muted {
                    held.muted = muted.items.into_iter().collect();
                }
                held.alarms_at = Some(now);
                held.alarms = by_name(alarms.items);
                held.gone = named;
                held.gone.retain(|name| !held.alarms.contains_key(name));
                keep_evaluated(&scope.targets, held);
            }
        });
        problem
    }

    async fn look_at_activities(
        &mut self,
        declared: &Declared,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let since = self.since.unwrap_or_else(|| back(now, FIRST_LOOK_BACK));
        // A clock that was wrong may have seen later ones.
        let since = since.min(back(now, OVERLAP));
        let activities = self.ports.scaling.activities(since, MOST_ACTIVITIES).await;
        let problem = self.tell_failure("activities", activities.gap.as_ref());
        let activities = self.digest(activities, declared, now);
        self.board.update_scope(&self.scope, |scope| {
            keep_changes(&mut scope.watch, &activities, declared, now);
            keep_latest(&mut scope.watch, activities, declared);
        });
        problem
    }

    async fn look_at_metrics(
        &mut self,
        declared: &Declared,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let current = self.board.current();
        let scope = current.scopes.get(&self.scope).cloned().unwrap_or_default();
        let interesting: BTreeMap<TargetId, Interest> = scope
            .targets
            .iter()
            .filter_map(|(id, target)| Some((id.clone(), interest(id, target, &scope, now)?)))
            .collect();
        let watched: Vec<Watched> = declared
            .iter()
            .map(|(id, policies)| Watched {
                id: id.clone(),
                policies: policies.clone(),
                is_interesting: interesting.contains_key(id),
                is_seen: scope.targets.contains_key(id),
                kind: scope.targets.get(id).and_then(|target| target.kind),
            })
            .collect();
        let look = TimeDelta::from_std(settings.watch_interval).unwrap_or(TimeDelta::MAX);
        let round = self
            .reads
            .due(&watched, settings.watch, look, self.allowance.as_mut(), now);
        let alarms = monthly_dollars(self.alarm_calls, look);
        let all = alarms + monthly(&watched, settings.watch, look);
        let monthly = self.monthly_limit.map_or(all, |most| all.min(most));
        self.tell_skipped(round.skipped);
        let values = self.reads.read(&*self.ports.metrics, round, now).await;
        let problem = self.tell_failure("values", values.failed.as_ref());
        let quiet_until = now.checked_add_signed(settings.watch.quiet() + look + look);
        self.board.update_scope(&self.scope, |scope| {
            let until = |id: &TargetId| {
                let quiet = !interesting.contains_key(id);
                quiet_until.filter(|_| quiet).unwrap_or(now)
            };
            keep_values(&mut scope.watch, values, until, now);
            forget_values(&mut scope.watch, declared);
            scope.watch.interesting = interesting;
            scope.watch.monthly = monthly;
        });
        problem
    }

    fn tell_skipped(&mut self, queries: usize) {
        if queries > 0 || self.skips {
            self.events.emit(&Event::WatchSkipped {
                scope: &self.scope,
                queries,
                is_news: self.skips != (queries > 0),
            });
        }
        self.skips = queries > 0;
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

/// Calls that a listing takes.
fn pages(items: usize) -> usize {
    items.div_ceil(ALARMS_PER_PAGE).max(1)
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
