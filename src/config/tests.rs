//! Config in, domain types or every problem at once out.

use std::path::Path;

use super::*;
use crate::domain::{AlertKind, PolicyKind, TargetId};

fn load_text(name: &str, text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), text).unwrap();
    load_path(&dir.path().join(name), &[]).map_err(|e| without_dir(&e, dir.path()))
}

fn load_path(path: &Path, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    load(&Sources {
        path: path.to_owned(),
        variables,
    })
}

fn without_dir(problems: &Problems, dir: &Path) -> String {
    problems
        .to_string()
        .replace(&format!("{}/", dir.display()), "")
}

fn target<'a>(config: &'a Config, id: &str) -> &'a crate::domain::DesiredTarget {
    let id: TargetId = id.parse().unwrap();
    config
        .scopes
        .values()
        .find_map(|(_, fleet)| fleet.targets.get(&id))
        .unwrap()
}

#[test]
fn the_shipped_example_is_valid() {
    let config = load_path(Path::new("config/evenkeel.yaml"), &[]).unwrap();
    assert_eq!(config.target_count(), 3);
    let embeddings = target(&config, "endpoint/embeddings/variant/AllTraffic");
    assert_eq!(
        embeddings.bounds.to_string(),
        "2..20",
        "one end from the target, one from the profile"
    );
    insta::assert_snapshot!(serde_saphyr::to_string(&resolved(&config)).unwrap());
}

#[test]
fn what_is_resolved_loads_again_as_the_same_config() {
    let config = load_path(Path::new("config/evenkeel.yaml"), &[]).unwrap();
    let text = serde_saphyr::to_string(&resolved(&config)).unwrap();
    assert_eq!(load_text("resolved.yaml", &text).unwrap(), config);
}

const TOML: &str = r#"
[daemon]
mode = "observe"
[[targets]]
endpoint = "chat"
variant = "AllTraffic"
bounds = { min = 1, max = 4 }
[[targets.policies]]
target_tracking = { metric = "SageMakerVariantInvocationsPerInstance", target = 70.5 }
"#;

#[test]
fn toml_says_the_same_as_yaml() {
    let config = load_text("evenkeel.toml", TOML).unwrap();
    assert_eq!(config.daemon.mode, Mode::Observe);
    let chat = target(&config, "endpoint/chat/variant/AllTraffic");
    let PolicyKind::TargetTracking(tracking) = &chat.policies[0].kind else {
        panic!("it tracks a target");
    };
    assert!((tracking.target.get() - 70.5).abs() < 1e-9);
    assert_eq!(
        chat.policies[0].name.as_str(),
        "evenkeel-invocations_per_instance"
    );
}

#[test]
fn a_directory_is_read_in_the_order_of_names_and_lists_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let one = "targets: [{ endpoint: a, variant: v, bounds: { min: 1, max: 2 } }]";
    write(
        "10-a.yaml",
        &format!("daemon: {{ mode: observe, reconcile_interval: 5m }}\n{one}"),
    );
    write(
        "20-b.toml",
        "[daemon]\nmode = \"enforce\"\n[[targets]]\nendpoint = \"b\"\nvariant = \"v\"\nbounds = { min = 1, max = 2 }\n",
    );
    write("notes.txt", "not config");
    write(".hidden.yaml", "not: config");
    let config = load_path(dir.path(), &[("EVENKEEL__DAEMON__WATCH_INTERVAL", "90s")]).unwrap();
    assert_eq!(config.target_count(), 2);
    assert_eq!(config.daemon.mode, Mode::Enforce, "the later file wins");
    assert_eq!(config.daemon.reconcile_interval, Duration::from_mins(5));
    assert_eq!(
        config.daemon.watch_interval,
        Duration::from_secs(90),
        "variables win over files"
    );
}

#[test]
fn one_target_declared_in_two_files_is_found_with_both_places() {
    let dir = tempfile::tempdir().unwrap();
    let one = "targets: [{ endpoint: a, variant: v, bounds: { min: 1, max: 2 } }]";
    std::fs::write(dir.path().join("a.yaml"), one).unwrap();
    std::fs::write(dir.path().join("b.yaml"), one).unwrap();
    let problems = load_path(dir.path(), &[]).unwrap_err();
    insta::assert_snapshot!(without_dir(&problems, dir.path()));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = "
deamon: { mode: enforce }
daemon:
  mode: enforced
  reconcile_interval: 60
  http: { listen: localhost }
safety: { max_change: 130% }
profiles:
  realtime: { bounds: { min: 2, max: 10 } }
  unused: { bounds: { min: two }, policies: [{ target_tracking: { metric: cpu, target: 1 } }] }
targets:
  - { endpoint: chat, variant: AllTraffic, bounds: { min: 5, max: 3 } }
  - { endpoint: chat-, varaint: v, profile: realtme }
  - endpoint: rank
    variant: v
    bounds: { min: -1, max: 2 }
    policies:
      - target_tracking: { metric: invocations_per_copy, target: 70 }
      - target_tracking: { metric: InvocationsPerInstance, target: 0 }
      - target_tracking: { metric: { namespace: MyApp, name: Queue, statistic: Avg, unit: Counts }, target: ten }
      - target_tracking: { metric: invocations_per_instance, target: 70, scale_in_cooldown: 1.5s }
      - { name: twice, target_tracking: { metric: invocations_per_instance, target: 70 } }
      - { name: twice, target_tracking: { metric: concurrent_requests_per_model, target: 7 } }
      - step: {}
  - 7
";
    insta::assert_snapshot!(load_text("evenkeel.yaml", text).unwrap_err());
}

#[test]
fn a_wrong_variable_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("evenkeel.yaml"), "# nothing yet\n").unwrap();
    let variables = [
        ("EVENKEEL__DAEMON__MOED", "observe"),
        ("EVENKEEL__SAFETY__MAX_CHANGE", "lots"),
    ];
    let problems = load_path(&dir.path().join("evenkeel.yaml"), &variables).unwrap_err();
    insta::assert_snapshot!(without_dir(&problems, dir.path()));
}

#[test]
fn files_that_can_not_be_used_are_named() {
    let missing = load_path(Path::new("/nonexistent/evenkeel.yaml"), &[]).unwrap_err();
    insta::assert_snapshot!("missing_file", missing);
    let empty = tempfile::tempdir().unwrap();
    let problems = load_path(empty.path(), &[]).unwrap_err();
    assert!(
        problems
            .to_string()
            .contains("holds no .yaml, .yml or .toml file")
    );
    let broken = load_text("evenkeel.yaml", "targets: [ {").unwrap_err();
    assert!(
        broken.starts_with("evenkeel.yaml: is not well formed: "),
        "{broken}"
    );
    let latin1 = empty.path().join("latin1.yaml");
    std::fs::write(&latin1, [b'a', 0xFC]).unwrap();
    assert!(
        load_path(&latin1, &[])
            .unwrap_err()
            .to_string()
            .contains("save it as UTF-8")
    );
}

#[test]
fn with_several_scopes_each_target_says_which() {
    let scopes = "
scopes: [{ name: eu, region: eu-central-1 }, { name: us, region: us-east-1 }]
targets:
  - { scope: eu, endpoint: a, variant: v, bounds: { min: 1, max: 2 } }
  - { scope: us, endpoint: a, variant: v, bounds: { min: 1, max: 2 } }
";
    assert_eq!(load_text("c.yaml", scopes).unwrap().target_count(), 2);
    let missing = scopes.replace("scope: us, ", "");
    insta::assert_snapshot!(load_text("c.yaml", &missing).unwrap_err());
}

#[test]
fn sagemaker_metrics_get_the_dimensions_they_are_published_with() {
    let text = "
targets:
  - endpoint: a
    variant: v
    bounds: { min: 1, max: 2 }
    policies:
      - target_tracking:
          metric: { namespace: AWS/SageMaker, name: ApproximateBacklogSizePerInstance, statistic: Average }
          target: 5
      - target_tracking:
          metric: { namespace: /aws/sagemaker/Endpoints, name: GPUUtilization, statistic: Average }
          target: 60
      - target_tracking:
          metric: { namespace: App, name: Queue, statistic: Sum, dimensions: { Shard: 7 } }
          target: 60
";
    let config = load_text("c.yaml", text).unwrap();
    let dimensions: Vec<String> = target(&config, "endpoint/a/variant/v")
        .policies
        .iter()
        .map(|policy| match policy.tracked_metric() {
            Some(crate::domain::Metric::Custom(metric)) => format!("{:?}", metric.dimensions),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        dimensions,
        [
            r#"{"EndpointName": "a"}"#,
            r#"{"EndpointName": "a", "VariantName": "v"}"#,
            r#"{"Shard": "7"}"#
        ]
    );
}

const STEPS: &str = "
targets:
  - endpoint: chat
    variant: v
    bounds: { min: 1, max: 2 }
    suspended: { scale_inn: true }
    policies:
      - step: { steps: [], alarm: { metric: invocations_per_instance, threshold: 1 } }
      - step:
          steps: [{ from: 0, to: 10, adjust: 1 }, { from: 12, to: 20, adjust: 2 }]
          alarm: { metric: invocations_per_instance, threshold: 1 }
      - step:
          adjustment: exact
          steps: [{ from: -5, adjust: -1 }, { adjust: 1 }, { from: 5, to: 5, adjust: 1.5 }]
          min_change: 3
          alarm: { metric: invocations_per_copy, threshold: \"1\", comparison: above, period: 45s, periods: 0 }
      - step:
          steps: [{ from: -5, adjust: 1 }]
          alarm: { metric: invocations_per_instance, threshold: 1, periods: 3, datapoints: 4, missing_data: none }
      - { target_tracking: { metric: invocations_per_instance, target: 1 }, wake_from_zero: {} }
      - { name: nothing }
      - fast_scale_out: { metric: invocations_per_instance, above: 10, add: -5% }
      - wake_from_zero: { add: many }
";

#[test]
fn mistakes_in_step_policies_are_told_with_their_remedies() {
    let problems = load_text("evenkeel.yaml", STEPS).unwrap_err();
    insta::assert_snapshot!(problems);
}

#[test]
fn shorthands_mean_step_policies_with_alarms_of_their_own() {
    let text = "
manage: { owner: ml-platform, prune: never }
targets:
  - endpoint: chat
    variant: v
    bounds: { min: 0, max: 4 }
    suspended: { scheduled: true }
    policies:
      - wake_from_zero: {}
      - fast_scale_out: { metric: invocations_per_instance, above: 900, add: 50% }
      - step:
          steps: [{ from: 10, adjust: 3 }, { from: 0, to: 10, adjust: 1 }]
          alarm: { metric: concurrent_requests_per_model, threshold: 4, comparison: '>' }
";
    let config = load_text("evenkeel.yaml", text).unwrap();
    insta::assert_snapshot!(serde_saphyr::to_string(&resolved(&config)).unwrap());
}

/// Rules that the one policy, or the rest of the target, sets off.
fn found(target: &str) -> Vec<&'static str> {
    let text = format!("targets:\n  - {{ endpoint: chat, variant: v, {target} }}\n");
    let config = load_text("evenkeel.yaml", &text).unwrap();
    let fleets = config.scopes.values();
    let findings =
        fleets.flat_map(|(_, fleet)| fleet.targets.values().flat_map(crate::domain::lint));
    findings.map(|finding| finding.rule.id()).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row per case")]
fn the_lint_objects_to_what_will_not_do_what_it_looks_like() {
    let bounds = "bounds: { min: 1, max: 4 }";
    let tracking = |rest: &str| {
        format!(
            "{bounds}, policies: [{{ target_tracking: {{ scale_out_cooldown: 60s, {rest} }} }}]"
        )
    };
    let custom = |namespace: &str, name: &str, target: &str| {
        let metric =
            format!("metric: {{ namespace: {namespace}, name: {name}, statistic: Average }}");
        tracking(&format!("{metric}, target: {target}"))
    };
    let host = "/aws/sagemaker/Endpoints";
    let step = |alarm: &str, steps: &str| {
        format!("{bounds}, policies: [{{ step: {{ steps: [{steps}], alarm: {{ {alarm} }} }} }}]")
    };
    let fine = "metric: invocations_per_instance, target: 700";
    let queue = "metric: { namespace: App, name: Queue, statistic: Sum }, threshold: 5";
    for (target, rules) in [
        (tracking(fine), &[][..]),
        (
            format!(
                "{bounds}, policies: [{{ name: CPUScaling, target_tracking: {{ {fine}, scale_out_cooldown: 60s }} }}]"
            ),
            &["name-metric-mismatch"],
        ),
        (
            custom(host, "CPUUtilization", "50"),
            &["utilization-per-core"],
        ),
        (custom(host, "CPUUtilization", "240"), &[]),
        (custom(host, "CPUUtilisation", "240"), &["unknown-metric"]),
        (
            custom("AWS/SageMaker", "CPUUtilization", "240"),
            &["unknown-metric"],
        ),
        (
            custom("AWS/SageMaker", "ModelLatency", "90000"),
            &["not-proportional"],
        ),
        (
            custom("AWS/SageMaker", "ApproximateBacklogSizePerInstance", "5"),
            &[],
        ),
        (custom("App", "Anything", "5"), &[]),
        (
            tracking("metric: { namespace: App, name: M, statistic: Sum, unit: Count }, target: 5"),
            &["unit-set"],
        ),
        (
            tracking("metric: invocations_per_instance, target: 10"),
            &["per-second-target"],
        ),
        (
            tracking("metric: concurrent_requests_per_model, target: 1"),
            &["tiny-concurrency"],
        ),
        (
            tracking(&format!("{fine}, scale_in_cooldown: 60s")),
            &["flapping-cooldowns"],
        ),
        (
            tracking(&format!("{fine}, disable_scale_in: true")),
            &["only-grows"],
        ),
        (
            tracking(fine).replace("min: 1", "min: 0"),
            &["no-wake-from-zero"],
        ),
        (
            tracking(fine).replace("min: 1, max: 4", "min: 4, max: 4"),
            &["fixed-bounds"],
        ),
        (bounds.to_owned(), &["no-policies"]),
        (
            format!("{}, suspended: {{ scale_out: true }}", tracking(fine)),
            &["suspended"],
        ),
        (
            step(queue, "{ from: 0, adjust: 1 }, { to: 0, adjust: -1 }"),
            &["unreachable-step"],
        ),
        (
            format!(
                "{bounds}, policies: [{{ target_tracking: {{ {fine}, scale_out_cooldown: 60s }} }}, {{ step: {{ \
                 adjustment: exact, steps: [{{ from: 0, adjust: 2 }}], alarm: {{ {queue} }} }} }}]"
            ),
            &["step-fights-tracking"],
        ),
        (
            step(
                "metric: { namespace: AWS/SageMaker, name: NoCapacityInvocationFailures, statistic: Sum }, \
                 threshold: 1, comparison: '>'",
                "{ from: 0, adjust: 1 }",
            ),
            &["wake-needs-two", "wake-without-zero", "only-grows"],
        ),
        (
            tracking(fine)
                .replace("min: 1", "min: 0")
                .replace("policies: [", "policies: [{ wake_from_zero: {} }, "),
            &[],
        ),
    ] {
        assert_eq!(found(&target), rules, "{target}");
    }
}

#[test]
fn every_rule_is_documented_and_can_be_silenced_with_a_reason() {
    let documented = include_str!("../../docs/findings.md");
    for rule in crate::domain::Rule::ALL {
        let row = format!("| `{rule}` | {} |", rule.severity().label());
        assert!(documented.contains(&row), "docs/findings.md lacks {row}");
        assert_eq!(rule.id().parse(), Ok(rule));
    }
    let bounds = "bounds: { min: 1, max: 4 }";
    assert_eq!(
        found(&format!(
            "{bounds}, ignore: {{ no-policies: scaled by hand }}"
        )),
        [""; 0]
    );
    for (ignore, part) in [
        ("{ no-polices: x }", "did you mean `no-policies`?"),
        ("{ no-policies: '' }", "no reason is given"),
        ("{ no-policies: }", "where a text is expected"),
    ] {
        let text =
            format!("targets:\n  - {{ endpoint: c, variant: v, {bounds}, ignore: {ignore} }}\n");
        let problems = load_text("evenkeel.yaml", &text).unwrap_err();
        assert!(problems.contains(part), "{problems}");
    }
}

#[test]
fn the_lint_has_nothing_against_the_shipped_configs() {
    for file in ["config/evenkeel.yaml", "config/demo/evenkeel.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let config = load_path(&path, &[]).unwrap();
        let fleets = config.scopes.values();
        let findings: Vec<_> = fleets
            .flat_map(|(_, fleet)| fleet.targets.values().flat_map(crate::domain::lint))
            .collect();
        assert_eq!(findings, [], "{file}");
    }
}

#[test]
fn mistakes_in_metric_math_are_told() {
    let of = |metric: &str| {
        let text = format!(
            "targets:\n  - {{ endpoint: c, variant: v, bounds: {{ min: 1, max: 2 }}, policies: [{{ target_tracking: {{ \
             target: 1, metric: {{ {metric} }} }} }}] }}\n"
        );
        load_text("evenkeel.yaml", &text)
    };
    let a = "metrics: { a: { namespace: App, name: A, statistic: Sum } }";
    for good in [
        "expression: SUM(METRICS())",
        "expression: 'FILL(a, 0) * 2'",
        "expression: 'IF(a > 1, a, 1)'",
    ] {
        assert!(of(&format!("{good}, {a}")).is_ok(), "{good}");
    }
    for (bad, part) in [
        ("expression: a + c", "names `c`"),
        ("expression: '2 * 2'", "`a` is used nowhere"),
        ("expression: b, expressions: { b: 'a + x' }", "names `x`"),
        (
            "expression: a, expressions: { result: '1' }",
            "`result` is no id",
        ),
        (
            "expression: b, expressions: { b: a + c, c: b }",
            "`c` is made of itself",
        ),
    ] {
        let problems = of(&format!("{bad}, {a}")).unwrap_err();
        assert!(problems.contains(part), "{bad}: {problems}");
    }
}

fn scheduled(schedules: &str) -> Result<Config, String> {
    load_text(
        "evenkeel.yaml",
        &format!(
            "targets:\n  - endpoint: c\n    variant: v\n    bounds: {{ min: 1, max: 4 }}\n    schedules:\n{schedules}"
        ),
    )
}

#[test]
fn schedules_are_read_and_written_as_they_are_meant() {
    let config = scheduled(
        "      - { name: a, cron: '0 8 ? * MON-FRI *', timezone: Europe/Berlin, bounds: { min: 2, max: 9 },\n          \
         lead: 10m,\n          \
         except: [2026-12-25, 2026-12-26] }\n      \
         - { name: b, rate: 6 hours, start: '2026-11-22T00:00', bounds: { max: 3 } }\n      \
         - { name: c, at: '2026-12-24T18:00:00', bounds: { min: 0 } }\n      \
         - { name: d, window: { from: '22:00', until: '06:00', days: [FRI, SAT] }, bounds: { min: 3 } }\n      \
         - { name: e, window: { from: '2026-11-27T06:00', until: '2026-11-28T00:00' }, bounds: { min: 3 }, \
         timezone: America/New_York, runner: both }\n      \
         - { name: f, cron: '0 8 ? * MON-FRI *', timezone: UTC, bounds: { min: 2 }, runner: aws, action: theirs }\n",
    )
    .unwrap();
    let text = serde_saphyr::to_string(&resolved(&config)).unwrap();
    assert_eq!(load_text("resolved.yaml", &text).unwrap(), config);
    insta::assert_snapshot!(text);
}

#[test]
fn every_mistake_in_schedules_is_reported_with_its_remedy() {
    let problems = scheduled(
        "      - { name: unix, cron: '0 8 * * 1-5', bounds: { min: 2 } }\n      \
         - { name: 'a:b', cron: '0 8 ? * MON-FRI *', bounds: { min: 2 } }\n      \
         - { name: zone, cron: '0 8 ? * MON-FRI *', timezone: '+02:00', bounds: { min: 2 } }\n      \
         - { name: both, cron: '0 8 ? * MON-FRI *', at: '2026-12-24T18:00:00', bounds: { min: 2 } }\n      \
         - { name: none, bounds: { min: 2 } }\n      \
         - { name: empty, at: '2026-12-24T18:00:00', bounds: {} }\n      \
         - { name: crossed, at: '2026-12-24T18:00:00', bounds: { min: 5, max: 2 } }\n      \
         - { name: gap, at: '2027-03-28T02:30:00', timezone: Europe/Berlin, bounds: { min: 2 } }\n      \
         - { name: counted, rate: 6 hours, bounds: { min: 2 } }\n      \
         - { name: shut, window: { from: '2026-11-28T06:00', until: '2026-11-27T00:00' }, bounds: { min: 2 } }\n      \
         - { name: day, window: { from: '08:00', until: '09:00', days: [Caturday] }, bounds: { min: 2 } }\n      \
         - { name: runner, at: '2026-12-24T18:00:00', bounds: { min: 2 }, runner: cron }\n      \
         - { name: led, cron: '0 8 ? * MON-FRI *', lead: 10m, bounds: { min: 2 }, runner: aws }\n      \
         - { name: anchored, rate: 6 hours, start: '2026-11-22T00:00', except: [2026-12-25], bounds: { min: 2 }, \
         runner: both }\n      \
         - { name: mine, cron: '0 8 ? * MON-FRI *', bounds: { min: 2 }, action: theirs }\n      \
         - { name: shared, cron: '0 8 ? * MON-FRI *', bounds: { min: 2 }, runner: aws, action: theirs }\n      \
         - { name: sharing, cron: '0 9 ? * MON-FRI *', bounds: { min: 2 }, runner: aws, action: theirs }\n      \
         - { name: pane, window: { from: '08:00', until: '09:00' }, bounds: { min: 2 }, runner: aws, \
         action: x }\n      \
         - { name: off, cron: '0 8 ? * MON-FRI *', bounds: { min: 2 }, except: [25.12.2026, none.ics] }\n      \
         - { name: twice, at: '2026-12-24T18:00:00', bounds: { min: 2 } }\n      \
         - { name: twice, at: '2026-12-25T18:00:00', bounds: { min: 2 } }\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems);
}

#[test]
fn where_alerts_and_the_journal_go_is_said_in_full() {
    let config = load_text(
        "evenkeel.yaml",
        "daemon: { state_dir: /var/lib/evenkeel }\nalerting: { alertmanagers: ['http://a:9093', 'https://b/am/'] }\n",
    )
    .unwrap();
    assert_eq!(
        config.alerting.alertmanagers,
        ["http://a:9093", "https://b/am/"]
    );
    let text = serde_saphyr::to_string(&resolved(&config)).unwrap();
    assert_eq!(load_text("resolved.yaml", &text).unwrap(), config);
    let problems = load_text(
        "evenkeel.yaml",
        "daemon: { state_dir: '' }\nalerting: { alertmanagers: ['127.0.0.1:9093'], webhook: x }\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems, @r"
    evenkeel.yaml: daemon.state_dir: `` is not a whole path
        remedy: write for example `/var/lib/evenkeel`
    evenkeel.yaml: alerting.webhook: unknown key `webhook`
        remedy: did you mean `webhooks`?
    evenkeel.yaml: alerting.alertmanagers[0]: `127.0.0.1:9093` is not a URL
        remedy: write it whole, for example `http://alertmanager:9093`
    ");
}

const ALERTING: &str = "
alerting:
  alertmanagers: ['http://am:9093']
  alerts: { AtMaxCapacity: off, Thrashing: { reversals: 6, for: 5m } }
  silences:
    - { alert: Thrashing, target: 'endpoint/chat/*', until: '2026-12-01T06:00:00+01:00', reason: load test }
    - { target: '*', scope: default, until: '2026-12-01T06:00:00Z', reason: move }
  webhooks:
    - { name: ops, form: generic, url: 'http://ops/hook', token_env: OPS_TOKEN, urgency: info, group: target }
    - { name: chat, form: slack, url_file: /run/secrets/slack }
    - { name: oncall, form: pagerduty, key_env: PAGERDUTY_KEY, urgency: critical }
profiles:
  p: { alerts: { SaturationPredicted: { within: 1h }, AtMaxCapacity: on }, bounds: { min: 1, max: 4 } }
targets:
  - { endpoint: chat, variant: v, profile: p, alerts: { Thrashing: { reversals: 8 } } }
";

#[test]
fn receivers_silences_and_thresholds_are_read_and_written_as_they_are_meant() {
    let config = load_text("evenkeel.yaml", ALERTING).unwrap();
    let (_, fleet) = config.scopes.values().next().unwrap();
    let tunings = &fleet.targets.values().next().unwrap().tunings;
    assert_eq!(tunings[&AlertKind::Thrashing].reversals, Some(8));
    assert_eq!(
        tunings[&AlertKind::Thrashing].pending_for,
        None,
        "whole, not in parts"
    );
    assert!(
        !tunings[&AlertKind::AtMaxCapacity].off,
        "the profile counts before everyone"
    );
    assert!(fleet.tunings[&AlertKind::AtMaxCapacity].off);
    let text = serde_saphyr::to_string(&resolved(&config)).unwrap();
    assert_eq!(load_text("resolved.yaml", &text).unwrap(), config);
}

#[test]
fn what_is_wrong_with_alerting_is_said_all_at_once() {
    let problems = load_text(
        "evenkeel.yaml",
        "
alerting:
  alerts: { Trashing: off, AtMaxCapacity: { reversals: 3 }, Thrashing: { reversals: 1, within: 5m } }
  silences:
    - { until: tomorrow, reason: x }
    - { target: '*', until: '2026-12-01T06:00:00' }
  webhooks:
    - { name: a, form: slack }
    - { name: b, form: slack, url: 'hooks.slack.com/x' }
    - { name: c, form: pagerduty, key: R0UT1NG }
    - { name: d, form: generic, url: 'http://x', url_env: X, token: s3cret }
    - { name: e, form: generic, url: 'http://x', key_env: K, urgency: loud }
    - { name: f, form: telegram, url: 'http://x' }
    - { name: g, form: generic, url_file: slack.txt }
    - { name: ok, form: generic, url: 'http://x' }
    - { name: ok, form: generic, url: 'http://y' }
",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems);
}
