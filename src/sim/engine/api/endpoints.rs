//! Endpoints of SageMaker.

use serde_json::Value;

use super::super::chance::Purpose;
use super::super::change::{Change, Status};
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::fleet::{Endpoint, Variant, VariantSpec};
use super::super::kinds::{Hosting, shadow_variants};
use super::super::limits::growth;
use super::super::machine::Machine;
use super::super::scaling::ScalableTarget;
use super::super::time::Timestamp;
use super::super::traffic::Traffic;
use super::super::world::World;
use super::endpoint_shapes::{
    CreateEndpoint, DescribeEndpointResponse, EndpointArnOnly, EndpointNameOnly, EndpointSummary,
    ListEndpoints, ListEndpointsResponse, ServerlessConfigShape, UpdateEndpoint, VariantSummary,
};
use super::sagemaker_tags::{MAX_TAGS, pairs};
use super::{Empty, page};

pub(super) fn sagemaker_token() -> ApiError {
    ApiError::validation("The provided NextToken is invalid.")
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
        let start_up = self.options.start_up;
        let counts: Vec<_> = config.variants.iter().map(wanted_instances).collect();
        let needed = growth(&[], &counts);
        if let Some(refusal) = self.over_quota(&needed) {
            return Err(ApiError::resource_limit_exceeded(refusal));
        }
        let doomed = self.is_short_of(&needed);
        let is_async = config.is_async();
        let mut variants = Vec::new();
        for spec in &config.variants {
            let machine = Machine::of_type(spec.instance_type.as_deref(), start_up);
            variants.push(self.make_variant(&name, spec, machine, is_async));
        }
        let traffic = Traffic::none();
        let mut endpoint = Endpoint::new(
            &name,
            arn.clone(),
            &config.name,
            variants,
            traffic,
            self.now,
        );
        endpoint.tags = pairs(request.tags.as_deref().unwrap_or_default());
        endpoint.shadows = shadow_variants(&config.shadows, start_up);
        endpoint.queue = is_async.then(|| Box::new(self.make_queue(&name)));
        let index = self.fleet.insert(endpoint);
        let serial = self.fleet.get(index).map_or(0, |e| e.serial);
        self.alarms.resolve(&self.metrics);
        let span = self.draw(Purpose::Deployment, serial, 0, self.options.creation);
        self.start_change(index, Change::Create { doomed }, span);
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }

    /// Finds an endpoint by name, or raises SageMaker's error, which its model does not list.
    pub(super) fn endpoint_named(
        &self,
        name: Option<&String>,
    ) -> Result<(usize, &Endpoint), ApiError> {
        Checks::default()
            .required("endpointName", name)
            .sagemaker_name("endpointName", name)
            .finish()?;
        let name = name.map(String::as_str).unwrap_or_default();
        self.fleet
            .index_of(name)
            .and_then(|i| Some((i, self.fleet.get(i)?)))
            .ok_or_else(|| self.no_endpoint(name))
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
        let (variants, shadows): (&[Variant], &[Variant]) = match endpoint.status {
            Status::Creating | Status::Failed => (&[], &[]),
            _ => (&endpoint.variants, &endpoint.shadows),
        };
        Ok(DescribeEndpointResponse {
            endpoint_name: endpoint.name.clone(),
            endpoint_arn: endpoint.arn.clone(),
            endpoint_config_name: endpoint.config.clone(),
            production_variants: variants.iter().map(variant_summary).collect(),
            endpoint_status: endpoint.status.word(),
            creation_time: Timestamp(endpoint.created),
            last_modified_time: Timestamp(endpoint.modified),
            failure_reason: endpoint.failure,
            shadow_production_variants: shadows.iter().map(variant_summary).collect(),
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
        if !matches!(endpoint.status, Status::InService | Status::Failed) {
            return Err(in_progress(endpoint));
        }
        let (name, serial) = (endpoint.name.clone(), endpoint.serial);
        let of_endpoint =
            |t: &&ScalableTarget| t.resource.variant().is_some_and(|(e, _)| e == name);
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
        let shape = |e: &Endpoint| EndpointSummary {
            endpoint_name: e.name.clone(),
            endpoint_arn: e.arn.clone(),
            creation_time: Timestamp(e.created),
            last_modified_time: Timestamp(e.modified),
            endpoint_status: e.status.word(),
        };
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
        let (endpoints, next_token) =
            page::cut_shaped(endpoints, shape, &key, request.next_token.as_ref(), size)
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
        let before_is_async = endpoint.queue.is_some();
        let start_up = self.options.start_up;
        let is_async = before_is_async;
        let mut variants = Vec::new();
        for spec in &config.variants {
            let old = before.iter().find(|v| v.name == spec.name);
            let machine = old
                .filter(|v| v.instance_type == spec.instance_type)
                .map_or_else(
                    || Machine::of_type(spec.instance_type.as_deref(), start_up),
                    |v| v.machine,
                );
            let mut variant = self.make_variant(&name, spec, machine, is_async);
            if let Some(old) = old {
                // Instances of components belong to SageMaker, whatever the config says.
                let managed = variant.hosts_components() && old.hosts_components();
                let alike = variant.hosting.is_like(old.hosting);
                if managed || (alike && retains("DesiredInstanceCount")) {
                    (variant.current, variant.desired) = (old.current, old.desired);
                }
                if retains("DesiredWeight") {
                    variant.current_weight = old.current_weight;
                    variant.desired_weight = old.desired_weight;
                }
            }
            variants.push(variant);
        }
        let counts: Vec<_> = variants
            .iter()
            .map(|v| (v.instance_type.as_deref(), v.desired))
            .collect();
        let needed = growth(&before, &counts);
        if let Some(refusal) = self.over_quota(&needed) {
            return Err(ApiError::resource_limit_exceeded(refusal));
        }
        let doomed = self.is_short_of(&needed);
        self.alarms.resolve(&self.metrics);
        let at = self.now.millis().unsigned_abs();
        let span = self.draw(Purpose::Deployment, serial, at, self.options.creation);
        self.start_change(
            index,
            Change::Config {
                config: config.name,
                variants,
                doomed,
            },
            span,
        );
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }

    fn refuse_to_break_targets(
        &self,
        endpoint: &Endpoint,
        next: &[VariantSpec],
    ) -> Result<(), ApiError> {
        for target in self.scaling.targets_by_key() {
            let Some((_, name)) = target
                .resource
                .variant()
                .filter(|(e, _)| *e == endpoint.name)
            else {
                continue;
            };
            let now = endpoint.variant(name);
            let then = next.iter().find(|v| v.name == name);
            let kept = |now: &Variant, then: &VariantSpec| {
                now.instance_type == then.instance_type && now.hosting.is_like(then.hosting)
            };
            if !now.zip(then).is_some_and(|(now, then)| kept(now, then)) {
                return Err(ApiError::validation(format!(
                    "The variant(s) \"{name}\" must be deregistered as scalable targets with Application Auto \
                     Scaling before they can be removed or have their instance type updated."
                )));
            }
        }
        Ok(())
    }
}

/// Only an endpoint in service can be changed.
pub(crate) fn in_progress(endpoint: &Endpoint) -> ApiError {
    ApiError::validation(format!(
        "Cannot update in-progress endpoint \"{}\".",
        endpoint.arn
    ))
}

/// Instances that a new variant asks for.
fn wanted_instances(spec: &VariantSpec) -> (Option<&str>, u32) {
    (spec.instance_type.as_deref(), spec.initial_count)
}

fn variant_summary(variant: &Variant) -> VariantSummary {
    let counted = variant.instance_type.is_some();
    let concurrency = |capacity: u32, most: u32| match variant.hosting {
        Hosting::Serverless(it) => Some(ServerlessConfigShape {
            memory_size_in_m_b: it.memory_mb,
            max_concurrency: most,
            provisioned_concurrency: it.provisioned.map(|_| capacity),
        }),
        Hosting::Instances | Hosting::Components { .. } => None,
    };
    let most = match variant.hosting {
        Hosting::Serverless(it) => it.max_concurrency,
        Hosting::Instances | Hosting::Components { .. } => 0,
    };
    VariantSummary {
        variant_name: variant.name.clone(),
        current_weight: variant.current_weight,
        desired_weight: variant.desired_weight,
        current_instance_count: counted.then_some(variant.current),
        desired_instance_count: counted.then_some(variant.desired),
        current_serverless_config: concurrency(variant.current, most),
        desired_serverless_config: concurrency(variant.desired, variant.desired_most),
        managed_instance_scaling: match variant.hosting {
            Hosting::Components { min, max } => Some(serde_json::json!({
                "Status": "ENABLED", "MinInstanceCount": min, "MaxInstanceCount": max,
            })),
            Hosting::Instances | Hosting::Serverless(_) => None,
        },
    }
}
