//! Inference components of SageMaker (aws-autoscaling.md 5.3, 5.4).

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::chance::Purpose;
use super::super::change::Status;
use super::super::checks::Checks;
use super::super::component::{Component, ComponentStatus, CopiesChange, Parts};
use super::super::error::ApiError;
use super::super::fleet::Variant;
use super::super::machine::Machine;
use super::super::meter::{Owner, VariantMetric};
use super::super::scaling::{Resource, ScalableTarget};
use super::super::setup::ComponentSetup;
use super::super::time::Timestamp;
use super::super::traffic::Traffic;
use super::super::world::World;
use super::component_shapes::{
    CreateInferenceComponent, DescribeInferenceComponentResponse, InferenceComponentArnOnly,
    InferenceComponentNameOnly, InferenceComponentSummary, ListInferenceComponents,
    ListInferenceComponentsResponse, RuntimeConfigSummary, UpdateInferenceComponentRuntimeConfig,
};
use super::endpoints::{in_progress, sagemaker_token};
use super::sagemaker_tags::{MAX_TAGS, pairs};
use super::{Empty, page};

impl World {
    fn component_arn(&self, name: &str) -> String {
        let (region, account) = (&self.options.region, &self.options.account);
        format!("arn:aws:sagemaker:{region}:{account}:inference-component/{name}")
    }

    /// SageMaker's error, which its model does not list, about a component that is not there.
    pub(crate) fn no_component(&self, name: &str) -> ApiError {
        ApiError::validation(format!(
            "Could not find inference component \"{}\".",
            self.component_arn(name)
        ))
    }

    /// Makes a component without copies on a variant that hosts components.
    pub(crate) fn make_component(
        &mut self,
        setup: &ComponentSetup,
        specification: Value,
        tags: BTreeMap<String, String>,
    ) -> Result<usize, ApiError> {
        let (endpoint, name) = (&setup.endpoint, &setup.name);
        let arn = self.component_arn(name);
        if self.components.named(name).is_some() {
            return Err(ApiError::validation(format!(
                "Cannot create already existing inference component \"{arn}\"."
            )));
        }
        let endpoint_index = self
            .fleet
            .index_of(endpoint)
            .ok_or_else(|| self.no_endpoint(endpoint))?;
        let host = self
            .fleet
            .get(endpoint_index)
            .and_then(|e| e.variant(&setup.variant));
        if !host.is_some_and(Variant::hosts_components) {
            return Err(ApiError::validation(format!(
                "Variant {} of endpoint {endpoint} hosts no inference components.",
                setup.variant
            )));
        }
        let retention = self.options.metric_retention;
        let owner = Owner::Component(name.clone());
        let publishes = &VariantMetric::COMPONENT;
        let dimensions = [("InferenceComponentName", name.as_str())];
        let parts = Parts {
            name: name.clone(),
            arn,
            endpoint: endpoint.clone(),
            endpoint_index,
            variant: setup.variant.clone(),
            copies_per_instance: setup.copies_per_instance,
            machine: setup.machine,
            specification,
            tags,
            traffic: setup.traffic.clone(),
            meter: self.metrics.meter_for(owner, publishes, retention),
            // The unit is not documented.
            refused: self
                .metrics
                .gauge_for("NoCapacityInvocationFailures", &dimensions, "None"),
        };
        let now = self.now;
        Ok(self.components.insert(parts, now))
    }

    /// Creates a component. Its copies serve after a while.
    ///
    /// # Errors
    /// `ValidationException`, and `ResourceLimitExceeded` when its copies need more instances than the account may
    /// have.
    pub fn create_inference_component(
        &mut self,
        request: &CreateInferenceComponent,
    ) -> Result<InferenceComponentArnOnly, ApiError> {
        let name = request.inference_component_name.as_ref();
        let copies = request.runtime_config.unwrap_or_default().copy_count;
        Checks::default()
            .required("inferenceComponentName", name)
            .sagemaker_name("inferenceComponentName", name)
            .sagemaker_name("variantName", request.variant_name.as_ref())
            .range("runtimeConfig.copyCount", copies, 0, i64::from(i32::MAX))
            .entries("tags", request.tags.as_ref(), 0, MAX_TAGS)
            .finish()?;
        let (_, endpoint) = self.endpoint_named(request.endpoint_name.as_ref())?;
        // Whether AWS takes components for an endpoint that is not in service is not documented.
        if endpoint.status != Status::InService {
            return Err(in_progress(endpoint));
        }
        let hosting = endpoint.variants.iter().find(|v| v.hosts_components());
        let hosting = hosting.map(|v| v.name.clone()).unwrap_or_default();
        let copies = copies.and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        let start_up = self.options.copy_start_up;
        let setup = ComponentSetup {
            name: name.cloned().unwrap_or_default(),
            endpoint: endpoint.name.clone(),
            variant: request.variant_name.clone().unwrap_or(hosting),
            copies,
            copies_per_instance: 1,
            machine: Machine::of_type(None, start_up),
            traffic: Traffic::none(),
        };
        let specification = request.specification.clone().unwrap_or_default();
        let tags = pairs(request.tags.as_deref().unwrap_or_default());
        let index = self.make_component(&setup, specification, tags)?;
        let creating = ComponentStatus::Creating;
        if let Err(refusal) = self.change_copies(index, copies, None, creating) {
            self.components.remove(index);
            return Err(ApiError::resource_limit_exceeded(refusal));
        }
        self.alarms.resolve(&self.metrics);
        Ok(InferenceComponentArnOnly {
            inference_component_arn: self.component_arn(&setup.name),
        })
    }

    /// Finds a component by name, or raises SageMaker's error, which its model does not list.
    fn component_named(&self, name: Option<&String>) -> Result<(usize, &Component), ApiError> {
        Checks::default()
            .required("inferenceComponentName", name)
            .sagemaker_name("inferenceComponentName", name)
            .finish()?;
        let name = name.map(String::as_str).unwrap_or_default();
        self.components
            .index_of(name)
            .and_then(|i| Some((i, self.components.get(i)?)))
            .ok_or_else(|| self.no_component(name))
    }

    /// Shows a component.
    ///
    /// # Errors
    /// `ValidationException` when there is no such component.
    pub fn describe_inference_component(
        &self,
        request: &InferenceComponentNameOnly,
    ) -> Result<DescribeInferenceComponentResponse, ApiError> {
        let (_, it) = self.component_named(request.inference_component_name.as_ref())?;
        let mut specification = serde_json::Map::new();
        for member in ["ModelName", "ComputeResourceRequirements"] {
            if let Some(value) = it.specification.get(member) {
                specification.insert(member.to_owned(), value.clone());
            }
        }
        Ok(DescribeInferenceComponentResponse {
            inference_component_name: it.name.clone(),
            inference_component_arn: it.arn.clone(),
            endpoint_name: it.endpoint.clone(),
            endpoint_arn: self.endpoint_arn(&it.endpoint),
            variant_name: it.variant.clone(),
            failure_reason: it.failure,
            specification: specification.into(),
            runtime_config: Some(RuntimeConfigSummary {
                desired_copy_count: it.desired,
                current_copy_count: it.current,
            }),
            creation_time: Timestamp(it.created),
            last_modified_time: Timestamp(it.modified),
            inference_component_status: it.status.word(),
        })
    }

    /// Changes the copies of a component.
    ///
    /// # Errors
    /// `ValidationException`, and `ResourceLimitExceeded` when the copies need more instances than the account may
    /// have.
    pub fn update_inference_component_runtime_config(
        &mut self,
        request: &UpdateInferenceComponentRuntimeConfig,
    ) -> Result<InferenceComponentArnOnly, ApiError> {
        let wanted = request.desired_runtime_config.as_ref();
        let copies = wanted.and_then(|w| w.copy_count);
        let member = "desiredRuntimeConfig.copyCount";
        Checks::default()
            .required("desiredRuntimeConfig", wanted)
            .required(member, copies.as_ref())
            .range(member, copies, 0, i64::from(i32::MAX))
            .finish()?;
        let (_, it) = self.component_named(request.inference_component_name.as_ref())?;
        if it.status != ComponentStatus::InService {
            return Err(component_in_progress(it));
        }
        let (name, arn) = (it.name.clone(), it.arn.clone());
        let copies = copies.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        self.set_copies(&name, copies, None)
            .map_err(ApiError::resource_limit_exceeded)?;
        Ok(InferenceComponentArnOnly {
            inference_component_arn: arn,
        })
    }

    /// Deletes a component. Instances follow later.
    ///
    /// # Errors
    /// `ValidationException`, also while it is being created or updated (aws-autoscaling.md 5.4).
    pub fn delete_inference_component(
        &mut self,
        request: &InferenceComponentNameOnly,
    ) -> Result<Empty, ApiError> {
        let (index, it) = self.component_named(request.inference_component_name.as_ref())?;
        if !matches!(
            it.status,
            ComponentStatus::InService | ComponentStatus::Failed
        ) {
            return Err(component_in_progress(it));
        }
        let serial = it.serial;
        let of_component = |t: &&ScalableTarget| match &t.resource {
            Resource::Component { name, .. } => *name == it.name,
            Resource::Variant { .. } => false,
        };
        let target = self
            .scaling
            .targets_by_key()
            .find(of_component)
            .map(|t| (t.resource_id.to_string(), t.dimension.to_string()));
        if let (Some((id, dimension)), true) = (target, self.options.component_deletion_deregisters)
            && let Some(target) = self.scaling.find(&id, &dimension)
        {
            self.remove_target(target);
        }
        let range = self.options.copy_scale_in;
        let at = self.now.millis().unsigned_abs();
        let span = self.draw(Purpose::Copies, serial, at, range);
        let deleting = ComponentStatus::Deleting;
        self.start_copies_change(index, CopiesChange::Delete, deleting, span);
        Ok(Empty {})
    }

    /// Lists components.
    ///
    /// # Errors
    /// `ValidationException`.
    pub fn list_inference_components(
        &self,
        request: &ListInferenceComponents,
    ) -> Result<ListInferenceComponentsResponse, ApiError> {
        let (sort_by, order) = (request.sort_by.as_ref(), request.sort_order.as_ref());
        let status = request.status_equals.as_ref();
        Checks::default()
            .one_of("sortBy", sort_by, &["Name", "CreationTime", "Status"])
            .one_of("sortOrder", order, &["Ascending", "Descending"])
            .one_of("statusEquals", status, &ComponentStatus::WORDS)
            .range("maxResults", request.max_results, 1, 100)
            .finish()?;
        let mut all: Vec<&Component> = self
            .components
            .iter()
            .filter(|c| is_wanted(c, request))
            .collect();
        match sort_by.map(String::as_str) {
            Some("Name") => {}
            Some("Status") => all.sort_by_key(|c| c.status.word()),
            _ => all.sort_by_key(|c| c.created),
        }
        if order.map(String::as_str) != Some("Ascending") {
            all.reverse();
        }
        let summaries = all.into_iter().map(|c| self.summary_of(c)).collect();
        let key = (
            "components",
            (sort_by, order, &request.name_contains, status),
            (&request.endpoint_name_equals, &request.variant_name_equals),
        );
        let size = page::size(request.max_results, 10);
        let (inference_components, next_token) =
            page::cut(summaries, &key, request.next_token.as_ref(), size)
                .ok_or_else(sagemaker_token)?;
        Ok(ListInferenceComponentsResponse {
            inference_components,
            next_token,
        })
    }

    fn summary_of(&self, it: &Component) -> InferenceComponentSummary {
        InferenceComponentSummary {
            inference_component_name: it.name.clone(),
            inference_component_arn: it.arn.clone(),
            endpoint_arn: self.endpoint_arn(&it.endpoint),
            endpoint_name: it.endpoint.clone(),
            variant_name: it.variant.clone(),
            inference_component_status: it.status.word(),
            creation_time: Timestamp(it.created),
            last_modified_time: Timestamp(it.modified),
        }
    }
}

fn is_wanted(it: &Component, request: &ListInferenceComponents) -> bool {
    let is = |wanted: &Option<String>, held: &str| wanted.as_ref().is_none_or(|w| w == held);
    let part = request.name_contains.as_deref().unwrap_or_default();
    is(&request.endpoint_name_equals, &it.endpoint)
        && is(&request.variant_name_equals, &it.variant)
        && is(&request.status_equals, it.status.word())
        && it.name.contains(part)
        && request
            .creation_time_before
            .is_none_or(|t| it.created < t.0)
        && request.creation_time_after.is_none_or(|t| it.created > t.0)
        && request
            .last_modified_time_before
            .is_none_or(|t| it.modified < t.0)
        && request
            .last_modified_time_after
            .is_none_or(|t| it.modified > t.0)
}

fn component_in_progress(it: &Component) -> ApiError {
    ApiError::validation(format!(
        "Cannot update in-progress inference component \"{}\".",
        it.arn
    ))
}
