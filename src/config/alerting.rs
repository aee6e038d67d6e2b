//! The section `alerting`, and what targets say of their alerts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::daemon::read_url;
use super::node::{Fields, Node, nearest};
use crate::domain::{AlertKind, Glob, Grouping, ScopeName, Silence, Tuning, Tunings, Urgency};

const KEYS: [&str; 4] = ["alertmanagers", "webhooks", "silences", "alerts"];
const WEBHOOK_KEYS: [&str; 13] = [
    "name",
    "form",
    "url",
    "url_env",
    "url_file",
    "key_env",
    "key_file",
    "token_env",
    "token_file",
    "urgency",
    "group",
    "key",
    "token",
];
const SILENCE_KEYS: [&str; 5] = ["alert", "scope", "target", "until", "reason"];
const TUNING_KEYS: [&str; 4] = ["off", "for", "reversals", "within"];
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
const DAY: Duration = Duration::from_hours(24);

/// Where a secret stands. It is read when the daemon starts or reloads, and never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; what stands around it is cut off.
    File(PathBuf),
}

/// In what form a receiver takes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookForm {
    /// Our own JSON.
    Generic,
    /// Slack's incoming webhooks.
    Slack,
    /// PagerDuty's Events API v2, with the key of an integration.
    PagerDuty(SecretSource),
}

/// Where a receiver listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Anyone may know.
    Plain(String),
    /// Whoever knows may post.
    Secret(SecretSource),
}

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// What it is called in metrics and logs.
    pub name: String,
    /// In what form it takes messages.
    pub form: WebhookForm,
    /// Where it listens.
    pub url: Address,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<SecretSource>,
    /// What makes one message.
    pub grouping: Grouping,
    /// It is not told of anything less urgent.
    pub least: Urgency,
}

/// Where alerts go, and how they differ from their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alerting {
    /// Base URLs of Alertmanagers.
    pub alertmanagers: Vec<String>,
    /// Webhooks, with names of their own.
    pub webhooks: Vec<WebhookConfig>,
    /// What nobody is told for a while.
    pub silences: Vec<Silence>,
    /// How alerts differ from their defaults, unless a target says otherwise.
    pub tunings: Tunings,
}

pub(super) fn read_alerting(node: &Node<'_>) -> Alerting {
    let mut alerting = Alerting::default();
    let Some(fields) = node.fields(&KEYS) else {
        return alerting;
    };
    let entries = |key: &str| fields.get(key).map(|n| n.entries()).unwrap_or_default();
    let url = |entry: &Node<'_>| read_url(entry, "http://alertmanager:9093");
    alerting.alertmanagers = entries("alertmanagers").iter().filter_map(url).collect();
    for entry in entries("webhooks") {
        let Some(hook) = read_webhook(&entry) else {
            continue;
        };
        if alerting.webhooks.iter().any(|held| held.name == hook.name) {
            let what = format!("a second webhook is called `{}`", hook.name);
            entry.report(what, "give each webhook a name of its own");
            continue;
        }
        alerting.webhooks.push(hook);
    }
    alerting.silences = entries("silences")
        .iter()
        .filter_map(read_silence)
        .collect();
    let tunings = fields.get("alerts").map(|n| read_tunings(&n));
    alerting.tunings = tunings.unwrap_or_default();
    alerting
}

fn read_webhook(entry: &Node<'_>) -> Option<WebhookConfig> {
    let fields = entry.fields(&WEBHOOK_KEYS)?;
    refuse_bare_secret(&fields, "key");
    refuse_bare_secret(&fields, "token");
    let name = fields.require("name", "oncall").and_then(|n| n.text());
    let grouping = Grouping::ALL.map(|g| (g.label(), g));
    let grouping = fields.get("group").and_then(|n| n.word(&grouping));
    let urgencies = [Urgency::Critical, Urgency::Warning, Urgency::Info];
    let urgencies = urgencies.map(|urgency| (urgency.label(), urgency));
    let least = fields.get("urgency").and_then(|n| n.word(&urgencies));
    let token = read_secret(&fields, "token");
    let url = read_address(&fields);
    let forms = [("generic", 0), ("slack", 1), ("pagerduty", 2)];
    let form = fields.require("form", "slack")?.word(&forms)?;
    let key = read_secret(&fields, "key");
    let form = match (form, key) {
        (2, Some(key)) => WebhookForm::PagerDuty(key),
        (2, None) => {
            let what = "PagerDuty needs the key of an integration";
            entry.report(what, "add `key_env: PAGERDUTY_KEY` or `key_file: PATH`");
            return None;
        }
        (_, Some(_)) => {
            entry.report(
                "only PagerDuty takes a key",
                "remove `key_env` or `key_file`",
            );
            return None;
        }
        (1, None) => WebhookForm::Slack,
        (_, None) => WebhookForm::Generic,
    };
    let url = match (url, &form) {
        (Some(url), _) => url,
        (None, WebhookForm::PagerDuty(_)) => Address::Plain(PAGERDUTY.to_owned()),
        (None, WebhookForm::Generic | WebhookForm::Slack) => {
            // What is wrong with an address that is there has been said.
            if !["url", "url_env", "url_file"]
                .iter()
                .any(|key| fields.get(key).is_some())
            {
                let what = "it is not said where it listens";
                entry.report(what, "add `url_env`, `url_file` or `url`");
            }
            return None;
        }
    };
    Some(WebhookConfig {
        name: name?,
        url,
        token,
        // An incident that is open pages nobody when another target joins it.
        grouping: grouping.unwrap_or(match form {
            WebhookForm::PagerDuty(_) => Grouping::Target,
            WebhookForm::Generic | WebhookForm::Slack => Grouping::Alert,
        }),
        least: least.unwrap_or(Urgency::Warning),
        form,
    })
}

fn read_address(fields: &Fields<'_>) -> Option<Address> {
    let plain = fields.get("url");
    let secret = read_secret(fields, "url");
    match (plain, secret) {
        (Some(plain), Some(_)) => {
            plain.report("it is said twice where it listens", "keep one of the two");
            None
        }
        (Some(plain), None) => {
            read_url(&plain, "https://ops.example.com/hooks").map(Address::Plain)
        }
        (None, secret) => secret.map(Address::Secret),
    }
}

/// A name that people try; what they want must not stand in the config.
pub(super) fn refuse_bare_secret(fields: &Fields<'_>, key: &str) {
    if let Some(node) = fields.get(key) {
        let instead = format!("use `{key}_env` or `{key}_file`");
        node.report("a secret stands in the config", instead);
    }
}

/// Capitals, digits and underscores: what else a variable may be called, a secret may look like.
fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(fits)
}

/// `KEY_env` or `KEY_file`.
pub(super) fn read_secret(fields: &Fields<'_>, key: &str) -> Option<SecretSource> {
    let env = fields.get(&format!("{key}_env"));
    let file = fields.get(&format!("{key}_file"));
    match (env, file) {
        (Some(env), Some(_)) => {
            env.report("the secret is given twice", "keep the variable or the file");
            None
        }
        (Some(env), None) => {
            let name = env.text()?;
            if is_variable(&name) {
                return Some(SecretSource::Env(name));
            }
            // What stands here may be the secret itself, so it is not shown.
            env.report(
                "this is no name of a variable",
                "name it in capitals, for example `EVENKEEL_TOKEN`, and put the secret into the variable",
            );
            None
        }
        (None, Some(file)) => {
            super::daemon::read_path(&file, "/run/secrets/slack").map(SecretSource::File)
        }
        (None, None) => None,
    }
}

fn read_silence(entry: &Node<'_>) -> Option<Silence> {
    let fields = entry.fields(&SILENCE_KEYS)?;
    let kind = match fields.get("alert") {
        Some(node) => Some(read_kind(&node, &node.text()?)?),
        None => None,
    };
    let scope = match fields.get("scope") {
        Some(node) => Some(node.parsed::<ScopeName>()?),
        None => None,
    };
    let subject = fields.get("target").and_then(|n| n.text()).map(Glob::new);
    let until = fields.require("until", "2026-12-01T06:00:00Z");
    let until = until.and_then(|n| read_instant(&n));
    let reason = fields.require("reason", "load test").and_then(|n| n.text());
    if kind.is_none() && subject.is_none() {
        let what = "this would silence everything";
        entry.report(
            what,
            "add `alert:` or `target:`; `target: '*'` means everything",
        );
        return None;
    }
    Some(Silence {
        kind,
        scope,
        subject,
        until: until?,
        reason: reason?,
    })
}

/// A silence of a scope that is not there would silence nothing.
pub(super) fn check_scopes<T>(
    node: &Node<'_>,
    alerting: &Alerting,
    scopes: &BTreeMap<ScopeName, T>,
) {
    for scope in alerting.silences.iter().filter_map(|s| s.scope.as_ref()) {
        if !scopes.contains_key(scope) {
            let known: Vec<&str> = scopes.keys().map(ScopeName::as_str).collect();
            let what = format!("a silence is for scope `{scope}`, and there is none");
            node.report(what, format!("use one of {}", known.join(", ")));
        }
    }
}

fn read_instant(node: &Node<'_>) -> Option<DateTime<Utc>> {
    let text = node.text()?;
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return Some(at.with_timezone(&Utc));
    }
    node.report(
        format!("`{text}` is not an instant"),
        "write it with its offset, for example `2026-12-01T06:00:00Z`",
    );
    None
}

fn read_kind(node: &Node<'_>, name: &str) -> Option<AlertKind> {
    let found = AlertKind::ALL.into_iter().find(|kind| kind.name() == name);
    if found.is_none() {
        let names = AlertKind::ALL.map(AlertKind::name);
        let remedy = match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the alerts are {}", names.join(", ")),
        };
        node.report(format!("there is no alert `{name}`"), remedy);
    }
    found
}

/// Alerts by name: `off`, or what differs.
pub(super) fn read_tunings(node: &Node<'_>) -> Tunings {
    let mut tunings = BTreeMap::new();
    for (name, entry) in node.named_entries() {
        if let Some(kind) = read_kind(&entry, name)
            && let Some(tuning) = read_tuning(&entry, kind)
        {
            tunings.insert(kind, tuning);
        }
    }
    tunings
}

fn read_tuning(entry: &Node<'_>, kind: AlertKind) -> Option<Tuning> {
    if !entry.is_section() {
        let is_on = if entry.is_truth() {
            entry.truth()?
        } else {
            entry.word(&[("off", false), ("on", true)])?
        };
        return Some(Tuning {
            off: !is_on,
            ..Tuning::default()
        });
    }
    let fields = entry.fields(&TUNING_KEYS)?;
    let delta = |key: &str, least: Duration| {
        let duration = fields.get(key)?.duration(least, DAY)?;
        TimeDelta::from_std(duration).ok()
    };
    let only_of = |key: &str, of: AlertKind| {
        if let Some(node) = fields.get(key).filter(|_| kind != of) {
            node.report(format!("`{key}` is for {of} only"), "remove it");
        }
    };
    only_of("reversals", AlertKind::Thrashing);
    only_of("within", AlertKind::SaturationPredicted);
    let reversals = fields.get("reversals").and_then(|node| {
        let count = node.count()?;
        if count < 2 {
            node.report(
                format!("{count} change of direction is no thrashing"),
                "write at least 2",
            );
        }
        (count >= 2).then_some(count)
    });
    Some(Tuning {
        off: fields
            .get("off")
            .and_then(|n| n.truth())
            .unwrap_or_default(),
        pending_for: delta("for", Duration::ZERO),
        reversals,
        within: delta("within", Duration::from_mins(1)),
    })
}
