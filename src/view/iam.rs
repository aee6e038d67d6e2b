//! The least that AWS has to allow for a config to work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::{DesiredFleet, EndpointName, Mode, OnRemoval, Prune};

/// More endpoints than this are not named one by one: a managed policy has at most 6,144 characters.
const MOST_NAMES: usize = 25;

/// Where the policy is to hold.
#[derive(Debug, Clone, Copy)]
pub struct IamPlace<'a> {
    /// The account's number, or `*`.
    pub account: &'a str,
    /// The region, or `*`.
    pub region: &'a str,
}

impl IamPlace<'_> {
    fn arn(&self, service: &str, resource: &str) -> String {
        self.arn_in(self.region, service, resource)
    }

    /// IAM is not in a region, and yet in a partition.
    fn arn_in(&self, region: &str, service: &str, resource: &str) -> String {
        let partition = match self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let account = self.account;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// The IAM policy for one scope, as a policy document (aws-autoscaling.md 7.2). Observing needs reads only.
#[must_use]
pub fn iam_policy(fleet: &DesiredFleet, mode: Mode, place: IamPlace<'_>) -> Value {
    let mut statements = vec![json!({
        "Sid": "Read",
        "Effect": "Allow",
        "Action": reads(fleet),
        // None of these can be limited to a resource, or all resources are what they are asked for.
        "Resource": "*",
    })];
    if mode == Mode::Enforce {
        statements.extend(writes(fleet, place));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn reads(fleet: &DesiredFleet) -> Vec<&'static str> {
    let mut reads = vec![
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingActivities",
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions",
        // Whose a registration is, for `plan` and for what is removed.
        "application-autoscaling:ListTagsForResource",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetAlarmMuteRule",
        "cloudwatch:GetMetricData",
        "cloudwatch:ListAlarmMuteRules",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:ListEndpoints",
    ];
    let selectors = || fleet.selections.iter().map(|s| &s.selector);
    if scales_components(fleet) {
        reads.push("sagemaker:DescribeInferenceComponent");
        reads.push("sagemaker:ListInferenceComponents");
    }
    if selectors().any(|selector| !selector.tags.is_empty()) {
        reads.push("sagemaker:ListTags");
    }
    reads
}

fn scales_components(fleet: &DesiredFleet) -> bool {
    let selectors = fleet.selections.iter();
    fleet.targets.keys().any(|id| id.component().is_some())
        || selectors
            .map(|s| &s.selector)
            .any(|s| s.component.is_some())
}

fn writes(fleet: &DesiredFleet, place: IamPlace<'_>) -> Vec<Value> {
    let mut scaling = vec![
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:RegisterScalableTarget",
    ];
    if fleet.manage.prune != Prune::Never {
        scaling.push("application-autoscaling:DeleteScalingPolicy");
        // Also of those that a config of yesterday had.
        scaling.push("application-autoscaling:DeleteScheduledAction");
    }
    if fleet.has_scheduled_actions() {
        scaling.push("application-autoscaling:PutScheduledAction");
    }
    if fleet.manage.on_removal == OnRemoval::Deregister {
        scaling.push("application-autoscaling:DeregisterScalableTarget");
    }
    let mut alarms = vec![
        "alarm:TargetTracking*".to_owned(),
        format!("alarm:{}/*", fleet.manage.owner),
    ];
    alarms.extend(
        fleet
            .adopted_alarms()
            .iter()
            .map(|name| format!("alarm:{name}")),
    );
    let alarms: Vec<String> = alarms
        .iter()
        .map(|alarm| place.arn("cloudwatch", alarm))
        .collect();
    let service = "sagemaker.application-autoscaling.amazonaws.com";
    let role = format!(
        "aws-service-role/{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    );
    vec![
        json!({
            "Sid": "Scale",
            "Effect": "Allow",
            "Action": scaling,
            "Resource": place.arn("application-autoscaling", "scalable-target/*"),
            "Condition": { "StringEquals": { "application-autoscaling:service-namespace": "sagemaker" } },
        }),
        // Tagging knows no namespace: a condition on one would deny everything.
        json!({
            "Sid": "TagOwner",
            "Effect": "Allow",
            "Action": "application-autoscaling:TagResource",
            "Resource": place.arn("application-autoscaling", "scalable-target/*"),
        }),
        checked_of_the_caller(fleet, place),
        json!({
            "Sid": "Alarms",
            "Effect": "Allow",
            "Action": ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"],
            "Resource": alarms,
        }),
        json!({
            "Sid": "ServiceLinkedRoleOnce",
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": place.arn_in("", "iam", &format!("role/{role}")),
            "Condition": { "StringLike": { "iam:AWSServiceName": service } },
        }),
    ]
}

/// AWS asks whether the caller may do what it will do for them (aws-autoscaling.md 7.1).
fn checked_of_the_caller(fleet: &DesiredFleet, place: IamPlace<'_>) -> Value {
    let mut actions = vec!["sagemaker:UpdateEndpointWeightsAndCapacities"];
    let mut resources = endpoints(fleet, place);
    if scales_components(fleet) {
        actions.push("sagemaker:UpdateInferenceComponentRuntimeConfig");
        resources.push(place.arn("sagemaker", "inference-component/*"));
    }
    json!({
        "Sid": "CheckedOfTheCaller",
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
    })
}

/// The declared endpoints, by name while that stays short. SageMaker writes names in ARNs in small letters.
fn endpoints(fleet: &DesiredFleet, place: IamPlace<'_>) -> Vec<String> {
    let names: BTreeSet<&EndpointName> = fleet
        .targets
        .keys()
        .filter_map(|id| id.endpoint())
        .collect();
    if names.is_empty() || names.len() > MOST_NAMES || !fleet.selections.is_empty() {
        return vec![place.arn("sagemaker", "endpoint/*")];
    }
    let arn = |name: &&EndpointName| {
        let name = name.as_str().to_lowercase();
        place.arn("sagemaker", &format!("endpoint/{name}"))
    };
    names.iter().map(arn).collect()
}
