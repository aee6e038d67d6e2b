"""Round trips: evenkeel writes and boto3 reads it back; boto3 changes one thing and `plan` finds just that."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from support import BINARY, ENVIRONMENT, Sandbox

CONFIG = """
targets:
  - endpoint: chat
    variant: AllTraffic
    bounds: { min: 2, max: 9 }
    suspended: { scale_in: true }
    policies:
      - target_tracking: { metric: invocations_per_instance, target: 70.5, scale_out_cooldown: 60s }
      - name: cpu
        target_tracking:
          metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average, unit: Percent }
          target: 240
          scale_in_cooldown: 0s
          disable_scale_in: true
      - name: queue
        step:
          adjustment: percent
          steps: [{ to: -10, adjust: -10 }, { from: -10, to: 25.5, adjust: 10 }, { from: 25.5, adjust: 40 }]
          min_change: 2
          cooldown: 90s
          aggregation: maximum
          alarm:
            metric: { namespace: App, name: Queue, statistic: Maximum, dimensions: { Shard: "7" } }
            threshold: 100
            comparison: ">"
            period: 120s
            periods: 5
            datapoints: 3
            missing_data: not_breaching
      - wake_from_zero: {}
      - fast_scale_out: { metric: invocations_per_instance, above: 900, add: 50% }
"""

WORLD = """
endpoints:
  - name: chat
    variants: [{ name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2 }]
"""

IDS = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/chat/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
ALARM = "evenkeel/endpoint/chat/variant/AllTraffic/"


class Applied(unittest.TestCase):
    """A sandbox, a config, and what evenkeel does with both."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        path = pathlib.Path(self.dir.name)
        (path / "world.yaml").write_text(WORLD)
        (path / "evenkeel.yaml").write_text(CONFIG)
        self.config = str(path / "evenkeel.yaml")
        self.sandbox = Sandbox("--world", str(path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.scaling, self.cloudwatch = self.sandbox.scaling, self.sandbox.cloudwatch

    def evenkeel(self, *arguments):
        command = [BINARY, *arguments, "--config", self.config, "--endpoint-url", self.sandbox.url]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)

    def apply(self):
        done = self.evenkeel("apply", "--yes")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class RoundTrip(Applied):
    def policies(self):
        held = self.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        return {policy["PolicyName"]: policy for policy in held}

    def alarm(self, policy):
        return self.cloudwatch.describe_alarms(AlarmNames=[ALARM + policy])["MetricAlarms"][0]

    def put_policy(self, name, **changes):
        """Puts a policy as it stands, but for some changes."""
        held = self.policies()[name]
        tracking = held["PolicyType"] == "TargetTrackingScaling"
        member = ("TargetTracking" if tracking else "Step") + "ScalingPolicyConfiguration"
        shape = {**held[member], **changes}
        shape = {key: value for key, value in shape.items() if value is not None}
        self.scaling.put_scaling_policy(**IDS, PolicyName=name, PolicyType=held["PolicyType"], **{member: shape})

    def put_alarm(self, policy, **changes):
        known = self.cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        shape = {key: value for key, value in self.alarm(policy).items() if key in known}
        self.cloudwatch.put_metric_alarm(**{**shape, **changes})

    def test_boto3_reads_back_what_was_declared(self):
        self.apply()
        target = self.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
        self.assertEqual((target["MinCapacity"], target["MaxCapacity"]), (2, 9))
        self.assertEqual(
            target["SuspendedState"],
            {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False,
             "ScheduledScalingSuspended": False},
        )  # fmt: skip
        held = self.policies()
        self.assertEqual(
            set(held),
            {"evenkeel-invocations_per_instance", "cpu", "queue", "evenkeel-wake_from_zero", "evenkeel-fast_scale_out"},
        )
        self.assertEqual(
            held["evenkeel-invocations_per_instance"]["TargetTrackingScalingPolicyConfiguration"],
            {"TargetValue": 70.5, "ScaleOutCooldown": 60, "ScaleInCooldown": 300, "DisableScaleIn": False,
             "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}},
        )  # fmt: skip
        dimensions = [{"Name": "EndpointName", "Value": "chat"}, {"Name": "VariantName", "Value": "AllTraffic"}]
        self.assertEqual(
            held["cpu"]["TargetTrackingScalingPolicyConfiguration"],
            {"TargetValue": 240.0, "ScaleOutCooldown": 300, "ScaleInCooldown": 0, "DisableScaleIn": True,
             "CustomizedMetricSpecification": {
                 "Namespace": "/aws/sagemaker/Endpoints", "MetricName": "CPUUtilization", "Statistic": "Average",
                 "Unit": "Percent", "Dimensions": dimensions}},
        )  # fmt: skip
        self.assertEqual(
            held["queue"]["StepScalingPolicyConfiguration"],
            {"AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 2, "Cooldown": 90,
             "MetricAggregationType": "Maximum",
             "StepAdjustments": [
                 {"MetricIntervalUpperBound": -10.0, "ScalingAdjustment": -10},
                 {"MetricIntervalLowerBound": -10.0, "MetricIntervalUpperBound": 25.5, "ScalingAdjustment": 10},
                 {"MetricIntervalLowerBound": 25.5, "ScalingAdjustment": 40}]},
        )  # fmt: skip
        queue = self.alarm("queue")
        wanted = {
            "Namespace": "App", "MetricName": "Queue", "Statistic": "Maximum", "Threshold": 100.0, "Period": 120,
            "EvaluationPeriods": 5, "DatapointsToAlarm": 3, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching", "Dimensions": [{"Name": "Shard", "Value": "7"}],
            "ActionsEnabled": True, "AlarmActions": [held["queue"]["PolicyARN"]],
        }  # fmt: skip
        self.assertEqual({key: queue[key] for key in wanted}, wanted)
        self.assertEqual([a["AlarmName"] for a in held["queue"]["Alarms"]], [ALARM + "queue"])
        # AWS's own recipe for leaving zero, and one request wakes it.
        wake = self.alarm("evenkeel-wake_from_zero")
        wanted = {
            "Namespace": "AWS/SageMaker", "MetricName": "HasBacklogWithoutCapacity", "Statistic": "Average",
            "Threshold": 1.0, "Period": 60, "EvaluationPeriods": 2,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Dimensions": [{"Name": "EndpointName", "Value": "chat"}],
        }  # fmt: skip
        self.assertEqual({key: wake[key] for key in wanted}, wanted)
        steps = held["evenkeel-wake_from_zero"]["StepScalingPolicyConfiguration"]
        self.assertEqual(steps["StepAdjustments"], [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}])
        fast = held["evenkeel-fast_scale_out"]["StepScalingPolicyConfiguration"]
        self.assertEqual(fast["AdjustmentType"], "PercentChangeInCapacity")

    def test_what_boto3_made_is_imported_and_a_plan_finds_nothing(self):
        """A fleet made by hand, also with a step policy on an alarm that is called anything."""
        register = {**IDS, "MinCapacity": 2, "MaxCapacity": 7}
        self.scaling.register_scalable_target(**register, SuspendedState={"DynamicScalingOutSuspended": True})
        metric = {"Namespace": "App", "MetricName": "Queue"}
        math = [
            {"Id": "q", "ReturnData": False, "MetricStat": {"Metric": metric, "Stat": "Sum"}},
            {"Id": "each", "Expression": "q / 2", "Label": "per instance", "ReturnData": True},
        ]
        for name, specification in (
            ("by math", {"CustomizedMetricSpecification": {"Metrics": math}}),
            ("by requests", {"PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}),
        ):  # fmt: skip
            self.scaling.put_scaling_policy(
                **IDS, PolicyName=name, PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={"TargetValue": 5.0, **specification},
            )  # fmt: skip
        steps = {
            "AdjustmentType": "ExactCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 6}],
        }
        arn = self.scaling.put_scaling_policy(
            **IDS, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
        )["PolicyARN"]
        self.cloudwatch.put_metric_alarm(
            AlarmName="team: queue is long", **metric, Statistic="Maximum", Period=60, Threshold=10.0,
            ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=3, AlarmActions=[arn],
        )  # fmt: skip
        command = [BINARY, "import", "--endpoint-url", self.sandbox.url]
        imported = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        pathlib.Path(self.config).write_text(imported.stdout)
        plan = self.evenkeel("plan")
        self.assertEqual(plan.returncode, 0, imported.stdout + plan.stdout + plan.stderr)
        self.assertIn("No changes: 1 of 1 targets as declared", plan.stdout)
        self.assertNotIn("note:", plan.stdout, "everything is declared")
        # The adopted alarm is kept as it was found.
        self.cloudwatch.disable_alarm_actions(AlarmNames=["team: queue is long"])
        self.assertEqual(self.evenkeel("plan").returncode, 2)
        self.apply()
        self.assertEqual(self.evenkeel("plan").returncode, 0)

    def test_what_import_leaves_out_is_not_removed(self):
        """A step policy of our name without an alarm can not be declared; it must not be pruned for that."""
        self.scaling.register_scalable_target(**IDS, MinCapacity=1, MaxCapacity=3)
        self.scaling.put_scaling_policy(
            **IDS, PolicyName="evenkeel-old", PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]},
        )  # fmt: skip
        command = [BINARY, "import", "--endpoint-url", self.sandbox.url]
        imported = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.assertIn("left out: 1", imported.stderr)
        pathlib.Path(self.config).write_text(imported.stdout)
        plan = self.evenkeel("plan")
        self.assertEqual(plan.returncode, 0, imported.stdout + plan.stdout + plan.stderr)

    def test_each_change_by_hand_is_one_difference_in_the_right_words(self):
        self.apply()
        tracking, register = "evenkeel-invocations_per_instance", self.scaling.register_scalable_target
        in_only = {"MetricName": "MemoryUtilization", "Namespace": "/aws/sagemaker/Endpoints", "Statistic": "Average"}
        cases = [
            (lambda: register(**IDS, MinCapacity=1), "AWS holds bounds 1..9, and 2..9 are due"),
            (lambda: register(**IDS, MaxCapacity=20), "AWS holds bounds 2..20, and 2..9 are due"),
            (lambda: register(**IDS, SuspendedState={"DynamicScalingInSuspended": False}),
             "nothing is suspended in AWS, and scaling in should be"),
            (lambda: register(**IDS, SuspendedState={"ScheduledScalingSuspended": True}),
             "scaling in and scheduled scaling is suspended in AWS, and scaling in should be"),
            (lambda: self.put_policy(tracking, TargetValue=80.0), "target 80 -> 70.5"),
            (lambda: self.put_policy(tracking, ScaleOutCooldown=61), "scale_out_cooldown 61s -> 60s"),
            (lambda: self.put_policy(tracking, ScaleInCooldown=1), "scale_in_cooldown 1s -> 300s"),
            (lambda: self.put_policy(tracking, DisableScaleIn=True), "disable_scale_in true -> false"),
            (lambda: self.put_policy("cpu", CustomizedMetricSpecification=in_only),
             "metric Average of /aws/sagemaker/Endpoints MemoryUtilization -> Average of /aws/sagemaker/Endpoints "
             "CPUUtilization"),
            (lambda: self.put_policy("queue", Cooldown=10), "cooldown 10s -> 90s"),
            (lambda: self.put_policy("queue", MetricAggregationType="Minimum"), "aggregation Minimum -> Maximum"),
            (lambda: self.put_policy("queue", MinAdjustmentMagnitude=1), "min_change 1 -> 2"),
            (lambda: self.put_policy("queue", AdjustmentType="ChangeInCapacity", MinAdjustmentMagnitude=None),
             "adjustment change -> percent"),
            (lambda: self.put_policy("queue", StepAdjustments=[
                {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 5}]), "steps +5% from 0 -> -10% up to -10"),
            (lambda: self.scaling.delete_scaling_policy(**IDS, PolicyName=tracking), "the target has no such policy"),
            (lambda: self.put_alarm("queue", Threshold=101.0), "Maximum Queue > 101 in"),
            (lambda: self.put_alarm("queue", Statistic="Sum"), "Sum Queue > 100 in"),
            (lambda: self.put_alarm("queue", Period=60), "in 3 of 5 periods of 60 s -> "),
            (lambda: self.put_alarm("queue", DatapointsToAlarm=4), "in 4 of 5 periods of 120 s -> "),
            (lambda: self.put_alarm("queue", ComparisonOperator="GreaterThanOrEqualToThreshold"), "Queue >= 100 in"),
            (lambda: self.put_alarm("queue", AlarmActions=[]), "alarm.action nothing -> the policy"),
            (lambda: self.cloudwatch.disable_alarm_actions(AlarmNames=[ALARM + "queue"]),
             "alarm.actions_enabled false -> true"),
            (lambda: self.cloudwatch.delete_alarms(AlarmNames=[ALARM + "queue"]),
             "without its alarm the policy does nothing"),
            (lambda: self.cloudwatch.delete_alarms(
                AlarmNames=[a["AlarmName"] for a in self.policies()[tracking]["Alarms"][:1]]),
             "its high alarm was deleted"),
        ]  # fmt: skip
        for change, words in cases:
            change()
            plan = self.evenkeel("plan", "--output", "json")
            self.assertEqual(plan.returncode, 2, (words, plan.stdout, plan.stderr))
            actions = [a for t in json.loads(plan.stdout)["scopes"][0]["targets"] for a in t["actions"]]
            with self.subTest(words):
                self.assertIn(words, actions[0]["because"])
                # A deleted policy leaves its alarms to be connected again; everything else is one write.
                self.assertEqual(len(actions), 1, actions)
            self.apply()
            self.assertEqual(self.evenkeel("plan").returncode, 0, words)


class ScheduledActions(Applied):
    """Schedules that AWS runs: boto3 sees them in full, and what it changes in one is found and mended."""

    SCHEDULES = """
    schedules:
      - { name: up, cron: "0 8 ? * MON-FRI *", timezone: Europe/Berlin, bounds: { min: 2, max: 20 }, runner: aws,
          end: "2199-01-01T00:00" }
      - { name: nights, window: { from: "22:00", until: "06:00" }, timezone: Europe/Berlin, bounds: { max: 4 },
          runner: both }
    """

    def setUp(self):
        super().setUp()
        head, _, _ = CONFIG.partition("    suspended:")
        pathlib.Path(self.config).write_text(head + self.SCHEDULES)
        self.apply()

    def actions(self):
        held = self.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]
        return {action["ScheduledActionName"]: action for action in held}

    def test_they_are_put_in_full(self):
        actions = self.actions()
        self.assertEqual(
            sorted(actions), ["evenkeel-nights closes", "evenkeel-nights opens", "evenkeel-up"]
        )
        up = actions["evenkeel-up"]
        self.assertEqual((up["Schedule"], up["Timezone"]), ("cron(0 8 ? * MON-FRI *)", "Europe/Berlin"))
        self.assertEqual(up["ScalableTargetAction"], {"MinCapacity": 2, "MaxCapacity": 20})
        self.assertEqual(up["EndTime"].year, 2198)
        self.assertEqual(actions["evenkeel-nights opens"]["Schedule"], "cron(0 22 * * ? *)")
        self.assertEqual(actions["evenkeel-nights opens"]["ScalableTargetAction"], {"MaxCapacity": 4})

    def test_what_someone_changes_is_found_and_mended(self):
        self.scaling.put_scheduled_action(
            **IDS, ScheduledActionName="evenkeel-up", Schedule="cron(0 9 ? * MON-FRI *)",
            ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 20},
        )
        plan = self.evenkeel("plan")
        self.assertEqual(plan.returncode, 2, plan.stderr)
        said = "expression cron(0 9 ? * MON-FRI *) -> cron(0 8 ? * MON-FRI *), end none -> 2198-12-31T23:00:00Z"
        self.assertIn(said, plan.stdout)
        self.apply()
        self.assertEqual(self.actions()["evenkeel-up"]["Schedule"], "cron(0 8 ? * MON-FRI *)")
        self.scaling.delete_scheduled_action(**IDS, ScheduledActionName="evenkeel-nights closes")
        self.apply()
        self.assertIn("evenkeel-nights closes", self.actions())
        self.assertEqual(self.evenkeel("plan").returncode, 0)

    def test_what_has_not_run_yet_is_imported_so_that_nothing_is_to_be_done(self):
        self.scaling.put_scheduled_action(
            **IDS, ScheduledActionName="console-lunch", Schedule="cron(0 12 * * ? *)",
            ScalableTargetAction={"MinCapacity": 3},
        )
        found = subprocess.run(
            [BINARY, "import", "--endpoint-url", self.sandbox.url],
            env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertIn("`console-lunch` has not run since it was put", found.stdout)
        pathlib.Path(self.config).write_text(found.stdout)
        plan = self.evenkeel("plan")
        self.assertEqual(plan.returncode, 0, found.stdout + plan.stdout)


if __name__ == "__main__":
    unittest.main()
