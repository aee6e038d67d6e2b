//! Endpoints of SageMaker.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::chance::Purpose;
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::fleet::{Change, Endpoint, Fleet, Machine, Status, Variant};
use super::super::time::{Span, Timestamp};
use super::super::traffic::Traffic;
use super::super::world::World;
use super::sagemaker_tags::{MAX_TAGS, Tag, pairs};
use super::{Empty, page};

pub(super) fn sagemaker_token() -> ApiError {
    ApiError::validation("The provided NextToken is invalid.")
}

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
}

const STATUSES: [&str; 9] = [
    "OutOfService",
    "Creating",
    "Updating",
    "SystemUpdating",
    "RollingBack",
    "InService",
    "Deleting",
    "Failed",
    "UpdateRollbackFailed",
];

impl World {
    pub(crate) fn endpoint_arn(&self, name: &str) -> String {
        let (region, account) = (&self.options.region, &self.options.account);
        format!("arn:aws:sagemaker:{region}:{account}:endpoint/{name}")
    }

    /// Creates an endpoint from a config. It serves after a while.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn create_endpoint(
        &mut self,
        request: &CreateEndpoint,
    ) -> Result<EndpointArnOnly, ApiError> {
        let (name, config) = (
            request.endpoint_name.as_ref(),
            request.endpoint_config_name.as_ref(),
        );
        Checks::default()
            .required("endpointName", name)
            .sagemaker_name("endpointName", name)
            .required("endpointConfigName", config)
            .sagemaker_name("endpointConfigName", config)
            .entries("tags", request.tags.as_ref(), 0, MAX_TAGS)
            .finish()?;
        let name = name.cloned().unwrap_or_default();
        let arn = self.endpoint_arn(&name);
        if self.fleet.named(&name).is_some() {
            return Err(ApiError::validation(format!(
                "Cannot create already existing endpoint \"{arn}\"."
            )));
        }
        let config = self
            .config_named(config.map(String::as_str).unwrap_or_default())?
            .clone();
        let (start_up, retention) = (self.options.start_up, self.options.metric_retention);
        let variants = config
            .variants
            .iter()
            .map(|spec| {
                let machine = Machine::of_type(spec.instance_type.as_deref(), start_up);
                let meter = self.metrics.meter_for(&name, &spec.name, retention);
                Variant::new(spec, machine, meter)
            })
            .collect();
        let traffic = Traffic::none();
        let endpoint = Endpoint::new(
            &name,
            arn.clone(),
            &config.name,
            variants,
            traffic,
            self.now,
        );
        let index = self.fleet.insert(endpoint);
        let serial = self.fleet.get(index).map_or(0, |e| e.serial);
        if let Some(endpoint) = self.fleet.get_mut(index) {
            endpoint.tags = pairs(request.tags.as_deref().unwrap_or_default());
        }
        self.alarms.resolve(&self.metrics);
        let span = self.draw(Purpose::Deployment, serial, 0, self.options.creation);
        self.start_change(index, Change::Create, span);
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }

    /// Finds an endpoint by name, or raises SageMaker's error, which its model does not list.
    fn endpoint_named(&self, name: Option<&String>) -> Result<(usize, &Endpoint), ApiError> {
        Checks::default()
            .required("endpointName", name)
            .sagemaker_name("endpointName", name)
            .finish()?;
        let name = name.map(String::as_str).unwrap_or_default();
        self.fleet
            .index_of(name)
            .and_then(|i| Some((i, self.fleet.get(i)?)))
            .ok_or_else(|| {
                ApiError::validation(format!(
                    "Could not find endpoint \"{}\".",
                    self.endpoint_arn(name)
                ))
            })
    }

    /// Shows an endpoint.
    ///
    /// # Errors
    /// `ValidationException` when there is no such endpoint.
    pub fn describe_endpoint(
        &self,
        request: &EndpointNameOnly,
    ) -> Result<DescribeEndpointResponse, ApiError> {
        let (_, endpoint) = self.endpoint_named(request.endpoint_name.as_ref())?;
        let config = self.fleet.configs.get(&endpoint.config);
        let variants: &[Variant] = if endpoint.status == Status::Creating {
            &[]
        } else {
            &endpoint.variants
        };
        Ok(DescribeEndpointResponse {
            endpoint_name: endpoint.name.clone(),
            endpoint_arn: endpoint.arn.clone(),
            endpoint_config_name: endpoint.config.clone(),
            production_variants: variants.iter().map(variant_summary).collect(),
            endpoint_status: endpoint.status.word(),
            creation_time: Timestamp(endpoint.created),
            last_modified_time: Timestamp(endpoint.modified),
            async_inference_config: config
                .and_then(|c| c.extra.get("AsyncInferenceConfig").cloned()),
        })
    }

    /// Deletes an endpoint. Its targets are deregistered without a word.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn delete_endpoint(&mut self, request: &EndpointNameOnly) -> Result<Empty, ApiError> {
        let (index, endpoint) = self.endpoint_named(request.endpoint_name.as_ref())?;
        if !matches!(endpoint.status, Status::InService) {
            return Err(in_progress(endpoint));
        }
        let (name, serial) = (endpoint.name.clone(), endpoint.serial);
        let of_endpoint = |t: &&super::super::scaling::ScalableTarget| t.endpoint == name;
        let keys: Vec<_> = self
            .scaling
            .targets_by_key()
            .filter(of_endpoint)
            .map(|t| (t.resource_id.to_string(), t.dimension.to_string()))
            .collect();
        for (resource_id, dimension) in keys {
            if let Some(target) = self.scaling.find(&resource_id, &dimension) {
                self.remove_target(target);
            }
        }
        let span = self.draw(Purpose::Deployment, serial, 1, self.options.deletion);
        self.start_change(index, Change::Delete, span);
        Ok(Empty {})
    }

    /// Lists endpoints.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn list_endpoints(
        &self,
        request: &ListEndpoints,
    ) -> Result<ListEndpointsResponse, ApiError> {
        Checks::default()
            .one_of(
                "sortBy",
                request.sort_by.as_ref(),
                &["Name", "CreationTime", "Status"],
            )
            .one_of(
                "sortOrder",
                request.sort_order.as_ref(),
                &["Ascending", "Descending"],
            )
            .one_of("statusEquals", request.status_equals.as_ref(), &STATUSES)
            .range("maxResults", request.max_results, 1, 100)
            .finish()?;
        let wanted = |e: &&Endpoint| {
            request
                .name_contains
                .as_ref()
                .is_none_or(|part| e.name.contains(part.as_str()))
                && request
                    .status_equals
                    .as_ref()
                    .is_none_or(|s| s == e.status.word())
                && request.creation_time_before.is_none_or(|t| e.created < t.0)
                && request.creation_time_after.is_none_or(|t| e.created > t.0)
                && request
                    .last_modified_time_before
                    .is_none_or(|t| e.modified < t.0)
                && request
                    .last_modified_time_after
                    .is_none_or(|t| e.modified > t.0)
        };
        let mut endpoints: Vec<&Endpoint> = self.fleet.iter().filter(wanted).collect();
        match request.sort_by.as_deref() {
            Some("Name") => {}
            Some("Status") => endpoints.sort_by_key(|e| e.status.word()),
            _ => endpoints.sort_by_key(|e| e.created),
        }
        if request.sort_order.as_deref() != Some("Ascending") {
            endpoints.reverse();
        }
        let summaries = endpoints
            .into_iter()
            .map(|e| EndpointSummary {
                endpoint_name: e.name.clone(),
                endpoint_arn: e.arn.clone(),
                creation_time: Timestamp(e.created),
                last_modified_time: Timestamp(e.modified),
                endpoint_status: e.status.word(),
            })
            .collect();
        let key = (
            "endpoints",
            (
                &request.sort_by,
                &request.sort_order,
                &request.name_contains,
            ),
            &request.status_equals,
        );
        let size = page::size(request.max_results, 10);
        let (endpoints, next_token) = page::cut(summaries, &key, request.next_token.as_ref(), size)
            .ok_or_else(sagemaker_token)?;
        Ok(ListEndpointsResponse {
            endpoints,
            next_token,
        })
    }

    /// Gives an endpoint a new config. Unless told to retain them, counts and weights start from it again.
    ///
    /// # Errors
    /// `ValidationException`, also when the update would remove a registered variant or change its instance type.
    pub fn update_endpoint(
        &mut self,
        request: &UpdateEndpoint,
    ) -> Result<EndpointArnOnly, ApiError> {
        let wanted = request.endpoint_config_name.as_ref();
        Checks::default()
            .required("endpointConfigName", wanted)
            .sagemaker_name("endpointConfigName", wanted)
            .finish()?;
        let (index, endpoint) = self.endpoint_named(request.endpoint_name.as_ref())?;
        if endpoint.status != Status::InService {
            return Err(in_progress(endpoint));
        }
        let config = self.config_named(wanted.map(String::as_str).unwrap_or_default())?;
        self.refuse_to_break_targets(endpoint, &config.variants)?;
        let excluded: Vec<&str> = request
            .exclude_retained_variant_properties
            .iter()
            .flatten()
            .filter_map(|p| p.get("VariantPropertyType").and_then(Value::as_str))
            .collect();
        let retains = |property: &str| {
            request.retain_all_variant_properties.unwrap_or(false) && !excluded.contains(&property)
        };
        let (name, serial, arn) = (endpoint.name.clone(), endpoint.serial, endpoint.arn.clone());
        let (before, config) = (endpoint.variants.clone(), config.clone());
        let (start_up, retention) = (self.options.start_up, self.options.metric_retention);
        let variants = config
            .variants
            .iter()
            .map(|spec| {
                let old = before.iter().find(|v| v.name == spec.name);
                let machine = old
                    .filter(|v| v.instance_type == spec.instance_type)
                    .map_or_else(
                        || Machine::of_type(spec.instance_type.as_deref(), start_up),
                        |v| v.machine,
                    );
                let meter = self.metrics.meter_for(&name, &spec.name, retention);
                let mut variant = Variant::new(spec, machine, meter);
                if let Some(old) = old {
                    if retains("DesiredInstanceCount") {
                        (variant.current, variant.desired) = (old.current, old.desired);
                    }
                    if retains("DesiredWeight") {
                        variant.current_weight = old.current_weight;
                        variant.desired_weight = old.desired_weight;
                    }
                }
                variant
            })
            .collect();
        self.alarms.resolve(&self.metrics);
        let at = self.now.millis().unsigned_abs();
        let span = self.draw(Purpose::Deployment, serial, at, self.options.creation);
        self.start_change(
            index,
            Change::Config {
                config: config.name,
                variants,
            },
            span,
        );
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }

    fn refuse_to_break_targets(
        &self,
        endpoint: &Endpoint,
        next: &[super::super::fleet::VariantSpec],
    ) -> Result<(), ApiError> {
        for target in self
            .scaling
            .targets_by_key()
            .filter(|t| t.endpoint == endpoint.name)
        {
            let now = endpoint
                .variant(&target.variant)
                .and_then(|v| v.instance_type.as_ref());
            let then = next.iter().find(|v| v.name == target.variant);
            if then.is_none_or(|v| v.instance_type.as_ref() != now) {
                return Err(ApiError::validation(format!(
                    "The variant(s) \"{}\" must be deregistered as scalable targets with Application Auto Scaling \
                     before they can be removed or have their instance type updated.",
                    target.variant
                )));
            }
        }
        Ok(())
    }

    /// Changes weights of variants, and the instance count of at most one.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn update_endpoint_weights_and_capacities(
        &mut self,
        request: &UpdateEndpointWeightsAndCapacities,
    ) -> Result<EndpointArnOnly, ApiError> {
        let wanted = request.desired_weights_and_capacities.as_ref();
        Checks::default()
            .required("desiredWeightsAndCapacities", wanted)
            .entries("desiredWeightsAndCapacities", wanted, 1, usize::MAX)
            .finish()?;
        let wanted = wanted.cloned().unwrap_or_default();
        let (index, endpoint) = self.endpoint_named(request.endpoint_name.as_ref())?;
        check_desired(endpoint, &wanted)?;
        if endpoint.status != Status::InService {
            return Err(in_progress(endpoint));
        }
        let (arn, now, chance) = (endpoint.arn.clone(), self.now, self.chance);
        let mut span = Span::from_secs(30);
        for entry in &wanted {
            let count = entry
                .desired_instance_count
                .and_then(|n| u32::try_from(n).ok());
            let Some(endpoint) = self.fleet.get_mut(index) else {
                continue;
            };
            let name = entry.variant_name.as_deref().unwrap_or_default();
            if let Some((count, variant)) = count.zip(endpoint.variant(name)) {
                let grows = count > variant.current;
                let scale_in = self.options.scale_in;
                span = Fleet::capacity_span(endpoint, variant, grows, scale_in, now, chance);
            }
            if let Some(variant) = endpoint.variants.iter_mut().find(|v| v.name == name) {
                variant.desired = count.unwrap_or(variant.desired);
                variant.desired_weight = entry.desired_weight.unwrap_or(variant.desired_weight);
            }
        }
        self.start_change(index, Change::Capacity { activity: None }, span);
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }
}

fn in_progress(endpoint: &Endpoint) -> ApiError {
    ApiError::validation(format!(
        "Cannot update in-progress endpoint \"{}\".",
        endpoint.arn
    ))
}

fn variant_summary(variant: &Variant) -> VariantSummary {
    let counted = variant.instance_type.is_some();
    VariantSummary {
        variant_name: variant.name.clone(),
        current_weight: variant.current_weight,
        desired_weight: variant.desired_weight,
        current_instance_count: counted.then_some(variant.current),
        desired_instance_count: counted.then_some(variant.desired),
    }
}

fn check_desired(endpoint: &Endpoint, wanted: &[DesiredWeightAndCapacity]) -> Result<(), ApiError> {
    let mut counts = 0;
    for (number, entry) in (1..).zip(wanted) {
        let at = |member: &str| format!("desiredWeightsAndCapacities.{number}.member.{member}");
        let name = entry.variant_name.as_ref();
        Checks::default()
            .required(&at("variantName"), name)
            .sagemaker_name(&at("variantName"), name)
            .range(&at("desiredWeight"), entry.desired_weight, 0.0, f64::MAX)
            .range(
                &at("desiredInstanceCount"),
                entry.desired_instance_count,
                0,
                i64::from(i32::MAX),
            )
            .finish()?;
        let name = name.map(String::as_str).unwrap_or_default();
        if endpoint.variant(name).is_none() {
            return Err(ApiError::validation(format!(
                "Could not find variant \"{name}\" of endpoint \"{}\".",
                endpoint.arn
            )));
        }
        counts += i32::from(entry.desired_instance_count.is_some());
    }
    if counts > 1 {
        return Err(ApiError::validation(
            "DesiredInstanceCount can be changed for one production variant per request only.",
        ));
    }
    Ok(())
}
