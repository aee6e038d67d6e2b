//! Endpoints and components for the calls of a conversion to be about.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::adopt::Call;
use crate::domain::{EndpointName, TargetId, VariantName};
use crate::sim::engine::{ApiError, Span, World};
use crate::sim::wire::{Service, call};

/// Where components stand that the files do not place.
const HOST: &str = "evenkeel-host-of-components";

/// Makes what the calls are about, and says what could not be made. Endpoints are asynchronous, as only those may go
/// down to zero, and what the files say of others holds there too.
pub(super) fn stand_in<'a>(
    world: &mut World,
    calls: impl Iterator<Item = &'a Call>,
) -> Vec<String> {
    let targets: BTreeSet<TargetId> = calls.filter_map(target_of).collect();
    let mut endpoints: BTreeMap<&EndpointName, BTreeMap<&VariantName, bool>> = BTreeMap::new();
    for id in &targets {
        if let (Some(endpoint), Some(variant)) = (id.endpoint(), id.variant()) {
            let is_serverless = matches!(id, TargetId::ProvisionedConcurrency { .. });
            endpoints
                .entry(endpoint)
                .or_default()
                .insert(variant, is_serverless);
        }
    }
    let mut left_out = Vec::new();
    for (endpoint, variants) in endpoints {
        let is_serverless = variants.values().any(|serverless| *serverless);
        let variants: Vec<Value> = variants.iter().map(|(name, s)| variant(name, *s)).collect();
        let made = make_endpoint(world, endpoint.as_str(), &variants, !is_serverless);
        left_out.extend(
            made.err()
                .map(|e| format!("endpoint {endpoint}: {}", e.message)),
        );
    }
    let components: Vec<&TargetId> = targets
        .iter()
        .filter(|id| id.component().is_some())
        .collect();
    if !components.is_empty() {
        let host = json!({
            "VariantName": "AllTraffic", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
            "ManagedInstanceScaling": {
                "Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 1000,
            },
        });
        let made = make_endpoint(world, HOST, &[host], false);
        left_out.extend(
            made.err()
                .map(|e| format!("a host of components: {}", e.message)),
        );
    }
    settle(world);
    for id in components {
        let made = id.component().map(|name| {
            let body = json!({
                "InferenceComponentName": name.as_str(), "EndpointName": HOST,
                "VariantName": "AllTraffic", "RuntimeConfig": { "CopyCount": 1 },
                "Specification": {
                    "ModelName": "model",
                    "ComputeResourceRequirements": { "MinMemoryRequiredInMb": 1024 },
                },
            });
            call(world, Service::SageMaker, "CreateInferenceComponent", body)
        });
        let error = made.and_then(Result::err);
        left_out.extend(error.map(|e| format!("{id}: {}", e.message)));
    }
    settle(world);
    left_out
}

fn target_of(call: &Call) -> Option<TargetId> {
    TargetId::parse(call.text("ResourceId")?, call.text("ScalableDimension")?).ok()
}

fn variant(name: &VariantName, is_serverless: bool) -> Value {
    let mut shape = json!({
        "VariantName": name.as_str(), "ModelName": "model", "InitialVariantWeight": 1.0,
    });
    let more = if is_serverless {
        json!({ "ServerlessConfig": {
            "MemorySizeInMB": 2048, "MaxConcurrency": 200, "ProvisionedConcurrency": 1,
        } })
    } else {
        json!({ "InstanceType": "ml.m5.large", "InitialInstanceCount": 1 })
    };
    if let (Value::Object(shape), Value::Object(more)) = (&mut shape, more) {
        shape.extend(more);
    }
    shape
}

fn make_endpoint(
    world: &mut World,
    name: &str,
    variants: &[Value],
    is_async: bool,
) -> Result<(), ApiError> {
    let mut config = json!({ "EndpointConfigName": name, "ProductionVariants": variants });
    if let (true, Value::Object(config)) = (is_async, &mut config) {
        let output = json!({ "OutputConfig": { "S3OutputPath": "s3://bucket/path" } });
        config.insert("AsyncInferenceConfig".to_owned(), output);
    }
    call(world, Service::SageMaker, "CreateEndpointConfig", config)?;
    let body = json!({ "EndpointName": name, "EndpointConfigName": name });
    call(world, Service::SageMaker, "CreateEndpoint", body).map(drop)
}

/// Lets everything come into service.
fn settle(world: &mut World) {
    let in_service = world.now() + Span::from_secs(3600);
    world.advance(in_service);
}
