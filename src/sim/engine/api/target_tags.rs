//! Tags of targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::scaling::ScalableTarget;
use super::super::world::World;
use super::Empty;

/// Tags by key.
pub type TagMap = BTreeMap<String, String>;

/// Input of `ListTagsForResource`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ResourceArnOnly {
    /// A target's ARN.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: Option<String>,
}

/// Input of `TagResource`, and with `Tags` alone the output of `ListTagsForResource`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagResource {
    /// A target's ARN.
    #[serde(rename = "ResourceARN", skip_serializing_if = "Option::is_none")]
    pub resource_arn: Option<String>,
    /// Tags to set.
    pub tags: Option<TagMap>,
}

/// Input of `UntagResource`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UntagResource {
    /// A target's ARN.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: Option<String>,
    /// Keys to remove.
    pub tag_keys: Option<Vec<String>>,
}

/// Tags per target.
pub(super) const MAX_TAGS: usize = 50;

impl World {
    fn tagged(&mut self, arn: Option<&String>) -> Result<&mut ScalableTarget, ApiError> {
        let mut checks = Checks::default();
        checks
            .required("resourceARN", arn)
            .length("resourceARN", arn, 1, 1011)
            .finish()?;
        let arn = arn.map(String::as_str).unwrap_or_default();
        self.scaling
            .targets
            .iter_mut()
            .flatten()
            .find(|t| t.arn == arn)
            .ok_or_else(|| {
                ApiError::resource_not_found(format!("The resource {arn} does not exist."))
            })
    }

    /// Tags a target.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `TooManyTagsException`, `ValidationException`.
    pub fn tag_resource(&mut self, request: &TagResource) -> Result<Empty, ApiError> {
        Checks::default()
            .required("tags", request.tags.as_ref())
            .finish()?;
        let tags = request.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
        let target = self.tagged(request.resource_arn.as_ref())?;
        let fresh = tags
            .keys()
            .filter(|k| !target.tags.contains_key(*k))
            .count();
        if target.tags.len() + fresh > MAX_TAGS {
            return Err(ApiError::too_many_tags(format!(
                "The resource {} would have more than {MAX_TAGS} tags.",
                target.arn
            )));
        }
        target.tags.extend(tags);
        Ok(Empty {})
    }

    /// Removes tags from a target.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `ValidationException`.
    pub fn untag_resource(&mut self, request: &UntagResource) -> Result<Empty, ApiError> {
        let keys = request.tag_keys.as_ref();
        Checks::default()
            .required("tagKeys", keys)
            .entries("tagKeys", keys, 0, 200)
            .finish()?;
        let target = self.tagged(request.resource_arn.as_ref())?;
        for key in keys.into_iter().flatten() {
            target.tags.remove(key);
        }
        Ok(Empty {})
    }

    /// Lists the tags of a target.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn list_tags_for_resource(
        &mut self,
        request: &ResourceArnOnly,
    ) -> Result<TagResource, ApiError> {
        let tags = self.tagged(request.resource_arn.as_ref())?.tags.clone();
        Ok(TagResource {
            resource_arn: None,
            tags: Some(tags),
        })
    }
}

pub(super) fn check_tags(tags: &TagMap) -> Result<(), ApiError> {
    let mut checks = Checks::default();
    for (key, value) in tags {
        checks
            .length("tags.key", Some(key), 1, 128)
            .length("tags.value", Some(value), 0, 256);
    }
    checks.finish()?;
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(ApiError::validation(
            "Tag keys starting with aws: are reserved.",
        ));
    }
    Ok(())
}
