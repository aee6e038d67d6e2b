//! The config as it is meant, with every default filled in.

use serde_json::{Map, Value, json};

use super::{Config, Scope};
use crate::domain::{DesiredTarget, Metric, Policy, PolicyKind};

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
            fleet
                .targets
                .values()
                .map(|target| target_shape(scope.name.as_str(), target))
        })
        .collect();
    json!({
        "daemon": {
            "mode": daemon.mode.label(),
            "reconcile_interval": duration(daemon.reconcile_interval),
            "watch_interval": duration(daemon.watch_interval),
            "call_timeout": duration(daemon.call_timeout),
            "http": { "listen": daemon.listen.to_string() },
        },
        "safety": { "max_change": format!("{}%", config.safety.max_change * 100.0) },
        "scopes": scopes,
        "targets": targets,
    })
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

fn target_shape(scope: &str, target: &DesiredTarget) -> Value {
    json!({
        "scope": scope,
        "endpoint": target.id.endpoint().map(ToString::to_string),
        "variant": target.id.variant().map(ToString::to_string),
        "bounds": { "min": target.bounds.min().get(), "max": target.bounds.max().get() },
        "policies": target.policies.iter().map(policy_shape).collect::<Vec<_>>(),
    })
}

fn policy_shape(policy: &Policy) -> Value {
    let PolicyKind::TargetTracking(tracking) = &policy.kind;
    json!({
        "name": policy.name.as_str(),
        "target_tracking": {
            "metric": metric_shape(&tracking.metric),
            "target": tracking.target.get(),
            "scale_out_cooldown": tracking.scale_out_cooldown.to_string(),
            "scale_in_cooldown": tracking.scale_in_cooldown.to_string(),
            "disable_scale_in": tracking.disable_scale_in,
        },
    })
}

fn metric_shape(metric: &Metric) -> Value {
    match metric {
        Metric::Predefined(metric) => json!(metric.name()),
        Metric::Custom(metric) => {
            let mut shape = json!({
                "namespace": metric.namespace,
                "name": metric.name,
                "dimensions": metric.dimensions,
                "statistic": metric.statistic.aws_name(),
            });
            if let (Some(unit), Some(map)) = (&metric.unit, shape.as_object_mut()) {
                map.insert("unit".to_owned(), json!(unit));
            }
            shape
        }
    }
}
