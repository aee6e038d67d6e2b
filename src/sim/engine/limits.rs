//! What AWS refuses or can not do: account quotas, and instance types without capacity (aws-autoscaling.md 5.6).

use std::collections::BTreeMap;

use super::change::{Change, Status};
use super::error::ApiError;
use super::fleet::Variant;
use super::time::Span;
use super::world::World;

/// Why there are no instances, in SageMaker's words.
pub(crate) const NO_CAPACITY: &str = "Unable to provision requested ML compute capacity due to \
                                      InsufficientInstanceCapacity error.";

/// Instances asked for beyond what runs, by type.
pub(crate) type Growth = BTreeMap<String, u32>;

impl World {
    /// Sets the account's quota of instances of a type, over all endpoints, or lifts it.
    pub fn set_quota(&mut self, instance_type: &str, limit: Option<u32>) {
        match limit {
            Some(limit) => {
                self.options.quotas.insert(instance_type.to_owned(), limit);
            }
            None => {
                self.options.quotas.remove(instance_type);
            }
        }
    }

    /// Lets AWS run out of instances of a type, or find some again. Changes that already run are not affected.
    pub fn set_shortage(&mut self, instance_type: &str, short: bool) {
        if short {
            self.shortages.insert(instance_type.to_owned());
        } else {
            self.shortages.remove(instance_type);
        }
    }

    /// Puts an endpoint into `SystemUpdating` for a span.
    ///
    /// # Errors
    /// `ValidationException` when there is no such endpoint, or it is not in service.
    pub fn system_update(&mut self, endpoint: &str, span: Span) -> Result<(), ApiError> {
        let found = self
            .fleet
            .index_of(endpoint)
            .and_then(|i| Some((i, self.fleet.get(i)?)));
        let (index, serving) = found.ok_or_else(|| self.no_endpoint(endpoint))?;
        if serving.status != Status::InService {
            return Err(super::api::in_progress(serving));
        }
        self.start_change(index, Change::Maintenance, span);
        Ok(())
    }

    pub(crate) fn no_endpoint(&self, name: &str) -> ApiError {
        ApiError::validation(format!(
            "Could not find endpoint \"{}\".",
            self.endpoint_arn(name)
        ))
    }

    /// Instances of a type that run or are on their way.
    fn used(&self, instance_type: &str) -> u32 {
        self.fleet
            .iter()
            .filter(|e| e.status != Status::Failed)
            .flat_map(|e| &e.variants)
            .filter(|v| v.instance_type.as_deref() == Some(instance_type))
            .fold(0, |sum: u32, v| {
                sum.saturating_add(v.current.max(v.desired))
            })
    }

    /// The refusal of more instances than the account may have. The whole request is refused.
    pub(crate) fn over_quota(&self, growth: &Growth) -> Option<String> {
        growth.iter().find_map(|(instance_type, delta)| {
            let limit = *self.options.quotas.get(instance_type)?;
            let used = self.used(instance_type);
            (used.saturating_add(*delta) > limit).then(|| {
                format!(
                    "The account-level service limit '{instance_type} for endpoint usage' is {limit} Instances, with \
                     current utilization of {used} Instances and a request delta of {delta} Instances. Please use \
                     AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not \
                     available, contact AWS support to request an increase for this quota."
                )
            })
        })
    }

    /// Whether AWS has no instances for what is asked.
    pub(crate) fn is_short_of(&self, growth: &Growth) -> bool {
        growth.keys().any(|t| self.shortages.contains(t))
    }
}

/// The refusal as Application Auto Scaling quotes it in an activity.
pub(crate) fn quoted(refusal: &str, request_id: &str) -> String {
    format!(
        "{refusal} (Service: AmazonSageMaker; Status Code: 400; Error Code: ResourceLimitExceeded; Request ID: \
         {request_id}; Proxy: null)"
    )
}

/// Instances that `after` has beyond `before`, by type.
pub(crate) fn growth(before: &[Variant], after: &[(Option<&str>, u32)]) -> Growth {
    let mut totals: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for variant in before {
        if let Some(instance_type) = variant.instance_type.as_deref() {
            let held = &mut totals.entry(instance_type).or_default().0;
            *held = held.saturating_add(variant.current.max(variant.desired));
        }
    }
    for (instance_type, count) in after {
        if let Some(instance_type) = instance_type {
            let wanted = &mut totals.entry(instance_type).or_default().1;
            *wanted = wanted.saturating_add(*count);
        }
    }
    totals
        .into_iter()
        .filter(|(_, (held, wanted))| wanted > held)
        .map(|(t, (held, wanted))| (t.to_owned(), wanted - held))
        .collect()
}
