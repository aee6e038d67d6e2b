//! `explain`: why a target did what it did, from what is written down of it.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::clock::clock_for;
use super::connect::load_config;
use super::console::Console;
use super::daemon::state_directory;
use super::failure::{FAILED, Failure};
use super::inspect::{Looked, look};
use crate::cli::{Common, ExplainOptions, Output};
use crate::domain::{
    Datapoint, DesiredTarget, Evidence, Glob, JournalLine, MetricData, Part, Policy, PolicyAlarm,
    TargetId,
};
use crate::ports::{ApiError, MetricQuery, ScopePorts};
use crate::telemetry::JOURNAL;
use crate::view::{Explanation, explain as explain_evidence, explanation_json, explanation_text};

/// So far back it looks where nothing else is asked for.
const SINCE: TimeDelta = TimeDelta::hours(3);
/// CloudWatch keeps values of a minute so long (aws-autoscaling.md 6.2).
const LONGEST: TimeDelta = TimeDelta::days(15);
/// What goes before the first instant, so that its state is known.
const RUN_UP: TimeDelta = TimeDelta::hours(3);
const MOST_ACTIVITIES: usize = 2000;
const MOST_RECORDS: usize = 2000;
/// Targets that one call explains at the most.
const MOST_TARGETS: usize = 20;

/// Explains targets.
pub(super) async fn explain(
    common: &Common,
    options: &ExplainOptions,
    console: Console,
) -> Result<u8, Failure> {
    let mut config = load_config(common)?;
    let only = Glob::new(&options.subject);
    for (_, fleet) in config.scopes.values_mut() {
        fleet.targets.retain(|id, _| id.matches(&only));
        fleet.only = Some(only.clone());
    }
    let common = Common {
        target: Some(options.subject.clone()),
        ..common.clone()
    };
    let now = clock_for(&config, &common).await.0.now();
    let (from, at) = span(options, now)?;
    let looked = look(&config, &common, console).await?;
    let journal = state_directory(&config).map(|directory| read_journal(&directory, from, at));
    let mut explained = Vec::new();
    for (name, scope) in &looked {
        for target in scope.fleet.targets.values() {
            if explained.len() >= MOST_TARGETS {
                let what = format!("more than {MOST_TARGETS} targets fit; name fewer");
                return Err(Failure::Usage(what));
            }
            let mut evidence = evidence(scope, target, from, at).await;
            match &journal {
                Some(Ok(lines)) => {
                    let own = lines.iter().filter(|(of_scope, id, _)| {
                        *of_scope == name.to_string() && *id == target.id.to_string()
                    });
                    evidence.journal = Some(own.map(|(_, _, line)| line.clone()).collect());
                }
                Some(Err(problem)) => evidence.gaps.push(problem.clone()),
                None => {}
            }
            explained.push(explain_evidence(&evidence, from, at));
        }
    }
    if explained.is_empty() {
        return Err(Failure::Usage(format!(
            "{}: no declared target matches; name an endpoint, a resource id, or the inference component itself",
            options.subject
        )));
    }
    print(&explained, &common, console);
    let partial = explained.iter().any(|e| !e.gaps.is_empty());
    Ok(if partial { FAILED } else { 0 })
}

fn print(explained: &[Explanation], common: &Common, console: Console) {
    match common.output {
        Output::Text => {
            let texts = explained.iter().map(|e| explanation_text(e, console.paint));
            console.out(&texts.collect::<Vec<_>>().join("\n"));
        }
        Output::Json => {
            let all: Vec<Value> = explained.iter().map(explanation_json).collect();
            console.out(&format!("{:#}\n", Value::Array(all)));
        }
    }
}

/// From when to when.
fn span(
    options: &ExplainOptions,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    let at = options.at.unwrap_or(now);
    if at > now {
        return Err(Failure::Usage(format!(
            "{at} has not come yet; `evenkeel schedule` shows what comes"
        )));
    }
    let since = match options.since {
        Some(since) => TimeDelta::from_std(since).unwrap_or(LONGEST),
        None => SINCE,
    };
    let from = at.checked_sub_signed(since).unwrap_or(at);
    if now.signed_duration_since(from) > LONGEST {
        let what = "CloudWatch keeps values of a minute for 15 days; choose a later --at or a shorter --since";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok((from, at))
}

/// Everything that AWS has written down of a target.
async fn evidence(
    scope: &Looked,
    target: &DesiredTarget,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Evidence {
    let (id, observed, ports) = (&target.id, &scope.observed, &scope.ports);
    let early = from.checked_sub_signed(RUN_UP).unwrap_or(from);
    let mut gaps: Vec<String> = observed
        .gaps
        .iter()
        .map(|gap| format!("{} could not be read: {}", gap.part, gap.why))
        .collect();
    let mut lost = |error: Option<ApiError>| gaps.extend(error.map(|error| error.to_string()));
    let activities = ports
        .scaling
        .activities_of(id, early, MOST_ACTIVITIES)
        .await;
    lost(activities.gap);
    let mut activities = activities.items;
    activities.reverse();
    let mut alarms = alarms(scope, target);
    for alarm in &mut alarms {
        let history = ports
            .alarms
            .history(&alarm.name, early, until, MOST_RECORDS)
            .await;
        lost(history.gap);
        alarm.history = history.items;
        alarm.history.sort_by_key(|record| record.at);
    }
    let mut values = Vec::new();
    for policy in &target.policies {
        match read_values(ports, id, policy, from, until).await {
            Ok(points) => values.push((policy.name.clone(), points)),
            Err(error) => lost(Some(error)),
        }
    }
    let held = observed.targets.get(id);
    let component = id
        .component()
        .and_then(|name| observed.components.get(name));
    let endpoint = id.endpoint().and_then(|name| observed.endpoints.get(name));
    let status = component.map(|c| c.status.clone());
    Evidence {
        target: target.clone(),
        leases: observed.leases(id).cloned().unwrap_or_default(),
        suspended: held.map(|t| t.suspended).unwrap_or_default(),
        running: observed.capacity(id),
        endpoint: status.or_else(|| endpoint.map(|e| e.status.clone())),
        changed: endpoint.and_then(|e| Some((e.modified, e.details.as_ref()?.config.clone()))),
        held: held.map(|t| (t.min, t.max)),
        activities,
        alarms,
        values,
        journal: None,
        gaps,
    }
}

/// The alarms that AWS names for the declared policies, as they stand.
fn alarms(scope: &Looked, target: &DesiredTarget) -> Vec<PolicyAlarm> {
    let held = scope.observed.policies.get(&target.id);
    let can_tell = scope.observed.gap(&Part::Alarms).is_none();
    let of_policy = |policy: &Policy| {
        let names = held
            .and_then(|all| all.get(&policy.name))
            .map(|p| p.alarms.clone());
        let alarms = names.unwrap_or_default().into_iter().filter_map(|name| {
            let alarm = scope.observed.alarms.get(&name).filter(|_| can_tell)?;
            Some(PolicyAlarm {
                policy: policy.name.clone(),
                acts: alarm.actions_enabled && !alarm.actions.is_empty(),
                state: alarm.state,
                since: alarm.since,
                name,
                history: Vec::new(),
            })
        });
        alarms.collect::<Vec<_>>()
    };
    target.policies.iter().flat_map(of_policy).collect()
}

async fn read_values(
    ports: &ScopePorts,
    id: &TargetId,
    policy: &Policy,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Datapoint>, ApiError> {
    let mut points = match policy.watched_metric(id) {
        MetricData::Series(metric, period) => {
            let query = MetricQuery {
                metric,
                period: period.max(60),
            };
            let all = ports.metrics.datapoints(&[query], from, until).await?;
            all.into_iter().next().unwrap_or_default()
        }
        MetricData::Math(math) => ports.metrics.math(&math, from, until).await?,
    };
    points.sort_by_key(|point| point.at);
    Ok(points)
}

type Line = (String, String, JournalLine);

/// Lines of the journal between two instants, oldest first, of all scopes and targets.
fn read_journal(
    directory: &Path,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Line>, String> {
    let path = directory.join(JOURNAL);
    let mut files: Vec<PathBuf> = (1..=5)
        .map(|n| PathBuf::from(format!("{}.{n}", path.display())))
        .collect();
    files.reverse();
    files.retain(|file| file.exists());
    files.push(path);
    let mut lines = Vec::new();
    for file in files {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("the journal {}: {error}", file.display())),
        };
        let own = text.lines().filter_map(journal_line);
        lines.extend(own.filter(|(_, _, line)| line.at >= from && line.at <= until));
    }
    lines.sort_by_key(|(_, _, line)| line.at);
    Ok(lines)
}

fn journal_line(text: &str) -> Option<Line> {
    let shape: Value = serde_json::from_str(text).ok()?;
    let field = |key: &str| shape.get(key).and_then(Value::as_str).map(str::to_owned);
    let at = DateTime::parse_from_rfc3339(&field("at")?).ok()?;
    let end = |key: &str| {
        let end = shape.get("after")?.get(key)?.as_u64()?;
        u32::try_from(end).ok()
    };
    let line = JournalLine {
        at: at.with_timezone(&Utc),
        action: field("action")?,
        is_done: field("outcome")? == "ok",
        bounds: end("min").zip(end("max")),
        change: field("change")?,
        reason: field("reason")?,
        problem: field("problem"),
    };
    Some((field("scope")?, field("target")?, line))
}
