//! SageMaker endpoints and inference components.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::types::{
    EndpointSortKey, EndpointSummary as Summary, InferenceComponentSortKey,
    InferenceComponentSummary, ManagedInstanceScalingStatus, MetricsConfig, OrderKey,
    ProductionVariant, ProductionVariantServerlessConfig, ProductionVariantSummary,
};

use super::convert;
use super::error::{classify, unreadable};
use super::pace::Pacer;
use super::pages::turn;
use crate::domain::{
    Capacity, ComponentName, ConfiguredVariant, EndpointDetails, EndpointName, EndpointStatus,
    ObservedComponent, ObservedConfig, ObservedVariant, Running, VariantName,
};
use crate::ports::{ApiError, EndpointApi, EndpointSummary, Listing};

/// The adapter.
#[derive(Debug)]
pub(super) struct SageMaker {
    client: Client,
    paces: Paces,
}

/// One for each rate that AWS limits by itself.
#[derive(Debug)]
struct Paces {
    endpoints: Pacer,
    components: Pacer,
    describes: Pacer,
    copies: Pacer,
    configs: Pacer,
    tags: Pacer,
}

/// AWS's rates per account and region are 2 and 5 calls a second, for everyone together (aws-autoscaling.md 5.1). Those
/// for components and tags are not published: the same is assumed.
const LISTS_PER_SECOND: f64 = 1.5;
const DESCRIBES_PER_SECOND: f64 = 4.0;

impl SageMaker {
    /// An adapter that keeps below AWS's rates.
    pub(super) fn paced(client: Client) -> Self {
        let lists = || Pacer::per_second(LISTS_PER_SECOND);
        let describes = || Pacer::per_second(DESCRIBES_PER_SECOND);
        Self {
            client,
            paces: Paces {
                endpoints: lists(),
                components: lists(),
                describes: describes(),
                copies: describes(),
                configs: describes(),
                tags: describes(),
            },
        }
    }

    /// An adapter for a server of one's own.
    pub(super) fn unpaced(client: Client) -> Self {
        Self {
            client,
            paces: Paces {
                endpoints: Pacer::free(),
                components: Pacer::free(),
                describes: Pacer::free(),
                copies: Pacer::free(),
                configs: Pacer::free(),
                tags: Pacer::free(),
            },
        }
    }
}

/// AWS's largest page; the default is 10.
const PAGE: i32 = 100;

fn summary(summary: &Summary) -> Option<EndpointSummary> {
    Some(EndpointSummary {
        name: summary.endpoint_name()?.parse().ok()?,
        arn: summary.endpoint_arn()?.to_owned(),
        status: EndpointStatus::parse(summary.endpoint_status()?.as_str()),
        created: convert::time(summary.creation_time()?),
        modified: convert::time(summary.last_modified_time()?),
    })
}

fn component(summary: &InferenceComponentSummary) -> Option<ObservedComponent> {
    Some(ObservedComponent {
        name: summary.inference_component_name()?.parse().ok()?,
        endpoint: summary.endpoint_name()?.parse().ok()?,
        variant: summary.variant_name()?.parse().ok()?,
        status: EndpointStatus::parse(summary.inference_component_status()?.as_str()),
        created: convert::time(summary.creation_time()?),
        modified: convert::time(summary.last_modified_time()?),
        copies: None,
    })
}

fn concurrency(config: Option<&ProductionVariantServerlessConfig>) -> Option<Capacity> {
    config?
        .provisioned_concurrency()
        .and_then(convert::capacity)
}

/// What a variant runs on (aws-autoscaling.md 5.2). A host of components is told by its managed scaling.
fn variant(summary: &ProductionVariantSummary) -> ObservedVariant {
    let (current, desired) = (
        summary.current_serverless_config(),
        summary.desired_serverless_config(),
    );
    if let Some(config) = current.or(desired) {
        let running = Running {
            current: concurrency(current),
            desired: concurrency(desired).or_else(|| concurrency(current)),
        };
        return ObservedVariant::Serverless {
            max_concurrency: config.max_concurrency().and_then(convert::capacity),
            provisioned: (running != Running::default()).then_some(running),
        };
    }
    let running = Running {
        current: summary.current_instance_count().and_then(convert::capacity),
        desired: summary.desired_instance_count().and_then(convert::capacity),
    };
    let managed = summary.managed_instance_scaling();
    let enabled = managed.and_then(|m| m.status()) == Some(&ManagedInstanceScalingStatus::Enabled);
    if enabled {
        ObservedVariant::Components(running)
    } else {
        ObservedVariant::Instances(running)
    }
}

fn named(summary: &ProductionVariantSummary) -> Option<VariantName> {
    summary.variant_name()?.parse().ok()
}

fn configured(variant: &ProductionVariant) -> Option<(VariantName, ConfiguredVariant)> {
    let configured = ConfiguredVariant {
        instance_type: variant.instance_type().map(|t| t.as_str().to_owned()),
        initial: variant.initial_instance_count().and_then(convert::capacity),
        has_model: variant.model_name().is_some(),
    };
    Some((variant.variant_name()?.parse().ok()?, configured))
}

#[async_trait]
impl EndpointApi for SageMaker {
    async fn endpoints(&self) -> Listing<EndpointSummary> {
        const OPERATION: &str = "ListEndpoints";
        turn(OPERATION, |token| async {
            self.paces.endpoints.turn().await;
            // By name: the default order is by a time that changes while pages are turned.
            let page = self
                .client
                .list_endpoints()
                .sort_by(EndpointSortKey::Name)
                .sort_order(OrderKey::Ascending)
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.endpoints().iter().filter_map(summary);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn endpoint(&self, endpoint: &EndpointName) -> Result<EndpointDetails, ApiError> {
        self.paces.describes.turn().await;
        let answer = self
            .client
            .describe_endpoint()
            .endpoint_name(endpoint.as_str())
            .send()
            .await
            .map_err(|error| classify("DescribeEndpoint", &error))?;
        let production = answer.production_variants().iter();
        let production = production.filter_map(|v| Some((named(v)?, variant(v))));
        let shadows = answer.shadow_production_variants().iter();
        let shadows = shadows.filter_map(|v| Some((named(v)?, ObservedVariant::Shadow)));
        Ok(EndpointDetails {
            config: answer.endpoint_config_name().unwrap_or_default().to_owned(),
            is_async: answer.async_inference_config().is_some(),
            variants: production.chain(shadows).collect(),
        })
    }

    async fn config(&self, config: &str) -> Result<ObservedConfig, ApiError> {
        self.paces.configs.turn().await;
        let answer = self
            .client
            .describe_endpoint_config()
            .endpoint_config_name(config)
            .send()
            .await
            .map_err(|error| classify("DescribeEndpointConfig", &error))?;
        let every = answer
            .metrics_config()
            .and_then(MetricsConfig::metric_publish_frequency_in_seconds);
        let variants = answer.production_variants().iter();
        let variants = variants.chain(answer.shadow_production_variants());
        Ok(ObservedConfig {
            variants: variants.filter_map(configured).collect(),
            publishes_every: every.and_then(|every| u32::try_from(every).ok()),
        })
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        const OPERATION: &str = "ListTags";
        let listing = turn(OPERATION, |token| async {
            self.paces.tags.turn().await;
            let page = self
                .client
                .list_tags()
                .resource_arn(arn)
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let pair = |tag: &aws_sdk_sagemaker::types::Tag| {
                Some((tag.key()?.to_owned(), tag.value()?.to_owned()))
            };
            let items = page.tags().iter().filter_map(pair);
            Ok((items.collect(), page.next_token))
        })
        .await;
        match listing.gap {
            Some(gap) => Err(gap),
            None => Ok(listing.items.into_iter().collect()),
        }
    }

    async fn components(&self) -> Listing<ObservedComponent> {
        const OPERATION: &str = "ListInferenceComponents";
        turn(OPERATION, |token| async {
            self.paces.components.turn().await;
            let page = self
                .client
                .list_inference_components()
                .sort_by(InferenceComponentSortKey::Name)
                .sort_order(OrderKey::Ascending)
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.inference_components().iter().filter_map(component);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn copies(&self, component: &ComponentName) -> Result<Running, ApiError> {
        const OPERATION: &str = "DescribeInferenceComponent";
        self.paces.copies.turn().await;
        let answer = self
            .client
            .describe_inference_component()
            .inference_component_name(component.as_str())
            .send()
            .await
            .map_err(|error| classify(OPERATION, &error))?;
        let running = answer.runtime_config().map(|config| Running {
            current: config.current_copy_count().and_then(convert::capacity),
            desired: config.desired_copy_count().and_then(convert::capacity),
        });
        running.ok_or_else(|| unreadable(OPERATION, "holds no copies"))
    }
}
