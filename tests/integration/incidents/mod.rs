//! A labelled set of incidents: each alert with its cause and without, in noise. What should be told is written beside
//! what happens, and a run is held against it.

mod set;

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel::domain::{AlertKind, AlertState, Subject};
use evenkeel::ports::ErrorKind;
use evenkeel::sim::engine::{Options, Shape, Span, Traffic};
use evenkeel::sim::wire::Service;
use serde_json::json;

use crate::world::{INSTANCES, World, request, resource, scope};

pub use set::incidents;

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Act {
    /// So many requests a minute from now on.
    Load(f64),
    /// The operation fails from now on.
    Fail(&'static str, ErrorKind),
    /// Nothing fails any more.
    Heal,
    /// The account may have so many machines.
    Quota(u32),
    /// There are no machines, or there are again.
    Shortage(bool),
    /// Somebody switches off the actions of the first alarm.
    DisableAlarm,
    /// Somebody deletes the first alarm.
    DeleteAlarm,
    /// Somebody mutes the first alarm for two hours.
    Mute,
    /// Somebody suspends scaling out.
    Suspend,
    /// Somebody sets other bounds.
    Bounds(u32, u32),
    /// Somebody deploys with so many instances, keeping what runs or not.
    Deploy(u32, bool),
    /// AWS maintains the endpoint for so many minutes.
    Maintain(i64),
    /// The config is replaced by one that only observes.
    Observe,
    /// Somebody registers an endpoint that nobody scaled.
    RegisterStray,
}

/// One entry of the set.
#[derive(Debug, Clone)]
pub struct Incident {
    pub name: &'static str,
    pub world: String,
    pub config: String,
    /// What happens in which minute.
    pub script: Vec<(u64, Act)>,
    /// What is to be told, and in which minute its cause began.
    pub expected: Vec<(AlertKind, u64)>,
    /// What may be told as well: it follows from the same cause.
    pub fine: Vec<AlertKind>,
    pub minutes: u64,
    pub seed: u64,
}

/// What was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub kind: AlertKind,
    /// Minutes after the beginning.
    pub fired: f64,
    /// Minutes after the beginning since which it holds, as AWS tells it.
    pub since: f64,
    /// What it said first.
    pub reason: String,
    /// How often it fired.
    pub times: usize,
}

fn act(world: &World, act: &Act, incident: &Incident) {
    let chat = resource("chat");
    let alarm = || {
        let alarms = world.call(Service::CloudWatch, "DescribeAlarms", json!({}));
        alarms
            .pointer("/MetricAlarms/0/AlarmName")
            .cloned()
            .unwrap()
    };
    match act {
        Act::Load(rpm) => noisy_load(world, *rpm),
        Act::Fail(operation, kind) => world.faults.fail(operation, *kind),
        Act::Heal => world.faults.heal(),
        Act::Quota(n) => world.aws(|aws| aws.set_quota("ml.m5.xlarge", Some(*n))),
        Act::Shortage(is) => world.aws(|aws| aws.set_shortage("ml.m5.xlarge", *is)),
        Act::DisableAlarm => {
            world.call(
                Service::CloudWatch,
                "DisableAlarmActions",
                json!({ "AlarmNames": [alarm()] }),
            );
        }
        Act::DeleteAlarm => {
            world.call(
                Service::CloudWatch,
                "DeleteAlarms",
                json!({ "AlarmNames": [alarm()] }),
            );
        }
        Act::Mute => {
            let from = world.clock.now().format("%Y-%m-%dT%H:%M");
            let rule = json!({
                "Name": "quiet", "MuteTargets": { "AlarmNames": [alarm()] },
                "Rule": { "Schedule": { "Expression": format!("at({from})"), "Duration": "PT2H" } },
            });
            world.call(Service::CloudWatch, "PutAlarmMuteRule", rule);
        }
        Act::Suspend => {
            let query = request(json!({
                "ServiceNamespace": "sagemaker", "ResourceId": chat, "ScalableDimension": INSTANCES,
                "SuspendedState": { "DynamicScalingOutSuspended": true },
            }));
            world.aws(|aws| aws.register_scalable_target(&query).unwrap());
        }
        Act::Bounds(min, max) => world.register("chat", *min, *max),
        Act::RegisterStray => world.register("stray", 1, 2),
        Act::Deploy(count, retain) => {
            let made = json!({ "EndpointConfigName": "v2", "ProductionVariants": [{
                "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.xlarge",
                "InitialInstanceCount": count, "InitialVariantWeight": 1.0 }] });
            world.call(Service::SageMaker, "CreateEndpointConfig", made);
            let update = json!({
                "EndpointName": "chat", "EndpointConfigName": "v2", "RetainAllVariantProperties": retain,
            });
            world.call(Service::SageMaker, "UpdateEndpoint", update);
        }
        Act::Maintain(minutes) => {
            let span = Span::from_secs(minutes * 60);
            world.aws(|aws| aws.system_update("chat", span).unwrap());
        }
        Act::Observe => world.reload(&format!("daemon: {{ mode: observe }}\n{}", incident.config)),
    }
}

/// Requests as they come: not evenly.
fn noisy_load(world: &World, rpm: f64) {
    world.aws(|engine| {
        let origin = engine.now().minute();
        let traffic = Traffic {
            shape: Shape::Steady { rpm },
            random: true,
            origin,
        };
        engine.set_traffic("chat", traffic).unwrap();
    });
}

/// Lets it happen, and says what was told.
pub async fn run(incident: &Incident) -> Vec<Told> {
    let world = World::with_options(
        incident.seed,
        &Options::default(),
        &incident.world,
        &incident.config,
    );
    let begin = world.clock.now();
    let minutes =
        |at: chrono::DateTime<chrono::Utc>| at.signed_duration_since(begin).as_seconds_f64() / 60.0;
    let mut told: BTreeMap<(AlertKind, Subject), Told> = BTreeMap::new();
    let script = async {
        for minute in 0..incident.minutes {
            for (_, what) in incident.script.iter().filter(|(at, _)| *at == minute) {
                act(&world, what, incident);
            }
            // Four looks a minute, as the alerter has them.
            for _ in 0..4 {
                world.clock.sleep(Duration::from_secs(15)).await;
                let snapshot = world.snapshot();
                for (key, alert) in &snapshot.scopes[&scope()].alerts {
                    let AlertState::Firing { since: fired } = alert.state else {
                        continue;
                    };
                    if !alert.is_told() {
                        continue;
                    }
                    let fired = minutes(fired);
                    let entry = told.entry((key.kind, key.subject.clone()));
                    let held = entry.or_insert_with(|| Told {
                        kind: key.kind,
                        fired,
                        since: minutes(alert.since),
                        reason: alert.reason.clone(),
                        times: 1,
                    });
                    if fired > held.fired + 0.01 && held.times == 1 {
                        held.times = 2;
                    }
                }
            }
        }
    };
    tokio::join!(
        world.run_for(Duration::from_secs(incident.minutes * 60 + 5)),
        script
    );
    told.into_values().collect()
}

/// How a run compares with what should have been told.
#[derive(Debug, Default, Clone)]
pub struct Verdict {
    /// What was told as it should be: which, minutes after its cause, minutes after AWS's own signal.
    pub found: Vec<(AlertKind, f64, f64)>,
    /// What was not told.
    pub missed: Vec<AlertKind>,
    /// What was told without cause, or before it.
    pub false_alarms: Vec<AlertKind>,
    /// What was told twice.
    pub flapped: Vec<AlertKind>,
}

/// Holds what was told against what should have been.
pub fn judge(incident: &Incident, told: &[Told]) -> Verdict {
    let mut verdict = Verdict::default();
    for (kind, onset) in &incident.expected {
        let onset = f64::from(u32::try_from(*onset).unwrap());
        match told.iter().find(|t| t.kind == *kind && t.fired >= onset) {
            Some(one) => verdict
                .found
                .push((*kind, one.fired - onset, one.fired - one.since)),
            None => verdict.missed.push(*kind),
        }
    }
    for one in told {
        let expected = incident.expected.iter().find(|(kind, _)| *kind == one.kind);
        let early = expected
            .is_some_and(|(_, onset)| one.fired < f64::from(u32::try_from(*onset).unwrap()));
        if early || (expected.is_none() && !incident.fine.contains(&one.kind)) {
            verdict.false_alarms.push(one.kind);
        }
        if one.times > 1 {
            verdict.flapped.push(one.kind);
        }
    }
    verdict
}

/// The whole set: nothing is missed, nothing is told without cause, and nothing twice. `cargo bench --bench incidents`
/// prints how soon.
#[cfg(test)]
fn all_is_told_and_nothing_else(half: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut faults = Vec::new();
    for incident in incidents().iter().skip(half).step_by(2) {
        let told = runtime.block_on(run(incident));
        let verdict = judge(incident, &told);
        let Verdict {
            missed,
            false_alarms,
            flapped,
            ..
        } = verdict;
        if !(missed.is_empty() && false_alarms.is_empty() && flapped.is_empty()) {
            let say = |t: &Told| format!("{} at {:.1}: {}", t.kind, t.fired, t.reason);
            let said: Vec<String> = told.iter().map(say).collect();
            faults.push(format!(
                "{}: missed {missed:?}, false {false_alarms:?}, twice {flapped:?}; it said: {}",
                incident.name,
                said.join("; ")
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_set_is_large_and_names_every_alert_with_and_without_its_cause() {
    let all = incidents();
    assert!(all.len() >= 40, "{}", all.len());
    for kind in AlertKind::ALL {
        let with = all
            .iter()
            .filter(|i| i.expected.iter().any(|(k, _)| *k == kind));
        assert!(with.count() > 0, "{kind} never has its cause");
    }
    assert!(all.iter().filter(|i| i.expected.is_empty()).count() >= 16);
}

#[test]
fn even_incidents_are_told_and_nothing_else() {
    all_is_told_and_nothing_else(0);
}

#[test]
fn odd_incidents_are_told_and_nothing_else() {
    all_is_told_and_nothing_else(1);
}
