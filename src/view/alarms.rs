//! Alarms of a policy in words, for the page, `status` and JSON alike.

use serde_json::{Value, json};

use super::Tone;
use crate::domain::{AlarmState, ObservedAlarm, PolicyName, ScopeSnapshot, TargetSnapshot};

/// One alarm that drives a policy.
#[derive(Debug, Clone, Copy)]
pub struct AlarmView<'a> {
    /// `high` asks for more, `low` for less; the alarm of a step policy is just `alarm`.
    pub side: &'static str,
    /// The alarm; `None` when CloudWatch does not have it although the policy names it.
    pub alarm: Option<&'a ObservedAlarm>,
}

/// The alarms that a policy names, as the watcher saw them. One that it could not have seen yet is left out.
#[must_use]
pub fn alarms_of<'a>(
    target: &TargetSnapshot,
    scope: &'a ScopeSnapshot,
    policy: &PolicyName,
) -> Vec<AlarmView<'a>> {
    let names = target.alarms.get(policy).map(Vec::as_slice);
    let view = |name: &String| {
        let alarm = scope.watch.alarms.get(name);
        let side = match name {
            name if name.contains("-AlarmHigh-") => "high",
            name if name.contains("-AlarmLow-") => "low",
            _ => "alarm",
        };
        (alarm.is_some() || scope.watch.gone.contains(name)).then_some(AlarmView { side, alarm })
    };
    names.unwrap_or_default().iter().filter_map(view).collect()
}

impl AlarmView<'_> {
    /// Its state in a few words, and how much it matters. A low alarm in ALARM is the idle state of target tracking,
    /// and nothing to look at; an alarm that is gone or does nothing stops scaling silently.
    pub(crate) fn text(&self) -> (Tone, String) {
        let Some(alarm) = self.alarm else {
            return (Tone::Bad, "GONE".to_owned());
        };
        if !alarm.actions_enabled {
            return (Tone::Bad, format!("{} (actions off)", alarm.state.label()));
        }
        let tone = match alarm.state {
            AlarmState::Ok => Tone::Good,
            AlarmState::Alarm if self.side != "low" => Tone::Change,
            AlarmState::Alarm | AlarmState::InsufficientData => Tone::Dim,
        };
        (tone, alarm.state.label().to_owned())
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "state": self.alarm.map(|alarm| alarm.state.label()),
            "exists": self.alarm.is_some(),
            "actions_enabled": self.alarm.map(|alarm| alarm.actions_enabled),
        })
    }
}
