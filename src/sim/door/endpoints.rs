//! SageMaker through the in-process door: requests and answers as the wire has them, without the wire.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::wire::{Service, call};
use super::{Door, SAGEMAKER};
use crate::domain::{
    Capacity, ComponentName, ConfiguredVariant, EndpointDetails, EndpointName, EndpointStatus,
    ObservedComponent, ObservedConfig, ObservedVariant, Running, VariantName,
};
use crate::ports::{ApiError, EndpointApi, EndpointSummary, Listing};

fn text<'a>(shape: &'a Value, member: &str) -> Option<&'a str> {
    shape.get(member)?.as_str()
}

fn list<'a>(shape: &'a Value, member: &str) -> &'a [Value] {
    let list = shape.get(member).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn capacity(shape: &Value, member: &str) -> Option<Capacity> {
    let number = shape.get(member)?.as_u64()?;
    Capacity::new(u32::try_from(number).ok()?)
}

/// Instants are seconds with a fraction; milliseconds are what AWS keeps.
fn time(shape: &Value, member: &str) -> Option<DateTime<Utc>> {
    let millis = crate::num::round_to_i64(shape.get(member)?.as_f64()? * 1000.0);
    DateTime::from_timestamp_millis(millis)
}

fn status(shape: &Value, member: &str) -> Option<EndpointStatus> {
    text(shape, member).map(EndpointStatus::parse)
}

fn summary(shape: &Value) -> Option<EndpointSummary> {
    Some(EndpointSummary {
        name: text(shape, "EndpointName")?.parse().ok()?,
        arn: text(shape, "EndpointArn")?.to_owned(),
        status: status(shape, "EndpointStatus")?,
        created: time(shape, "CreationTime")?,
        modified: time(shape, "LastModifiedTime")?,
    })
}

fn component(shape: &Value) -> Option<ObservedComponent> {
    Some(ObservedComponent {
        name: text(shape, "InferenceComponentName")?.parse().ok()?,
        endpoint: text(shape, "EndpointName")?.parse().ok()?,
        variant: text(shape, "VariantName")?.parse().ok()?,
        status: status(shape, "InferenceComponentStatus")?,
        created: time(shape, "CreationTime")?,
        modified: time(shape, "LastModifiedTime")?,
        copies: None,
    })
}

fn variant(shape: &Value) -> ObservedVariant {
    let current = shape.get("CurrentServerlessConfig");
    let desired = shape.get("DesiredServerlessConfig").or(current);
    if let Some(config) = current.or(desired) {
        let units = |config: Option<&Value>| capacity(config?, "ProvisionedConcurrency");
        let running = Running {
            current: units(current),
            desired: units(desired),
        };
        return ObservedVariant::Serverless {
            max_concurrency: capacity(config, "MaxConcurrency"),
            provisioned: (running != Running::default()).then_some(running),
        };
    }
    let running = Running {
        current: capacity(shape, "CurrentInstanceCount"),
        desired: capacity(shape, "DesiredInstanceCount"),
    };
    let managed = shape.get("ManagedInstanceScaling");
    if managed.and_then(|m| text(m, "Status")) == Some("ENABLED") {
        ObservedVariant::Components(running)
    } else {
        ObservedVariant::Instances(running)
    }
}

fn name(shape: &Value) -> Option<VariantName> {
    text(shape, "VariantName")?.parse().ok()
}

impl Door {
    fn sagemaker(&self, operation: &'static str, body: Value) -> Result<Value, ApiError> {
        self.call(SAGEMAKER, operation, |world| {
            call(world, Service::SageMaker, operation, body)
        })
    }

    fn sagemaker_pages<T>(
        &self,
        operation: &'static str,
        query: &Value,
        member: &str,
        read: fn(&Value) -> Option<T>,
    ) -> Listing<T> {
        self.pages(SAGEMAKER, operation, |world, token| {
            let mut body = query.clone();
            if let (Some(token), Some(body)) = (token, body.as_object_mut()) {
                body.insert("NextToken".to_owned(), json!(token));
            }
            let page = call(world, Service::SageMaker, operation, body)?;
            let items = list(&page, member).iter().filter_map(read).collect();
            Ok((items, text(&page, "NextToken").map(str::to_owned)))
        })
    }
}

#[async_trait]
impl EndpointApi for Door {
    async fn endpoints(&self) -> Listing<EndpointSummary> {
        let query = json!({ "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 100 });
        self.sagemaker_pages("ListEndpoints", &query, "Endpoints", summary)
    }

    async fn endpoint(&self, endpoint: &EndpointName) -> Result<EndpointDetails, ApiError> {
        let query = json!({ "EndpointName": endpoint.as_str() });
        let shape = self.sagemaker("DescribeEndpoint", query)?;
        let production = list(&shape, "ProductionVariants").iter();
        let shadows = list(&shape, "ShadowProductionVariants").iter();
        let production = production.filter_map(|v| Some((name(v)?, variant(v))));
        let shadows = shadows.filter_map(|v| Some((name(v)?, ObservedVariant::Shadow)));
        Ok(EndpointDetails {
            config: text(&shape, "EndpointConfigName")
                .unwrap_or_default()
                .to_owned(),
            is_async: shape
                .get("AsyncInferenceConfig")
                .is_some_and(|c| !c.is_null()),
            variants: production.chain(shadows).collect(),
        })
    }

    async fn config(&self, config: &str) -> Result<ObservedConfig, ApiError> {
        let query = json!({ "EndpointConfigName": config });
        let shape = self.sagemaker("DescribeEndpointConfig", query)?;
        let configured = |v: &Value| {
            let configured = ConfiguredVariant {
                instance_type: text(v, "InstanceType").map(str::to_owned),
                initial: capacity(v, "InitialInstanceCount"),
                has_model: text(v, "ModelName").is_some(),
            };
            Some((name(v)?, configured))
        };
        let variants = list(&shape, "ProductionVariants").iter();
        let variants = variants.chain(list(&shape, "ShadowProductionVariants"));
        let every = shape.get("MetricsConfig");
        let every = every.and_then(|m| m.get("MetricPublishFrequencyInSeconds")?.as_u64());
        Ok(ObservedConfig {
            variants: variants.filter_map(configured).collect(),
            publishes_every: every.and_then(|every| u32::try_from(every).ok()),
        })
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let query = json!({ "ResourceArn": arn, "MaxResults": 100 });
        let pair =
            |tag: &Value| Some((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned()));
        let listing = self.sagemaker_pages("ListTags", &query, "Tags", pair);
        match listing.gap {
            Some(gap) => Err(gap),
            None => Ok(listing.items.into_iter().collect()),
        }
    }

    async fn components(&self) -> Listing<ObservedComponent> {
        let query = json!({ "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 100 });
        let operation = "ListInferenceComponents";
        self.sagemaker_pages(operation, &query, "InferenceComponents", component)
    }

    async fn copies(&self, component: &ComponentName) -> Result<Running, ApiError> {
        let query = json!({ "InferenceComponentName": component.as_str() });
        let shape = self.sagemaker("DescribeInferenceComponent", query)?;
        let copies = |member| capacity(shape.get("RuntimeConfig")?, member);
        Ok(Running {
            current: copies("CurrentCopyCount"),
            desired: copies("DesiredCopyCount"),
        })
    }
}
