//! `import` and `convert`: config for what already stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::connect::sole_scope;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::stand_in::stand_in;
use crate::adopt::{Call, Found, Operation, adopt, read_calls, write};
use crate::aws::{ScopeOptions, connect};
use crate::cli::{Common, Output};
use crate::domain::{
    Bounds, DesiredFleet, Dimension, Gap, Glob, Observation, ObservedSchedule, Part,
};
use crate::ports::{ApiError, Clock, NoRequestLog, RequestLog, ScopePorts};
use crate::runtime::{Observer, SystemClock};
use crate::sim::engine::{Options, World};
use crate::sim::wire::{Service, call};
use crate::sim::{Door, Sandbox, SandboxClock, to_instant};

/// Calls of an import take this long at the most, each.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Options of other commands that would be passed over in silence.
pub(super) fn refuse_what_means_nothing(common: &Common, command: &str) -> Result<(), Failure> {
    let why = if common.scope.is_some() {
        "--scope: there is no config to have scopes"
    } else if common.output == Output::Json {
        "--output json: what is written is a config, and that is YAML"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("{command}: {why}")))
}

/// Keeps what `--target` selects.
pub(super) fn select(found: &mut Found, common: &Common) -> Result<(), Failure> {
    let Some(glob) = &common.target else {
        return Ok(());
    };
    let pattern = Glob::new(glob);
    found
        .targets
        .retain(|adopted| adopted.target.id.matches(&pattern));
    if found.targets.is_empty() {
        return Err(Failure::Usage(format!(
            "--target {glob}: no target that was found matches"
        )));
    }
    Ok(())
}

/// Writes config for what AWS holds.
pub(super) async fn import(
    common: &Common,
    region: Option<&str>,
    assume_role: Option<&str>,
    console: Console,
) -> Result<u8, Failure> {
    refuse_what_means_nothing(common, "import")?;
    let log: Arc<dyn RequestLog> = Arc::new(NoRequestLog);
    let options = ScopeOptions {
        region: region.map(str::to_owned),
        assume_role: assume_role.map(str::to_owned),
        endpoint_url: sole_scope(common),
        call_timeout: CALL_TIMEOUT,
    };
    let ports = connect(&options, &log).await.context("can not import")?;
    let (observed, scheduled) = look(&ports, SystemClock.now()).await;
    if !is_whole(&observed, console) {
        return Ok(FAILED);
    }
    let mut found = adopt(&observed, &scheduled);
    select(&mut found, common)?;
    let place = region.map_or_else(String::new, |region| format!(" of {region}"));
    print(
        &found,
        &format!("Imported by evenkeel from AWS Application Auto Scaling{place}."),
        console,
    )
}

fn print(found: &Found, origin: &str, console: Console) -> Result<u8, Failure> {
    let head =
        format!("# {origin}\n# Check it with `evenkeel plan`: it should find nothing to change.\n");
    console.out(&write(found, &head).map_err(Failure::Internal)?);
    let all = || found.targets.iter().map(|adopted| &adopted.target);
    let policies: usize = all().map(|target| target.policies.len()).sum();
    let schedules: usize = all().map(|target| target.schedules.len()).sum();
    let left_out = found.left_out.len() + found.left_policies.len();
    console.note(&format!(
        "evenkeel: targets: {}, policies: {policies}, schedules: {schedules}, left out: {left_out}",
        found.targets.len()
    ));
    Ok(0)
}

/// Everything, with all alarms, as those of step policies are called anything, and the scheduled actions.
async fn look(ports: &ScopePorts, now: DateTime<Utc>) -> (Observation, Vec<ObservedSchedule>) {
    let nothing = DesiredFleet::empty(crate::domain::ScopeName::any());
    let mut observed = Observer::new(ports.clone())
        .observe(&nothing, now)
        .await
        .observed;
    let scheduled = all_alarms_and_schedules(ports, &mut observed).await;
    (observed, scheduled)
}

/// Whether everything was read; else says what was not.
pub(super) fn is_whole(observed: &Observation, console: Console) -> bool {
    for gap in &observed.gaps {
        console.note(&format!(
            "evenkeel: {} could not be read: {}",
            gap.part, gap.why
        ));
    }
    if !observed.is_complete() {
        console.note("evenkeel: nothing is written: a config of half of what stands would look like all of it");
    }
    observed.is_complete()
}

/// Reads all alarms of the account into an observation, and all scheduled actions.
pub(super) async fn all_alarms_and_schedules(
    ports: &ScopePorts,
    observed: &mut Observation,
) -> Vec<ObservedSchedule> {
    let mut gap = |part, error: Option<ApiError>| {
        observed.gaps.extend(error.map(|error| Gap {
            part,
            why: error.to_string(),
        }));
    };
    let alarms = ports.alarms.alarms("").await;
    let scheduled = ports.scaling.scheduled_actions().await;
    gap(Part::Alarms, alarms.gap);
    gap(Part::Schedules, scheduled.gap);
    let named = alarms.items.into_iter();
    observed.alarms = named.map(|alarm| (alarm.name.clone(), alarm)).collect();
    scheduled.items
}

/// Writes config for what files of other tools say. The calls that they stand for are made against a simulated AWS,
/// which refuses what AWS would refuse, and what then stands there is imported.
pub(super) async fn convert(
    common: &Common,
    files: &[PathBuf],
    bounds: Option<Bounds>,
    console: Console,
) -> Result<u8, Failure> {
    refuse_what_means_nothing(common, "convert")?;
    let mut calls: Vec<(String, Call)> = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
        let read = read_calls(&text).map_err(|why| Failure::world(format!("{name}: {why}")))?;
        calls.extend(read.into_iter().map(|call| (name.clone(), call)));
    }
    calls.sort_by_key(|(_, call)| call.operation);
    let unregistered = unregistered(&calls);
    if bounds.is_none() && !unregistered.is_empty() {
        let names: Vec<&str> = unregistered.iter().map(|(id, _)| id.as_str()).collect();
        return Err(Failure::Usage(format!(
            "the files do not say the bounds of {}; add the answer of `aws application-autoscaling \
             describe-scalable-targets`, or say them with --bounds 1..4",
            names.join(", ")
        )));
    }
    let now = DateTime::from_timestamp(SystemClock.now().timestamp(), 0).unwrap_or_default();
    let mut world = World::new(Options::default(), 0, to_instant(now));
    let mut left_out = stand_in(&mut world, calls.iter().map(|(_, call)| call));
    if let Some(bounds) = bounds {
        for (id, dimension) in &unregistered {
            let body = json!({
                "ServiceNamespace": "sagemaker", "ResourceId": id, "ScalableDimension": dimension,
                "MinCapacity": bounds.min().get(), "MaxCapacity": bounds.max().get(),
            });
            let registered = call(
                &mut world,
                Service::ApplicationAutoScaling,
                "RegisterScalableTarget",
                body,
            );
            left_out.extend(
                registered
                    .err()
                    .map(|e| format!("{id}: AWS would refuse it: {}", e.message)),
            );
        }
    }
    left_out.extend(make_calls(&mut world, &calls));
    let clock =
        SandboxClock::starting_at(crate::sim::to_time(world.now()), Arc::new(SystemClock), 0.0);
    let now = clock.now();
    let sandbox = Arc::new(Sandbox::new(world, Arc::new(clock)));
    let (observed, mut scheduled) =
        look(&Door::new(sandbox, Arc::new(NoRequestLog)).ports(), now).await;
    // Files do not tell when that was.
    for action in &mut scheduled {
        action.created = None;
    }
    let mut found = adopt(&observed, &scheduled);
    found.left_out.extend(left_out);
    found.left_out.extend(missing_alarms(&calls));
    select(&mut found, common)?;
    let names: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    print(
        &found,
        &format!("Converted by evenkeel from {}.", names.join(", ")),
        console,
    )
}

/// Resource ids and dimensions that have policies or schedules, and no registration.
fn unregistered(calls: &[(String, Call)]) -> BTreeSet<(String, String)> {
    let of = |operation| {
        let named = calls
            .iter()
            .filter(move |(_, call)| call.operation == operation);
        named.filter_map(|(_, call)| {
            let dimension = call.text("ScalableDimension");
            let dimension = dimension.unwrap_or_else(|| Dimension::Instances.aws_name());
            Some((call.text("ResourceId")?.to_owned(), dimension.to_owned()))
        })
    };
    let registered: BTreeSet<(String, String)> = of(Operation::Register).collect();
    of(Operation::PutPolicy)
        .chain(of(Operation::PutSchedule))
        .filter(|key| !registered.contains(key))
        .collect()
}

/// Makes the calls, and says which of them AWS would refuse or this version can not keep.
fn make_calls(world: &mut World, calls: &[(String, Call)]) -> Vec<String> {
    let mut left_out = Vec::new();
    // A described policy has the ARN of another account; alarms name it.
    let mut arns: BTreeMap<String, String> = BTreeMap::new();
    for (file, made) in calls {
        let place = format!("{file}: {}", made.place);
        let mut body = made.body.clone();
        if made.operation == Operation::PutAlarm && !rewire(&mut body, &arns) {
            continue;
        }
        if made.operation == Operation::PutSchedule {
            write_instants(&mut body);
        }
        let service = match made.operation {
            Operation::PutAlarm => Service::CloudWatch,
            Operation::Register | Operation::PutPolicy | Operation::PutSchedule => {
                Service::ApplicationAutoScaling
            }
        };
        match call(world, service, made.operation.aws_name(), body) {
            Ok(answer) => {
                let new = answer.get("PolicyARN").and_then(Value::as_str);
                if let (Some(old), Some(new)) = (made.text("PolicyARN"), new) {
                    arns.insert(old.to_owned(), new.to_owned());
                }
            }
            Err(error) => left_out.push(format!("{place}: AWS would refuse it: {}", error.message)),
        }
    }
    left_out
}

/// Writes instants as seconds since 1970, as the wire has them; the AWS CLI shows them as text.
fn write_instants(body: &mut Value) {
    for member in ["StartTime", "EndTime"] {
        let Some(value) = body.get_mut(member) else {
            continue;
        };
        let instant = value.as_str().map(DateTime::parse_from_rfc3339);
        if let Some(Ok(instant)) = instant {
            *value = json!(instant.timestamp());
        }
    }
}

/// Alarms that described step policies have, and that are not in the files.
fn missing_alarms(calls: &[(String, Call)]) -> Vec<String> {
    let given: BTreeSet<&str> = calls
        .iter()
        .filter_map(|(_, call)| call.text("AlarmName"))
        .collect();
    let mut missing = Vec::new();
    for (file, made) in calls {
        if made.text("PolicyType") != Some("StepScaling") {
            continue;
        }
        let alarms = made.body.get("Alarms").and_then(Value::as_array);
        let names = alarms
            .into_iter()
            .flatten()
            .filter_map(|a| a.get("AlarmName")?.as_str());
        missing.extend(names.filter(|name| !given.contains(name)).map(|name| {
            format!(
                "{file}: {}: its alarm `{name}` is not in the files; give the answer of `aws cloudwatch \
                 describe-alarms` too, or the policy is left out",
                made.place
            )
        }));
    }
    missing
}

/// Points an alarm at the policies as they are called here; `false` for one that triggers none of them.
fn rewire(body: &mut Value, arns: &BTreeMap<String, String>) -> bool {
    let Some(Value::Array(actions)) = body.get_mut("AlarmActions") else {
        return false;
    };
    let known = |action: &Value| arns.get(action.as_str()?).map(|arn| json!(arn));
    *actions = actions.iter().filter_map(known).collect();
    !actions.is_empty()
}
