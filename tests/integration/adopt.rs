//! Config for what other tools keep.

use crate::process::{said, text};

const ACK: &str = "
apiVersion: applicationautoscaling.services.k8s.aws/v1alpha1
kind: ScalableTarget
metadata: { name: chat-target }
spec:
  maxCapacity: 6
  minCapacity: 1
  resourceID: endpoint/chat/variant/AllTraffic
  scalableDimension: sagemaker:variant:DesiredInstanceCount
  serviceNamespace: sagemaker
  suspendedState: { dynamicScalingInSuspended: true }
---
apiVersion: applicationautoscaling.services.k8s.aws/v1alpha1
kind: ScalingPolicy
metadata: { name: chat-cpu }
spec:
  policyName: chat-cpu
  policyType: TargetTrackingScaling
  resourceID: endpoint/chat/variant/AllTraffic
  scalableDimension: sagemaker:variant:DesiredInstanceCount
  serviceNamespace: sagemaker
  targetTrackingScalingPolicyConfiguration:
    targetValue: 70
    scaleInCooldown: 300
    scaleOutCooldown: 60
    customizedMetricSpecification:
      metricName: CPUUtilization
      namespace: /aws/sagemaker/Endpoints
      dimensions: [{ name: EndpointName, value: chat }, { name: VariantName, value: AllTraffic }]
      statistic: Average
";

const DESCRIBED: &str = r#"{ "ScalingPolicies": [
  { "PolicyARN": "arn:aws:autoscaling:x:1:scalingPolicy:x:resource/sagemaker/endpoint/e/variant/v:policyName/wake",
    "PolicyName": "wake", "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "PolicyType": "StepScaling",
    "StepScalingPolicyConfiguration": { "AdjustmentType": "ChangeInCapacity", "Cooldown": 120,
      "StepAdjustments": [{ "MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1 }] },
    "Alarms": [{ "AlarmName": "backlog", "AlarmARN": "arn:aws:cloudwatch:us-west-2:1:alarm:backlog" }] },
  { "PolicyName": "CPUScaling", "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": { "TargetValue": 50.0,
      "PredefinedMetricSpecification": { "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance" } },
    "Alarms": [] } ] }"#;

const ALARMS: &str = r#"{ "MetricAlarms": [
  { "AlarmName": "backlog", "Namespace": "AWS/SageMaker", "MetricName": "HasBacklogWithoutCapacity",
    "Statistic": "Average", "Period": 60, "EvaluationPeriods": 2, "Threshold": 1.0, "StateValue": "OK",
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Dimensions": [{ "Name": "EndpointName", "Value": "e" }],
    "AlarmActions": [
      "arn:aws:autoscaling:x:1:scalingPolicy:x:resource/sagemaker/endpoint/e/variant/v:policyName/wake"] },
  { "AlarmName": "pager", "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 60,
    "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": ["arn:aws:sns:us-west-2:1:pager"] } ] }"#;

const CALLS: &str = r#"{
  "RegisterScalableTarget": [
    { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/a/variant/v", "MinCapacity": 5, "MaxCapacity": 3,
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount" },
    { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/b/variant/v", "MinCapacity": 1, "MaxCapacity": 3,
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount" } ],
  "PutScheduledAction": [
    { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/b/variant/v", "ScheduledActionName": "morning",
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "Schedule": "cron(0 8 * * ? *)" },
    { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/b/variant/v", "ScheduledActionName": "evening",
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "Schedule": "cron(0 20 ? * MON-FRI *)",
      "Timezone": "Europe/Berlin", "StartTime": "2126-11-01T00:00:00+01:00",
      "ScalableTargetAction": { "MinCapacity": 1, "MaxCapacity": 6 } },
    { "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/b/variant/v", "ScheduledActionName": "often",
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "Schedule": "rate(2 hours)",
      "ScalableTargetAction": { "MinCapacity": 1 } } ] }"#;

struct Files(tempfile::TempDir);

impl Files {
    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        text(&path).to_owned()
    }

    /// What convert writes, with the directory cut out; it must be a valid config.
    fn converted(&self, files: &[&str], more: &[&str]) -> String {
        let said_convert = said(&[&["convert"], files, more].concat());
        assert_eq!(said_convert.code, 0, "{said_convert:?}");
        let config = self.write("converted.yaml", &said_convert.out);
        let valid = said(&["validate", "--config", &config]);
        assert_eq!(valid.code, 0, "{valid:?}\n{}", said_convert.out);
        said_convert.out.replace(text(self.0.path()), "DIR")
    }
}

#[test]
fn manifests_and_cli_answers_become_config_with_remarks() {
    let files = Files(tempfile::tempdir().unwrap());
    let ack = files.write("ack.yaml", ACK);
    insta::assert_snapshot!("converted_ack", files.converted(&[&ack], &[]));
    let policies = files.write("policies.json", DESCRIBED);
    let alarms = files.write("alarms.json", ALARMS);
    let both = files.converted(&[&policies, &alarms], &["--bounds", "0..4"]);
    insta::assert_snapshot!("converted_answers", both);
    let alone = files.converted(&[&policies], &["--bounds", "0..4"]);
    assert!(
        alone.contains("its alarm `backlog` is not in the files"),
        "{alone}"
    );
    let calls = files.write("calls.json", CALLS);
    insta::assert_snapshot!("converted_calls", files.converted(&[&calls], &[]));
}

#[test]
fn what_can_not_be_converted_is_said() {
    let files = Files(tempfile::tempdir().unwrap());
    let policies = files.write("policies.json", DESCRIBED);
    let without_bounds = said(&["convert", &policies]);
    assert_eq!(without_bounds.code, 64, "{without_bounds:?}");
    assert!(
        without_bounds.err.contains("endpoint/e/variant/v")
            && without_bounds.err.contains("--bounds")
    );
    for (name, content, part) in [
        ("empty.json", "{}", "holds no scalable targets"),
        (
            "other.yaml",
            "apiVersion: v1\nkind: Pod\n",
            "holds no scalable targets",
        ),
        ("broken.json", "{ \"a\": ", "is neither JSON"),
    ] {
        let path = files.write(name, content);
        let said = said(&["convert", &path]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.err.contains(&path) && said.err.contains(part),
            "{}",
            said.err
        );
    }
    let missing = said(&["convert", "/nowhere.json"]);
    assert!(
        missing.code == 1 && missing.err.contains("/nowhere.json"),
        "{missing:?}"
    );
    assert_eq!(said(&["convert", &policies, "--bounds", "4..1"]).code, 64);
    for flags in [
        &["--scope", "x"][..],
        &["--output", "json"],
        &["--target", "nobody"],
    ] {
        let said = said(&[&["convert", &policies, "--bounds", "0..4"], flags].concat());
        assert!(said.code == 64 && said.err.contains(flags[0]), "{said:?}");
    }
}
