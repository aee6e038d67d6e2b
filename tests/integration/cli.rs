//! The commands as a user runs them: what they print, and with which code they end.

use std::path::PathBuf;

use crate::process::{evenkeel, said, said_by, text};
use crate::server::{Scripted, Server, sandbox_server};
use crate::world::{THREE, THREE_CONFIG, standing_sandbox};

use evenkeel::http::Response;
use hyper::StatusCode;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn config_with(policy: &str, target: &str) -> String {
    format!(
        "targets:\n  - endpoint: chat\n    variant: AllTraffic\n    {target}\n    policies:\n      \
         - target_tracking: {policy}\n"
    )
}

const FIT: &str = "{ metric: invocations_per_instance, target: 70 }";
const BOUNDS: &str = "bounds: { min: 1, max: 4 }";

/// Each wrong config ends with 78 and a sentence that names the place, the value and the remedy.
#[test]
fn wrong_configs_are_refused_with_place_value_and_remedy() {
    let files = Files::new();
    let twice = format!(
        "{}{}",
        config_with(FIT, BOUNDS),
        config_with(FIT, BOUNDS).replace("targets:\n", "")
    );
    let cases = [
        (
            "an unknown key",
            config_with(FIT, "bonds: { min: 1, max: 4 }"),
            &["targets[0].bonds", "did you mean `bounds`"][..],
        ),
        (
            "min above max",
            config_with(FIT, "bounds: { min: 5, max: 4 }"),
            &["targets[0].bounds", "5", "4"],
        ),
        (
            "a negative target",
            config_with("{ metric: invocations_per_instance, target: -70 }", BOUNDS),
            &["targets[0].policies[0].target_tracking.target", "-70"],
        ),
        (
            "a duplicate target",
            twice,
            &[
                "targets[1]",
                "endpoint/chat/variant/AllTraffic",
                "targets[0]",
            ],
        ),
        (
            "an unknown metric",
            config_with("{ metric: invocations_per_instanze, target: 70 }", BOUNDS),
            &[
                "targets[0].policies[0].target_tracking.metric",
                "invocations_per_instanze",
                "did you mean `invocations_per_instance`",
            ],
        ),
        (
            "mistakes of a target, of its bounds and of its policies",
            config_with(
                "{ metric: nope, target: \"70\" }",
                "bounds: { min: 9, max: 3 }",
            )
            .replace("    variant: AllTraffic\n", ""),
            &[
                "there are 4 problems",
                "`variant` is missing",
                "nope",
                "write 70 without quotes",
                "9",
            ],
        ),
        (
            "a metric that does not fit the dimension",
            config_with(
                "{ metric: provisioned_concurrency_utilization, target: 0.7 }",
                BOUNDS,
            ),
            &["targets[0].policies[0].target_tracking.metric"],
        ),
    ];
    for (what, config, parts) in cases {
        let path = files.write("evenkeel.yaml", config);
        for command in ["validate", "plan", "run"] {
            let said = said(&[command, "--config", text(&path)]);
            assert_eq!(said.code, 78, "{what}: {said:?}");
            assert_eq!(said.out, "", "{what}");
            for part in parts.iter().chain(&[text(&path)]) {
                assert!(
                    said.err.contains(part),
                    "{what}: no `{part}` in:\n{}",
                    said.err
                );
            }
        }
    }
}

#[test]
fn configs_that_can_not_be_read_are_refused() {
    let files = Files::new();
    let latin = files.write("latin.yaml", b"targets: []\n# caf\xe9\n");
    let missing = files.dir.path().join("nowhere.yaml");
    let empty = files.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for path in [&latin, &missing, &empty] {
        let said = said(&["validate", "--config", text(path)]);
        assert_eq!(said.code, 78, "{said:?}");
        assert!(said.err.contains(text(path)), "{}", said.err);
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, BOUNDS));
    for (args, part) in [
        (&["plam"][..], "plan"),
        (&["validate", "--resolvd"], "--resolved"),
        (&["demo", "--for", "soon"], "90s"),
        (&["sandbox", "--speed", "-1"], "factor from 0"),
        (&["plan", "--endpoint-url", "foo"], "http://127.0.0.1:4599"),
        (&["sandbox", "--listen", "localhost:1"], "127.0.0.1:9464"),
        (
            &["validate", "--config", text(&path), "--scope", "prod"],
            "default",
        ),
        (
            &["plan", "--config", text(&path), "--target", "nobody*"],
            "nobody*",
        ),
    ] {
        let said = said(args);
        assert_eq!(said.code, 64, "{args:?}: {said:?}");
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
    }
}

#[test]
fn the_shipped_example_validates_and_its_resolved_form_is_a_config() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/evenkeel.yaml");
    let valid = said(&["validate", "--config", example]);
    assert_eq!((valid.code, valid.err.as_str()), (0, ""));
    assert!(
        valid.out.contains("targets: 3, policies: 4"),
        "{}",
        valid.out
    );
    let resolved = said(&["validate", "--resolved", "--config", example]);
    let files = Files::new();
    let again = files.write("evenkeel.yaml", &resolved.out);
    let twice = said(&["validate", "--resolved", "--config", text(&again)]);
    assert_eq!((twice.code, twice.out), (0, resolved.out));
}

#[test]
fn a_variable_overrides_a_file() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, BOUNDS));
    let args = ["validate", "--resolved", "--config", text(&path)];
    let said = said_by(evenkeel(&args).env("EVENKEEL__DAEMON__MODE", "observe"));
    assert!(said.out.contains("mode: observe"), "{}", said.out);
}

#[test]
fn an_address_that_refuses_is_said_and_nothing_is_planned() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, BOUNDS));
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    for command in [
        &["plan"][..],
        &["status"],
        &["run", "--once"],
        &["apply", "--yes"],
    ] {
        let args = [command, &["--config", text(&path), "--endpoint-url", &url]].concat();
        let said = said(&args);
        assert_eq!(said.code, 1, "{args:?}: {said:?}");
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains("could not be read"), "{args:?}: {all}");
        assert!(all.to_lowercase().contains("refused"), "{args:?}: {all}");
    }
}

#[test]
fn a_wrong_world_is_refused_with_file_and_place() {
    let files = Files::new();
    let variant = "variants: [{ name: v, instance_type: ml.m5.large, instances: 1 }]";
    for (world, part) in [
        (
            format!("endpoints:\n  - {{ name: a, {variant}, trafic: 1 }}"),
            "trafic",
        ),
        (
            format!("endpoints:\n  - {{ name: a, {variant}, traffic: {{ trace: [] }} }}"),
            "endpoints[0].traffic",
        ),
        (
            "endpoints:\n  - { name: a, variants: [] }".to_owned(),
            "endpoints[0]",
        ),
        ("endpoints: [".to_owned(), "well formed"),
    ] {
        let path = files.write("world.yaml", world);
        let said = said(&["sandbox", "--listen", "127.0.0.1:0", "--world", text(&path)]);
        assert_eq!(said.code, 78, "{said:?}");
        assert!(
            said.err.contains(text(&path)) && said.err.contains(part),
            "{}",
            said.err
        );
    }
}

#[test]
fn validate_says_problems_as_json_too() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, "bonds: 1"));
    let said = said(&["validate", "--output", "json", "--config", text(&path)]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(json["problems"][0]["key"], "targets[0].bonds");
    assert_eq!(said.code, 78);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_credentials_are_said_with_the_operation() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, BOUNDS));
    let denied = Scripted::new(|_| {
        let body =
            r#"{"__type":"AccessDeniedException","Message":"User is not authorized to do that"}"#;
        Some(Response::new(
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.1",
            body,
        ))
    });
    let server = Server::start(denied).await;
    let args = [
        "plan",
        "--config",
        text(&path),
        "--endpoint-url",
        &server.url(),
    ];
    let said = said(&args);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("DescribeScalableTargets"), "{}", said.err);
    assert!(
        said.err.contains("User is not authorized to do that"),
        "{}",
        said.err
    );
}

#[test]
fn no_credentials_are_said_as_such() {
    let files = Files::new();
    let path = files.write("evenkeel.yaml", config_with(FIT, BOUNDS));
    let said = said_by(evenkeel(&["plan", "--config", text(&path)]).env("AWS_REGION", "us-east-1"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("credentials"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_apply_and_status_against_a_sandbox() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let files = Files::new();
    let path = files.write("evenkeel.yaml", THREE_CONFIG);
    let url = server.url();
    let ran = |command: &[&str]| {
        said(&[command, &["--config", text(&path), "--endpoint-url", &url]].concat())
    };
    let before = ran(&["plan"]);
    assert_eq!(before.code, 2, "{before:?}");
    insta::assert_snapshot!("plan_of_an_empty_aws", before.out);

    let unasked = ran(&["apply"]);
    assert_eq!(unasked.code, 64, "{unasked:?}");
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    assert_eq!(
        ran(&["plan"]).out,
        before.out,
        "it must not have written anything"
    );

    let applied = ran(&["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(applied.err.matches("done ").count(), 6, "{}", applied.err);

    let after = ran(&["plan"]);
    assert_eq!(after.code, 0, "{after:?}");
    assert!(after.out.contains("No changes"), "{}", after.out);

    let json = ran(&["plan", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(json.is_array() || json.is_object());

    clock.turn(std::time::Duration::from_mins(20));
    let status = ran(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    insta::assert_snapshot!("status_after_twenty_minutes", status.out);
    let one = ran(&["status", "--target", "embed", "--output", "json"]);
    assert!(one.out.contains("endpoint/embed/") && !one.out.contains("endpoint/chat/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pass_and_out() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let files = Files::new();
    let path = files.write("evenkeel.yaml", THREE_CONFIG);
    let args = [
        "run",
        "--once",
        "--config",
        text(&path),
        "--endpoint-url",
        &server.url(),
    ];
    let first = said(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        first.err.contains("writes done: 6, failed: 0"),
        "{}",
        first.err
    );
    let second = said(&args);
    assert!(
        second.err.contains("writes done: 0, failed: 0"),
        "{}",
        second.err
    );
}

#[test]
fn the_iam_policy_names_what_the_config_needs_and_observing_needs_reads_only() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/evenkeel.yaml");
    let policy = said(&[
        "iam-policy",
        "--config",
        example,
        "--account",
        "123456789012",
    ]);
    assert_eq!((policy.code, policy.err.as_str()), (0, ""));
    insta::assert_snapshot!("iam_policy", policy.out);
    let mut observing = evenkeel(&["iam-policy", "--config", example]);
    let observing = said_by(observing.env("EVENKEEL__DAEMON__MODE", "observe"));
    let json: serde_json::Value = serde_json::from_str(&observing.out).unwrap();
    assert_eq!(json["Statement"].as_array().unwrap().len(), 1);
    assert!(observing.err.contains("--account"), "{}", observing.err);
    let wrong = said(&["iam-policy", "--config", example, "--account", "12"]);
    assert_eq!(wrong.code, 64);
}

/// The coming days as text and as a picture, with a calendar of holidays beside the config.
#[test]
fn the_coming_days_are_shown_drawn_and_know_holidays() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(
        file("off.ics"),
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Off\r\n\
         DTSTART;VALUE=DATE:20261125\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    )
    .unwrap();
    let config = "
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 1, max: 8 }
    schedules:
      - { name: up, cron: '0 8 * * ? *', timezone: Europe/Berlin, bounds: { min: 5 }, except: [off.ics] }
      - { name: down, cron: '0 20 * * ? *', timezone: Europe/Berlin, bounds: { min: 1 } }
";
    std::fs::write(file("evenkeel.yaml"), config).unwrap();
    let (config, svg, png) = (file("evenkeel.yaml"), file("p.svg"), file("p.png"));
    let mut args = vec![
        "schedule",
        "--config",
        &config,
        "--after",
        "2026-11-24T00:00:00Z",
    ];
    args.extend(["--here", "America/New_York", "--days", "3", "--plot", &svg]);
    let said = said_by(&mut evenkeel(&args));
    insta::assert_snapshot!(said.out);
    assert!(
        std::fs::read_to_string(&svg)
            .unwrap()
            .contains("endpoint/chat/variant/AllTraffic")
    );
    args.pop();
    args.push(&png);
    let said = said_by(&mut evenkeel(&args));
    assert_eq!(said.code, 64, "{}", said.err);
    assert!(said.err.contains("only SVG is drawn"), "{}", said.err);
    std::fs::write(file("off.ics"), "25.11.2026").unwrap();
    let said = said_by(&mut evenkeel(&["validate", "--config", &config]));
    assert_eq!(said.code, 78);
    assert!(
        said.err.contains("targets[0].schedules[0].except[0]"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("off.ics: it is no iCalendar file"),
        "{}",
        said.err
    );
}
