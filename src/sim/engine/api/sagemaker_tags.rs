//! Tags of endpoints and of their configs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::world::World;
use super::page;

use super::endpoints::sagemaker_token;

/// A tag of SageMaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

pub(super) fn pairs(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .map(|t| (t.key.clone(), t.value.clone()))
        .collect()
}

/// Input of `ListTags`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTags {
    /// Of an endpoint, an endpoint config or an inference component.
    pub resource_arn: Option<String>,
    /// At least 50.
    pub max_results: Option<i64>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// Input of `AddTags`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddTags {
    /// Of an endpoint, an endpoint config or an inference component.
    pub resource_arn: Option<String>,
    /// Tags to set.
    pub tags: Option<Vec<Tag>>,
}

/// Output of `ListTags` and `AddTags`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagsResponse {
    /// Tags in order of key.
    pub tags: Vec<Tag>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Tags of a SageMaker resource.
pub(super) const MAX_TAGS: usize = 50;

impl World {
    fn tags_of(&mut self, arn: Option<&String>) -> Result<&mut BTreeMap<String, String>, ApiError> {
        Checks::default()
            .required("resourceArn", arn)
            .length("resourceArn", arn, 0, 256)
            .finish()?;
        let arn = arn.map(String::as_str).unwrap_or_default();
        let not_found = || ApiError::validation(format!("Could not find resource \"{arn}\"."));
        let (_, name) = arn.rsplit_once('/').ok_or_else(not_found)?;
        if arn.contains(":endpoint-config/") {
            let config = self.fleet.configs.get_mut(name).filter(|c| c.arn == arn);
            return config.map(|c| &mut c.tags).ok_or_else(not_found);
        }
        if arn.contains(":inference-component/") {
            let index = self.components.index_of(name).ok_or_else(not_found)?;
            let component = self.components.get_mut(index).filter(|c| c.arn == arn);
            return component.map(|c| &mut c.tags).ok_or_else(not_found);
        }
        let index = self.fleet.index_of(name).ok_or_else(not_found)?;
        let endpoint = self.fleet.get_mut(index).filter(|e| e.arn == arn);
        endpoint.map(|e| &mut e.tags).ok_or_else(not_found)
    }

    /// Lists the tags of an endpoint or a config.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn list_tags(&mut self, request: &ListTags) -> Result<TagsResponse, ApiError> {
        Checks::default()
            .range("maxResults", request.max_results, 50, i64::from(i32::MAX))
            .finish()?;
        let tags = shapes(self.tags_of(request.resource_arn.as_ref())?);
        let key = ("tags", &request.resource_arn);
        let size = page::size(request.max_results, 50);
        let (tags, next_token) =
            page::cut(tags, &key, request.next_token.as_ref(), size).ok_or_else(sagemaker_token)?;
        Ok(TagsResponse { tags, next_token })
    }

    /// Tags an endpoint or a config.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn add_tags(&mut self, request: &AddTags) -> Result<TagsResponse, ApiError> {
        let wanted = request.tags.as_ref();
        Checks::default()
            .required("tags", wanted)
            .entries("tags", wanted, 0, MAX_TAGS)
            .finish()?;
        let held = self.tags_of(request.resource_arn.as_ref())?;
        let mut tags = held.clone();
        tags.extend(pairs(wanted.map(Vec::as_slice).unwrap_or_default()));
        if tags.len() > MAX_TAGS {
            return Err(ApiError::validation(format!(
                "The resource would have more than {MAX_TAGS} tags."
            )));
        }
        *held = tags;
        Ok(TagsResponse {
            tags: shapes(held),
            next_token: None,
        })
    }
}

fn shapes(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}
