//! From config to what the runtime needs of it.

use chrono::{DateTime, Utc};

use crate::config::{Address, Config, Problem, Problems, SecretSource, WebhookForm};
use crate::domain::Notice;
use crate::ports::{Form, Secret, Webhook};
use crate::runtime::{Settings, WatchSettings};
use crate::view::{generic_notice, pagerduty_notice, slack_notice};

/// The runtime's settings of a config that was loaded at `now`.
#[must_use]
pub fn settings(config: &Config, now: DateTime<Utc>) -> Settings {
    let fleets = config
        .scopes
        .iter()
        .map(|(name, (_, fleet))| (name.clone(), fleet.clone()));
    Settings {
        mode: config.daemon.mode,
        reconcile_interval: config.daemon.reconcile_interval,
        watch_interval: config.daemon.watch_interval,
        watch: WatchSettings {
            quiet_interval: config.watch.quiet_interval,
            signals: config.watch.signals,
            budget: config.watch.budget,
        },
        safety: config.safety,
        fleets: fleets.collect(),
        alertmanagers: config.alerting.alertmanagers.clone(),
        webhooks: Vec::new(),
        silences: config.alerting.silences.clone(),
        loaded: now,
    }
}

/// The webhooks of a config, with their secrets.
///
/// # Errors
/// Each secret that is not where the config says.
pub fn webhooks(config: &Config) -> Result<Vec<Webhook>, Problems> {
    let mut missing = Vec::new();
    let mut hooks = Vec::new();
    for hook in &config.alerting.webhooks {
        let mut read = |key: &str, source: &SecretSource| match secret(source) {
            Ok(secret) => Some(secret),
            Err((place, what)) => {
                missing.push(Problem {
                    source: place,
                    path: format!("alerting.webhooks `{}`: {key}", hook.name),
                    what,
                    remedy: "put the secret there, and nothing else".to_owned(),
                });
                None
            }
        };
        let url = match &hook.url {
            Address::Plain(url) => Some(Secret::new(url.clone())),
            Address::Secret(source) => read("url", source),
        };
        let form = match &hook.form {
            WebhookForm::Generic => Some(Form::Generic),
            WebhookForm::Slack => Some(Form::Slack),
            WebhookForm::PagerDuty(key) => {
                read("key", key).map(|routing_key| Form::PagerDuty { routing_key })
            }
        };
        let token = hook.token.as_ref().map(|source| read("token", source));
        let (Some(url), Some(form)) = (url, form) else {
            continue;
        };
        hooks.push(Webhook {
            name: hook.name.clone(),
            form,
            url,
            token: token.flatten(),
            grouping: hook.grouping,
            least: hook.least,
        });
    }
    if missing.is_empty() {
        Ok(hooks)
    } else {
        Err(Problems(missing))
    }
}

/// Reads a secret. What goes wrong says where it should be, and never what it is.
pub(super) fn secret(source: &SecretSource) -> Result<Secret, (String, String)> {
    let (place, text) = match source {
        SecretSource::Env(name) => (
            format!("variable {name}"),
            std::env::var(name).map_err(|_| "it is not set, or not text".to_owned()),
        ),
        SecretSource::File(path) => (
            path.display().to_string(),
            std::fs::read_to_string(path).map_err(|error| error.to_string()),
        ),
    };
    match text {
        Err(what) => Err((place, what)),
        Ok(text) if text.trim().is_empty() => Err((place, "it is empty".to_owned())),
        Ok(text) => Ok(Secret::new(text.trim().to_owned())),
    }
}

/// A message in the form that a webhook takes.
#[must_use]
pub fn webhook_body(hook: &Webhook, notice: &Notice) -> String {
    match &hook.form {
        Form::Generic => generic_notice(notice),
        Form::Slack => slack_notice(notice),
        Form::PagerDuty { routing_key } => pagerduty_notice(notice, routing_key.reveal()),
    }
    .to_string()
}
