//! What is to be said about a target that somebody else set up.

use crate::domain::{CustomMetric, DesiredTarget, Metric, Policy, PolicyKind, TargetTracking};

/// Sentences on what works differently from how it looks (aws-autoscaling.md 9).
pub(super) fn remarks_on(target: &DesiredTarget) -> Vec<String> {
    let mut remarks: Vec<String> = target.policies.iter().flat_map(on_policy).collect();
    let tracks = |p: &Policy| matches!(p.kind, PolicyKind::TargetTracking(_));
    let steps = target.policies.iter().filter(|p| !tracks(p)).count();
    if steps > 0 && target.policies.iter().any(tracks) {
        remarks.push(
            "target tracking and step policies on one target can work against each other: the largest capacity wins \
             when scaling out, and a step policy scales in without asking target tracking"
                .to_owned(),
        );
    }
    remarks
}

fn on_policy(policy: &Policy) -> Vec<String> {
    let PolicyKind::TargetTracking(tracking) = &policy.kind else {
        return Vec::new();
    };
    let about = |text: String| format!("policy `{}`: {text}", policy.name);
    [
        misnamed(policy, tracking),
        per_core(tracking),
        equal_cooldowns(tracking),
    ]
    .into_iter()
    .flatten()
    .map(about)
    .collect()
}

/// Pitfall 6.
fn misnamed(policy: &Policy, tracking: &TargetTracking) -> Option<String> {
    let Metric::Predefined(metric) = tracking.metric else {
        return None;
    };
    let name = policy.name.as_str().to_lowercase();
    let word = ["cpu", "gpu", "memory"]
        .into_iter()
        .find(|word| name.contains(word))?;
    Some(format!(
        "its name says {word}, and it tracks {metric}: {} is {} {}",
        tracking.target,
        tracking.target,
        metric.unit()
    ))
}

/// Pitfall 8.
fn per_core(tracking: &TargetTracking) -> Option<String> {
    let Metric::Custom(CustomMetric {
        namespace, name, ..
    }) = &tracking.metric
    else {
        return None;
    };
    let adds_up = namespace == "/aws/sagemaker/Endpoints"
        && matches!(name.as_str(), "CPUUtilization" | "GPUUtilization");
    (adds_up && tracking.target.get() <= 100.0).then(|| {
        format!(
            "{name} adds up over cores: {} is {} % of one core, not of the instance",
            tracking.target, tracking.target
        )
    })
}

/// Pitfall 36.
fn equal_cooldowns(tracking: &TargetTracking) -> Option<String> {
    let same = tracking.scale_in_cooldown == tracking.scale_out_cooldown;
    (same && !tracking.disable_scale_in && tracking.scale_in_cooldown.as_secs() > 0).then(|| {
        format!(
            "both cooldowns are {}, and an instance takes minutes to start: scale in more slowly than out, or it flaps",
            tracking.scale_in_cooldown
        )
    })
}
