//! The daemon as a process: signals, reloads, ports, the demo.

use std::time::Duration;

use evenkeel::http::get;
use evenkeel::sim::wire::WireDoor;
use hyper::StatusCode;

use crate::process::{Running, said, text};
use crate::server::{HangsOn, Server, sandbox_server};
use crate::world::{THREE, THREE_CONFIG, standing_sandbox};

const PATIENCE: Duration = Duration::from_secs(10);

async fn page(url: &str) -> (StatusCode, String) {
    let answer = get(url, PATIENCE).await.unwrap();
    let (status, body) = (answer.status, answer.body);
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A daemon on a sandbox, and the file of its config.
struct Deployment {
    daemon: Running,
    config: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

fn deployed(url: &str) -> Deployment {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("evenkeel.yaml");
    std::fs::write(&config, THREE_CONFIG).unwrap();
    let daemon = Running::start(&[
        "run",
        "--config",
        text(&config),
        "--endpoint-url",
        url,
        "--listen",
        "127.0.0.1:0",
    ]);
    Deployment {
        daemon,
        config,
        _dir: dir,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_supervises_serves_and_leaves_when_told_to() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    for signal in ["TERM", "INT"] {
        let mut deployed = deployed(&server.url());
        let url = deployed.daemon.page();
        if signal == "TERM" {
            deployed.daemon.line("writes done: 6");
            let (status, body) = page(&format!("{url}/metrics")).await;
            assert_eq!(status, StatusCode::OK);
            assert!(body.contains(
                r#"evenkeel_actions_total{action="put_policy",outcome="ok",scope="default"} 3"#
            ));
            assert_eq!(page(&format!("{url}/readyz")).await.0, StatusCode::OK);
            assert_eq!(page(&format!("{url}/healthz")).await.0, StatusCode::OK);
        }
        deployed.daemon.signal(signal);
        let (status, _) = deployed.daemon.end();
        assert_eq!(status.code(), Some(0), "{}", deployed.daemon.log());
        assert!(deployed.daemon.log().contains("stopped"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_a_sandbox_whose_clock_is_turned() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let mut deployed = deployed(&server.url());
    deployed.daemon.line("writes done: 6");
    clock.turn(Duration::from_mins(6));
    deployed.daemon.line("Setting desired instance count");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_flight_is_waited_for_and_a_second_signal_ends_it_at_once() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let hangs = HangsOn::new(
        "RegisterScalableTarget",
        WireDoor::new(sandbox, Some(clock)),
    );
    let server = Server::start(hangs.clone()).await;
    let mut deployed = deployed(&server.url());
    hangs.reached.notified().await;
    deployed.daemon.signal("TERM");
    deployed.daemon.line("stopping");
    deployed.daemon.signal("TERM");
    let (status, _) = deployed.daemon.end();
    let log = deployed.daemon.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("second signal") && !log.contains("stopped\n"),
        "{log}"
    );
}

/// Every write is a line of the journal, with what stood there, what stands there now and why.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_kept_in_the_journal() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("evenkeel.yaml");
    let state = dir.path().join("state");
    let with_state = format!(
        "daemon: {{ state_dir: {} }}\n{THREE_CONFIG}",
        state.display()
    );
    std::fs::write(&config, with_state).unwrap();
    let url = server.url();
    let mut daemon = Running::start(&[
        "run",
        "--config",
        text(&config),
        "--endpoint-url",
        &url,
        "--listen",
        "127.0.0.1:0",
    ]);
    daemon.line("writes done: 6");
    daemon.signal("TERM");
    daemon.end();
    let journal = std::fs::read_to_string(state.join("journal.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    let mut first = lines[0].clone();
    first["at"].take();
    insta::assert_snapshot!(serde_json::to_string_pretty(&first).unwrap());
    assert!(lines.iter().all(|line| line["outcome"] == "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_reload_keeps_the_old_config_and_shows_itself_and_a_good_one_is_used() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let mut deployed = deployed(&server.url());
    let url = deployed.daemon.page();
    deployed.daemon.line("writes done: 6");

    std::fs::write(
        &deployed.config,
        THREE_CONFIG.replace("target: 300", "target: -300"),
    )
    .unwrap();
    deployed.daemon.signal("HUP");
    deployed.daemon.line("was not reloaded");
    deployed.daemon.line("-300");
    let (_, metrics) = page(&format!("{url}/metrics")).await;
    assert!(metrics.contains("evenkeel_config_reload_success 0"));
    let (_, html) = page(&url).await;
    assert!(html.contains("an older one is in force") && html.contains("-300"));

    let fewer = THREE_CONFIG.replace("target: 300", "target: 350");
    let fewer = fewer
        .lines()
        .filter(|line| !line.contains("endpoint: rank"));
    std::fs::write(&deployed.config, fewer.collect::<Vec<_>>().join("\n")).unwrap();
    deployed.daemon.signal("HUP");
    deployed.daemon.line("the config was reloaded");
    deployed.daemon.line("writes done: 2");
    let (_, metrics) = page(&format!("{url}/metrics")).await;
    assert!(metrics.contains("evenkeel_config_reload_success 1"));
    assert!(
        !metrics.contains(r#"endpoint="rank""#),
        "its series leave with it"
    );
    let (_, html) = page(&url).await;
    assert!(!html.contains("an older one is in force"));
    assert!(html.contains("Registered, and not in the config: endpoint/rank/variant/AllTraffic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_before_anything_is_asked_of_aws() {
    let (sandbox, clock) = standing_sandbox(THREE);
    let server = sandbox_server(&sandbox, Some(&clock)).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("evenkeel.yaml");
    std::fs::write(&config, THREE_CONFIG).unwrap();
    let url = server.url();
    let run = [
        "run",
        "--config",
        text(&config),
        "--endpoint-url",
        &url,
        "--listen",
        &taken,
    ];
    let said_run = said(&run);
    assert_eq!(said_run.code, 1, "{said_run:?}");
    assert!(
        said_run.err.contains(&taken) && said_run.err.contains("--listen"),
        "{said_run:?}"
    );
    assert!(sandbox.with(|world| world.variants().len()) == 3);
    for args in [
        &["sandbox", "--listen", &taken][..],
        &["demo", "--sandbox-listen", &taken],
    ] {
        let said = said(args);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains(&taken), "{said:?}");
    }
}

#[test]
fn the_demo_scales_something_and_leaves_by_itself() {
    let args = [
        "demo",
        "--for",
        "4s",
        "--speed",
        "600",
        "--listen",
        "127.0.0.1:0",
        "--sandbox-listen",
        "127.0.0.1:0",
    ];
    let said = said(&args);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("status page  http://127.0.0.1:"),
        "{}",
        said.out
    );
    for endpoint in ["steady", "daily", "bursty", "small"] {
        assert!(said.out.contains(&format!("  {endpoint} ")), "{}", said.out);
    }
    assert!(
        said.err
            .contains("written endpoint/steady/variant/AllTraffic: register"),
        "{}",
        said.err
    );
    let ups = said
        .out
        .lines()
        .filter(|line| line.contains(" up ") && !line.contains("up 0 times"));
    assert!(ups.count() >= 1, "{}", said.out);
}
