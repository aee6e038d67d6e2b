//! Shapes of the operations on inference components.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::time::Timestamp;
use super::sagemaker_tags::Tag;

/// A number of copies, in requests.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CopyCount {
    /// 0 or more.
    pub copy_count: Option<i64>,
}

/// Input of `CreateInferenceComponent`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateInferenceComponent {
    /// Unique in the account.
    pub inference_component_name: Option<String>,
    /// The endpoint, which must be in service.
    pub endpoint_name: Option<String>,
    /// The variant that hosts it; the first one that hosts components when left out.
    pub variant_name: Option<String>,
    /// Kept, and partly given back.
    pub specification: Option<Value>,
    /// Its copies, 1 when left out.
    pub runtime_config: Option<CopyCount>,
    /// At most 50.
    pub tags: Option<Vec<Tag>>,
}

/// Output of the operations that create or change a component.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InferenceComponentArnOnly {
    /// The component's ARN.
    pub inference_component_arn: String,
}

/// Input of `DescribeInferenceComponent` and `DeleteInferenceComponent`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InferenceComponentNameOnly {
    /// The component.
    pub inference_component_name: Option<String>,
}

/// Input of `UpdateInferenceComponentRuntimeConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateInferenceComponentRuntimeConfig {
    /// The component.
    pub inference_component_name: Option<String>,
    /// The copies that it shall have.
    pub desired_runtime_config: Option<CopyCount>,
}

/// Copies of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeConfigSummary {
    /// Asked for.
    pub desired_copy_count: u32,
    /// In service.
    pub current_copy_count: u32,
}

/// Output of `DescribeInferenceComponent`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeInferenceComponentResponse {
    /// Its name.
    pub inference_component_name: String,
    /// Its ARN.
    pub inference_component_arn: String,
    /// Its endpoint.
    pub endpoint_name: String,
    /// Its endpoint's ARN.
    pub endpoint_arn: String,
    /// The variant that hosts it.
    pub variant_name: String,
    /// Why its last change failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<&'static str>,
    /// Model and resources, as created.
    pub specification: Value,
    /// Its copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_config: Option<RuntimeConfigSummary>,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last changed.
    pub last_modified_time: Timestamp,
    /// Its status.
    pub inference_component_status: &'static str,
}

/// Input of `ListInferenceComponents`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListInferenceComponents {
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
    /// Only of this endpoint.
    pub endpoint_name_equals: Option<String>,
    /// Only on this variant.
    pub variant_name_equals: Option<String>,
}

/// Output of `ListInferenceComponents`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInferenceComponentsResponse {
    /// A page.
    pub inference_components: Vec<InferenceComponentSummary>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A component in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InferenceComponentSummary {
    /// Its name.
    pub inference_component_name: String,
    /// Its ARN.
    pub inference_component_arn: String,
    /// Its endpoint's ARN.
    pub endpoint_arn: String,
    /// Its endpoint.
    pub endpoint_name: String,
    /// The variant that hosts it.
    pub variant_name: String,
    /// Its status.
    pub inference_component_status: &'static str,
    /// When it was created.
    pub creation_time: Timestamp,
    /// When it last changed.
    pub last_modified_time: Timestamp,
}
