//! A plan as a readable diff, and as JSON.

use serde_json::{Value, json};

use super::words::{action_line, change_text, effect_text, note_text, reason_text, wait_text};
use super::{Lines, Paint, Tone};
use crate::domain::{
    BoundSource, Change, OwnerName, Plan, TargetPlan, Verdict, Violation, Wait, Who,
};

/// The plans of all scopes as text: every target with what would change and why, or why nothing would.
#[must_use]
pub fn plan_text(plans: &[Plan], paint: Paint) -> String {
    let mut lines = Lines::default();
    let several = plans.len() > 1;
    for plan in plans {
        if several {
            lines.push(paint.paint(Tone::Strong, &format!("scope {}", plan.scope)));
        }
        for entry in &plan.targets {
            target_lines(entry, &plan.owner, paint, &mut lines);
        }
    }
    lines.push(summary(plans));
    lines.finish()
}

/// What `remove` would take out of AWS, as text.
#[must_use]
pub fn withdrawal_text(plans: &[Plan], paint: Paint) -> String {
    let mut lines = Lines::default();
    for plan in plans {
        if plans.len() > 1 {
            lines.push(paint.paint(Tone::Strong, &format!("scope {}", plan.scope)));
        }
        for entry in &plan.targets {
            target_lines(entry, &plan.owner, paint, &mut lines);
        }
    }
    let changes: usize = plans.iter().map(|plan| plan.actions().count()).sum();
    let deregistered = plans.iter().flat_map(Plan::actions);
    let deregistered =
        deregistered.filter(|(_, action)| matches!(action.change, Change::Deregister { .. }));
    let left_alone = plans.iter().flat_map(|plan| &plan.targets);
    let left_alone = left_alone.filter(|entry| matches!(entry.verdict, Verdict::Waiting(_)));
    lines.push(match (changes, deregistered.count()) {
        (0, _) => match left_alone.count() {
            0 => "Nothing to remove.".to_owned(),
            n => format!("Nothing to remove now; left alone until later: {n}. Give the command again then."),
        },
        (n, 0) => format!("{n} to remove."),
        (n, targets) => format!(
            "{n} to remove; targets that nothing scales any more, at the capacity they have: {targets}."
        ),
    });
    lines.finish()
}

fn target_lines(entry: &TargetPlan, owner: &OwnerName, paint: Paint, lines: &mut Lines) {
    let (mark, headline) = match &entry.verdict {
        Verdict::Converged => {
            let bounds = entry.effective.bounds;
            (
                paint.paint(Tone::Good, "="),
                format!("as declared, bounds {bounds}"),
            )
        }
        Verdict::Changes => {
            let n = entry.actions.len();
            let changes = if n == 1 {
                "1 change".to_owned()
            } else {
                format!("{n} changes")
            };
            (paint.paint(Tone::Change, "~"), changes)
        }
        Verdict::Waiting(wait) => (paint.paint(Tone::Dim, "."), wait_text(wait)),
        Verdict::Held => (paint.paint(Tone::Bad, "!"), "held".to_owned()),
    };
    lines.push(format!("{mark} {}: {headline}", entry.id));
    for action in &entry.actions {
        let sign = match &action.change {
            Change::Register { previous: None, .. }
            | Change::PutPolicy { previous: None, .. }
            | Change::PutSchedule { previous: None, .. }
            | Change::PutAlarm { keeps: None, .. } => "+",
            Change::Register { .. }
            | Change::PutPolicy { .. }
            | Change::PutSchedule { .. }
            | Change::PutAlarm { .. } => "~",
            Change::DeletePolicy { .. }
            | Change::DeleteAlarm { .. }
            | Change::DeleteSchedule { .. }
            | Change::Deregister { .. }
            | Change::EndLease { .. } => "-",
        };
        let who = entry.who(action, owner);
        let who = who.map(|who| format!(" [{}]", who.label()));
        lines.push(format!(
            "    {} {}{}",
            paint.paint(Tone::Change, sign),
            change_text(action),
            who.unwrap_or_default()
        ));
        lines.push(format!("        because {}", reason_text(action)));
        for effect in &action.effects {
            lines.push(format!("        note: {}", effect_text(effect)));
        }
    }
    for note in &entry.notes {
        let mark = if note.holds() {
            paint.paint(Tone::Bad, "!")
        } else {
            "note:".to_owned()
        };
        lines.push(format!("    {mark} {}", note_text(note)));
    }
}

fn summary(plans: &[Plan]) -> String {
    // What is not declared any more counts as a change only.
    let declared = |t: &&TargetPlan| t.effective.min_source != BoundSource::Held;
    let all = || plans.iter().flat_map(|plan| &plan.targets);
    let entries = || all().filter(declared);
    let count = |wanted: fn(&Verdict) -> bool| entries().filter(|t| wanted(&t.verdict)).count();
    let actions: usize = all().map(|t| t.actions.len()).sum();
    let converged = count(|v| *v == Verdict::Converged);
    let waiting = count(|v| matches!(v, Verdict::Waiting(_)));
    let held = count(|v| *v == Verdict::Held);
    let unseen = entries()
        .filter(|t| matches!(t.verdict, Verdict::Waiting(Wait::Unseen(_))))
        .count();
    let changes = match actions {
        0 if unseen > 0 => "Nothing planned, as AWS could not be read".to_owned(),
        0 => "No changes".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    };
    let mut parts = vec![format!(
        "{converged} of {} targets as declared",
        entries().count()
    )];
    if waiting > 0 {
        parts.push(format!("{waiting} waiting"));
    }
    if held > 0 {
        parts.push(format!("{held} held"));
    }
    format!("{changes}: {}.", parts.join(", "))
}

/// The plans of all scopes as JSON.
#[must_use]
pub fn plan_json(plans: &[Plan], refused: &[Violation]) -> Value {
    let changes: usize = plans.iter().map(|plan| plan.actions().count()).sum();
    json!({
        "changes": changes,
        "refused": refused.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "scopes": plans.iter().map(scope_json).collect::<Vec<_>>(),
    })
}

fn scope_json(plan: &Plan) -> Value {
    json!({
        "scope": plan.scope.as_str(),
        "at": plan.at.to_rfc3339(),
        "targets": plan.targets.iter().map(|t| target_json(t, &plan.owner)).collect::<Vec<_>>(),
    })
}

fn target_json(entry: &TargetPlan, owner: &OwnerName) -> Value {
    let why = match &entry.verdict {
        Verdict::Waiting(wait) => Some(wait_text(wait)),
        Verdict::Converged | Verdict::Changes | Verdict::Held => None,
    };
    let actions: Vec<Value> = entry
        .actions
        .iter()
        .map(|action| {
            json!({
                "action": action.change.label(),
                "what": change_text(action),
                "kind": action.reason.label(),
                "because": reason_text(action),
                "effects": action.effects.iter().map(effect_text).collect::<Vec<_>>(),
                "who": entry.who(action, owner).map(Who::label),
                "line": action_line(&entry.id, action),
            })
        })
        .collect();
    json!({
        "target": entry.id.resource_id(),
        "dimension": entry.id.dimension().aws_name(),
        "verdict": entry.verdict.label(),
        "why": why,
        "bounds": {
            "min": entry.effective.bounds.min().get(),
            "max": entry.effective.bounds.max().get(),
            "min_source": entry.effective.min_source.label(),
            "max_source": entry.effective.max_source.label(),
        },
        "actions": actions,
        "notes": entry.notes.iter().map(note_text).collect::<Vec<_>>(),
    })
}
