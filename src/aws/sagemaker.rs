//! SageMaker endpoints.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::types::{EndpointSortKey, EndpointSummary as Summary, OrderKey};

use super::convert;
use super::error::classify;
use super::pace::Pacer;
use super::pages::turn;
use crate::domain::{EndpointName, EndpointStatus, ObservedVariant, VariantName};
use crate::ports::{ApiError, EndpointApi, EndpointSummary, Listing};

/// The adapter.
#[derive(Debug)]
pub(super) struct SageMaker {
    client: Client,
    lists: Pacer,
    describes: Pacer,
}

/// AWS's rates per account and region are 2 and 5 calls a second, for everyone together (aws-autoscaling.md 5.1).
const LISTS_PER_SECOND: f64 = 1.5;
const DESCRIBES_PER_SECOND: f64 = 4.0;

impl SageMaker {
    /// An adapter that keeps below AWS's rates.
    pub(super) fn paced(client: Client) -> Self {
        Self {
            client,
            lists: Pacer::per_second(LISTS_PER_SECOND),
            describes: Pacer::per_second(DESCRIBES_PER_SECOND),
        }
    }

    /// An adapter for a server of one's own.
    pub(super) fn unpaced(client: Client) -> Self {
        Self {
            client,
            lists: Pacer::free(),
            describes: Pacer::free(),
        }
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
            self.lists.turn().await;
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
        self.describes.turn().await;
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
