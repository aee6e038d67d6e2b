//! Endpoint configs of SageMaker.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::fleet::EndpointConfig;
use super::super::time::Timestamp;
use super::super::world::World;
use super::endpoints::sagemaker_token;
use super::sagemaker_tags::{Tag, pairs};
use super::variant_specs::{parse_variant, shadow_specs};
use super::{Empty, page};

/// Input of `CreateEndpointConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateEndpointConfig {
    /// Unique in the account.
    pub endpoint_config_name: Option<String>,
    /// 1 to 10.
    pub production_variants: Option<Vec<Value>>,
    /// At most 50.
    pub tags: Option<Vec<Tag>>,
    /// Everything else, kept and given back.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

/// Output of `CreateEndpointConfig`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEndpointConfigResponse {
    /// The config's ARN.
    pub endpoint_config_arn: String,
}

/// Input of `DescribeEndpointConfig` and `DeleteEndpointConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointConfigNameOnly {
    /// The config.
    pub endpoint_config_name: Option<String>,
}

/// Output of `DescribeEndpointConfig`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeEndpointConfigResponse {
    /// Its name.
    pub endpoint_config_name: String,
    /// Its ARN.
    pub endpoint_config_arn: String,
    /// As created.
    pub production_variants: Vec<Value>,
    /// When it was created.
    pub creation_time: Timestamp,
    /// Everything else, as created.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

/// Input of `ListEndpointConfigs`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListEndpointConfigs {
    /// `Name` or `CreationTime`.
    pub sort_by: Option<String>,
    /// `Ascending` or `Descending`.
    pub sort_order: Option<String>,
    /// From the page before.
    pub next_token: Option<String>,
    /// 1 to 100.
    pub max_results: Option<i64>,
    /// Only names with this part.
    pub name_contains: Option<String>,
}

/// Output of `ListEndpointConfigs`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEndpointConfigsResponse {
    /// A page.
    pub endpoint_configs: Vec<EndpointConfigSummary>,
    /// Present when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A config in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointConfigSummary {
    /// Its name.
    pub endpoint_config_name: String,
    /// Its ARN.
    pub endpoint_config_arn: String,
    /// When it was created.
    pub creation_time: Timestamp,
}

impl World {
    pub(crate) fn config_arn(&self, name: &str) -> String {
        let (region, account) = (&self.options.region, &self.options.account);
        format!("arn:aws:sagemaker:{region}:{account}:endpoint-config/{name}")
    }

    /// Creates an endpoint config.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn create_endpoint_config(
        &mut self,
        request: &CreateEndpointConfig,
    ) -> Result<CreateEndpointConfigResponse, ApiError> {
        let name = request.endpoint_config_name.as_ref();
        let variants = request.production_variants.as_ref();
        Checks::default()
            .required("endpointConfigName", name)
            .sagemaker_name("endpointConfigName", name)
            .required("productionVariants", variants)
            .entries("productionVariants", variants, 1, 10)
            .entries("tags", request.tags.as_ref(), 0, 50)
            .finish()?;
        let name = name.cloned().unwrap_or_default();
        let arn = self.config_arn(&name);
        if self.fleet.configs.contains_key(&name) {
            return Err(ApiError::validation(format!(
                "Cannot create already existing endpoint configuration \"{arn}\"."
            )));
        }
        let variants = variants
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(i, raw)| parse_variant(raw, "productionVariants", i + 1))
            .collect::<Result<Vec<_>, _>>()?;
        let shadows = shadow_specs(&request.extra)?;
        let all = variants.iter().chain(&shadows);
        let mut names: Vec<&str> = all.map(|v| v.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(ApiError::validation(
                "Variant names must be unique in an endpoint configuration.",
            ));
        }
        let config = EndpointConfig {
            name: name.clone(),
            arn: arn.clone(),
            created: self.now,
            variants,
            shadows,
            extra: request.extra.clone(),
            tags: pairs(request.tags.as_deref().unwrap_or_default()),
        };
        self.fleet.configs.insert(name, config);
        Ok(CreateEndpointConfigResponse {
            endpoint_config_arn: arn,
        })
    }

    /// Finds a config by name.
    pub(super) fn config_named(&self, name: &str) -> Result<&EndpointConfig, ApiError> {
        self.fleet.configs.get(name).ok_or_else(|| {
            ApiError::validation(format!(
                "Could not find endpoint configuration \"{}\".",
                self.config_arn(name)
            ))
        })
    }

    fn config_of(&self, request: &EndpointConfigNameOnly) -> Result<&EndpointConfig, ApiError> {
        let name = request.endpoint_config_name.as_ref();
        Checks::default()
            .required("endpointConfigName", name)
            .sagemaker_name("endpointConfigName", name)
            .finish()?;
        self.config_named(name.map(String::as_str).unwrap_or_default())
    }

    /// Shows a config.
    ///
    /// # Errors
    /// `ValidationException` when there is no such config.
    pub fn describe_endpoint_config(
        &self,
        request: &EndpointConfigNameOnly,
    ) -> Result<DescribeEndpointConfigResponse, ApiError> {
        let config = self.config_of(request)?;
        Ok(DescribeEndpointConfigResponse {
            endpoint_config_name: config.name.clone(),
            endpoint_config_arn: config.arn.clone(),
            production_variants: config.variants.iter().map(|v| v.raw.clone()).collect(),
            creation_time: Timestamp(config.created),
            extra: config.extra.clone(),
        })
    }

    /// Deletes a config. Endpoints made from it go on.
    ///
    /// # Errors
    /// `ValidationException` when there is no such config.
    pub fn delete_endpoint_config(
        &mut self,
        request: &EndpointConfigNameOnly,
    ) -> Result<Empty, ApiError> {
        let name = self.config_of(request)?.name.clone();
        self.fleet.configs.remove(&name);
        Ok(Empty {})
    }

    /// Lists configs.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn list_endpoint_configs(
        &self,
        request: &ListEndpointConfigs,
    ) -> Result<ListEndpointConfigsResponse, ApiError> {
        Checks::default()
            .one_of(
                "sortBy",
                request.sort_by.as_ref(),
                &["Name", "CreationTime"],
            )
            .one_of(
                "sortOrder",
                request.sort_order.as_ref(),
                &["Ascending", "Descending"],
            )
            .range("maxResults", request.max_results, 1, 100)
            .finish()?;
        let mut configs: Vec<&EndpointConfig> = self
            .fleet
            .configs
            .values()
            .filter(|c| {
                request
                    .name_contains
                    .as_ref()
                    .is_none_or(|part| c.name.contains(part.as_str()))
            })
            .collect();
        if request.sort_by.as_deref() != Some("Name") {
            configs.sort_by_key(|c| c.created);
        }
        if request.sort_order.as_deref() != Some("Ascending") {
            configs.reverse();
        }
        let summaries = configs
            .into_iter()
            .map(|c| EndpointConfigSummary {
                endpoint_config_name: c.name.clone(),
                endpoint_config_arn: c.arn.clone(),
                creation_time: Timestamp(c.created),
            })
            .collect();
        let key = (
            "configs",
            &request.sort_by,
            &request.sort_order,
            &request.name_contains,
        );
        let size = page::size(request.max_results, 10);
        let (endpoint_configs, next_token) =
            page::cut(summaries, &key, request.next_token.as_ref(), size)
                .ok_or_else(sagemaker_token)?;
        Ok(ListEndpointConfigsResponse {
            endpoint_configs,
            next_token,
        })
    }
}
