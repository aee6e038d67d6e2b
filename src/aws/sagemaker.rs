//! SageMaker endpoints.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::types::{EndpointSortKey, EndpointSummary as Summary, OrderKey};

use super::convert;
use super::error::classify;
use super::pages::turn;
use crate::domain::{EndpointName, EndpointStatus, ObservedVariant, VariantName};
use crate::ports::{ApiError, EndpointApi, EndpointSummary, Listing};

/// The adapter.
#[derive(Debug, Clone)]
pub(super) struct SageMaker {
    client: Client,
}

impl SageMaker {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

/// AWS's largest page; the default is 10.
const PAGE: i32 = 100;

fn summary(summary: &Summary) -> Option<EndpointSummary> {
    Some(EndpointSummary {
        name: summary.endpoint_name()?.parse().ok()?,
        status: EndpointStatus::parse(summary.endpoint_status()?.as_str()),
        created: convert::time(summary.creation_time()?),
        modified: convert::time(summary.last_modified_time()?),
    })
}

#[async_trait]
impl EndpointApi for SageMaker {
    async fn endpoints(&self) -> Listing<EndpointSummary> {
        const OPERATION: &str = "ListEndpoints";
        turn(OPERATION, |token| async {
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

    async fn variants(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<VariantName, ObservedVariant>, ApiError> {
        let answer = self
            .client
            .describe_endpoint()
            .endpoint_name(endpoint.as_str())
            .send()
            .await
            .map_err(|error| classify("DescribeEndpoint", &error))?;
        let variants = answer.production_variants().iter().filter_map(|variant| {
            let observed = ObservedVariant {
                current: variant.current_instance_count().and_then(convert::capacity),
                desired: variant.desired_instance_count().and_then(convert::capacity),
            };
            Some((variant.variant_name()?.parse().ok()?, observed))
        });
        Ok(variants.collect())
    }
}
