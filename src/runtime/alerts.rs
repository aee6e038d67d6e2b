//! Looks at the snapshot for what is wrong, and tells when that begins and ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::board::Board;
use super::drive::{Again, Task};
use crate::domain::{AlertKey, AlertState, Alerts, Detectors, PassReason, Remembered, ScopeName};
use crate::ports::{AlertMemory, Clock, Event, EventSink};

/// How often it looks: what it looks at is in memory, and what the watcher finds is to be told soon.
const INTERVAL: Duration = Duration::from_secs(15);

/// A look or a pass that is older than this is missing its successor.
const OVERDUE: TimeDelta = TimeDelta::minutes(5);

/// Finds and tells alerts of all scopes.
#[derive(Debug)]
pub struct Alerter {
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
    board: Arc<Board>,
    settings: watch::Receiver<Arc<Settings>>,
    scopes: BTreeMap<ScopeName, Detectors>,
    memory: Arc<dyn AlertMemory>,
    kept: BTreeMap<ScopeName, Vec<Remembered>>,
}

impl Alerter {
    /// An alerter for whatever is on the board. It goes on where `memory` says that another process ended.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        events: Arc<dyn EventSink>,
        board: Arc<Board>,
        settings: watch::Receiver<Arc<Settings>>,
        memory: Arc<dyn AlertMemory>,
    ) -> Self {
        let kept = memory.alerts();
        let mut scopes: BTreeMap<ScopeName, Detectors> = BTreeMap::new();
        for (scope, remembered) in &kept {
            let detectors = scopes.entry(scope.clone()).or_default();
            detectors.restore(remembered.iter().cloned());
        }
        Self {
            clock,
            events,
            board,
            settings,
            scopes,
            memory,
            kept,
        }
    }

    /// Looks once.
    pub fn look(&mut self) {
        let now = self.clock.now();
        let fleet = self.board.current();
        let overdue = self.overdue();
        let silences = self.settings.borrow().silences.clone();
        for (name, scope) in &fleet.scopes {
            let detectors = self.scopes.entry(name.clone()).or_default();
            let alerts = detectors.look(&fleet, name, &silences, now, overdue);
            self.tell(name, &scope.alerts, &alerts);
            if scope.alerts != alerts {
                self.board.update_scope(name, |scope| scope.alerts = alerts);
            }
        }
        self.keep();
    }

    /// Keeps what fires, when it is no longer the same.
    fn keep(&mut self) {
        let all = self.scopes.iter();
        let all = all.map(|(name, detectors)| (name.clone(), detectors.remembered()));
        let all: BTreeMap<_, _> = all.filter(|(_, alerts)| !alerts.is_empty()).collect();
        if names(&all) != names(&self.kept) {
            self.memory.keep_alerts(&all);
        }
        self.kept = all;
    }

    /// Three intervals without a look or a pass are too many, however long they are.
    fn overdue(&self) -> TimeDelta {
        let settings = self.settings.borrow();
        let slowest = settings.reconcile_interval.max(settings.watch_interval);
        let three = TimeDelta::from_std(slowest.saturating_mul(3)).unwrap_or(OVERDUE);
        three.max(OVERDUE)
    }

    /// Whether it fired at the last look, or when another process ended.
    fn was_kept(&self, scope: &ScopeName, key: &AlertKey) -> bool {
        let kept = self.kept.get(scope);
        kept.is_some_and(|all| all.iter().any(|one| one.key == *key))
    }

    /// Tells what began to fire, and what is over.
    fn tell(&self, scope: &ScopeName, before: &Alerts, after: &Alerts) {
        let fires = |state: AlertState| matches!(state, AlertState::Firing { .. });
        for (key, alert) in after {
            let fired =
                before.get(key).is_some_and(|a| fires(a.state)) || self.was_kept(scope, key);
            if fires(alert.state) != fired {
                self.events.emit(&Event::Alert { scope, key, alert });
            }
        }
        // What has gone together with its target is over too.
        for (key, alert) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
            if fires(alert.state) {
                let mut over = alert.clone();
                over.state = AlertState::Resolved {
                    at: self.clock.now(),
                };
                self.events.emit(&Event::Alert {
                    scope,
                    key,
                    alert: &over,
                });
            }
        }
    }
}

/// Which alerts these are: their reasons change with every number.
fn names(all: &BTreeMap<ScopeName, Vec<Remembered>>) -> Vec<(&ScopeName, &AlertKey)> {
    let mut names = Vec::new();
    for (scope, alerts) in all {
        names.extend(alerts.iter().map(|alert| (scope, &alert.key)));
    }
    names
}

#[async_trait]
impl Task for Alerter {
    fn name(&self) -> String {
        "alerts".to_owned()
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn activate(&mut self, _reason: PassReason, _stop: &CancellationToken) -> Option<Again> {
        self.look();
        None
    }
}
