//! `UpdateEndpointWeightsAndCapacities`.

use super::super::change::{Change, Status};
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::fleet::{Endpoint, Fleet, Variant};
use super::super::kinds::Hosting;
use super::super::limits::Growth;
use super::super::resource::instances_beyond;
use super::super::time::Span;
use super::super::world::World;
use super::endpoint_shapes::{
    DesiredWeightAndCapacity, EndpointArnOnly, ServerlessUpdateConfig,
    UpdateEndpointWeightsAndCapacities,
};
use super::endpoints::in_progress;

impl World {
    /// Changes weights of variants, and the capacity of at most one.
    ///
    /// # Errors
    /// `ValidationException`, and `ResourceLimitExceeded` beyond a quota.
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
        let (mut span, mut needed) = (Span::from_secs(30), Growth::new());
        for entry in &wanted {
            let name = entry.variant_name.as_deref().unwrap_or_default();
            let count = capacity_wanted(entry);
            if let Some((count, variant)) = count.zip(endpoint.variant(name)) {
                let grows = count > variant.current;
                let scale_in = self.options.scale_in;
                span = Fleet::capacity_span(endpoint, variant, grows, scale_in, now, chance);
                needed = instances_beyond(endpoint, name, count);
            }
        }
        if let Some(refusal) = self.over_quota(&needed) {
            return Err(ApiError::resource_limit_exceeded(refusal));
        }
        let doomed = self.is_short_of(&needed);
        let variants = self.fleet.get_mut(index).map(|e| &mut e.variants);
        for variant in variants.into_iter().flatten() {
            let of_variant = |e: &&DesiredWeightAndCapacity| {
                e.variant_name.as_deref() == Some(variant.name.as_str())
            };
            if let Some(entry) = wanted.iter().find(of_variant) {
                ask(variant, entry);
            }
        }
        let activity = None;
        self.start_change(index, Change::Capacity { activity, doomed }, span);
        Ok(EndpointArnOnly { endpoint_arn: arn })
    }
}

/// Instances or provisioned concurrency that an entry asks for.
fn capacity_wanted(entry: &DesiredWeightAndCapacity) -> Option<u32> {
    let serverless = entry.serverless_update_config.unwrap_or_default();
    entry
        .desired_instance_count
        .or(serverless.provisioned_concurrency)
        .and_then(|n| u32::try_from(n).ok())
}

fn ask(variant: &mut Variant, entry: &DesiredWeightAndCapacity) {
    variant.desired = capacity_wanted(entry).unwrap_or(variant.desired);
    variant.desired_weight = entry.desired_weight.unwrap_or(variant.desired_weight);
    let serverless = entry.serverless_update_config.unwrap_or_default();
    let most = serverless
        .max_concurrency
        .and_then(|n| u32::try_from(n).ok());
    variant.desired_most = most.unwrap_or(variant.desired_most);
    if let (Hosting::Serverless(it), Some(_)) =
        (&mut variant.hosting, serverless.provisioned_concurrency)
    {
        it.provisioned = Some(variant.desired);
    }
}

fn check_desired(endpoint: &Endpoint, wanted: &[DesiredWeightAndCapacity]) -> Result<(), ApiError> {
    let mut counts = 0;
    for (number, entry) in (1..).zip(wanted) {
        let at = |member: &str| format!("desiredWeightsAndCapacities.{number}.member.{member}");
        let name = entry.variant_name.as_ref();
        let serverless = entry.serverless_update_config.unwrap_or_default();
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
            .range(
                &at("serverlessUpdateConfig.maxConcurrency"),
                serverless.max_concurrency,
                1,
                200,
            )
            .range(
                &at("serverlessUpdateConfig.provisionedConcurrency"),
                serverless.provisioned_concurrency,
                1,
                200,
            )
            .finish()?;
        let name = name.map(String::as_str).unwrap_or_default();
        let Some(variant) = endpoint.variant(name) else {
            return Err(ApiError::validation(format!(
                "Could not find variant \"{name}\" of endpoint \"{}\".",
                endpoint.arn
            )));
        };
        check_kind(variant, entry, endpoint.queue.is_some())?;
        let counted = entry.desired_instance_count.is_some();
        counts += i32::from(counted || entry.serverless_update_config.is_some());
    }
    if counts > 1 {
        return Err(ApiError::validation(
            "DesiredInstanceCount can be changed for one production variant per request only.",
        ));
    }
    Ok(())
}

/// What an entry asks for must be what the variant has. The sentences are not AWS's.
fn check_kind(
    variant: &Variant,
    entry: &DesiredWeightAndCapacity,
    is_async: bool,
) -> Result<(), ApiError> {
    let name = &variant.name;
    let count = entry.desired_instance_count;
    match (variant.hosting, entry.serverless_update_config) {
        (Hosting::Serverless(_), _) if count.is_some() => Err(ApiError::validation(format!(
            "DesiredInstanceCount cannot be set for the serverless variant {name}."
        ))),
        (Hosting::Serverless(_), Some(wanted)) => check_concurrency(variant, wanted),
        (Hosting::Instances | Hosting::Components { .. }, Some(_)) => {
            Err(ApiError::validation(format!(
                "ServerlessUpdateConfig cannot be set for variant {name}, which is not serverless."
            )))
        }
        (Hosting::Components { .. }, None) if count.is_some() => Err(ApiError::validation(
            format!("The instance count of variant {name} is managed by SageMaker."),
        )),
        (Hosting::Instances, None) if count == Some(0) && !is_async => Err(ApiError::validation(
            format!("The instance count of variant {name} must be at least 1."),
        )),
        _ => Ok(()),
    }
}

fn check_concurrency(variant: &Variant, wanted: ServerlessUpdateConfig) -> Result<(), ApiError> {
    let most = wanted
        .max_concurrency
        .unwrap_or(i64::from(variant.desired_most));
    let provisioned = wanted
        .provisioned_concurrency
        .unwrap_or(i64::from(variant.desired));
    if provisioned > most {
        return Err(ApiError::validation(format!(
            "ProvisionedConcurrency {provisioned} of variant {} cannot be greater than its MaxConcurrency {most}.",
            variant.name
        )));
    }
    Ok(())
}
