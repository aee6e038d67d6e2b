//! Proposals for what nothing scales yet: config to begin with, which asks for less than what runs in nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Adopted;
use crate::config::wake_policy;
use crate::domain::{
    Bounds, BoundsError, Capacity, Cooldown, CustomMetric, Datapoint, DesiredTarget,
    EndpointStatus, Metric, Observation, ObservedEndpoint, ObservedVariant, Policy, PolicyKind,
    PredefinedMetric, Running, Statistic, TargetId, TargetTracking, TargetValue, Unscalable, lint,
    lint_world, unscalable,
};
use crate::num::ceil_to_u32;

/// What one instance or copy took, in requests per minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Within the busiest minute.
    pub busiest: f64,
    /// So many make its processors half busy, as far as the other minutes tell.
    pub at_half: Option<f64>,
    /// That was hardly ever the case: `at_half` is what they had while they were busier, and so too much.
    pub is_too_much: bool,
}

/// The load of each target that had any.
pub type Loads = BTreeMap<TargetId, Load>;

/// Minutes in which processors were this busy say how busy requests make them: below, other work counts for too much;
/// above, requests wait. In percent.
const TELLING: std::ops::Range<f64> = 5.0..70.0;
/// What was never seen is believed as far as this times what was.
const BEYOND: f64 = 2.0;
/// Fewer minutes are chance.
const FEWEST_MINUTES: usize = 10;

/// The load of an instance or a copy, from its requests per minute and from how busy each kind of its processors was in
/// the same minutes, in percent of all of them; `None` when there were no requests.
#[must_use]
pub fn load(requests: &[Datapoint], busy: &[Vec<Datapoint>]) -> Option<Load> {
    let given = requests.iter().filter(|point| point.value > 0.0);
    let busiest = given
        .clone()
        .map(|point| point.value)
        .max_by(f64::total_cmp)?;
    let per_half = |series: &Vec<Datapoint>, telling: &dyn Fn(f64) -> bool| -> Vec<f64> {
        let by_minute: BTreeMap<_, f64> = series.iter().map(|p| (p.at, p.value)).collect();
        let mut ratios: Vec<f64> = given
            .clone()
            .filter_map(|point| Some((point.value, *by_minute.get(&point.at)?)))
            .filter(|(_, percent)| telling(*percent))
            .map(|(requests, percent)| requests * 50.0 / percent)
            .collect();
        ratios.sort_by(f64::total_cmp);
        if ratios.len() < FEWEST_MINUTES {
            ratios.clear();
        }
        ratios
    };
    let of_series = |series: &Vec<Datapoint>| {
        let telling = per_half(series, &|percent| TELLING.contains(&percent));
        if let Some(middle) = telling.get(telling.len() / 2) {
            return Some((*middle, false));
        }
        let busier = per_half(series, &|percent| percent >= TELLING.end);
        // One odd minute is not to count.
        let least = busier.get(busier.len() / 10);
        least.map(|least| (*least, true))
    };
    let tightest = busy.iter().filter_map(of_series);
    let tightest = tightest.min_by(|(a, _), (b, _)| a.total_cmp(b));
    Some(Load {
        busiest,
        at_half: tightest.map(|(requests, _)| requests),
        is_too_much: tightest.is_some_and(|(_, is_too_much)| is_too_much),
    })
}

/// What an asynchronous endpoint may have waiting per instance, as AWS's own example has it.
const BACKLOG_PER_INSTANCE: f64 = 5.0;
/// How much of the provisioned concurrency is to be in use, as AWS's own example has it.
const CONCURRENCY_IN_USE: f64 = 0.7;

/// Targets that could be registered and are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposable {
    /// Their ids, and what runs there.
    pub targets: BTreeMap<TargetId, Running>,
    /// Variants of endpoints that can not be scaled, by endpoint and variant, and why.
    pub refused: Vec<(String, Unscalable)>,
}

/// What of an observation could be registered and is not.
#[must_use]
pub fn proposable(observed: &Observation) -> Proposable {
    let mut found = Proposable::default();
    for endpoint in observed.endpoints.values() {
        let variants = endpoint.details.iter().flat_map(|d| &d.variants);
        for (variant, held) in variants {
            let (endpoint, variant) = (endpoint.name.clone(), variant.clone());
            let place = format!("endpoint {endpoint}, variant {variant}");
            let (id, running) = match held {
                ObservedVariant::Instances(running) => {
                    (TargetId::Instances { endpoint, variant }, *running)
                }
                ObservedVariant::Serverless {
                    provisioned: Some(running),
                    ..
                } => (
                    TargetId::ProvisionedConcurrency { endpoint, variant },
                    *running,
                ),
                ObservedVariant::Serverless { .. } => {
                    found.refused.push((place, Unscalable::OnDemand));
                    continue;
                }
                // Its components are what scales; a shadow is nothing to anyone.
                ObservedVariant::Components(_) | ObservedVariant::Shadow => continue,
            };
            match unscalable(&id, bounds(&id, running, None, observed), observed) {
                Some(why) if !why.is_about_bounds() => found.refused.push((place, why)),
                _ => {
                    found.targets.insert(id, running);
                }
            }
        }
    }
    for component in observed.components.values() {
        let id = TargetId::Copies {
            component: component.name.clone(),
        };
        if let Some(running) = component.copies {
            found.targets.insert(id, running);
        }
    }
    let registered: BTreeSet<&TargetId> = observed.targets.keys().collect();
    found.targets.retain(|id, _| !registered.contains(id));
    found
}

const NOT_READ: &str = "its metrics could not be read, so there is nothing to propose a target from, and without a \
    policy nothing scales it: write one, or run `init` again when they can be read";

/// A proposal for each of these: at least what runs now, and a policy as far as there is anything to go by. Without
/// `loads` metrics could not be read.
#[must_use]
pub fn propose(
    proposable: &Proposable,
    loads: Option<&Loads>,
    observed: &Observation,
) -> Vec<Adopted> {
    let targets = proposable.targets.iter();
    targets
        .map(|(id, running)| {
            let load = loads.and_then(|loads| loads.get(id)).copied();
            let (policy, mut why) = policy(id, load, observed);
            if policy.is_none() && loads.is_none() {
                NOT_READ.clone_into(&mut why);
            }
            let needed = policy.as_ref().and_then(|policy| {
                let running = f64::from(running.aim()?.get());
                Some(load?.busiest * running / aim(policy)?)
            });
            let bounds = bounds(id, *running, needed, observed);
            let from = match needed {
                Some(_) => "half as much again as the busiest minute of the last day needs",
                None => "twice that",
            };
            let target = DesiredTarget {
                id: id.clone(),
                bounds,
                suspended: None,
                ignored: BTreeMap::new(),
                tunings: BTreeMap::new(),
                schedules: Vec::new(),
                policies: policy.into_iter().chain(wake(id, bounds, observed)).collect(),
            };
            let mut remarks = vec![
                format!(
                    "a proposal: nothing scales {id} yet. The minimum is what runs now, the maximum is {from}"
                ),
                why,
            ];
            remarks.extend(status_remark(id, observed));
            remarks.extend(objections(&target, observed));
            Adopted { target, remarks }
        })
        .collect()
}

/// What the lint objects to in a target, in sentences.
pub(super) fn objections(target: &DesiredTarget, observed: &Observation) -> Vec<String> {
    let mut findings = lint(target);
    findings.extend(lint_world(target, observed));
    let sentence = |finding: crate::domain::Finding| {
        let policy = finding.policy.map(|name| format!("policy `{name}`: "));
        let (what, remedy) = (finding.what, finding.rule.remedy());
        format!(
            "{}{what} ({}: {remedy})",
            policy.unwrap_or_default(),
            finding.rule
        )
    };
    findings.into_iter().map(sentence).collect()
}

fn status_remark(id: &TargetId, observed: &Observation) -> Option<String> {
    let endpoint = observed.endpoints.get(id.endpoint()?)?;
    (endpoint.status != EndpointStatus::InService).then(|| {
        format!(
            "endpoint {} is {} just now, and is left alone until it is InService",
            endpoint.name, endpoint.status
        )
    })
}

/// From what runs to what was needed and half as much again, or else twice that; as far up as AWS lets it go, and not
/// at zero where it can not be.
fn bounds(id: &TargetId, running: Running, needed: Option<f64>, observed: &Observation) -> Bounds {
    let now = running.aim().unwrap_or(Capacity::ZERO).get();
    let may_be_zero = match id {
        TargetId::Copies { .. } => true,
        TargetId::ProvisionedConcurrency { .. } => false,
        TargetId::Instances { endpoint, .. } => is_async(observed.endpoints.get(endpoint)),
    };
    let min = if may_be_zero { now } else { now.max(1) };
    let twice = min.saturating_mul(2).max(2);
    let max = needed.map_or(twice, |needed| ceil_to_u32(needed * 1.5).max(min).max(2));
    let of = |n: u32| Capacity::new(n).unwrap_or(Capacity::ZERO);
    let limit = max_concurrency(id, observed);
    let max = limit.map_or(of(max), |limit| limit.min(of(max)));
    Bounds::new(of(min), max).unwrap_or_else(BoundsError::swapped)
}

fn is_async(endpoint: Option<&ObservedEndpoint>) -> bool {
    endpoint
        .and_then(|endpoint| endpoint.details.as_ref())
        .is_some_and(|details| details.is_async)
}

fn max_concurrency(id: &TargetId, observed: &Observation) -> Option<Capacity> {
    let TargetId::ProvisionedConcurrency { endpoint, variant } = id else {
        return None;
    };
    let details = observed.endpoints.get(endpoint)?.details.as_ref()?;
    match details.variants.get(variant)? {
        ObservedVariant::Serverless {
            max_concurrency, ..
        } => *max_concurrency,
        _ => None,
    }
}

/// A policy, and a sentence on its target; no policy where there is nothing to go by.
fn policy(id: &TargetId, load: Option<Load>, observed: &Observation) -> (Option<Policy>, String) {
    match id {
        TargetId::Instances { endpoint, .. } if is_async(observed.endpoints.get(endpoint)) => {
            let dimensions = [("EndpointName".to_owned(), endpoint.to_string())];
            let metric = Metric::Custom(CustomMetric {
                namespace: "AWS/SageMaker".to_owned(),
                name: "ApproximateBacklogSizePerInstance".to_owned(),
                dimensions: dimensions.into_iter().collect(),
                statistic: Statistic::Average,
                unit: None,
            });
            (
                tracking(
                    "ApproximateBacklogSizePerInstance",
                    metric,
                    BACKLOG_PER_INSTANCE,
                ),
                "its target is that of AWS's example: requests that may wait per instance; \
                 how long may they?"
                    .to_owned(),
            )
        }
        TargetId::Instances { .. } => by_requests(PredefinedMetric::InvocationsPerInstance, load),
        TargetId::Copies { .. } => by_requests(PredefinedMetric::InvocationsPerCopy, load),
        TargetId::ProvisionedConcurrency { .. } => {
            let metric = PredefinedMetric::ProvisionedConcurrencyUtilization;
            (
                tracking(
                    metric.name(),
                    Metric::Predefined(metric),
                    CONCURRENCY_IN_USE,
                ),
                "its target is that of AWS's example: the share that is in use".to_owned(),
            )
        }
    }
}

fn by_requests(metric: PredefinedMetric, load: Option<Load>) -> (Option<Policy>, String) {
    let unit = metric.unit();
    let Some(load) = load else {
        let why = format!(
            "it had no requests within the last day, so there is nothing to propose a target from, and without a \
             policy nothing scales it: `policies: [{{ target_tracking: {{ metric: {metric}, target: N }} }}]`, in \
             {unit}"
        );
        return (None, why);
    };
    let known = load.busiest * BEYOND;
    let target = rounded(
        load.at_half
            .map_or(load.busiest, |at_half| at_half.min(known)),
    );
    let why = match load.at_half {
        Some(at_half) if load.is_too_much && at_half <= known => format!(
            "its target, {target}, is too high: its processors were more than half busy all day, also in the quiet \
             minutes that it is taken from. Lower it. The busiest minute had {} per instance",
            rounded(load.busiest)
        ),
        Some(at_half) if at_half <= known => format!(
            "its target: at {target} {unit} its processors are half busy, as the last day tells. The \
             busiest minute had {} per instance",
            rounded(load.busiest)
        ),
        Some(_) => format!(
            "its target, {target}, is twice what the busiest minute of the last day had: its processors \
             were far from half busy then"
        ),
        None => {
            "its target is the busiest minute of the last day, and whether it bears that is not \
            known from its processors"
                .to_owned()
        }
    };
    let policy = tracking(metric.name(), Metric::Predefined(metric), target);
    (policy, format!("{why}. A load test tells better"))
}

/// What gets an asynchronous endpoint away from zero: there, backlog per instance has no data.
fn wake(id: &TargetId, bounds: Bounds, observed: &Observation) -> Option<Policy> {
    let TargetId::Instances { endpoint, .. } = id else {
        return None;
    };
    let sleeps = bounds.min() == Capacity::ZERO && is_async(observed.endpoints.get(endpoint));
    let step = wake_policy(id, 1, Cooldown::SAGEMAKER_DEFAULT).filter(|_| sleeps)?;
    let name = format!("{}-wake_from_zero", crate::domain::OwnerName::default());
    Some(Policy {
        name: name.parse().ok()?,
        kind: PolicyKind::Step(step),
    })
}

fn aim(policy: &Policy) -> Option<f64> {
    match &policy.kind {
        PolicyKind::TargetTracking(tracking) => Some(tracking.target.get()),
        PolicyKind::Step(_) => None,
    }
}

/// Two digits are as much as a guess is good for, and it is never nothing.
fn rounded(requests: f64) -> f64 {
    let digits = requests.max(1.0).log10().floor() - 1.0;
    let step = 10.0_f64.powf(digits.max(0.0));
    ((requests / step).round() * step).max(1.0)
}

fn tracking(name: &str, metric: Metric, target: f64) -> Option<Policy> {
    Some(Policy {
        name: format!("{}-{name}", crate::domain::OwnerName::default())
            .parse()
            .ok()?,
        kind: PolicyKind::TargetTracking(TargetTracking {
            metric,
            target: TargetValue::new(target).ok()?,
            of_all_cores: false,
            scale_out_cooldown: Cooldown::from_secs(60).ok()?,
            scale_in_cooldown: Cooldown::SAGEMAKER_DEFAULT,
            disable_scale_in: false,
        }),
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn minutes(values: impl IntoIterator<Item = f64>) -> Vec<Datapoint> {
        let at = |i: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(i);
        let values = values.into_iter().zip(0..);
        values
            .map(|(value, i)| Datapoint { at: at(i), value })
            .collect()
    }

    #[test]
    fn a_guess_has_two_digits() {
        for (seen, proposed) in [
            (0.2, 1.0),
            (7.0, 7.0),
            (95.2, 95.0),
            (412.0, 410.0),
            (98_765.0, 99_000.0),
        ] {
            assert!(
                (rounded(seen) - proposed).abs() < 1e-9,
                "{seen}: {}",
                rounded(seen)
            );
        }
    }

    #[test]
    fn minutes_in_which_requests_waited_do_not_make_a_machine_look_strong() {
        // It bears 900 a minute; above that it is as busy as it gets, and requests pile up.
        let requests: Vec<f64> = (1..=60).map(|i| f64::from(i) * 50.0).collect();
        let busy = requests
            .iter()
            .map(|r| (r / 9.0).min(100.0))
            .collect::<Vec<_>>();
        let found = load(&minutes(requests.clone()), &[minutes(busy)]).unwrap();
        assert!((found.busiest - 3000.0).abs() < 1e-9);
        assert!((found.at_half.unwrap() - 450.0).abs() < 1.0, "{found:?}");
        assert!(!found.is_too_much);
        let unknown = load(&minutes(requests), &[]).unwrap();
        assert_eq!(unknown.at_half, None);
    }

    #[test]
    fn a_machine_that_is_busy_all_day_is_not_asked_to_bear_its_busiest_minute() {
        let requests: Vec<f64> = (20..=60).map(|i| f64::from(i) * 50.0).collect();
        let busy = vec![100.0; requests.len()];
        let found = load(&minutes(requests), &[minutes(busy)]).unwrap();
        assert!((found.at_half.unwrap() - 600.0).abs() < 1e-9, "{found:?}");
        assert!(found.is_too_much);
    }

    #[test]
    fn nothing_is_known_of_what_had_no_requests() {
        assert_eq!(load(&[], &[]), None);
        assert_eq!(load(&minutes([0.0, 0.0]), &[]), None);
    }

    #[test]
    fn the_kind_of_processor_that_is_busier_counts() {
        let requests = minutes(std::iter::repeat_n(100.0, 20));
        let cpu = minutes(std::iter::repeat_n(10.0, 20));
        let gpu = minutes(std::iter::repeat_n(40.0, 20));
        let found = load(&requests, &[cpu, gpu]).unwrap();
        assert!((found.at_half.unwrap() - 125.0).abs() < 1e-9);
    }
}
