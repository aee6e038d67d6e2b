//! `PutScalingPolicy`: validation, and the alarm pair that AWS makes for target tracking.

use serde::{Deserialize, Serialize};

use super::super::alarm::{Comparison, Labels, Rule, Watched};
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::missing::TreatMissing;
use super::super::options::AlarmShape;
use super::super::scaling::{PolicyKind, ScalingPolicy, Tracked, Tracking};
use super::super::series::Source;
use super::super::stats::Stat;
use super::super::time::Span;
use super::super::world::World;
use super::alarms::parse_queries;
use super::policies::{AlarmReference, StepConfiguration, TrackingConfiguration};
use super::policy_spec::wanted_kind;
use super::targets::Ids;

/// Input of `PutScalingPolicy`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutScalingPolicy {
    /// The policy.
    pub policy_name: Option<String>,
    /// Always `sagemaker` here.
    pub service_namespace: Option<String>,
    /// The target's resource id.
    pub resource_id: Option<String>,
    /// The target's dimension.
    pub scalable_dimension: Option<String>,
    /// Needed for a new policy.
    pub policy_type: Option<String>,
    /// For step scaling.
    pub step_scaling_policy_configuration: Option<StepConfiguration>,
    /// For target tracking.
    pub target_tracking_scaling_policy_configuration: Option<TrackingConfiguration>,
}

/// Output of `PutScalingPolicy`.
#[derive(Debug, Clone, Serialize)]
pub struct PutScalingPolicyResponse {
    /// The policy's ARN.
    #[serde(rename = "PolicyARN")]
    pub arn: String,
    /// The alarms that AWS made: the pair of target tracking, none for steps.
    #[serde(rename = "Alarms")]
    pub alarms: Vec<AlarmReference>,
}

/// AWS's limit of policies per target.
const MAX_POLICIES: usize = 50;

impl World {
    /// Puts a policy. Updating target tracking re-creates its alarms under new names.
    ///
    /// # Errors
    /// `ValidationException`, `ObjectNotFoundException`, `LimitExceededException`, as AWS raises them.
    pub fn put_scaling_policy(
        &mut self,
        request: &PutScalingPolicy,
    ) -> Result<PutScalingPolicyResponse, ApiError> {
        let name = request.policy_name.as_ref();
        let types = ["StepScaling", "TargetTrackingScaling", "PredictiveScaling"];
        let mut checks = Checks::default();
        checks
            .required("policyName", name)
            .length("policyName", name, 1, 256)
            .one_of("policyType", request.policy_type.as_ref(), &types);
        let ids = Ids::checked(
            &mut checks,
            request.service_namespace.as_ref(),
            request.resource_id.as_ref(),
            request.scalable_dimension.as_ref(),
        )?;
        self.claim_write(ids.key())?;
        let name = name.map(String::as_str).unwrap_or_default();
        let target_index = self
            .scaling
            .find(ids.resource_id, ids.dimension)
            .filter(|i| {
                self.scaling
                    .target(*i)
                    .is_some_and(|t| t.visible_from <= self.now)
            })
            .ok_or_else(|| ids.not_found("scalable target"))?;
        let target = self
            .scaling
            .target(target_index)
            .ok_or_else(|| ids.not_found("target"))?;
        let held_index = target.policies.get(name).copied();
        if held_index.is_none() && target.policies.len() >= MAX_POLICIES {
            return Err(ApiError::limit_exceeded(format!(
                "You have reached the limit of {MAX_POLICIES} scaling policies for {}.",
                ids.resource_id
            )));
        }
        let held = held_index.and_then(|i| self.scaling.policy(i));
        let kind = wanted_kind(request, &ids, held.map(|p| &p.kind))?;
        if let PolicyKind::Tracking(tracking) = &kind {
            let same = |p: &ScalingPolicy| matches!(&p.kind, PolicyKind::Tracking(t) if t.tracked == tracking.tracked);
            if self
                .scaling
                .policies_of(target)
                .any(|(_, p)| *p.name != *name && same(p))
            {
                return Err(ApiError::validation(
                    "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
                ));
            }
        }
        let index = match held_index {
            Some(index) => {
                if let Some(policy) = self.scaling.policy_mut(index) {
                    policy.kind = kind;
                }
                index
            }
            None => self.add_policy(target_index, &ids, name, kind),
        };
        self.make_alarms(index, ids.resource_id);
        self.link_alarms();
        let policy = self
            .scaling
            .policy(index)
            .ok_or_else(|| ids.not_found("scaling policy"))?;
        let alarms = match policy.kind {
            PolicyKind::Tracking(_) => self.alarms_of(policy),
            PolicyKind::Stepping(_) => Vec::new(),
        };
        Ok(PutScalingPolicyResponse {
            arn: policy.arn.clone(),
            alarms,
        })
    }

    fn add_policy(
        &mut self,
        target_index: usize,
        ids: &Ids<'_>,
        name: &str,
        kind: PolicyKind,
    ) -> usize {
        let created_by = self.new_uuid();
        let uuid = self
            .scaling
            .target(target_index)
            .map(|t| t.uuid.clone())
            .unwrap_or_default();
        let (region, account) = (&self.options.region, &self.options.account);
        let arn = format!(
            "arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/sagemaker/{}:policyName/{name}",
            ids.resource_id
        );
        let alarm_action = format!("{arn}:createdBy/{created_by}");
        let index = self.scaling.policies.len();
        self.scaling.policy_of_action.insert(arn.clone(), index);
        self.scaling
            .policy_of_action
            .insert(alarm_action.clone(), index);
        self.scaling.policies.push(Some(ScalingPolicy {
            target: target_index,
            name: name.into(),
            arn,
            alarm_action,
            created: self.now,
            kind,
            alarms: Vec::new(),
            out_cooldown: None,
            in_cooldown_until: None,
        }));
        if let Some(target) = self.scaling.target_mut(target_index) {
            target.policies.insert(name.to_owned(), index);
        }
        index
    }

    /// Deletes the alarms that AWS made for a policy before, and makes the pair anew.
    fn make_alarms(&mut self, index: usize, resource_id: &str) {
        let now = self.now;
        let Some(policy) = self.scaling.policy_mut(index) else {
            return;
        };
        for name in std::mem::take(&mut policy.alarms) {
            self.alarms.delete(&name, now);
        }
        let Some(policy) = self.scaling.policy(index) else {
            return;
        };
        let PolicyKind::Tracking(tracking) = policy.kind.clone() else {
            return;
        };
        let action = policy.alarm_action.clone();
        let (high, low) = self.alarm_shapes(&tracking);
        let mut names = vec![self.make_alarm("AlarmHigh", high, &tracking, &action, resource_id)];
        if !tracking.disable_scale_in {
            names.push(self.make_alarm("AlarmLow", low, &tracking, &action, resource_id));
        }
        if let Some(policy) = self.scaling.policy_mut(index) {
            policy.alarms = names;
        }
    }

    fn alarm_shapes(&self, tracking: &Tracking) -> (AlarmShape, AlarmShape) {
        let options = &self.options;
        match &tracking.tracked {
            Tracked::Metric { period, .. } if *period < Span::MINUTE => {
                (options.fast_high_alarm, options.fast_low_alarm)
            }
            Tracked::Metric { .. } | Tracked::Math(_) => (options.high_alarm, options.low_alarm),
        }
    }

    fn make_alarm(
        &mut self,
        side: &str,
        shape: AlarmShape,
        tracking: &Tracking,
        action: &str,
        resource_id: &str,
    ) -> String {
        let uuid = self.new_uuid();
        let name = format!("TargetTracking-{resource_id}-{side}-{uuid}");
        let (watched, period, labels) = match &tracking.tracked {
            Tracked::Metric {
                key,
                stat,
                unit,
                period,
            } => {
                let watched = Watched::Metric {
                    key: key.clone(),
                    stat: *stat,
                    unit: unit.clone(),
                    source: Source::Nothing,
                };
                let labels = Labels {
                    statistic: Some(stat_word(*stat).to_owned()),
                    ..Labels::default()
                };
                (watched, *period, labels)
            }
            Tracked::Math(queries) => {
                // The queries were read when the policy was put.
                let parsed = parse_queries(queries, Span::MINUTE).unwrap_or_default();
                let labels = Labels {
                    queries: Some(queries.clone()),
                    ..Labels::default()
                };
                (Watched::Queries(parsed), Span::MINUTE, labels)
            }
        };
        let upward = side == "AlarmHigh";
        let rule = Rule {
            watched,
            period,
            periods: shape.periods,
            to_alarm: shape.periods,
            threshold: tracking.target * shape.threshold_ratio,
            comparison: if upward {
                Comparison::Greater
            } else {
                Comparison::Less
            },
            treat_missing: TreatMissing::Missing,
        };
        let labels = Labels {
            description: Some(format!(
                "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}."
            )),
            alarm_actions: vec![action.to_owned()],
            ..labels
        };
        self.put_alarm(name.clone(), labels, true, rule);
        name
    }
}

fn stat_word(stat: Stat) -> &'static str {
    match stat {
        Stat::Average | Stat::Percentile(_) => "Average",
        Stat::Sum => "Sum",
        Stat::Minimum => "Minimum",
        Stat::Maximum => "Maximum",
        Stat::SampleCount => "SampleCount",
    }
}
