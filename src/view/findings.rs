//! Findings of the lint in words.

use serde_json::{Value, json};

use crate::domain::Finding;

/// A finding in two lines.
#[must_use]
pub fn finding_text(finding: &Finding) -> String {
    finding_text_about(finding, &finding.target.to_string())
}

/// A finding in two lines, about something that is not one target.
#[must_use]
pub fn finding_text_about(finding: &Finding, about: &str) -> String {
    let policy = finding
        .policy
        .as_ref()
        .map(|name| format!(", policy `{name}`"));
    format!(
        "{} {}: {}{}: {}\n    remedy: {}\n",
        finding.rule.severity().label(),
        finding.rule,
        about,
        policy.unwrap_or_default(),
        finding.what,
        finding.rule.remedy()
    )
}

/// A finding as JSON.
#[must_use]
pub fn finding_json(finding: &Finding) -> Value {
    finding_json_about(finding, &finding.target.resource_id())
}

/// A finding as JSON, about something that is not one target.
#[must_use]
pub fn finding_json_about(finding: &Finding, about: &str) -> Value {
    json!({
        "rule": finding.rule.id(),
        "severity": finding.rule.severity().label(),
        "target": about,
        "policy": finding.policy.as_ref().map(ToString::to_string),
        "what": finding.what,
        "remedy": finding.rule.remedy(),
    })
}
