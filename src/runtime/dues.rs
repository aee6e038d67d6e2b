//! What schedules owe: changes of bounds that are due, until AWS holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::{
    ActionReason, Bounds, DesiredFleet, Observation, Plan, ScheduleOutcome, ScheduleRun, ScopeName,
    TargetId,
};
use crate::ports::{Event, EventSink};

/// The changes that are due in one scope, and how the last ones came out.
#[derive(Debug)]
pub struct Dues {
    scope: ScopeName,
    events: Arc<dyn EventSink>,
    /// What was due at the last look, and the next change as known then.
    known: BTreeMap<TargetId, (Bounds, Option<DateTime<Utc>>)>,
    owed: BTreeMap<TargetId, Owed>,
    last: BTreeMap<TargetId, ScheduleRun>,
}

/// A change that AWS does not hold yet.
#[derive(Debug, Clone)]
struct Owed {
    run: ScheduleRun,
    failure_told: bool,
}

impl Dues {
    /// Nothing is due.
    #[must_use]
    pub fn new(scope: ScopeName, events: Arc<dyn EventSink>) -> Self {
        Self {
            scope,
            events,
            known: BTreeMap::new(),
            owed: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// How the last change of a target by a schedule came out; `None` before the first since the start.
    pub(super) fn last(&self, target: &TargetId) -> Option<&ScheduleRun> {
        self.last.get(target)
    }

    /// Nothing is owed by who does not write.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.owed.clear();
        self.last.clear();
    }

    /// Notes what has become due since it was called last.
    pub(super) fn look(&mut self, planned: &Plan, fleet: &DesiredFleet) {
        let now = planned.at;
        for entry in &planned.targets {
            let target = fleet.targets.get(&entry.id);
            let Some(target) = target.filter(|target| !target.schedules.is_empty()) else {
                self.known.remove(&entry.id);
                self.owed.remove(&entry.id);
                self.last.remove(&entry.id);
                continue;
            };
            let bounds = entry.effective.bounds;
            let known = (bounds, target.next_change(now));
            let before = self.known.insert(entry.id.clone(), known);
            // An override that begins or ends changes bounds too, and is nobody's firing.
            let Some((was, Some(due))) = before else {
                continue;
            };
            if due > now || was == bounds {
                continue;
            }
            let run = ScheduleRun {
                due,
                effective: entry.effective.clone(),
                at: now,
                outcome: ScheduleOutcome::Waiting,
            };
            let owed = Owed {
                run: run.clone(),
                failure_told: false,
            };
            self.last.insert(entry.id.clone(), run);
            if let Some(missed) = self.owed.insert(entry.id.clone(), owed) {
                self.tell(&entry.id, missed.run, ScheduleOutcome::Missed, now);
            }
        }
        let declared = |id: &TargetId| fleet.targets.contains_key(id);
        self.known.retain(|id, _| declared(id));
        self.owed.retain(|id, _| declared(id));
        self.last.retain(|id, _| declared(id));
    }

    /// Notes what AWS holds already: a scheduled action there, or a colleague, was quicker.
    pub(super) fn find(&mut self, observed: &Observation) {
        let holds = |id: &TargetId, owed: &Owed| {
            let held = observed.targets.get(id);
            held.is_some_and(|held| {
                let due = owed.run.effective.bounds;
                (held.min, held.max) == (due.min(), due.max())
            })
        };
        let found: Vec<TargetId> = self
            .owed
            .iter()
            .filter(|(id, owed)| holds(id, owed))
            .map(|(id, _)| id.clone())
            .collect();
        for id in found {
            self.settle(&id, ScheduleOutcome::Found, observed.at);
        }
    }

    /// Whether a change of the target by a schedule is still to come true.
    pub(super) fn owes(&self, target: &TargetId) -> bool {
        self.owed.contains_key(target)
    }

    /// The registration of a target was written at `now`, for this reason.
    pub(super) fn applied(&mut self, target: &TargetId, reason: &ActionReason, now: DateTime<Utc>) {
        let outcome = match reason {
            ActionReason::ScheduleMissed { .. } => ScheduleOutcome::Mended,
            _ => ScheduleOutcome::Applied,
        };
        self.settle(target, outcome, now);
    }

    /// The registration of a target failed. It stays owed, and is told once.
    pub(super) fn failed(&mut self, target: &TargetId, now: DateTime<Utc>) {
        let Some(owed) = self.owed.get_mut(target).filter(|owed| !owed.failure_told) else {
            return;
        };
        owed.failure_told = true;
        let run = owed.run.clone();
        self.tell(target, run.clone(), ScheduleOutcome::Failed, now);
        let failed = ScheduleRun {
            at: now,
            outcome: ScheduleOutcome::Failed,
            ..run
        };
        self.last.insert(target.clone(), failed);
    }

    fn settle(&mut self, target: &TargetId, outcome: ScheduleOutcome, now: DateTime<Utc>) {
        let Some(owed) = self.owed.remove(target) else {
            return;
        };
        let run = self.tell(target, owed.run, outcome, now);
        self.last.insert(target.clone(), run);
    }

    fn tell(
        &self,
        target: &TargetId,
        run: ScheduleRun,
        outcome: ScheduleOutcome,
        now: DateTime<Utc>,
    ) -> ScheduleRun {
        let run = ScheduleRun {
            at: now,
            outcome,
            ..run
        };
        self.events.emit(&Event::Scheduled {
            scope: &self.scope,
            target,
            run: &run,
        });
        run
    }
}
