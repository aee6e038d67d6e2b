//! Who is told what of alerts, once: messages about groups of them that begin, change and end.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::fleet::FleetSnapshot;
use super::super::name::ScopeName;
use super::{Alert, AlertKey, AlertKind, AlertState, Subject, Urgency};

/// What makes one message of several alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// All targets of a scope with the same alert: one cause, one message.
    #[default]
    Alert,
    /// Each target by itself.
    Target,
}

impl Grouping {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Alert, Self::Target];

    /// The config's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Target => "target",
        }
    }
}

/// Alerts that are told together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The scope.
    pub scope: ScopeName,
    /// The alert.
    pub kind: AlertKind,
    /// With what, where each target is told by itself.
    pub subject: Option<Subject>,
}

/// One alert of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// With what.
    pub subject: Subject,
    /// Since when what it says holds.
    pub since: DateTime<Utc>,
    /// What is wrong, with numbers.
    pub reason: String,
    /// Why, as far as it can be told.
    pub cause: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub group: Group,
    /// When it was found.
    pub at: DateTime<Utc>,
    /// What is new.
    pub started: Vec<Line>,
    /// What is over.
    pub ended: Vec<Line>,
    /// What fires, with what is new; empty when all is over.
    pub firing: Vec<Line>,
}

impl Notice {
    /// Whether nothing of the group fires any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.firing.is_empty()
    }
}

/// What a receiver was told and not told the end of.
pub type Told = BTreeMap<Group, BTreeMap<Subject, Line>>;

/// Makes messages of what changes, for one receiver.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    told: Told,
}

impl Notices {
    /// Goes on from what the receiver was told before.
    #[must_use]
    pub fn after(told: Told) -> Self {
        Self { told }
    }

    /// What the receiver was told and not told the end of.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// What to tell now. Alerts of less than `least` are not told. An alert that was told before it was silenced or
    /// inhibited is told the end of when it is over.
    pub fn step(
        &mut self,
        fleet: &FleetSnapshot,
        grouping: Grouping,
        least: Urgency,
        now: DateTime<Utc>,
    ) -> Vec<Notice> {
        let mut firing = Told::new();
        for (name, scope) in &fleet.scopes {
            if scope.last_pass.is_none() {
                // Nothing is known of it yet, so nothing is over.
                let before = self.told.iter().filter(|(group, _)| group.scope == *name);
                firing.extend(before.map(|(group, lines)| (group.clone(), lines.clone())));
                continue;
            }
            for (key, alert) in &scope.alerts {
                let group = group(name, key, grouping);
                let before = self.told.get(&group);
                let was_told = before.is_some_and(|lines| lines.contains_key(&key.subject));
                let fires = matches!(alert.state, AlertState::Firing { .. });
                let is_told = alert.is_told() && key.kind.urgency() <= least;
                if fires && (is_told || was_told) {
                    let lines = firing.entry(group).or_default();
                    lines.insert(key.subject.clone(), line(key, alert));
                }
            }
        }
        let before = std::mem::replace(&mut self.told, firing);
        let groups = before.keys().chain(self.told.keys());
        let mut groups: Vec<&Group> = groups.collect();
        groups.sort();
        groups.dedup();
        let none = BTreeMap::new();
        let mut notices = Vec::new();
        for group in groups {
            let (old, new) = (
                before.get(group).unwrap_or(&none),
                self.told.get(group).unwrap_or(&none),
            );
            let only = |some: &BTreeMap<Subject, Line>, other: &BTreeMap<Subject, Line>| {
                let lines = some
                    .iter()
                    .filter(|(subject, _)| !other.contains_key(*subject));
                lines.map(|(_, line)| line.clone()).collect::<Vec<_>>()
            };
            let (started, ended) = (only(new, old), only(old, new));
            if !started.is_empty() || !ended.is_empty() {
                notices.push(Notice {
                    group: group.clone(),
                    at: now,
                    started,
                    ended,
                    firing: new.values().cloned().collect(),
                });
            }
        }
        notices
    }
}

fn group(scope: &ScopeName, key: &AlertKey, grouping: Grouping) -> Group {
    Group {
        scope: scope.clone(),
        kind: key.kind,
        subject: (grouping == Grouping::Target).then(|| key.subject.clone()),
    }
}

fn line(key: &AlertKey, alert: &Alert) -> Line {
    Line {
        subject: key.subject.clone(),
        since: alert.since,
        reason: alert.reason.clone(),
        cause: alert.cause.clone(),
    }
}
