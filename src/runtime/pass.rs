//! A pass: observe, plan, check, execute, publish.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::board::Board;
use super::conflict::Corrections;
use super::digest::{
    at_end, findings, idle_selections, next_due, outcome, unscaled, wanted_actions,
};
use super::drive::{Again, Task};
use super::dues::Dues;
use super::execute::{Executed, Executor, execute};
use super::observe::{Look, Observer};
use super::resets::Resets;
use crate::domain::{
    ActionReason, Bounds, Change, Conflict, DesiredFleet, EndpointDetails, Leases, Mode,
    Observation, Part, PassOutcome, PassReason, PassSummary, Plan, ScheduledAction, ScopeName,
    ScopeSnapshot, TargetId, TargetSnapshot, Verdict, Violation, WriteFailure, check, plan,
};
use crate::ports::{Clock, Event, EventSink, ScopePorts};

/// Reconciles one scope.
#[derive(Debug)]
pub struct Reconciler {
    scope: ScopeName,
    observer: Observer,
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
    settings: watch::Receiver<Arc<Settings>>,
    board: Arc<Board>,
    passes: u64,
    failures: BTreeMap<TargetId, WriteFailure>,
    corrections: Corrections,
    /// Targets that were as declared, or made so, at any time since the config was loaded.
    settled: BTreeSet<TargetId>,
    told: Told,
    resets: Resets,
    /// Targets whose bounds became due with this pass.
    due: BTreeSet<TargetId>,
    dues: Dues,
    /// When the next hold or override ends, or a schedule changes bounds.
    next_due: Option<DateTime<Utc>>,
    /// The last look: what is due at an instant is done from it, as another one takes its time.
    last: Option<Look>,
}

/// How soon after writes the scope is read again; AWS's own reads may lag a few seconds behind its writes.
const READ_BACK: Duration = Duration::from_secs(5);
/// A hold or an override that stands so long after its end is told of.
const LATE: TimeDelta = TimeDelta::minutes(2);

/// What has been told already: a difference is drift once, not once a minute.
#[derive(Debug, Default)]
struct Told {
    drift: BTreeSet<DriftKey>,
    verdicts: BTreeMap<TargetId, &'static str>,
    gaps: BTreeSet<String>,
    violations: Vec<Violation>,
    conflicts: BTreeSet<TargetId>,
    overdue: BTreeSet<TargetId>,
    asked: BTreeMap<TargetId, Leases>,
    /// The bounds that were due at the pass before.
    bounds: BTreeMap<TargetId, Bounds>,
    /// The scheduled actions that AWS was to hold when the target was last as declared.
    actions: BTreeMap<TargetId, Vec<ScheduledAction>>,
    /// When the config was loaded that the last pass went by.
    config: Option<DateTime<Utc>>,
}

/// A difference by its cause: what of which target, and in which way it differs.
type DriftKey = (TargetId, String, &'static str);

impl Reconciler {
    /// A reconciler for one scope.
    #[must_use]
    pub fn new(
        scope: ScopeName,
        ports: ScopePorts,
        clock: Arc<dyn Clock>,
        events: Arc<dyn EventSink>,
        settings: watch::Receiver<Arc<Settings>>,
        board: Arc<Board>,
    ) -> Self {
        let observer = Observer::new(ports);
        let dues = Dues::new(scope.clone(), Arc::clone(&events));
        Self {
            scope,
            observer,
            clock,
            events,
            settings,
            board,
            passes: 0,
            failures: BTreeMap::new(),
            corrections: Corrections::default(),
            settled: BTreeSet::new(),
            told: Told::default(),
            resets: Resets::default(),
            due: BTreeSet::new(),
            dues,
            next_due: None,
            last: None,
        }
    }

    /// Runs one pass.
    pub async fn pass(&mut self, reason: PassReason, stop: &CancellationToken) -> PassSummary {
        let started = Instant::now();
        let now = self.clock.now();
        let settings = Arc::clone(&self.settings.borrow());
        if reason == PassReason::Reload {
            // The operator may have mended what made writes fail.
            self.failures.clear();
            self.observer.forget_lists();
        }
        self.passes += 1;
        let none = DesiredFleet::empty(self.scope.clone());
        let fleet = settings.fleets.get(&self.scope).unwrap_or(&none);
        let mut summary = PassSummary {
            number: self.passes,
            reason,
            at: now,
            took: Duration::ZERO,
            outcome: PassOutcome::Cancelled,
            done: 0,
            failed: 0,
            problems: Vec::new(),
        };
        // Reading can be abandoned at any point; writing can not.
        let look = tokio::select! {
            look = self.observer.observe(fleet, now) => Some(look),
            () = stop.cancelled() => None,
        };
        if let Some(Look { fleet, observed }) = look {
            self.act(&fleet, &observed, &settings, &mut summary, stop)
                .await;
            self.next_due = next_due(&fleet, &observed, now);
            self.last = Some(Look { fleet, observed });
        }
        summary.took = started.elapsed();
        self.board.update_scope(&self.scope, |scope| {
            scope.last_pass = Some(summary.clone());
            if summary.outcome.is_success() {
                scope.last_success = Some(now);
            }
        });
        self.events.emit(&Event::PassEnded {
            scope: &self.scope,
            summary: &summary,
        });
        summary
    }

    async fn act(
        &mut self,
        fleet: &DesiredFleet,
        observed: &Observation,
        settings: &Settings,
        summary: &mut PassSummary,
        stop: &CancellationToken,
    ) {
        self.tell_gaps(observed);
        self.tell_resets(fleet, observed, summary.at);
        self.tell_overdue(observed, summary.at);
        self.tell_asked(observed);
        let planned = plan(fleet, observed, summary.at);
        self.owe(&planned, fleet, settings.mode);
        self.dues.find(observed);
        // After a reload a difference is what the operator asked for, not what someone else did.
        let same_config = self.told.config.replace(settings.loaded) == Some(settings.loaded);
        let wanted = wanted_actions(fleet, summary.at);
        let was_converged = self.tell_plan(&planned, observed, wanted, same_config);
        if !same_config {
            self.settled.clear();
            self.corrections.forget();
        }
        let conflicts = self.conflicts(summary.at);
        self.failures.retain(|id, _| fleet.targets.contains_key(id));
        let mut executed = Executed::default();
        let mut refused = false;
        match check(planned.clone(), fleet, observed, settings.safety) {
            Ok(checked) if settings.mode == Mode::Enforce => {
                let executor = Executor {
                    ports: self.observer.ports(),
                    clock: &self.clock,
                    events: &self.events,
                    scope: &self.scope,
                    was_converged: &was_converged,
                    failures: &mut self.failures,
                    dues: &mut self.dues,
                    left_alone: &conflicts,
                    backoff: settings.reconcile_interval,
                };
                executed = execute(&checked, executor, stop).await;
                if executed.done + executed.failed > 0 {
                    self.observer.forget_lists();
                }
                if !executed.cancelled {
                    self.count_corrections(&planned, observed, &conflicts, summary.at);
                }
                self.told.violations.clear();
            }
            Ok(_) => self.told.violations.clear(),
            Err(violations) => {
                refused = true;
                summary
                    .problems
                    .extend(violations.iter().map(ToString::to_string));
                if self.told.violations != violations {
                    self.events.emit(&Event::Refused {
                        scope: &self.scope,
                        violations: &violations,
                    });
                    self.told.violations = violations;
                }
            }
        }
        summary.done = executed.done;
        summary.failed = executed.failed;
        summary.problems.extend(
            observed
                .gaps
                .iter()
                .map(|g| format!("{}: {}", g.part, g.why)),
        );
        summary.outcome = outcome(&planned, observed, executed, refused, settings.mode);
        self.publish(fleet, observed, &planned, &conflicts);
    }

    /// Notes what schedules have made due; who only observes owes nothing.
    fn owe(&mut self, planned: &Plan, fleet: &DesiredFleet, mode: Mode) {
        match mode {
            Mode::Enforce => self.dues.look(planned, fleet),
            Mode::Observe => self.dues.forget(),
        }
    }

    /// Registers what schedules make due at this instant, from what the last look saw: a whole look of a large scope
    /// takes many seconds, and a firing is to take effect within one. The pass that follows sees to everything else.
    async fn do_what_is_due(&mut self, stop: &CancellationToken) {
        let settings = Arc::clone(&self.settings.borrow());
        let same_config = self.told.config == Some(settings.loaded);
        let now = self.clock.now();
        let Some(Look { fleet, observed }) = self.last.take().filter(|_| same_config) else {
            return;
        };
        let mut planned = plan(&fleet, &observed, now);
        self.owe(&planned, &fleet, settings.mode);
        for entry in &mut planned.targets {
            let declared = fleet.targets.contains_key(&entry.id);
            entry.actions.retain(|action| {
                let stands = matches!(
                    action.change,
                    Change::Register {
                        previous: Some(_),
                        ..
                    }
                );
                // What AWS may have run since is not known from the last look.
                let by_aws = matches!(action.reason, ActionReason::ScheduleMissed { .. });
                declared && stands && !by_aws
            });
        }
        let conflicts = self.corrections.conflicts(now);
        let checked = check(planned, &fleet, &observed, settings.safety);
        if let (Ok(checked), Mode::Enforce) = (checked, settings.mode) {
            let executor = Executor {
                ports: self.observer.ports(),
                clock: &self.clock,
                events: &self.events,
                scope: &self.scope,
                was_converged: &BTreeSet::new(),
                failures: &mut self.failures,
                dues: &mut self.dues,
                left_alone: &conflicts,
                backoff: settings.reconcile_interval,
            };
            execute(&checked, executor, stop).await;
        }
    }

    /// Who keeps changing what back, told when it begins.
    fn conflicts(&mut self, now: DateTime<Utc>) -> BTreeMap<TargetId, Conflict> {
        let conflicts = self.corrections.conflicts(now);
        for (target, conflict) in &conflicts {
            if !self.told.conflicts.contains(target) {
                self.events.emit(&Event::Conflict {
                    scope: &self.scope,
                    target,
                    conflict: *conflict,
                });
            }
        }
        self.told.conflicts = conflicts.keys().cloned().collect();
        conflicts
    }

    /// Counts what had to be mended although it had been as declared, or made so, under the same config. What moves
    /// capacity keeps an endpoint busy in between, so the pass before need not have seen it as declared.
    fn count_corrections(
        &mut self,
        planned: &Plan,
        observed: &Observation,
        left_alone: &BTreeMap<TargetId, Conflict>,
        now: DateTime<Utc>,
    ) {
        for entry in &planned.targets {
            let id = &entry.id;
            let is_converged = entry.verdict == Verdict::Converged;
            let written = !entry.actions.is_empty()
                && !self.failures.contains_key(id)
                && !left_alone.contains_key(id);
            let asked = observed.leases(id).is_some() || self.due.contains(id);
            if written && !asked && self.settled.contains(id) {
                self.corrections.mended(id, now);
            }
            if written || is_converged {
                self.settled.insert(id.clone());
            }
        }
    }

    fn tell_resets(&mut self, fleet: &DesiredFleet, observed: &Observation, now: DateTime<Utc>) {
        for (target, reset) in self.resets.notice(fleet, observed, now) {
            self.events.emit(&Event::CapacityReset {
                scope: &self.scope,
                target: &target,
                reset: &reset,
            });
        }
    }

    /// A hold or an override that should have ended is told once.
    fn tell_overdue(&mut self, observed: &Observation, now: DateTime<Utc>) {
        let mut overdue = BTreeSet::new();
        for (target, leases) in &observed.markers.leases {
            let Some((since, kind)) = leases.overdue(now) else {
                continue;
            };
            if now.signed_duration_since(since) < LATE {
                continue;
            }
            overdue.insert(target.clone());
            if !self.told.overdue.contains(target) {
                self.events.emit(&Event::LeaseOverdue {
                    scope: &self.scope,
                    target,
                    kind,
                    since,
                });
            }
        }
        self.told.overdue = overdue;
    }

    /// What someone asks for is told when it is first seen.
    fn tell_asked(&mut self, observed: &Observation) {
        let leases = &observed.markers.leases;
        for (target, asked) in leases {
            if self.told.asked.get(target) != Some(asked) {
                self.events.emit(&Event::Asked {
                    scope: &self.scope,
                    target,
                    leases: asked,
                });
            }
        }
        self.told.asked.clone_from(leases);
    }

    fn tell_gaps(&mut self, observed: &Observation) {
        let mut now_told = BTreeSet::new();
        for gap in &observed.gaps {
            let key = gap.part.to_string();
            if !self.told.gaps.contains(&key) {
                self.events.emit(&Event::Unseen {
                    scope: &self.scope,
                    gap,
                });
            }
            now_told.insert(key);
        }
        self.told.gaps = now_told;
    }

    /// Tells what is new in a plan, and returns the targets that differ now and were as declared a pass before.
    fn tell_plan(
        &mut self,
        planned: &Plan,
        observed: &Observation,
        mut wanted: BTreeMap<TargetId, Vec<ScheduledAction>>,
        same_config: bool,
    ) -> BTreeSet<TargetId> {
        let mut drift = BTreeSet::new();
        let mut changed_from_outside = BTreeSet::new();
        for entry in &planned.targets {
            let (scope, target) = (&self.scope, &entry.id);
            let before = self
                .told
                .verdicts
                .insert(target.clone(), entry.verdict.label());
            // What someone asks for a while changes what is due, and is no change from outside.
            let due = self
                .told
                .bounds
                .insert(target.clone(), entry.effective.bounds);
            let is_due = due.is_some_and(|before| before != entry.effective.bounds)
                || self.dues.owes(target);
            // What a scheduled action is to set follows from its next run, so it changes with the clock.
            let settled = self.told.actions.get(target);
            let moves_on = same_config && settled.is_some_and(|w| Some(w) != wanted.get(target));
            let is_due = is_due || moves_on;
            if entry.verdict == Verdict::Converged
                && let Some(wanted) = wanted.remove(target)
            {
                self.told.actions.insert(target.clone(), wanted);
            }
            if is_due {
                self.due.insert(target.clone());
            } else {
                self.due.remove(target);
            }
            let asked = observed.leases(target).is_some() || is_due;
            let was_converged = same_config && !asked && before == Some(Verdict::Converged.label());
            if was_converged && !entry.actions.is_empty() {
                changed_from_outside.insert(target.clone());
            }
            for action in &entry.actions {
                let subject = action.change.subject().to_owned();
                let key = (target.clone(), subject, action.reason.label());
                let is_drift = !(moves_on && action.change.is_of_schedules());
                if is_drift && !self.told.drift.contains(&key) {
                    self.events.emit(&Event::Drift {
                        scope,
                        target,
                        action,
                        was_converged,
                    });
                }
                drift.insert(key);
            }
            if before != Some(entry.verdict.label()) && entry.verdict != Verdict::Changes {
                self.events.emit(&Event::Settled {
                    scope,
                    target,
                    verdict: &entry.verdict,
                });
            }
        }
        self.told.drift = drift;
        let planned_ids: BTreeSet<_> = planned.targets.iter().map(|t| &t.id).collect();
        self.told.verdicts.retain(|id, _| planned_ids.contains(id));
        self.told.bounds.retain(|id, _| planned_ids.contains(id));
        self.told.actions.retain(|id, _| planned_ids.contains(id));
        self.due.retain(|id| planned_ids.contains(id));
        changed_from_outside
    }

    fn publish(
        &self,
        fleet: &DesiredFleet,
        observed: &Observation,
        planned: &Plan,
        conflicts: &BTreeMap<TargetId, Conflict>,
    ) {
        let targets = planned
            .targets
            .iter()
            .filter(|entry| fleet.targets.contains_key(&entry.id))
            .map(|entry| {
                let id = &entry.id;
                let component = id
                    .component()
                    .and_then(|name| observed.components.get(name));
                let endpoint = id.endpoint().and_then(|name| observed.endpoints.get(name));
                let status = component.map(|c| c.status.clone());
                let policies = observed.policies.get(id);
                let alarms = policies
                    .into_iter()
                    .flatten()
                    .map(|(name, policy)| (name.clone(), policy.alarms.clone()))
                    .collect();
                let snapshot = TargetSnapshot {
                    effective: entry.effective.clone(),
                    policies: fleet
                        .targets
                        .get(id)
                        .map(|t| t.policies.clone())
                        .unwrap_or_default(),
                    tunings: fleet
                        .targets
                        .get(id)
                        .map(|t| t.tunings.clone())
                        .unwrap_or_default(),
                    verdict: entry.verdict.clone(),
                    notes: entry.notes.clone(),
                    registered: observed.targets.get(id).cloned(),
                    running: observed.capacity(id),
                    kind: endpoint
                        .and_then(|e| e.details.as_ref())
                        .map(EndpointDetails::kind),
                    endpoint: status.or_else(|| endpoint.map(|e| e.status.clone())),
                    leases: observed.leases(id).cloned().unwrap_or_default(),
                    reset: self.resets.of(id),
                    registration_seen: observed.targets.contains_key(id)
                        || observed.gap(&Part::Targets).is_none(),
                    next_change: fleet
                        .targets
                        .get(id)
                        .and_then(|t| t.next_change(observed.at)),
                    last_change: self.dues.last(id).cloned(),
                    at_end: fleet.targets.get(id).and_then(|t| at_end(t, observed)),
                    findings: fleet
                        .targets
                        .get(id)
                        .map(|target| findings(target, observed))
                        .unwrap_or_default(),
                    alarms,
                    failure: self.failures.get(id).cloned(),
                    conflict: conflicts.get(id).copied(),
                };
                (id.clone(), snapshot)
            })
            .collect();
        let in_view = |id: &TargetId| fleet.only.as_ref().is_none_or(|only| id.matches(only));
        let undeclared = |id: &&TargetId| !fleet.targets.contains_key(*id) && in_view(id);
        let leases = observed.markers.leases.iter();
        let asked = leases.filter(|(id, _)| undeclared(id));
        let asked = asked
            .map(|(id, leases)| (id.clone(), leases.clone()))
            .collect();
        let unmanaged = observed
            .targets
            .keys()
            .filter(undeclared)
            .cloned()
            .collect();
        let unscaled = unscaled(fleet, observed);
        self.board
            .update_scope(&self.scope, |scope: &mut ScopeSnapshot| {
                scope.observed_once |= observed.is_complete();
                scope.targets = targets;
                scope.tunings = fleet.tunings.clone();
                scope.unmanaged = unmanaged;
                scope.asked = asked;
                if fleet.only.is_none() && observed.is_complete() {
                    scope.idle_selections = idle_selections(fleet);
                }
                if let Some(unscaled) = unscaled {
                    scope.unscaled = unscaled;
                }
            });
    }
}

#[async_trait]
impl Task for Reconciler {
    fn name(&self) -> String {
        format!("reconcile {}", self.scope)
    }

    fn interval(&self) -> Duration {
        self.settings.borrow().reconcile_interval
    }

    async fn activate(&mut self, reason: PassReason, stop: &CancellationToken) -> Option<Again> {
        // Whatever wakes it up at such an instant.
        if self.next_due.is_some_and(|due| due <= self.clock.now()) {
            self.do_what_is_due(stop).await;
        }
        let summary = self.pass(reason, stop).await;
        // What was written is read back soon, so that whoever looks does not see the old state for an interval.
        if summary.done > 0 {
            return Some(Again {
                after: READ_BACK,
                reason: PassReason::ReadBack,
            });
        }
        // What is due before the next pass gets a pass of its own.
        let left = self.next_due?.signed_duration_since(self.clock.now());
        Some(Again {
            after: left.to_std().unwrap_or(Duration::ZERO),
            reason: PassReason::Due,
        })
    }
}
