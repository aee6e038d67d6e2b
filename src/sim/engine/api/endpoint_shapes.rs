//! Shapes of the operations on endpoints.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::time::Timestamp;
use super::sagemaker_tags::Tag;

/// Input of `CreateEndpoint`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateEndpoint {
    /// Unique in the account.
    pub endpoint_name: Option<String>,
    /// Must exist.
    pub endpoint_config_name: Option<String>,
    /// At most 50.
    pub tags: Option<Vec<Tag>>,
}

/// Output of the operations that create or change an endpoint.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointArnOnly {
    /// The endpoint's ARN.
    pub endpoint_arn: String,
}

/// Input of `DescribeEndpoint` and `DeleteEndpoint`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointNameOnly {
    /// The endpoint.
    pub endpoint_name: Option<String>,
}

/// Output of `DescribeEndpoint`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeEndpointResponse {
    /// Its name.
    pub endpoint_name: String,
    /// Its ARN.
    pub endpoint_arn: String,
    /// Its config.
    pub endpoint_config_name: String,
    /// Absent while it is being created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub production_variants: Vec<VariantSummary>,
    /// Its status.
    pub endpoint_status: &'static str,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last changed.
    pub last_modified_time: Timestamp,
    /// Why it could not be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<&'static str>,
    /// Variants that only get a copy of the traffic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadow_production_variants: Vec<VariantSummary>,
    /// Present when the endpoint is asynchronous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_inference_config: Option<Value>,
}

/// A variant as `DescribeEndpoint` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VariantSummary {
    /// Its name.
    pub variant_name: String,
    /// Its share of the traffic.
    pub current_weight: f64,
    /// The share asked for.
    pub desired_weight: f64,
    /// Absent for serverless variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_instance_count: Option<u32>,
    /// Absent for serverless variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_instance_count: Option<u32>,
    /// Only of serverless variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_serverless_config: Option<ServerlessConfigShape>,
    /// Only of serverless variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_serverless_config: Option<ServerlessConfigShape>,
    /// Only of variants that host components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_instance_scaling: Option<Value>,
}

/// The concurrency of a serverless variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServerlessConfigShape {
    /// 1024 to 6144, in steps of 1024.
    #[serde(rename = "MemorySizeInMB")]
    pub memory_size_in_m_b: u32,
    /// 1 to 200.
    pub max_concurrency: u32,
    /// Absent when nothing is provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_concurrency: Option<u32>,
}

/// Input of `ListEndpoints`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListEndpoints {
    /// `Name`, `CreationTime` or `Status`.
    pub sort_by: Option<String>,
    /// `Ascending` or `Descending`.
    pub sort_order: Option<String>,
    /// From the page before.
    pub next_token: Option<String>,
    /// 1 to 100, 10 unless said otherwise.
    pub max_results: Option<i64>,
    /// Only names with this part.
    pub name_contains: Option<String>,
    /// Only created before.
    pub creation_time_before: Option<Timestamp>,
    /// Only created after.
    pub creation_time_after: Option<Timestamp>,
    /// Only changed before.
    pub last_modified_time_before: Option<Timestamp>,
    /// Only changed after.
    pub last_modified_time_after: Option<Timestamp>,
    /// Only in this status.
    pub status_equals: Option<String>,
}

/// Output of `ListEndpoints`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEndpointsResponse {
    /// A page.
    pub endpoints: Vec<EndpointSummary>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An endpoint in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointSummary {
    /// Its name.
    pub endpoint_name: String,
    /// Its ARN.
    pub endpoint_arn: String,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last changed.
    pub last_modified_time: Timestamp,
    /// Its status.
    pub endpoint_status: &'static str,
}

/// Input of `UpdateEndpoint`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateEndpoint {
    /// The endpoint.
    pub endpoint_name: Option<String>,
    /// Its next config.
    pub endpoint_config_name: Option<String>,
    /// Keep counts and weights; without it they start from the config again.
    pub retain_all_variant_properties: Option<bool>,
    /// Not kept even so.
    pub exclude_retained_variant_properties: Option<Vec<Value>>,
}

/// Input of `UpdateEndpointWeightsAndCapacities`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateEndpointWeightsAndCapacities {
    /// The endpoint.
    pub endpoint_name: Option<String>,
    /// Weights of any number of variants, a count of one.
    pub desired_weights_and_capacities: Option<Vec<DesiredWeightAndCapacity>>,
}

/// What is wanted of one variant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DesiredWeightAndCapacity {
    /// The variant.
    pub variant_name: Option<String>,
    /// Its share of the traffic.
    pub desired_weight: Option<f64>,
    /// Its instances.
    pub desired_instance_count: Option<i64>,
    /// Its concurrency, if it is serverless.
    pub serverless_update_config: Option<ServerlessUpdateConfig>,
}

/// What is wanted of a serverless variant.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServerlessUpdateConfig {
    /// 1 to 200.
    pub max_concurrency: Option<i64>,
    /// 1 to the most.
    pub provisioned_concurrency: Option<i64>,
}
