//! The pages: readiness, health, the contract of the metrics, and what the status page says.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use evenkeel::http::{Handler, Request, Response};
use evenkeel::ports::{ErrorKind, Heartbeats};
use evenkeel::telemetry::Telemetry;
use evenkeel::web::{Pages, Scrape};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::world::{THREE, THREE_CONFIG, World, request, scope};

/// The pages over a world.
struct Site {
    pages: Pages,
    heartbeats: Arc<Heartbeats>,
}

impl Site {
    fn of(world: &World) -> Self {
        let telemetry = Arc::new(Telemetry::new([scope()]).unwrap());
        let scrape: Scrape = Arc::new(move |fleet| telemetry.scrape(fleet, DateTime::UNIX_EPOCH));
        let heartbeats = Arc::new(Heartbeats::default());
        Self {
            pages: Pages::new(world.board.subscribe(), heartbeats.clone(), scrape),
            heartbeats,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).await
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        let request = Request {
            method,
            path: path.to_owned(),
            query: None,
            headers: hyper::HeaderMap::new(),
            body: hyper::body::Bytes::new(),
        };
        self.pages.handle(request).await
    }

    async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status, StatusCode::OK, "{path}");
        String::from_utf8(response.body.to_vec()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn ready_comes_with_the_first_complete_observation_and_not_before() {
    let world = World::new(THREE, THREE_CONFIG);
    let site = Site::of(&world);
    let early = site.get("/readyz").await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE);
    world
        .faults
        .fail("DescribeScalingPolicies", ErrorKind::Denied);
    world.pass().await;
    let partial = site.get("/readyz").await;
    assert_eq!(partial.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&partial.body).contains("scope default"));
    world.faults.heal();
    world.pass().await;
    assert_eq!(site.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_stops_ticking_is_not_healthy() {
    let world = World::new(THREE, THREE_CONFIG);
    let site = Site::of(&world);
    assert_eq!(site.get("/healthz").await.status, StatusCode::OK);
    site.heartbeats
        .beat("reconcile default", Duration::from_mins(2));
    world.clock.sleep(Duration::from_secs(119)).await;
    assert_eq!(site.get("/healthz").await.status, StatusCode::OK);
    world.clock.sleep(Duration::from_secs(2)).await;
    let silent = site.get("/healthz").await;
    assert_eq!(silent.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&silent.body).contains("reconcile default"));
}

/// Names, types and labels: dashboards and alert rules rest on them.
#[tokio::test(start_paused = true)]
async fn the_metrics_are_as_agreed() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(30)).await;
    let text = Site::of(&world).text("/metrics").await;
    let mut contract: Vec<String> = Vec::new();
    let mut kind = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest.split(' ').nth(1).unwrap().to_owned();
        } else if !line.starts_with('#') {
            let series = line.rsplit_once(' ').unwrap().0;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let names: Vec<&str> = labels
                .split("\",")
                .filter_map(|l| Some(l.split_once('=')?.0))
                .collect();
            contract.push(format!("{name} {kind} [{}]", names.join(", ")));
        }
    }
    contract.sort();
    contract.dedup();
    let documented = include_str!("../../docs/metrics.md");
    for line in &contract {
        let name = line.split(' ').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name, |n, end| n.trim_end_matches(end));
        assert!(
            documented.contains(&format!("`{family}`")),
            "docs/metrics.md lacks {family}"
        );
    }
    insta::assert_snapshot!("metrics_contract", contract.join("\n"));
}

/// How many series a target has is bounded, and documented.
#[tokio::test(start_paused = true)]
async fn a_target_has_so_many_series_at_the_most() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(90)).await;
    let text = Site::of(&world).text("/metrics").await;
    for endpoint in ["chat", "embed", "rank"] {
        let label = format!("endpoint=\"{endpoint}\"");
        let series = text.lines().filter(|line| line.contains(&label)).count();
        assert!((40..=66).contains(&series), "{endpoint}: {series}");
    }
    // All others are of scopes and of the process.
    let others = text.lines().filter(|line| {
        !line.starts_with('#') && !line.contains("endpoint=\"") && !line.contains("operation=")
    });
    let others = others.count();
    assert!((100..=180).contains(&others), "{others}");
}

#[tokio::test(start_paused = true)]
async fn the_page_and_its_json_say_what_holds() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(30)).await;
    let site = Site::of(&world);
    insta::assert_snapshot!(
        "page",
        site.text("/").await.split("</style>").nth(1).unwrap()
    );
    let json: serde_json::Value = serde_json::from_str(&site.text("/api/v1/status").await).unwrap();
    insta::assert_snapshot!("status_json", format!("{json:#}"));
}

#[tokio::test(start_paused = true)]
async fn names_from_aws_can_not_break_the_page() {
    let hostile = THREE_CONFIG.replace(
        "metric: invocations_per_instance",
        "metric: { namespace: \"<script>\", name: \"<b>&\", statistic: Sum, dimensions: { a: b } }",
    );
    let world = World::new(THREE, &hostile);
    world.pass().await;
    let html = Site::of(&world).text("/").await;
    assert!(
        !html.contains("<script>") && !html.contains("<b>"),
        "{html}"
    );
    assert!(html.contains("&lt;b&gt;&amp;"), "{html}");
}

#[tokio::test(start_paused = true)]
async fn the_pages_are_read_only_and_know_their_places() {
    let world = World::new(THREE, THREE_CONFIG);
    let site = Site::of(&world);
    assert_eq!(
        site.ask(Method::POST, "/").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(site.get("/metric").await.status, StatusCode::NOT_FOUND);
}

/// Deletes the high alarm of one endpoint and switches off those of another, as someone with a console might.
#[tokio::test(start_paused = true)]
async fn alarms_that_are_gone_or_do_nothing_are_seen() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(5)).await;
    // Else they would be mended before anyone looks.
    world.reload(&format!("daemon: {{ mode: observe }}\n{THREE_CONFIG}"));
    let name = |endpoint: &str, side: &str| {
        world.aws(|aws| {
            let all = aws
                .describe_alarms(&request(json!({})))
                .unwrap()
                .metric_alarms;
            let of = |name: &String| name.contains(&format!("/{endpoint}/")) && name.contains(side);
            all.into_iter().map(|a| a.alarm_name).find(of).unwrap()
        })
    };
    let (gone, off) = (name("chat", "AlarmHigh"), name("rank", "AlarmLow"));
    world.aws(|aws| {
        aws.delete_alarms(&request(json!({ "AlarmNames": [gone] })))
            .unwrap();
        let names = request(json!({ "AlarmNames": [off] }));
        aws.set_alarm_actions(&names, false).unwrap();
    });
    world.run_for(Duration::from_mins(2)).await;
    let html = Site::of(&world).text("/").await;
    assert_eq!(
        html.matches(r#"<span class="bad">high GONE</span>"#)
            .count(),
        1,
        "{html}"
    );
    assert_eq!(html.matches("(actions off)</span>").count(), 1, "{html}");
}

#[tokio::test(start_paused = true)]
async fn the_age_of_the_last_look_grows_while_looking_fails() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_mins(3)).await;
    let site = Site::of(&world);
    let last = |text: &str| {
        let line = text
            .lines()
            .find(|l| l.starts_with("evenkeel_watch_last_timestamp_seconds{"));
        line.unwrap().to_owned()
    };
    let good = last(&site.text("/metrics").await);
    world.faults.fail("DescribeAlarms", ErrorKind::Denied);
    world.run_for(Duration::from_mins(3)).await;
    assert_eq!(last(&site.text("/metrics").await), good);
    world.faults.heal();
    world.run_for(Duration::from_mins(3)).await;
    assert_ne!(last(&site.text("/metrics").await), good);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_read_back_within_seconds() {
    let world = World::new(THREE, THREE_CONFIG);
    world.run_for(Duration::from_secs(9)).await;
    assert_eq!(
        world.snapshot().scopes[&scope()]
            .last_pass
            .as_ref()
            .unwrap()
            .number,
        2
    );
    let html = Site::of(&world).text("/").await;
    assert_eq!(html.matches("as declared").count(), 3, "{html}");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_not_shown_as_absent() {
    let world = World::new(THREE, THREE_CONFIG);
    world
        .faults
        .fail("DescribeScalableTargets", ErrorKind::Denied);
    world.run_for(Duration::from_mins(1)).await;
    let html = Site::of(&world).text("/").await;
    assert!(
        !html.contains("not registered") && html.contains("AWS unread"),
        "{html}"
    );
}
