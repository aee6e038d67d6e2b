//! The config as it is meant, with every default filled in.

use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Address, Alerting, Daemon, SecretSource, TlsFiles, WebhookConfig, WebhookForm};
use super::{Config, Scope};
use crate::domain::{
    AlertKind, CustomMetric, DesiredTarget, Dimension, Expression, MathMetric, MathPart, Metric,
    Policy, PolicyKind, Schedule, Selection, Selector, Silence, Step, StepPolicy, TargetId,
    TargetTracking, Tuning, Tunings, When, Window, known_dimensions, placeholder,
};

/// The resolved config as a tree in the shape of the config itself: profiles are worked into the targets that use
/// them, names of policies and dimensions of metrics are filled in.
#[must_use]
pub fn resolved(config: &Config) -> Value {
    let daemon = &config.daemon;
    let duration = |d| humantime::format_duration(d).to_string();
    let scopes: Vec<Value> = config
        .scopes
        .values()
        .map(|(scope, _)| scope_shape(scope))
        .collect();
    let targets: Vec<Value> = config
        .scopes
        .values()
        .flat_map(|(scope, fleet)| {
            let named = fleet.targets.values().map(target_shape);
            let shapes = named.chain(fleet.selections.iter().map(selection_shape));
            shapes.map(|shape| in_scope(scope.name.as_str(), shape))
        })
        .collect();
    let mut shape = json!({
        "daemon": {
            "mode": daemon.mode.label(),
            "reconcile_interval": duration(daemon.reconcile_interval),
            "watch_interval": duration(daemon.watch_interval),
            "call_timeout": duration(daemon.call_timeout),
            "http": http_shape(daemon),
        },
        "watch": {
            "quiet_interval": duration(config.watch.quiet_interval),
            "signals": config.watch.signals,
        },
        "safety": { "max_change": format!("{}%", config.safety.max_change * 100.0) },
        "manage": {
            "owner": config.manage.owner.as_str(),
            "prune": config.manage.prune.label(),
            "on_removal": config.manage.on_removal.label(),
        },
        "scopes": scopes,
        "targets": targets,
    });
    if let Some(directory) = &daemon.state_dir
        && let Some(map) = shape.get_mut("daemon").and_then(Value::as_object_mut)
    {
        map.insert(
            "state_dir".to_owned(),
            json!(directory.display().to_string()),
        );
    }
    if let Some(budget) = config.watch.budget
        && let Some(map) = shape.get_mut("watch").and_then(Value::as_object_mut)
    {
        map.insert("budget".to_owned(), json!(budget));
    }
    let alerting = alerting_shape(&config.alerting);
    if let Some(map) = shape.as_object_mut().filter(|_| !alerting.is_empty()) {
        map.insert("alerting".to_owned(), Value::Object(alerting));
    }
    shape
}

fn http_shape(daemon: &Daemon) -> Value {
    let mut shape = Map::new();
    shape.insert("listen".to_owned(), json!(daemon.listen.to_string()));
    if let Some(TlsFiles {
        cert_file,
        key_file,
    }) = &daemon.tls
    {
        let (cert_file, key_file) = (cert_file.display(), key_file.display());
        shape.insert(
            "tls".to_owned(),
            json!({ "cert_file": cert_file.to_string(), "key_file": key_file.to_string() }),
        );
    }
    shape.extend(daemon.token.as_ref().map(|s| secret_shape("token", s)));
    Value::Object(shape)
}

/// Where a secret stands.
fn secret_shape(name: &str, source: &SecretSource) -> (String, Value) {
    match source {
        SecretSource::Env(variable) => (format!("{name}_env"), json!(variable)),
        SecretSource::File(path) => (format!("{name}_file"), json!(path.display().to_string())),
    }
}

/// Where secrets stand is shown, they are not.
fn alerting_shape(alerting: &Alerting) -> Map<String, Value> {
    let mut shape = Map::new();
    if !alerting.alertmanagers.is_empty() {
        shape.insert("alertmanagers".to_owned(), json!(alerting.alertmanagers));
    }
    let hooks: Vec<Value> = alerting.webhooks.iter().map(webhook_shape).collect();
    if !hooks.is_empty() {
        shape.insert("webhooks".to_owned(), Value::Array(hooks));
    }
    let silences: Vec<Value> = alerting.silences.iter().map(silence_shape).collect();
    if !silences.is_empty() {
        shape.insert("silences".to_owned(), Value::Array(silences));
    }
    if !alerting.tunings.is_empty() {
        shape.insert("alerts".to_owned(), tunings_shape(&alerting.tunings));
    }
    shape
}

fn webhook_shape(hook: &WebhookConfig) -> Value {
    let mut shape = Map::new();
    let mut put = |key: String, value: &str| shape.insert(key, json!(value));
    put("name".to_owned(), &hook.name);
    put("group".to_owned(), hook.grouping.label());
    put("urgency".to_owned(), hook.least.label());
    let (form, key) = match &hook.form {
        WebhookForm::Generic => ("generic", None),
        WebhookForm::Slack => ("slack", None),
        WebhookForm::PagerDuty(key) => ("pagerduty", Some(key)),
    };
    put("form".to_owned(), form);
    let url = match &hook.url {
        Address::Plain(url) => {
            put("url".to_owned(), url);
            None
        }
        Address::Secret(source) => Some(source),
    };
    for (name, source) in [("key", key), ("url", url), ("token", hook.token.as_ref())] {
        shape.extend(source.map(|source| secret_shape(name, source)));
    }
    Value::Object(shape)
}

fn silence_shape(silence: &Silence) -> Value {
    let mut shape = json!({
        "until": silence.until.to_rfc3339_opts(SecondsFormat::Secs, true),
        "reason": silence.reason,
    });
    let optional = [
        ("alert", silence.kind.map(|kind| kind.name().to_owned())),
        ("scope", silence.scope.as_ref().map(ToString::to_string)),
        ("target", silence.subject.as_ref().map(ToString::to_string)),
    ];
    if let Some(map) = shape.as_object_mut() {
        let given = optional.into_iter();
        map.extend(given.filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))));
    }
    shape
}

fn tunings_shape(tunings: &Tunings) -> Value {
    let one = |(kind, tuning): (&AlertKind, &Tuning)| {
        let mut shape = Map::new();
        let seconds = |delta: TimeDelta| json!(format!("{}s", delta.num_seconds()));
        let optional = [
            ("for", tuning.pending_for.map(seconds)),
            ("reversals", tuning.reversals.map(|n| json!(n))),
            ("within", tuning.within.map(seconds)),
        ];
        let given = optional.into_iter();
        shape.extend(given.filter_map(|(key, value)| Some((key.to_owned(), value?))));
        let value = match (tuning.off, shape.is_empty()) {
            (true, _) => json!("off"),
            (false, true) => json!("on"),
            (false, false) => Value::Object(shape),
        };
        (kind.name().to_owned(), value)
    };
    Value::Object(tunings.iter().map(one).collect())
}

fn scope_shape(scope: &Scope) -> Value {
    let mut shape = Map::new();
    shape.insert("name".to_owned(), json!(scope.name.as_str()));
    let optional = [
        ("region", &scope.region),
        ("assume_role", &scope.assume_role),
        ("endpoint_url", &scope.endpoint_url),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            shape.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(shape)
}

/// A target as the config would declare it, without its scope.
#[must_use]
pub fn target_shape(target: &DesiredTarget) -> Value {
    let mut identity = Map::new();
    let mut put = |key: &str, value: &str| identity.insert(key.to_owned(), json!(value));
    match &target.id {
        TargetId::Instances { endpoint, variant } => {
            put("endpoint", endpoint.as_str());
            put("variant", variant.as_str());
        }
        TargetId::ProvisionedConcurrency { endpoint, variant } => {
            put("endpoint", endpoint.as_str());
            put("variant", variant.as_str());
            put("dimension", Dimension::ProvisionedConcurrency.name());
        }
        TargetId::Copies { component } => {
            put("component", component.as_str());
        }
    }
    with_identity(identity, target)
}

/// A selection as the config would declare it, without its scope.
fn selection_shape(selection: &Selection) -> Value {
    let Selector {
        endpoint,
        variant,
        component,
        tags,
        kind,
        dimension,
    } = &selection.selector;
    let mut select = json!({ "endpoint": endpoint.to_string(), "variant": variant.to_string() });
    if let Some(map) = select.as_object_mut() {
        let tags: Map<String, Value> = tags
            .iter()
            .map(|(key, value)| (key.clone(), json!(value.to_string())))
            .collect();
        let own = component.as_ref().map(|glob| json!(glob.to_string()));
        let dimension = own.is_none().then(|| json!(dimension.name()));
        let optional = [
            ("component", own),
            ("dimension", dimension),
            ("kind", kind.map(|kind| json!(kind.name()))),
            ("tags", (!tags.is_empty()).then_some(Value::Object(tags))),
        ];
        let given = optional
            .into_iter()
            .filter_map(|(k, v)| Some((k.to_owned(), v?)));
        map.extend(given);
    }
    let identity = Map::from_iter([("select".to_owned(), select)]);
    // What follows from the target is filled in for each target that is selected, not here.
    with_identity(identity, &selection.template)
}

fn with_identity(identity: Map<String, Value>, target: &DesiredTarget) -> Value {
    let mut shape = Value::Object(identity);
    let policies = target.policies.iter();
    let policies: Vec<Value> = policies.map(|p| policy_shape(p, &target.id)).collect();
    if let Some(map) = shape.as_object_mut() {
        let (min, max) = (target.bounds.min().get(), target.bounds.max().get());
        map.insert("bounds".to_owned(), json!({ "min": min, "max": max }));
        if !target.schedules.is_empty() {
            let schedules = target.schedules.iter().map(schedule_shape);
            map.insert("schedules".to_owned(), schedules.collect());
        }
        map.insert("policies".to_owned(), policies.into());
    }
    if let (false, Some(map)) = (target.tunings.is_empty(), shape.as_object_mut()) {
        map.insert("alerts".to_owned(), tunings_shape(&target.tunings));
    }
    if let (false, Some(map)) = (target.ignored.is_empty(), shape.as_object_mut()) {
        let ignored = target.ignored.iter();
        let ignored: Map<String, Value> = ignored
            .map(|(rule, reason)| (rule.to_string(), json!(reason)))
            .collect();
        map.insert("ignore".to_owned(), Value::Object(ignored));
    }
    if let (Some(suspended), Some(map)) = (target.suspended, shape.as_object_mut()) {
        let suspended = json!({
            "scale_in": suspended.scale_in,
            "scale_out": suspended.scale_out,
            "scheduled": suspended.scheduled,
        });
        map.insert("suspended".to_owned(), suspended);
    }
    shape
}

fn in_scope(scope: &str, target: Value) -> Value {
    let mut shape = Map::from_iter([("scope".to_owned(), json!(scope))]);
    if let Value::Object(fields) = target {
        shape.extend(fields);
    }
    Value::Object(shape)
}

fn schedule_shape(schedule: &Schedule) -> Value {
    let Schedule {
        name,
        when,
        zone,
        is_zone_assumed,
        min,
        max,
        lead,
        except,
        start,
        end,
        runner,
        adopted_action,
    } = schedule;
    let local = |at: &DateTime<Utc>| json!(zone.local(*at).format("%Y-%m-%dT%H:%M:%S").to_string());
    let (way, said) = match when {
        When::Fires(expression @ Expression::Cron(_)) => ("cron", json!(expression.to_string())),
        When::Fires(expression @ Expression::Rate(_)) => ("rate", json!(expression.to_string())),
        When::Fires(expression @ Expression::At(_)) => ("at", json!(expression.to_string())),
        When::Open(Window::Once { from, until }) => (
            "window",
            json!({ "from": local(from), "until": local(until) }),
        ),
        When::Open(Window::Daily { from, until, days }) => {
            let time = |time: &NaiveTime| time.format("%H:%M").to_string();
            let names = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
            let named = days
                .iter()
                .filter_map(|day| names.get(usize::try_from(*day).ok()?));
            let days: Vec<&&str> = named.collect();
            (
                "window",
                json!({ "from": time(from), "until": time(until), "days": days }),
            )
        }
    };
    let mut bounds = Map::new();
    for (key, end) in [("min", min), ("max", max)] {
        if let Some(end) = end {
            bounds.insert(key.to_owned(), json!(end.get()));
        }
    }
    let mut shape = json!({
        "name": name.as_str(), way: said, "bounds": bounds,
    });
    if let Some(map) = shape.as_object_mut() {
        let lead = lead.to_std().ok().filter(|lead| !lead.is_zero());
        let lead = lead.map(|lead| json!(humantime::format_duration(lead).to_string()));
        let dates: Vec<String> = except.iter().map(ToString::to_string).collect();
        // What nobody said stays unsaid, so that the lint says the same of both.
        let timezone = (!is_zone_assumed).then(|| json!(zone.name()));
        let optional = [
            ("timezone", timezone),
            ("lead", lead),
            ("except", (!dates.is_empty()).then(|| json!(dates))),
            ("start", start.as_ref().map(local)),
            ("end", end.as_ref().map(local)),
            (
                "runner",
                runner.has_actions().then(|| json!(runner.label())),
            ),
            ("action", adopted_action.as_ref().map(|name| json!(name))),
        ];
        let given = optional.into_iter();
        map.extend(given.filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    shape
}

/// A percentage of all cores as the config says it; else the number.
fn aim_shape(tracking: &TargetTracking) -> Value {
    let target = tracking.target;
    if tracking.of_all_cores {
        json!(format!("{target}% of all cores"))
    } else {
        json!(target.get())
    }
}

fn policy_shape(policy: &Policy, target: &TargetId) -> Value {
    let (key, shape) = match &policy.kind {
        PolicyKind::TargetTracking(tracking) => (
            "target_tracking",
            json!({
                "metric": metric_shape(&tracking.metric, target),
                "target": aim_shape(tracking),
                "scale_out_cooldown": tracking.scale_out_cooldown.to_string(),
                "scale_in_cooldown": tracking.scale_in_cooldown.to_string(),
                "disable_scale_in": tracking.disable_scale_in,
            }),
        ),
        PolicyKind::Step(step) => ("step", step_shape(step, target)),
    };
    json!({ "name": policy.name.as_str(), key: shape })
}

/// Shorthands come out in full: this is what they mean.
fn step_shape(policy: &StepPolicy, target: &TargetId) -> Value {
    let StepPolicy {
        scaling,
        alarm,
        alarm_name,
    } = policy;
    let step = |step: &Step| {
        let mut shape = Map::new();
        for (key, end) in [("from", step.lower), ("to", step.upper)] {
            if let Some(end) = end {
                shape.insert(key.to_owned(), json!(end.get()));
            }
        }
        shape.insert("adjust".to_owned(), json!(step.adjustment));
        Value::Object(shape)
    };
    let mut shape = json!({
        "adjustment": scaling.adjustment.name(),
        "steps": scaling.steps.iter().map(step).collect::<Vec<_>>(),
        "cooldown": scaling.cooldown.to_string(),
        "aggregation": scaling.aggregation.aws_name().to_lowercase(),
        "alarm": {
            "metric": custom_shape(&alarm.metric, target),
            "threshold": alarm.threshold.get(),
            "comparison": alarm.comparison.sign(),
            "period": format!("{}s", alarm.period),
            "periods": alarm.periods,
            "datapoints": alarm.datapoints,
            "missing_data": alarm.missing.name(),
        },
    });
    let alarm_shape = shape.get_mut("alarm").and_then(Value::as_object_mut);
    if let (Some(name), Some(map)) = (alarm_name, alarm_shape) {
        map.insert("name".to_owned(), json!(name));
    }
    if let (Some(least), Some(map)) = (scaling.min_magnitude, shape.as_object_mut()) {
        map.insert("min_change".to_owned(), json!(least));
    }
    shape
}

fn metric_shape(metric: &Metric, target: &TargetId) -> Value {
    match metric {
        Metric::Predefined(metric) => json!(metric.name()),
        Metric::Custom(metric) => custom_shape(metric, target),
        Metric::Math(math) => math_shape(math, target),
    }
}

fn math_shape(math: &MathMetric, target: &TargetId) -> Value {
    let (mut metrics, mut expressions) = (Map::new(), Map::new());
    for (id, part) in &math.parts {
        match part {
            MathPart::Series(metric) => metrics.insert(id.clone(), custom_shape(metric, target)),
            MathPart::Expression(text) => expressions.insert(id.clone(), json!(text)),
        };
    }
    let mut shape = json!({ "expression": math.expression });
    if let Some(map) = shape.as_object_mut() {
        let sections = [("metrics", metrics), ("expressions", expressions)];
        let filled = sections
            .into_iter()
            .filter(|(_, section)| !section.is_empty());
        map.extend(filled.map(|(key, section)| (key.to_owned(), Value::Object(section))));
    }
    shape
}

fn custom_shape(metric: &CustomMetric, target: &TargetId) -> Value {
    // A selection's dimensions follow from each target; what stands in for one is nothing to show.
    let follows = known_dimensions(&metric.namespace, &metric.name, target);
    let stands_in = placeholder(target.dimension()).as_ref() == Some(target);
    let mut shape = json!({ "namespace": metric.namespace, "name": metric.name });
    if let Some(map) = shape.as_object_mut() {
        if !stands_in || follows.as_ref() != Some(&metric.dimensions) {
            map.insert("dimensions".to_owned(), json!(metric.dimensions));
        }
        map.insert("statistic".to_owned(), json!(metric.statistic.aws_name()));
    }
    if let (Some(unit), Some(map)) = (&metric.unit, shape.as_object_mut()) {
        map.insert("unit".to_owned(), json!(unit));
    }
    shape
}
