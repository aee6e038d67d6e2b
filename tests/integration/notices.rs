//! Who is told what, once: webhooks, silences, thresholds, and a restart in between.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::app::webhook_body;
use evenkeel::domain::*;
use evenkeel::ports::*;
use evenkeel::runtime::Hooks;
use evenkeel::telemetry::StateFiles;
use serde_json::Value;

use crate::world::World;

/// Three endpoints that can all be too small.
fn world_text() -> String {
    let mut world = "endpoints:\n".to_owned();
    for name in ["chat", "embed", "rank"] {
        writeln!(
            world,
            "  - {{ name: {name}, traffic: {{ steady: 500 }}, exact: true, variants: [{{ name: AllTraffic, \
             instance_type: ml.m5.xlarge, instances: 2, start_up: 4m }}] }}"
        )
        .unwrap();
    }
    world
}

fn config(alerting: &str, chat: &str) -> String {
    format!(
        "alerting: {alerting}\nprofiles:\n  p:\n    bounds: {{ min: 1, max: 3 }}\n    \
         policies: [{{ target_tracking: {{ \
         metric: invocations_per_instance, target: 300, scale_out_cooldown: 1m }} }}]\ntargets:\n  \
         - {{ endpoint: chat, variant: AllTraffic, profile: p{chat} }}\n  \
         - {{ endpoint: embed, variant: AllTraffic, profile: p }}\n  \
         - {{ endpoint: rank, variant: AllTraffic, profile: p }}\n"
    )
}

/// What receivers do with what they are sent.
#[derive(Debug, Default)]
struct Network {
    /// Receivers that hang, by name.
    hanging: Mutex<BTreeSet<String>>,
    /// Receivers that refuse for good.
    refusing: Mutex<BTreeSet<String>>,
    taken: Mutex<Vec<(String, Value)>>,
    attempts: AtomicUsize,
}

impl Network {
    fn titles(&self, receiver: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let bodies = taken.iter().filter(|(name, _)| name == receiver);
        bodies
            .map(|(_, body)| body["title"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[async_trait::async_trait]
impl Poster for Network {
    async fn post(&self, url: &str, token: Option<&Secret>, body: String) -> Result<(), PostFault> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let name = url.rsplit('/').next().unwrap().to_owned();
        assert_eq!(token.map(Secret::reveal), Some("s3cret"));
        if self.hanging.lock().unwrap().contains(&name) {
            tokio::time::sleep(Duration::from_secs(10)).await;
            return Err(PostFault {
                text: "no answer within 10 s".to_owned(),
                is_final: false,
            });
        }
        if self.refusing.lock().unwrap().contains(&name) {
            return Err(PostFault {
                text: "it answered 400".to_owned(),
                is_final: true,
            });
        }
        self.taken
            .lock()
            .unwrap()
            .push((name, serde_json::from_str(&body).unwrap()));
        Ok(())
    }
}

fn hook(name: &str, grouping: Grouping) -> Webhook {
    Webhook {
        name: name.to_owned(),
        form: Form::Generic,
        url: Secret::new(format!("https://ops/{name}")),
        token: Some(Secret::new("s3cret".to_owned())),
        grouping,
        least: Urgency::Warning,
    }
}

fn with_hooks(world: &World, hooks: Vec<Webhook>) {
    world
        .settings
        .send_modify(|settings| Arc::make_mut(settings).webhooks = hooks);
}

fn hooks(world: &World, network: &Arc<Network>) -> Hooks {
    Hooks::new(
        Arc::clone(&world.clock),
        world.events.clone(),
        Arc::clone(&world.board),
        world.settings.subscribe(),
        network.clone(),
        Arc::new(webhook_body),
        Arc::clone(&world.memory),
    )
}

/// Tells every 15 seconds for so many minutes.
async fn tell_for(world: &World, hooks: &mut Hooks, minutes: u64) {
    for _ in 0..minutes * 4 {
        hooks.tell().await;
        world.clock.sleep(Duration::from_secs(15)).await;
    }
}

/// Three endpoints become too small at once, and two of them recover: one message for all, or one each.
#[tokio::test(start_paused = true)]
async fn one_cause_is_one_message() {
    let world = World::new(&world_text(), &config("{}", ""));
    let network = Arc::new(Network::default());
    with_hooks(
        &world,
        vec![
            hook("grouped", Grouping::Alert),
            hook("each", Grouping::Target),
        ],
    );
    let mut hooks = hooks(&world, &network);
    let script = async {
        tell_for(&world, &mut hooks, 5).await;
        for name in ["chat", "embed", "rank"] {
            world.set_load(name, 1500.0);
        }
        tell_for(&world, &mut hooks, 30).await;
        world.set_load("chat", 300.0);
        tell_for(&world, &mut hooks, 40).await;
        world.set_load("embed", 300.0);
        world.set_load("rank", 300.0);
        tell_for(&world, &mut hooks, 40).await;
    };
    tokio::join!(world.run_for(Duration::from_hours(2)), script);
    let grouped = network.titles("grouped");
    assert!(grouped.len() <= 6, "{grouped:?}");
    assert!(
        grouped.contains(&"default: MaxCapacitySaturated: 3 targets".to_owned()),
        "{grouped:?}"
    );
    assert!(
        grouped
            .last()
            .unwrap()
            .starts_with("default: MaxCapacitySaturated is over")
    );
    let each = network.titles("each");
    let begun = each.iter().filter(|t| !t.contains("is over")).count();
    assert_eq!((begun, each.len()), (3, 6), "{each:?}");
}

/// A receiver that hangs for an hour holds up no other, and hears afterwards what began and ended meanwhile, in order.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_loses_nothing_and_delays_nobody() {
    let world = World::new(&world_text(), &config("{}", ""));
    let network = Arc::new(Network::default());
    with_hooks(
        &world,
        vec![
            hook("slow", Grouping::Target),
            hook("fast", Grouping::Target),
        ],
    );
    network.hanging.lock().unwrap().insert("slow".to_owned());
    let mut hooks = hooks(&world, &network);
    let script = async {
        tell_for(&world, &mut hooks, 5).await;
        world.set_load("chat", 1500.0);
        tell_for(&world, &mut hooks, 20).await;
        assert_eq!(network.titles("fast").len(), 1);
        world.set_load("chat", 300.0);
        tell_for(&world, &mut hooks, 40).await;
        assert_eq!(network.titles("slow").len(), 0);
        network.hanging.lock().unwrap().clear();
        tell_for(&world, &mut hooks, 10).await;
    };
    tokio::join!(world.run_for(Duration::from_mins(100)), script);
    let chat = "endpoint/chat/variant/AllTraffic";
    let whole = [
        format!("default: MaxCapacitySaturated: {chat}"),
        format!("default: MaxCapacitySaturated is over: {chat}"),
    ];
    assert_eq!(network.titles("fast"), whole);
    assert_eq!(network.titles("slow"), whole);
    // It was asked with growing patience, not every 15 seconds.
    assert!(network.attempts.load(Ordering::SeqCst) < 40);
    assert_eq!(world.events.count("dropped"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_given_up_and_told() {
    let world = World::new(&world_text(), &config("{}", ""));
    let network = Arc::new(Network::default());
    with_hooks(&world, vec![hook("strict", Grouping::Target)]);
    network.refusing.lock().unwrap().insert("strict".to_owned());
    let mut hooks = hooks(&world, &network);
    let script = async {
        world.set_load("chat", 1500.0);
        tell_for(&world, &mut hooks, 25).await;
        network.refusing.lock().unwrap().clear();
        world.set_load("embed", 1500.0);
        tell_for(&world, &mut hooks, 25).await;
    };
    tokio::join!(world.run_for(Duration::from_mins(51)), script);
    assert_eq!(world.events.count("dropped: strict"), 1);
    assert_eq!(
        network.titles("strict"),
        ["default: MaxCapacitySaturated: endpoint/embed/variant/AllTraffic"]
    );
}

/// A process that ends while an alert fires, and another one: nobody is told twice, and everybody of the end.
#[tokio::test(start_paused = true)]
async fn a_restart_pages_nobody_again() {
    let directory = tempfile::tempdir().unwrap();
    let files = || Arc::new(StateFiles::open(directory.path()).unwrap());
    let mut world = World::new(&world_text(), &config("{}", ""));
    world.memory = files();
    let network = Arc::new(Network::default());
    with_hooks(&world, vec![hook("oncall", Grouping::Alert)]);
    let mut told = hooks(&world, &network);
    let script = async {
        world.set_load("chat", 1500.0);
        tell_for(&world, &mut told, 30).await;
    };
    tokio::join!(world.run_for(Duration::from_mins(30)), script);
    assert_eq!(network.titles("oncall").len(), 1);
    // Another process knows nothing but what AWS and the files say.
    world.memory = files();
    world.forget();
    let mut told = hooks(&world, &network);
    let script = async {
        tell_for(&world, &mut told, 10).await;
        assert_eq!(
            network.titles("oncall").len(),
            1,
            "{:?}",
            network.titles("oncall")
        );
        world.set_load("chat", 300.0);
        tell_for(&world, &mut told, 40).await;
    };
    tokio::join!(world.run_for(Duration::from_mins(51)), script);
    let titles = network.titles("oncall");
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles[1].contains("is over"));
    assert_eq!(world.events.count(": MaxCapacitySaturated firing: "), 1);
}

/// Silenced is shown and not told; when the time is over and it still fires, it is.
#[tokio::test(start_paused = true)]
async fn a_silence_ends_by_itself() {
    let silence = "{ silences: [{ target: 'endpoint/chat/*', until: '2026-11-23T06:45:00Z', reason: load test }] }";
    let world = World::new(&world_text(), &config(silence, ""));
    let end = "2026-11-23T06:45:00Z"
        .parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap();
    let left = end.signed_duration_since(world.clock.now()).num_minutes();
    assert!(
        (20..120).contains(&left),
        "the world begins {left} minutes before"
    );
    let network = Arc::new(Network::default());
    with_hooks(&world, vec![hook("oncall", Grouping::Target)]);
    let mut hooks = hooks(&world, &network);
    let script = async {
        world.set_load("chat", 1500.0);
        tell_for(&world, &mut hooks, u64::try_from(left).unwrap() - 1).await;
        assert_eq!(network.titles("oncall"), [""; 0]);
        let snapshot = world.snapshot();
        let alerts = &snapshot.scopes.values().next().unwrap().alerts;
        let saturated = alerts
            .iter()
            .find(|(key, _)| key.kind == AlertKind::MaxCapacitySaturated);
        assert_eq!(saturated.unwrap().1.silenced.as_deref(), Some("load test"));
        tell_for(&world, &mut hooks, 3).await;
        assert_eq!(network.titles("oncall").len(), 1);
    };
    tokio::join!(world.run_for(Duration::from_mins(125)), script);
}

/// A target's own word counts before everyone's.
#[tokio::test(start_paused = true)]
async fn thresholds_and_off_are_heeded_by_target() {
    let all = "{ alerts: { MaxCapacitySaturated: { for: 20m }, AtMaxCapacity: off } }";
    let own = ", alerts: { MaxCapacitySaturated: off }";
    let world = World::new(&world_text(), &config(all, own));
    let script = async {
        for name in ["chat", "embed"] {
            world.set_load(name, 1500.0);
        }
        world.clock.sleep(Duration::from_hours(1)).await;
    };
    tokio::join!(world.run_for(Duration::from_hours(1)), script);
    let told = world.events.told();
    let fired: Vec<&String> = told
        .iter()
        .filter(|line| line.contains(" firing: "))
        .collect();
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(fired[0].contains("endpoint/embed/variant/AllTraffic"));
    let snapshot = world.snapshot();
    let alerts = &snapshot.scopes.values().next().unwrap().alerts;
    let (_, alert) = alerts
        .iter()
        .find(|(k, _)| k.kind == AlertKind::MaxCapacitySaturated)
        .unwrap();
    let AlertState::Firing { since } = alert.state else {
        panic!("{alert:?}")
    };
    assert!(since.signed_duration_since(alert.since).num_minutes() >= 20);
}

fn notice(is_over: bool) -> Notice {
    let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let line = |target: &str, cause: Option<&str>| Line {
        subject: Subject::Target(target.parse().unwrap()),
        since: at,
        reason: "at the maximum, 3, and 5 are wanted: <2> are missing & more".to_owned(),
        cause: cause.map(str::to_owned),
    };
    let one = line("endpoint/chat/variant/AllTraffic", Some("a quota"));
    let two = line("inference-component/llm", None);
    Notice {
        group: Group {
            scope: "prod".parse().unwrap(),
            kind: AlertKind::MaxCapacitySaturated,
            subject: None,
        },
        at,
        started: if is_over { vec![] } else { vec![one.clone()] },
        ended: if is_over {
            vec![one.clone(), two.clone()]
        } else {
            vec![]
        },
        firing: if is_over { vec![] } else { vec![one, two] },
    }
}

#[test]
fn messages_in_every_form() {
    let key = || Form::PagerDuty {
        routing_key: Secret::new("R0UT1NG".to_owned()),
    };
    let mut all = Vec::new();
    for form in [Form::Generic, Form::Slack, key()] {
        let hook = Webhook {
            form,
            ..hook("h", Grouping::Alert)
        };
        for is_over in [false, true] {
            let body: Value = serde_json::from_str(&webhook_body(&hook, &notice(is_over))).unwrap();
            all.push(format!("{body:#}"));
        }
    }
    insta::assert_snapshot!("messages", all.join("\n"));
}

#[test]
fn secrets_are_not_shown() {
    let key = Form::PagerDuty {
        routing_key: Secret::new("R0UT1NG".to_owned()),
    };
    let text = format!(
        "{:?}",
        Webhook {
            form: key,
            ..hook("h", Grouping::Alert)
        }
    );
    for secret in ["s3cret", "R0UT1NG", "https://ops/"] {
        assert!(!text.contains(secret), "{text}");
    }
}
