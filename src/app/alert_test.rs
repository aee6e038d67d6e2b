//! `alert-test`: whether receivers are reached, before they have to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::settings::{webhook_body, webhooks};
use crate::aws::HttpPoster;
use crate::cli::{AlertTest, Common, Output};
use crate::domain::{
    Alert, AlertKey, AlertKind, AlertState, ConfigState, FleetSnapshot, Group, Line, Mode, Notice,
    ScopeName, ScopeSnapshot, Subject,
};
use crate::ports::{Clock, PostFault, Poster, Webhook};
use crate::runtime::{ALERTMANAGER_PATH, SystemClock};
use crate::view::alertmanager_alerts;

const REASON: &str = "this is a test of evenkeel's alerts, and nothing is wrong";

/// What became of one receiver.
struct Outcome {
    receiver: String,
    fault: Option<PostFault>,
}

/// Sends an alert and its end to every receiver.
pub(super) async fn alert_test(
    common: &Common,
    options: &AlertTest,
    console: Console,
) -> Result<u8, Failure> {
    let kind = AlertKind::ALL
        .into_iter()
        .find(|kind| kind.name() == options.alert)
        .ok_or_else(|| {
            let names = AlertKind::ALL.map(AlertKind::name).join(", ");
            Failure::Usage(format!(
                "there is no alert `{}`; the alerts are {names}",
                options.alert
            ))
        })?;
    let mut config = load_config(common)?;
    let wanted = |name: &str| options.receiver.as_ref().is_none_or(|only| only == name);
    // A secret that another receiver lacks is not asked for.
    config.alerting.webhooks.retain(|hook| wanted(&hook.name));
    let hooks = webhooks(&config).map_err(Failure::Config)?;
    let poster: Arc<dyn Poster> = Arc::new(HttpPoster::new());
    // Real time, as receivers have it.
    let now = SystemClock.now();
    let mut outcomes = Vec::new();
    for url in config
        .alerting
        .alertmanagers
        .iter()
        .filter(|url| wanted(url))
    {
        let fault = test_alertmanager(&*poster, url, kind, now).await.err();
        outcomes.push(Outcome {
            receiver: url.clone(),
            fault,
        });
    }
    for hook in &hooks {
        let fault = test_webhook(&*poster, hook, kind, now).await.err();
        outcomes.push(Outcome {
            receiver: hook.name.clone(),
            fault,
        });
    }
    if outcomes.is_empty() {
        return Err(Failure::world(match &options.receiver {
            Some(name) => format!("the config has no receiver `{name}`"),
            None => "the config has no receivers; see `alerting` in docs/alerts.md".to_owned(),
        }));
    }
    console.out(&match common.output {
        Output::Text => outcomes.iter().map(line).collect(),
        Output::Json => format!("{:#}\n", Value::Array(outcomes.iter().map(shape).collect())),
    });
    let failed = outcomes.iter().any(|outcome| outcome.fault.is_some());
    Ok(if failed { FAILED } else { 0 })
}

fn line(outcome: &Outcome) -> String {
    match &outcome.fault {
        None => format!("{}: took the alert and its end\n", outcome.receiver),
        Some(fault) => format!("{}: did not take it: {fault}\n", outcome.receiver),
    }
}

fn shape(outcome: &Outcome) -> Value {
    json!({
        "receiver": outcome.receiver,
        "ok": outcome.fault.is_none(),
        "problem": outcome.fault.as_ref().map(|fault| fault.text.clone()),
    })
}

fn scope() -> Result<ScopeName, PostFault> {
    "alert-test".parse().map_err(|_| PostFault {
        text: "the test has no scope".to_owned(),
        is_final: true,
    })
}

async fn test_webhook(
    poster: &dyn Poster,
    hook: &Webhook,
    kind: AlertKind,
    now: DateTime<Utc>,
) -> Result<(), PostFault> {
    let line = Line {
        subject: Subject::Scope,
        since: now,
        reason: REASON.to_owned(),
        cause: None,
    };
    let begins = Notice {
        group: Group {
            scope: scope()?,
            kind,
            subject: None,
        },
        at: now,
        started: vec![line.clone()],
        ended: Vec::new(),
        firing: vec![line.clone()],
    };
    let ends = Notice {
        started: Vec::new(),
        ended: vec![line],
        firing: Vec::new(),
        ..begins.clone()
    };
    for notice in [begins, ends] {
        let body = webhook_body(hook, &notice);
        poster
            .post(hook.url.reveal(), hook.token.as_ref(), body)
            .await?;
    }
    Ok(())
}

async fn test_alertmanager(
    poster: &dyn Poster,
    base: &str,
    kind: AlertKind,
    now: DateTime<Utc>,
) -> Result<(), PostFault> {
    let alert = Alert {
        state: AlertState::Firing { since: now },
        since: now,
        reason: REASON.to_owned(),
        cause: None,
        inhibited_by: None,
        silenced: None,
    };
    let key = AlertKey {
        kind,
        subject: Subject::Scope,
    };
    let held = ScopeSnapshot {
        alerts: BTreeMap::from([(key, alert)]),
        ..ScopeSnapshot::default()
    };
    let fleet = FleetSnapshot {
        started: now,
        mode: Mode::Observe,
        config: ConfigState {
            loaded: now,
            problem: None,
        },
        scopes: BTreeMap::from([(scope()?, Arc::new(held))]),
    };
    let mut alerts: Vec<Value> = alertmanager_alerts(&fleet, now, now)
        .into_values()
        .collect();
    let url = format!("{}{ALERTMANAGER_PATH}", base.trim_end_matches('/'));
    poster
        .post(&url, None, Value::Array(alerts.clone()).to_string())
        .await?;
    for alert in alerts.iter_mut().filter_map(Value::as_object_mut) {
        let end = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        alert.insert("endsAt".to_owned(), json!(end));
    }
    poster
        .post(&url, None, Value::Array(alerts).to_string())
        .await
}
