//! Variants as `CreateEndpointConfig` takes them: instances, serverless, or hosting components.

use serde_json::{Map, Value};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::fleet::VariantSpec;
use super::super::kinds::{Hosting, Serverless};

/// The shadow variants of a config.
pub(super) fn shadow_specs(extra: &Map<String, Value>) -> Result<Vec<VariantSpec>, ApiError> {
    let list = extra
        .get("ShadowProductionVariants")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .enumerate()
        .map(|(i, raw)| parse_variant(raw, "shadowProductionVariants", i + 1))
        .collect()
}

/// Reads one variant; `number` counts from 1.
pub(super) fn parse_variant(
    raw: &Value,
    list: &str,
    number: usize,
) -> Result<VariantSpec, ApiError> {
    let at = |member: &str| format!("{list}.{number}.member.{member}");
    let text = |member: &str| raw.get(member).and_then(Value::as_str).map(str::to_owned);
    let count = raw.get("InitialInstanceCount").and_then(Value::as_i64);
    let name = text("VariantName");
    Checks::default()
        .required(&at("variantName"), name.as_ref())
        .sagemaker_name(&at("variantName"), name.as_ref())
        .range(&at("initialInstanceCount"), count, 1, i64::from(i32::MAX))
        .finish()?;
    let name = name.unwrap_or_default();
    let instance_type = text("InstanceType");
    if let Some(bad) = instance_type.as_ref().filter(|t| !t.starts_with("ml.")) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{bad}' at '{}' failed to satisfy constraint: Member must be an \
             instance type for hosting, such as ml.m5.xlarge",
            at("instanceType")
        )));
    }
    let initial = count.and_then(|n| u32::try_from(n).ok());
    let (hosting, initial_count) = if let Some(config) = present(raw, "ServerlessConfig") {
        if instance_type.is_some() || initial.is_some() {
            return refuse(
                &name,
                "has either a ServerlessConfig or instances, not both",
            );
        }
        let it = serverless(config, &at("serverlessConfig"))?;
        (Hosting::Serverless(it), it.provisioned.unwrap_or(0))
    } else if text("ModelName").is_none() && present(raw, "ManagedInstanceScaling").is_some() {
        let it = managed(raw, &name)?;
        let Hosting::Components { min, max } = it else {
            return refuse(&name, "has no bounds");
        };
        if instance_type.is_none() {
            return refuse(&name, "needs an InstanceType");
        }
        (it, initial.unwrap_or(min).clamp(min, max))
    } else {
        let (Some(_), Some(initial)) = (&instance_type, initial) else {
            return refuse(
                &name,
                "needs an InstanceType and an InitialInstanceCount, or a ServerlessConfig",
            );
        };
        if present(raw, "ManagedInstanceScaling").is_some() {
            // Observed (aws-autoscaling.md 5.4).
            return Err(ApiError::validation(
                "ManagedInstanceScaling is only supported for inference component endpoints.",
            ));
        }
        (Hosting::Instances, initial)
    };
    Ok(VariantSpec {
        name,
        instance_type,
        initial_count,
        initial_weight: raw
            .get("InitialVariantWeight")
            .and_then(Value::as_f64)
            .unwrap_or(1.0),
        hosting,
        raw: raw.clone(),
    })
}

fn present<'a>(raw: &'a Value, member: &str) -> Option<&'a Value> {
    raw.get(member).filter(|v| !v.is_null())
}

fn refuse<T>(name: &str, why: &str) -> Result<T, ApiError> {
    Err(ApiError::validation(format!(
        "Production variant {name} {why}."
    )))
}

/// The rules on concurrency (aws-autoscaling.md 5.2).
fn serverless(config: &Value, at: &str) -> Result<Serverless, ApiError> {
    let number = |member: &str| config.get(member).and_then(Value::as_i64);
    let (memory, most) = (number("MemorySizeInMB"), number("MaxConcurrency"));
    let provisioned = number("ProvisionedConcurrency");
    Checks::default()
        .required(&format!("{at}.memorySizeInMB"), memory.as_ref())
        .range(&format!("{at}.memorySizeInMB"), memory, 1024, 6144)
        .required(&format!("{at}.maxConcurrency"), most.as_ref())
        .range(&format!("{at}.maxConcurrency"), most, 1, 200)
        .range(&format!("{at}.provisionedConcurrency"), provisioned, 1, 200)
        .finish()?;
    if memory.is_some_and(|n| n % 1024 != 0) {
        return Err(ApiError::validation(
            "MemorySizeInMB must be one of 1024, 2048, 3072, 4096, 5120 and 6144.",
        ));
    }
    if let Some((provisioned, most)) = provisioned.zip(most).filter(|(p, most)| p > most) {
        return Err(ApiError::validation(format!(
            "ProvisionedConcurrency {provisioned} cannot be greater than MaxConcurrency {most}."
        )));
    }
    let small = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    Ok(Serverless {
        memory_mb: small(memory).unwrap_or(1024),
        max_concurrency: small(most).unwrap_or(1),
        provisioned: small(provisioned),
    })
}

/// Bounds of the instances that host components; without scaling they stay as many as they are.
fn managed(raw: &Value, name: &str) -> Result<Hosting, ApiError> {
    let scaling = present(raw, "ManagedInstanceScaling");
    let number = |member: &str| {
        let n = scaling?.get(member)?.as_i64()?;
        u32::try_from(n).ok()
    };
    let initial = raw.get("InitialInstanceCount").and_then(Value::as_i64);
    let initial = initial.and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let enabled = scaling.and_then(|s| s.get("Status")?.as_str()) == Some("ENABLED");
    let (min, max) = if enabled {
        let min = number("MinInstanceCount").unwrap_or(1);
        (min, number("MaxInstanceCount").unwrap_or(min.max(initial)))
    } else {
        (initial, initial)
    };
    if max == 0 || min > max {
        return refuse(
            name,
            "needs a MaxInstanceCount of at least 1 and its MinInstanceCount",
        );
    }
    Ok(Hosting::Components { min, max })
}
