//! Findings of the lint in words.

use serde_json::{Value, json};

use crate::domain::Finding;

/// A finding in two lines.
#[must_use]
pub fn finding_text(finding: &Finding) -> String {
    let policy = finding
        .policy
        .as_ref()
        .map(|name| format!(", policy `{name}`"));
    format!(
        "{} {}: {}{}: {}\n    remedy: {}\n",
        finding.rule.severity().label(),
        finding.rule,
        finding.target,
        policy.unwrap_or_default(),
        finding.what,
        finding.rule.remedy()
    )
}

/// A finding as JSON.
#[must_use]
pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.id(),
        "severity": finding.rule.severity().label(),
        "target": finding.target.resource_id(),
        "policy": finding.policy.as_ref().map(ToString::to_string),
        "what": finding.what,
        "remedy": finding.rule.remedy(),
    })
}
