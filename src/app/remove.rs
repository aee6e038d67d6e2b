//! `remove`: takes everything that carries our name out of AWS, after showing it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::apply::execute_checked;
use super::clock::clock_for;
use super::connect::{connect_scopes, load_config};
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::health::{Life, ask};
use super::update::confirmed;
use crate::cli::{Common, Output};
use crate::config::Config;
use crate::domain::{
    CheckedPlan, DesiredFleet, EndpointName, Gap, Glob, OWNER_TAG, Observation, ObservedSchedule,
    OwnerName, Part, Plan, ScopeName, TargetId, Verdict, check_withdrawal, plan_withdrawal,
};
use crate::ports::{NoRequestLog, RequestLog, ScopePorts};
use crate::runtime::Observer;
use crate::view::{plan_json, withdrawal_text};
use crate::web::PRODUCT;

/// A daemon on this machine answers within this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// One scope, and what goes from it.
struct Leaving {
    ports: ScopePorts,
    checked: CheckedPlan,
}

/// Shows what would go, asks, and removes it.
pub(super) async fn remove(common: &Common, yes: bool, console: Console) -> Result<u8, Failure> {
    let config = config_of(common)?;
    refuse_beside_a_daemon(&config).await?;
    let leaving = look(&config, common).await?;
    let plans: Vec<Plan> = leaving.values().map(|l| l.checked.plan().clone()).collect();
    console.out(&match common.output {
        Output::Text => withdrawal_text(&plans, console.paint),
        Output::Json => format!("{:#}\n", plan_json(&plans, &[])),
    });
    let waiting = |plan: &Plan| {
        let mut entries = plan.targets.iter();
        entries.any(|entry| matches!(entry.verdict, Verdict::Waiting(_)))
    };
    let waits = plans.iter().any(waiting);
    let changes: usize = plans.iter().map(|plan| plan.actions().count()).sum();
    if changes == 0 {
        return Ok(if waits { FAILED } else { 0 });
    }
    if !confirmed(yes, &format!("Remove {changes}?"), console)? {
        return Ok(FAILED);
    }
    let (mut made, mut broken) = (0, 0);
    for (name, scope) in &leaving {
        let place = (name, &scope.ports);
        let done = execute_checked(&config, common, place, &scope.checked, console).await;
        made += done.done;
        broken += done.failed;
    }
    let left = changes.saturating_sub(made);
    console
        .note("A daemon that still runs with this config, here or elsewhere, would put it back.");
    console.note(&match left {
        0 => format!("{made} of {changes} removed."),
        left => format!("{made} of {changes} removed, {left} left, {broken} of them failed; it can be given again."),
    });
    if let Some(directory) = &config.daemon.state_dir {
        console.note(&format!(
            "Left on the machine that ran the daemon: the config, and the journal in {}.",
            directory.display()
        ));
    }
    Ok(if left > 0 || waits { FAILED } else { 0 })
}

/// A daemon would put back within a minute what is removed. Whether it enforces is not asked: its config may be another
/// one than this file by now.
async fn refuse_beside_a_daemon(config: &Config) -> Result<(), Failure> {
    let daemon = &config.daemon;
    match ask(daemon.listen, Life::Alive, daemon.tls.is_some(), PATIENCE).await {
        Ok(answer) if answer.server.as_deref() == Some(PRODUCT) => Err(Failure::world(format!(
            "a daemon answers on {}, and would put back what is removed; stop it first",
            daemon.listen
        ))),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The config, whole: what is ours need not be declared, so `--target` may name something that is not.
fn config_of(common: &Common) -> Result<Config, Failure> {
    let whole = Common {
        target: None,
        ..common.clone()
    };
    let mut config = load_config(&whole)?;
    if let Some(glob) = &common.target {
        for (_, fleet) in config.scopes.values_mut() {
            fleet.only = Some(Glob::new(glob.clone()));
        }
    }
    Ok(config)
}

async fn look(config: &Config, common: &Common) -> Result<BTreeMap<ScopeName, Leaving>, Failure> {
    let log: Arc<dyn RequestLog> = Arc::new(NoRequestLog);
    let now = clock_for(config, common).await.0.now();
    let mut leaving = BTreeMap::new();
    for (name, ports) in connect_scopes(config, common, &log).await? {
        let Some((_, fleet)) = config.scopes.get(&name) else {
            continue;
        };
        let mut observer = Observer::new(ports.clone());
        let seen = observer.observe(fleet, now).await;
        let mut observed = seen.observed;
        read_all_schedules(&ports, &mut observed).await;
        refuse_the_half_seen(&name, fleet, &observed)?;
        observed.owners = owners(&name, &ports, fleet, &observed).await?;
        let plan = plan_withdrawal(&seen.fleet, &observed, now);
        let checked = check_withdrawal(plan, &seen.fleet, &observed).map_err(|violations| {
            let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Failure::Internal(format!("the plan is refused: {}", violations.join("; ")))
        })?;
        leaving.insert(name, Leaving { ports, checked });
    }
    Ok(leaving)
}

/// Whose the registrations are that are looked at.
async fn owners(
    scope: &ScopeName,
    ports: &ScopePorts,
    fleet: &DesiredFleet,
    observed: &Observation,
) -> Result<BTreeMap<TargetId, Option<OwnerName>>, Failure> {
    let mut owners = BTreeMap::new();
    let in_view = |id: &TargetId| fleet.only.as_ref().is_none_or(|only| id.matches(only));
    for held in observed.targets.values().filter(|held| in_view(&held.id)) {
        let Some(arn) = &held.arn else { continue };
        let tags = ports.scaling.tags(arn).await.map_err(|error| {
            Failure::world(format!(
                "scope {scope}: whose registration {} is could not be read: {error}; nothing is removed",
                held.id
            ))
        })?;
        let owner = tags.get(OWNER_TAG).and_then(|name| name.parse().ok());
        owners.insert(held.id.clone(), owner);
    }
    Ok(owners)
}

/// Scheduled actions are read whether the config of today has any or not.
async fn read_all_schedules(ports: &ScopePorts, observed: &mut Observation) {
    let listing = ports.scaling.scheduled_actions().await;
    observed.gaps.retain(|gap| gap.part != Part::Schedules);
    observed.gaps.extend(listing.gap.map(|error| Gap {
        part: Part::Schedules,
        why: error.to_string(),
    }));
    let mut schedules: BTreeMap<TargetId, BTreeMap<String, ObservedSchedule>> = BTreeMap::new();
    for action in listing.items {
        let of_target = schedules.entry(action.target.clone()).or_default();
        of_target.insert(action.name.clone(), action);
    }
    observed.schedules = schedules;
}

/// Nothing goes on half of the facts, or in the middle of someone's update.
fn refuse_the_half_seen(
    scope: &ScopeName,
    fleet: &DesiredFleet,
    observed: &Observation,
) -> Result<(), Failure> {
    if let Some(gap) = observed.gaps.first() {
        return Err(Failure::world(format!(
            "scope {scope}: {} could not be read: {}; nothing is removed on half of the facts",
            gap.part, gap.why
        )));
    }
    // With `--target` an update of another endpoint does not matter.
    let held = |endpoint: &EndpointName| {
        let only = fleet.only.as_ref();
        only.is_none_or(|only| only.matches(endpoint.as_str()))
    };
    let prepared = observed.markers.updates.keys().filter(|name| held(name));
    let prepared: Vec<String> = prepared
        .map(|endpoint| format!("`evenkeel finish-update {endpoint}`"))
        .collect();
    if prepared.is_empty() {
        return Ok(());
    }
    Err(Failure::world(format!(
        "scope {scope}: updates are prepared; end them first: {}",
        prepared.join(", ")
    )))
}
