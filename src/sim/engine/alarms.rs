//! The alarms of the account and their evaluation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::alarm::{
    Alarm, AlarmEvent, AlarmState, HistoryItem, QueryKind, Signal, StateReason, View, Watched,
};
use super::missing::Judgement;
use super::mute::MuteRule;
use super::series::Metrics;
use super::time::{Instant, Span};

/// An alarm's wish to scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) alarm: usize,
    pub(crate) policy: usize,
    pub(crate) signal: Signal,
}

/// All metric alarms and their history.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    slots: Vec<Option<Alarm>>,
    by_name: BTreeMap<String, usize>,
    history: VecDeque<HistoryItem>,
    /// Alarms with periods below a minute; without any, time moves in minutes.
    fast: usize,
    /// Rules that mute alarms, by name.
    pub(crate) mutes: BTreeMap<String, MuteRule>,
}

impl Alarms {
    pub(crate) fn get(&self, index: usize) -> Option<&Alarm> {
        self.slots.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Alarm> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Alarm> {
        self.get(self.index_of(name)?)
    }

    /// All alarms in order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Alarm> {
        self.by_name.values().filter_map(|index| self.get(*index))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Alarm> {
        self.slots.iter_mut().flatten()
    }

    pub(crate) fn history_newest_first(&self) -> impl Iterator<Item = &HistoryItem> {
        self.history.iter().rev()
    }

    pub(crate) fn history_oldest_first(&self) -> impl Iterator<Item = &HistoryItem> {
        self.history.iter()
    }

    pub(crate) fn has_fast(&self) -> bool {
        self.fast > 0
    }

    /// Adds an alarm, or overwrites all of one but its state.
    pub(crate) fn put(&mut self, mut alarm: Alarm) -> usize {
        let index = self.index_of(&alarm.name);
        let event = if index.is_some() {
            AlarmEvent::Updated
        } else {
            AlarmEvent::Created
        };
        self.record(&alarm.name, alarm.configured, event);
        if let Some(held) = index.and_then(|i| self.get_mut(i)) {
            alarm.state = held.state;
            alarm.reason = held.reason.clone();
            alarm.updated = held.updated;
            alarm.transitioned = held.transitioned;
        }
        let index = index.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.by_name.insert(alarm.name.to_string(), index);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(alarm);
        }
        self.count_fast();
        index
    }

    /// Deletes an alarm; its history stays. Returns whether there was one.
    pub(crate) fn delete(&mut self, name: &str, now: Instant) -> bool {
        let Some(index) = self.by_name.remove(name) else {
            return false;
        };
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = None;
        }
        self.record(&Arc::from(name), now, AlarmEvent::Deleted);
        self.count_fast();
        true
    }

    fn count_fast(&mut self) {
        let fast = |a: &&Alarm| a.rule.period < Span::MINUTE;
        self.fast = self.slots.iter().flatten().filter(fast).count();
    }

    /// Makes every alarm look again for the data of its metrics, after new metrics have come up.
    pub(crate) fn resolve(&mut self, metrics: &Metrics) {
        for alarm in self.slots.iter_mut().flatten() {
            resolve_watched(&mut alarm.rule.watched, metrics);
        }
    }

    pub(crate) fn record(&mut self, alarm: &Arc<str>, at: Instant, event: AlarmEvent) {
        self.history.push_back(HistoryItem {
            alarm: Arc::clone(alarm),
            at,
            event,
        });
    }

    pub(crate) fn trim_history(&mut self, limit: usize) {
        while self.history.len() > limit {
            self.history.pop_front();
        }
    }

    /// Evaluates all alarms of one speed, and returns what they want scaled.
    pub(crate) fn evaluate(&mut self, fast: bool, view: View<'_>) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(alarm) = slot else { continue };
            if (alarm.rule.period < Span::MINUTE) != fast {
                continue;
            }
            let state = match alarm.rule.judge(view) {
                Judgement::Ok => AlarmState::Ok,
                Judgement::Alarm => AlarmState::Alarm,
                Judgement::InsufficientData => AlarmState::InsufficientData,
                Judgement::Keep => alarm.state,
            };
            if state != alarm.state {
                self.history.push_back(transition(alarm, state, view));
            }
            let is_first = alarm.last_action.is_none();
            let mut mutes = self.mutes.values().filter(|rule| rule.is_active(view.now));
            if mutes.any(|rule| rule.targets.contains(&*alarm.name)) {
                continue;
            }
            if let Some(signal) = due_signal(alarm, view) {
                let wish = |policy: &usize| Wish {
                    alarm: index,
                    policy: *policy,
                    signal,
                };
                wishes.extend(alarm.policies.iter().map(wish));
                if is_first {
                    let alarm = Arc::clone(&alarm.name);
                    self.history.push_back(HistoryItem {
                        alarm,
                        at: view.now,
                        event: AlarmEvent::Action,
                    });
                }
            }
        }
        wishes
    }
}

pub(crate) fn resolve_watched(watched: &mut Watched, metrics: &Metrics) {
    match watched {
        Watched::Metric {
            key, unit, source, ..
        } => {
            *source = metrics.resolve(key, unit.as_deref());
        }
        Watched::Queries(queries) => {
            for query in queries {
                if let QueryKind::Metric {
                    key, unit, source, ..
                } = &mut query.what
                {
                    *source = metrics.resolve(key, unit.as_deref());
                }
            }
        }
    }
}

/// Moves the alarm to a new state, and tells of it.
fn transition(alarm: &mut Alarm, state: AlarmState, view: View<'_>) -> HistoryItem {
    let evaluated = alarm.rule.evaluate(view);
    let reason = StateReason::judged(&alarm.rule, evaluated, state, view.now);
    set_state(alarm, state, reason, view.now)
}

/// Sets the state of an alarm with its reason.
pub(crate) fn set_state(
    alarm: &mut Alarm,
    state: AlarmState,
    reason: StateReason,
    now: Instant,
) -> HistoryItem {
    let from = alarm.state;
    alarm.state = state;
    alarm.reason = reason.clone();
    alarm.updated = now;
    if from != state {
        alarm.transitioned = now;
        alarm.last_action = None;
    }
    let event = AlarmEvent::State {
        from,
        to: state,
        reason,
    };
    HistoryItem {
        alarm: Arc::clone(&alarm.name),
        at: now,
        event,
    }
}

/// The signal for the scaling actions of an alarm in ALARM: on the transition, then about once a minute as long as
/// it lasts. Scaling actions are the only ones that repeat.
fn due_signal(alarm: &mut Alarm, view: View<'_>) -> Option<Signal> {
    if alarm.state != AlarmState::Alarm || !alarm.actions_enabled || alarm.policies.is_empty() {
        return None;
    }
    let due = alarm
        .last_action
        .is_none_or(|last| view.now - last >= Span::MINUTE);
    if !due {
        return None;
    }
    alarm.last_action = Some(view.now);
    alarm.rule.signal(view)
}
