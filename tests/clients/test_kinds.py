"""evenkeel over every kind of target, and what people ask of it for a while; boto3 reads back what it did."""

import datetime
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from support import BINARY, ENVIRONMENT, Sandbox

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"

FREE = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
NOT_IN = {**FREE, "DynamicScalingInSuspended": True}
NOT_OUT = {**FREE, "DynamicScalingOutSuspended": True}

# Long enough for any change of an endpoint in the sandbox.
A_WHILE = 1500
# Long enough for instances of `CHAT`, and too short for an alarm that wants to scale in.
SOON = 600


class QuickSandbox(Sandbox):
    """The same, with clients of one session: to read the service models takes longer than most tests."""

    session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")

    def _client(self, service):
        config = Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=20)
        client = self.session.client(service, endpoint_url=self.url, config=config)
        client.meta.events.register("after-call", self._judge)
        return client

    def tell(self, method, path, **body):
        """One of the requests that AWS has no API for."""
        self._send(method, path, body)


def of(endpoint, variant="v"):
    return f"endpoint/{endpoint}/variant/{variant}"


def ids(resource, dimension=INSTANCES):
    return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension}


def predefined(metric, target, **more):
    return {"TargetValue": target, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}, **more}


class KindsTest(unittest.TestCase):
    maxDiff = None
    WORLD = "endpoints: []"
    CONFIG = "targets: []"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        self.start(self.WORLD)
        self.configure(self.CONFIG)

    def start(self, world):
        (self.path / "world.yaml").write_text(world)
        self.sandbox = QuickSandbox("--world", str(self.path / "world.yaml"))
        self.addCleanup(self.sandbox.stop)
        self.scaling, self.sagemaker = self.sandbox.scaling, self.sandbox.sagemaker
        self.cloudwatch, self.runtime = self.sandbox.cloudwatch, self.sandbox.runtime

    def configure(self, config):
        (self.path / "evenkeel.yaml").write_text(config)

    # What evenkeel does.

    def evenkeel(self, *arguments):
        config = [] if arguments[0] == "import" else ["--config", str(self.path / "evenkeel.yaml")]
        command = [BINARY, *arguments, *config, "--endpoint-url", self.sandbox.url]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)

    def ends(self, code, *arguments):
        """Runs a command that has to end with this exit code; all that it said."""
        done = self.evenkeel(*arguments)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def apply(self, *arguments):
        return self.ends(0, "apply", "--yes", *arguments)

    def plan(self, code=0, *arguments):
        """A plan that has to end with this exit code, as JSON."""
        done = self.evenkeel("plan", "--output", "json", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def planned(self, plan):
        """The entry of each target in a plan."""
        (scope,) = plan["scopes"]
        return {(entry["target"], entry["dimension"]): entry for entry in scope["targets"]}

    def forget_chat(self):
        """Takes an endpoint out of the config of the fleet."""
        self.configure("targets:\n  - endpoint: batch" + FLEET.partition("  - endpoint: batch")[2])

    # What AWS holds.

    def targets(self):
        pages = self.scaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="sagemaker")
        held = [target for page in pages for target in page["ScalableTargets"]]
        return {(target["ResourceId"], target["ScalableDimension"]): target for target in held}

    def registered(self):
        """The bounds of every registration."""
        return {key: (target["MinCapacity"], target["MaxCapacity"]) for key, target in self.targets().items()}

    def bounds(self, resource, dimension=INSTANCES):
        return self.registered().get((resource, dimension))

    def suspended(self, resource, dimension=INSTANCES):
        return self.targets()[resource, dimension]["SuspendedState"]

    def policies(self):
        pages = self.scaling.get_paginator("describe_scaling_policies").paginate(ServiceNamespace="sagemaker")
        held = [policy for page in pages for policy in page["ScalingPolicies"]]
        return {(policy["ResourceId"], policy["PolicyName"]): policy for policy in held}

    def alarms(self, prefix=""):
        pages = self.cloudwatch.get_paginator("describe_alarms")
        pages = pages.paginate(AlarmNamePrefix=prefix) if prefix else pages.paginate()
        return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}

    def markers(self):
        """The descriptions of evenkeel's markers, by the name of their alarm."""
        kinds = ("hold", "override", "update")
        held = {name: alarm for kind in kinds for name, alarm in self.alarms(f"evenkeel/{kind}/").items()}
        return {name: alarm["AlarmDescription"] for name, alarm in held.items()}

    def owner(self, resource, dimension=INSTANCES):
        arn = self.targets()[resource, dimension]["ScalableTargetARN"]
        return self.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"].get("evenkeel:owner")

    def variant(self, endpoint):
        return self.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]

    def desired(self, endpoint):
        return self.variant(endpoint)["DesiredInstanceCount"]

    def copies(self, component):
        config = self.sagemaker.describe_inference_component(InferenceComponentName=component)["RuntimeConfig"]
        return config["CurrentCopyCount"], config["DesiredCopyCount"]

    def config_of(self, resource, policy):
        held = self.policies()[resource, policy]
        kind = "TargetTracking" if held["PolicyType"] == "TargetTrackingScaling" else "Step"
        return held[f"{kind}ScalingPolicyConfiguration"]

    # What others do.

    def register(self, resource, low, high, dimension=INSTANCES, **more):
        self.scaling.register_scalable_target(**ids(resource, dimension), MinCapacity=low, MaxCapacity=high, **more)

    def put(self, resource, name, dimension=INSTANCES, **config):
        kind = "StepScaling" if "StepScalingPolicyConfiguration" in config else "TargetTrackingScaling"
        put = self.scaling.put_scaling_policy
        return put(**ids(resource, dimension), PolicyName=name, PolicyType=kind, **config)["PolicyARN"]

    def create_endpoint(self, name, instance_type="ml.m5.xlarge", config=None, **tags):
        config = config or name
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {"VariantName": "v", "ModelName": "m", "InstanceType": instance_type, "InitialInstanceCount": 1}
            ],
        )
        tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags)

    def refused(self, call, part, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertIn(part, caught.exception.response["Error"]["Message"])

    def not_even_tried(self, operation, *arguments):
        """That a command, whatever its exit code, does not call an operation: an error that waits for it stays."""
        self.sandbox.tell("POST", "faults", operation=operation, code="AccessDeniedException", times=1)
        done = self.evenkeel(*arguments)
        self.assertNotIn("failed ", done.stderr)
        verb = {"RegisterScalableTarget": "register", "DeregisterScalableTarget": "deregister"}[operation]
        bounds = {"MinCapacity": 1, "MaxCapacity": 1} if verb == "register" else {}
        said = f"{operation} was called:\n{done.stdout}{done.stderr}"
        with self.assertRaises(ClientError, msg=said) as caught:
            getattr(self.scaling, f"{verb}_scalable_target")(**ids(of("no-such")), **bounds)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException", said)
        return done


CHAT = "{ name: chat, exact: true, variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 2, start_up: 5m }] }"

FLEET_WORLD = f"""
endpoints:
  - {CHAT}
  - name: batch
    async: true
    variants: [{{ name: v, instance_type: ml.g5.xlarge, instances: 1, serves: 60 }}]
  - name: tiny
    variants: [{{ name: v, latency: 1s, serverless: {{ max_concurrency: 20, provisioned: 4 }} }}]
  - name: llms
    variants: [{{ name: v, instance_type: ml.g5.xlarge, hosts_components: {{ min_instances: 0, max_instances: 4 }} }}]
    components: [{{ name: llama, copies: 1, serves: 60, start_up: 3m }}, {{ name: bert, copies: 1 }}]
"""

FLEET = """
targets:
  - endpoint: chat
    variant: v
    bounds: { min: 2, max: 9 }
    policies:
      - target_tracking: { metric: invocations_per_instance, target: 600, scale_out_cooldown: 60s }
      - fast_scale_out: { metric: invocations_per_instance, above: 900, add: 50% }
  - endpoint: batch
    variant: v
    bounds: { min: 0, max: 3 }
    policies:
      - name: backlog
        target_tracking:
          metric: { namespace: AWS/SageMaker, name: ApproximateBacklogSizePerInstance, statistic: Average }
          target: 5
      - wake_from_zero: {}
  - endpoint: tiny
    variant: v
    dimension: provisioned_concurrency
    bounds: { min: 2, max: 20 }
    policies: [{ target_tracking: { metric: provisioned_concurrency_utilization, target: 0.5 } }]
  - component: llama
    bounds: { min: 0, max: 4 }
    policies:
      - target_tracking: { metric: invocations_per_copy, target: 30 }
      - wake_from_zero: {}
  - component: bert
    bounds: { min: 1, max: 2 }
    policies: [{ target_tracking: { metric: concurrent_requests_per_copy, target: 4 } }]
"""

BOUNDS = {
    (of("chat"), INSTANCES): (2, 9),
    (of("batch"), INSTANCES): (0, 3),
    (of("tiny"), CONCURRENCY): (2, 20),
    ("inference-component/llama", COPIES): (0, 4),
    ("inference-component/bert", COPIES): (1, 2),
}

COOLDOWNS = {"ScaleOutCooldown": 300, "ScaleInCooldown": 300, "DisableScaleIn": False}


class Fleet(KindsTest):
    WORLD = FLEET_WORLD
    CONFIG = FLEET

    def alarm_of(self, resource, policy):
        """The one alarm that triggers a step policy, found as AWS lists it."""
        held = self.policies()[resource, policy]
        (name,) = [alarm["AlarmName"] for alarm in held["Alarms"]]
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        self.assertEqual(alarm["AlarmActions"], [held["PolicyARN"]])
        return alarm

    def test_every_kind_is_registered_as_declared(self):
        self.plan(2)
        self.assertEqual(self.registered(), {}, "a plan writes nothing")
        self.apply()
        self.assertEqual(self.registered(), BOUNDS)
        for key, target in self.targets().items():
            with self.subTest(key):
                self.assertEqual(target["SuspendedState"], FREE)
                self.assertEqual(self.owner(*key), "evenkeel")
        tracked = {
            (of("chat"), "evenkeel-invocations_per_instance"): predefined(
                "SageMakerVariantInvocationsPerInstance", 600.0, **{**COOLDOWNS, "ScaleOutCooldown": 60}
            ),
            (of("batch"), "backlog"): {
                "TargetValue": 5.0, **COOLDOWNS,
                "CustomizedMetricSpecification": {
                    "Namespace": "AWS/SageMaker", "MetricName": "ApproximateBacklogSizePerInstance",
                    "Statistic": "Average", "Dimensions": [{"Name": "EndpointName", "Value": "batch"}],
                },
            },
            (of("tiny"), "evenkeel-provisioned_concurrency_utilization"): predefined(
                "SageMakerVariantProvisionedConcurrencyUtilization", 0.5, **COOLDOWNS
            ),
            ("inference-component/llama", "evenkeel-invocations_per_copy"): predefined(
                "SageMakerInferenceComponentInvocationsPerCopy", 30.0, **COOLDOWNS
            ),
            ("inference-component/bert", "evenkeel-concurrent_requests_per_copy"): predefined(
                "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution", 4.0, **COOLDOWNS
            ),
        }  # fmt: skip
        held = self.policies()
        for key, wanted in tracked.items():
            with self.subTest(key):
                self.assertEqual(held[key]["TargetTrackingScalingPolicyConfiguration"], wanted)
                self.assertEqual(len(held[key]["Alarms"]), 2)
        stepping = {
            (of("batch"), "evenkeel-wake_from_zero"),
            ("inference-component/llama", "evenkeel-wake_from_zero"),
            (of("chat"), "evenkeel-fast_scale_out"),
        }
        self.assertEqual(set(held), set(tracked) | stepping)
        self.assertIn("No changes: 5 of 5 targets as declared", self.ends(0, "plan"))

    def test_recipes_for_leaving_zero_are_those_of_aws(self):
        self.apply()
        one_more = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]
        cases = {
            "inference-component/llama": (
                {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": one_more, "Cooldown": 60,
                 "MetricAggregationType": "Maximum"},
                {"Namespace": "AWS/SageMaker", "MetricName": "NoCapacityInvocationFailures", "Statistic": "Sum",
                 "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0, "TreatMissingData": "missing",
                 "ComparisonOperator": "GreaterThanOrEqualToThreshold", "ActionsEnabled": True,
                 "Dimensions": [{"Name": "InferenceComponentName", "Value": "llama"}]},
            ),
            of("batch"): (
                {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": one_more, "Cooldown": 300,
                 "MetricAggregationType": "Average"},
                {"Namespace": "AWS/SageMaker", "MetricName": "HasBacklogWithoutCapacity", "Statistic": "Average",
                 "Period": 60, "EvaluationPeriods": 2, "Threshold": 1.0, "TreatMissingData": "missing",
                 "ComparisonOperator": "GreaterThanOrEqualToThreshold", "ActionsEnabled": True,
                 "Dimensions": [{"Name": "EndpointName", "Value": "batch"}]},
            ),
        }  # fmt: skip
        for resource, (scaling, rule) in cases.items():
            with self.subTest(resource):
                self.assertEqual(self.config_of(resource, "evenkeel-wake_from_zero"), scaling)
                alarm = self.alarm_of(resource, "evenkeel-wake_from_zero")
                self.assertEqual({key: alarm[key] for key in rule}, rule)
                self.assertEqual(alarm.get("DatapointsToAlarm", rule["EvaluationPeriods"]), rule["EvaluationPeriods"])
                self.assertEqual(alarm["AlarmName"], f"evenkeel/{resource}/evenkeel-wake_from_zero")

    def test_what_was_declared_sleeps_and_one_request_wakes_it(self):
        self.apply()
        self.sandbox.tell("PUT", "components/llama/traffic", steady=0)
        self.sandbox.advance(3600)
        self.assertEqual(self.copies("llama"), (0, 0))
        self.assertEqual(self.variant("batch")["CurrentInstanceCount"], 0)
        self.plan(0)
        with self.assertRaises(ClientError):
            self.runtime.invoke_endpoint(EndpointName="llms", InferenceComponentName="llama", Body=b"{}")
        self.runtime.invoke_endpoint_async(EndpointName="batch", InputLocation="s3://bucket/input")
        self.sandbox.advance(420)
        self.assertEqual(self.copies("llama")[1], 1)
        self.assertEqual(self.desired("batch"), 1)

    def test_a_fleet_of_every_kind_is_imported(self):
        """Made by boto3: all dimensions, tracking and steps, a suspension, alarms that are called anything."""
        self.register(of("chat"), 2, 7, SuspendedState={"DynamicScalingOutSuspended": True})
        self.put(
            of("chat"), "by hand",
            TargetTrackingScalingPolicyConfiguration=predefined("SageMakerVariantInvocationsPerInstance", 512.5),
        )  # fmt: skip
        self.register(of("batch"), 0, 5)
        backlog = {
            "Namespace": "AWS/SageMaker", "MetricName": "ApproximateBacklogSizePerInstance", "Statistic": "Average",
            "Dimensions": [{"Name": "EndpointName", "Value": "batch"}],
        }  # fmt: skip
        tracking = {"TargetValue": 3.0, "CustomizedMetricSpecification": backlog, "ScaleInCooldown": 0}
        self.put(of("batch"), "backlog", TargetTrackingScalingPolicyConfiguration=tracking)
        self.register(of("tiny"), 1, 15, CONCURRENCY)
        self.put(
            of("tiny"), "use", CONCURRENCY,
            TargetTrackingScalingPolicyConfiguration=predefined(
                "SageMakerVariantProvisionedConcurrencyUtilization", 0.65, DisableScaleIn=True
            ),
        )  # fmt: skip
        llama = "inference-component/llama"
        self.register(llama, 0, 4, COPIES)
        self.put(
            llama, "per copy", COPIES,
            TargetTrackingScalingPolicyConfiguration=predefined("SageMakerInferenceComponentInvocationsPerCopy", 9.0),
        )  # fmt: skip
        wake = {
            "AdjustmentType": "ChangeInCapacity", "Cooldown": 60, "MetricAggregationType": "Maximum",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }  # fmt: skip
        for resource, dimension, metric, name, value in [
            (of("batch"), INSTANCES, "HasBacklogWithoutCapacity", "EndpointName", "batch"),
            (llama, COPIES, "NoCapacityInvocationFailures", "InferenceComponentName", "llama"),
        ]:
            arn = self.put(resource, "wake", dimension, StepScalingPolicyConfiguration=wake)
            self.cloudwatch.put_metric_alarm(
                AlarmName=f"ops wakes {value}", Namespace="AWS/SageMaker", MetricName=metric, Statistic="Sum",
                Period=60, EvaluationPeriods=1, Threshold=0.0, ComparisonOperator="GreaterThanThreshold",
                AlarmActions=[arn],
                Dimensions=[{"Name": name, "Value": value}],
            )  # fmt: skip
        self.register("inference-component/bert", 1, 1, COPIES)
        before = (self.targets(), self.policies(), self.alarms())
        imported = self.evenkeel("import")
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.assertIn("targets: 5, policies: 6, schedules: 0, left out: 0", imported.stderr)
        self.configure(imported.stdout)
        said = self.ends(0, "plan")
        self.assertIn("No changes: 5 of 5 targets as declared", said)
        self.assertNotIn("note:", said, "everything is declared")
        self.apply()
        self.assertEqual((self.targets(), self.policies(), self.alarms()), before, "nothing is written")
        # Every dimension was really read: each differs when it is changed.
        for resource, dimension in BOUNDS:
            self.scaling.register_scalable_target(**ids(resource, dimension), MaxCapacity=19)
            changed = [key for key, entry in self.planned(self.plan(2)).items() if entry["verdict"] == "changes"]
            self.assertEqual(changed, [(resource, dimension)])
            self.apply()
        self.assertEqual(
            {key: value["MaxCapacity"] for key, value in self.targets().items()},
            {key: value["MaxCapacity"] for key, value in before[0].items()},
        )

    def test_a_fleet_that_evenkeel_made_is_imported(self):
        self.apply()
        before = (self.targets(), self.policies(), self.alarms())
        imported = self.evenkeel("import")
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.configure(imported.stdout)
        self.assertIn("No changes: 5 of 5 targets as declared", self.ends(0, "plan"))
        self.apply()
        self.assertEqual((self.targets(), self.policies(), self.alarms()), before)
        some = self.evenkeel("import", "--target", "llama")
        self.assertEqual(some.returncode, 0, some.stderr)
        self.configure(some.stdout)
        self.assertIn("No changes: 1 of 1 targets as declared", self.ends(0, "plan"))

    def test_units_are_turned_into_those_of_aws(self):
        self.configure(
            """
            targets:
              - endpoint: chat
                variant: v
                bounds: { min: 1, max: 4 }
                policies:
                  - target_tracking: { metric: invocations_per_instance, target: 10/s }
                  - name: cpu
                    target_tracking:
                      metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average }
                      target: 60% of all cores
                  - fast_scale_out: { metric: invocations_per_instance, above: 20/s, add: 2 }
              - endpoint: tiny
                variant: v
                dimension: provisioned_concurrency
                bounds: { min: 1, max: 4 }
                policies: [{ target_tracking: { metric: provisioned_concurrency_utilization, target: 70% } }]
              - component: llama
                bounds: { min: 1, max: 4 }
                policies: [{ target_tracking: { metric: invocations_per_copy, target: 90/min } }]
              - component: bert
                bounds: { min: 1, max: 2 }
                policies: [{ target_tracking: { metric: invocations_per_copy, target: 1.5 per second } }]
              - select: { endpoint: "b*", kind: async }
                bounds: { min: 1, max: 2 }
                policies:
                  - name: cpu
                    target_tracking:
                      metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average }
                      target: 45% of one core
            """
        )
        self.apply()
        values = {
            key: policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
            for key, policy in self.policies().items()
            if policy["PolicyType"] == "TargetTrackingScaling"
        }
        self.assertEqual(
            {key: round(value, 9) for key, value in values.items()},
            {
                (of("chat"), "evenkeel-invocations_per_instance"): 600.0,
                # ml.m5.xlarge has 4 cores.
                (of("chat"), "cpu"): 240.0,
                (of("tiny"), "evenkeel-provisioned_concurrency_utilization"): 0.7,
                ("inference-component/llama", "evenkeel-invocations_per_copy"): 90.0,
                ("inference-component/bert", "evenkeel-invocations_per_copy"): 90.0,
                (of("batch"), "cpu"): 45.0,
            },
        )
        self.assertEqual(self.alarm_of(of("chat"), "evenkeel-fast_scale_out")["Threshold"], 1200.0)
        self.plan(0)

    def test_cores_follow_the_instance_type(self):
        self.configure(
            """
            targets:
              - select: { endpoint: chat }
                bounds: { min: 1, max: 4 }
                policies:
                  - name: cpu
                    target_tracking:
                      metric: { namespace: /aws/sagemaker/Endpoints, name: CPUUtilization, statistic: Average }
                      target: 60% of all cores
            """
        )
        self.apply()
        self.assertEqual(self.config_of(of("chat"), "cpu")["TargetValue"], 240.0)
        self.ends(0, "prepare-update", "chat", "--yes")
        self.create_endpoint("other", "ml.m5.2xlarge", "chat-2xlarge")
        self.sagemaker.update_endpoint(EndpointName="chat", EndpointConfigName="chat-2xlarge")
        self.sandbox.advance(A_WHILE)
        self.ends(0, "finish-update", "chat", "--yes")
        self.assertEqual(self.config_of(of("chat"), "cpu")["TargetValue"], 480.0)
        self.plan(0)


class WhatCanNotScale(KindsTest):
    WORLD = f"""
endpoints:
  - {CHAT}
  - {{ name: burst, variants: [{{ name: v, instance_type: ml.t2.medium, instances: 1 }}] }}
  - {{ name: bare, variants: [{{ name: v, serverless: {{ max_concurrency: 5 }} }}] }}
  - {{ name: tiny, variants: [{{ name: v, serverless: {{ max_concurrency: 20, provisioned: 4 }} }}] }}
  - {{ name: idle, variants: [{{ name: v, instance_type: ml.m5.large, instances: 1 }}] }}
  - name: llms
    variants:
      - {{ name: v, instance_type: ml.g5.xlarge, hosts_components: {{ min_instances: 0, max_instances: 2 }} }}
      - {{ name: next, instance_type: ml.g5.xlarge, instances: 1, shadow: true }}
    components: [{{ name: llm, copies: 1 }}]
"""
    CONFIG = """
targets:
  - { endpoint: chat, variant: v, bounds: { min: 1, max: 4 } }
"""

    # What is declared, and a part of the reason.
    CASES = {
        "burstable": ("endpoint: burst, variant: v, bounds: { min: 1, max: 2 }", "burstable T family"),
        "on demand": (
            "endpoint: bare, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 2 }",
            "serverless without provisioned concurrency",
        ),
        "on demand, as instances": ("endpoint: bare, variant: v, bounds: { min: 1, max: 2 }", "serverless"),
        "serverless, as instances": (
            "endpoint: tiny, variant: v, bounds: { min: 1, max: 2 }",
            "dimension: provisioned_concurrency",
        ),
        "instances, as concurrency": (
            "endpoint: idle, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 2 }",
            "has no provisioned concurrency",
        ),
        "above MaxConcurrency": (
            "endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 21 }",
            "MaxConcurrency is 20",
        ),
        "concurrency at zero": (
            "endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 0, max: 20 }",
            "zero",
        ),
        "hosts components": ("endpoint: llms, variant: v, bounds: { min: 1, max: 2 }", "hosts inference components"),
        "shadow": ("endpoint: llms, variant: next, bounds: { min: 1, max: 2 }", "shadow"),
        "real time at zero": ("endpoint: idle, variant: v, bounds: { min: 0, max: 2 }", "zero instances"),
    }

    def test_it_is_said_and_not_tried(self):
        for case, (target, why) in self.CASES.items():
            with self.subTest(case):
                self.configure("targets:\n  - { " + target + " }\n")
                done = self.evenkeel("plan")
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertIn(why, done.stdout)
                done = self.not_even_tried("RegisterScalableTarget", "apply", "--yes")
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertIn(why, done.stdout)
                self.assertEqual(self.registered(), {})

    def test_it_keeps_nothing_else_from_scaling(self):
        """All of them in one config, as far as they can stand beside each other."""
        lines = [target for case, (target, _) in self.CASES.items() if case not in self.second_of_a_target()]
        self.configure(self.CONFIG + "".join(f"  - {{ {line} }}\n" for line in lines))
        plan = self.plan(2)
        held = [entry for entry in self.planned(plan).values() if entry["verdict"] == "held"]
        self.assertEqual(len(held), len(lines))
        self.ends(1, "apply", "--yes")
        self.assertEqual(self.registered(), {(of("chat"), INSTANCES): (1, 4)})
        self.plan(1)
        self.ends(1, "run", "--once")
        self.assertEqual(self.registered(), {(of("chat"), INSTANCES): (1, 4)})

    def second_of_a_target(self):
        return {"concurrency at zero"}

    def test_what_could_scale_before_is_let_be(self):
        """A target that stands, whose declared bounds became impossible, keeps those that it has."""
        good = "  - { endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 20 } }\n"
        self.configure("targets:\n" + good)
        self.apply()
        self.configure("targets:\n" + good.replace("20", "30"))
        self.assertIn("MaxConcurrency", self.ends(1, "plan"))
        self.ends(1, "apply", "--yes")
        self.assertEqual(self.bounds(of("tiny"), CONCURRENCY), (1, 20))

    def test_a_selection_passes_over_it_without_a_word_too_many(self):
        """Whatever `*` finds that is of another kind is not an error; T instances that it finds are."""
        self.configure('targets:\n  - { select: { endpoint: "*" }, bounds: { min: 1, max: 3 } }\n')
        self.ends(1, "apply", "--yes")
        self.assertEqual(set(self.registered()), {(of("chat"), INSTANCES), (of("idle"), INSTANCES)})
        self.assertEqual(
            {key for key, entry in self.planned(self.plan(1)).items() if entry["verdict"] == "held"},
            {(of("burst"), INSTANCES)},
        )


TWO = "variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 2 }]"


class Selections(KindsTest):
    WORLD = f"""
endpoints:
  - {{ name: s-one, tags: {{ team: search, stage: prod }}, {TWO} }}
  - {{ name: s-two, tags: {{ team: search, stage: prod-eu }}, {TWO} }}
  - {{ name: s-test, tags: {{ team: search, stage: test }}, {TWO} }}
  - {{ name: s-ads, tags: {{ team: ads, stage: prod }}, {TWO} }}
  - {{ name: s-none, {TWO} }}
  - {{ name: other, tags: {{ team: search, stage: prod }}, {TWO} }}
  - {{ name: batch, async: true, variants: [{{ name: v, instance_type: ml.g5.xlarge, instances: 1 }}] }}
  - {{ name: tiny, variants: [{{ name: v, serverless: {{ max_concurrency: 20, provisioned: 4 }} }}] }}
  - {{ name: bare, variants: [{{ name: v, serverless: {{ max_concurrency: 20 }} }}] }}
  - name: llms
    tags: {{ team: search }}
    variants: [{{ name: v, instance_type: ml.g5.xlarge, hosts_components: {{ min_instances: 1, max_instances: 4 }} }}]
    components: [{{ name: llama, copies: 1 }}, {{ name: lora, copies: 1 }}, {{ name: bert, copies: 1 }}]
"""
    BY_TAG = """
targets:
  - select: { endpoint: "s-*", tags: { team: search, stage: "prod*" } }
    bounds: { min: 1, max: 5 }
    policies:
      - target_tracking: { metric: invocations_per_instance, target: 600 }
      - fast_scale_out: { metric: invocations_per_instance, above: 900, add: 1 }
"""
    BY_KIND = """
  - { select: { endpoint: "*", kind: async }, bounds: { min: 0, max: 6 } }
  - { select: { endpoint: "*", kind: serverless }, bounds: { min: 1, max: 7 } }
  - { select: { endpoint: "ll*", component: "l*" }, bounds: { min: 1, max: 8 } }
"""
    CONFIG = BY_TAG + BY_KIND
    TAGGED = {(of("s-one"), INSTANCES): (1, 5), (of("s-two"), INSTANCES): (1, 5)}
    OF_KINDS = {
        (of("batch"), INSTANCES): (0, 6),
        (of("tiny"), CONCURRENCY): (1, 7),
        ("inference-component/llama", COPIES): (1, 8),
        ("inference-component/lora", COPIES): (1, 8),
    }

    def assert_wired(self, endpoint):
        """Every step alarm of an endpoint triggers the policy that stands now."""
        arn = self.policies()[of(endpoint), "evenkeel-fast_scale_out"]["PolicyARN"]
        (alarm,) = self.alarms(f"evenkeel/{of(endpoint)}/").values()
        self.assertEqual(alarm["AlarmActions"], [arn])

    def test_what_fits_is_registered_and_nothing_else(self):
        self.apply()
        self.assertEqual(self.registered(), {**self.TAGGED, **self.OF_KINDS})
        held = {key for key in self.policies() if key[1] == "evenkeel-fast_scale_out"}
        self.assertEqual(held, {(of("s-one"), "evenkeel-fast_scale_out"), (of("s-two"), "evenkeel-fast_scale_out")})
        self.assert_wired("s-one")
        self.plan(0)

    def test_endpoints_come_go_and_come_again(self):
        self.apply()
        new = (of("s-new"), INSTANCES)
        self.create_endpoint("s-new", team="search", stage="production")
        self.create_endpoint("s-foreign", config="c2", team="ads", stage="production")
        self.apply()
        self.assertNotIn(new, self.registered(), "it is not in service yet")
        self.sandbox.advance(A_WHILE)
        self.plan(2)
        self.apply()
        self.assertEqual(self.registered(), {**self.TAGGED, **self.OF_KINDS, new: (1, 5)})
        self.plan(0)
        first = self.policies()[of("s-new"), "evenkeel-fast_scale_out"]["PolicyARN"]

        self.sagemaker.delete_endpoint(EndpointName="s-new")
        self.sandbox.advance(A_WHILE)
        self.assertEqual(self.registered(), {**self.TAGGED, **self.OF_KINDS})
        # Of what was let go, only our alarm is left to remove.
        self.plan(2)
        self.apply()
        self.assertNotIn(new, self.planned(self.plan(0)), "it is let go")

        self.sagemaker.create_endpoint(
            EndpointName="s-new", EndpointConfigName="s-new",
            Tags=[{"Key": "team", "Value": "search"}, {"Key": "stage", "Value": "prod"}],
        )  # fmt: skip
        self.sandbox.advance(A_WHILE)
        self.plan(2)
        self.apply()
        self.assertEqual(self.registered()[new], (1, 5))
        self.assertEqual(self.owner(*new), "evenkeel")
        self.assertNotEqual(self.policies()[of("s-new"), "evenkeel-fast_scale_out"]["PolicyARN"], first)
        self.assert_wired("s-new")
        self.plan(0)

    def test_a_deleted_endpoint_leaves_no_alarm_of_ours(self):
        self.apply()
        self.sagemaker.delete_endpoint(EndpointName="s-one")
        self.sandbox.advance(A_WHILE)
        self.apply()
        self.assertEqual(self.alarms(f"evenkeel/{of('s-one')}/"), {})
        self.assert_wired("s-two")

    def test_only_targets_limits_selections(self):
        self.apply("--target", "s-t*")
        self.assertEqual(self.registered(), {(of("s-two"), INSTANCES): (1, 5)})
        self.plan(0, "--target", "s-two")
        self.assertEqual(set(self.planned(self.plan(2, "--target", "lora"))), {("inference-component/lora", COPIES)})
        self.apply("--target", "inference-component/lora")
        self.assertEqual(
            set(self.registered()), {(of("s-two"), INSTANCES), ("inference-component/lora", COPIES)}
        )
        self.plan(2)

    def test_a_target_by_name_wins_over_a_selection_and_the_first_over_the_second(self):
        self.configure(
            """
            targets:
              - { select: { endpoint: "s-o*" }, bounds: { min: 1, max: 3 } }
              - { select: { endpoint: "s-*", tags: { team: search } }, bounds: { min: 1, max: 4 } }
              - { endpoint: s-two, variant: v, bounds: { min: 1, max: 5 } }
            """
        )
        self.apply()
        highest = {resource: high for (resource, _), (_, high) in self.registered().items()}
        self.assertEqual(highest, {of("s-one"): 3, of("s-test"): 4, of("s-two"): 5})

    def test_what_fits_no_more_goes_only_if_the_config_says_so(self):
        self.apply()
        one = (of("s-one"), INSTANCES)
        arn = self.sagemaker.describe_endpoint(EndpointName="s-one")["EndpointArn"]
        self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "retired"}])
        self.plan(0)
        self.apply()
        self.assertIn(one, self.registered())
        self.configure("manage: { on_removal: deregister }\n" + self.CONFIG)
        self.assertEqual(self.planned(self.plan(2))[one]["actions"][0]["action"], "deregister_target")
        self.apply()
        self.assertNotIn(one, self.registered())
        self.assertIn((of("s-two"), INSTANCES), self.registered())
        self.plan(0)
        self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "prod"}])
        self.apply()
        self.assert_wired("s-one")

    def test_only_a_target_that_is_meant_is_deregistered(self):
        self.configure("manage: { on_removal: deregister }\n" + self.CONFIG)
        self.apply()
        self.configure("manage: { on_removal: deregister }\ntargets:\n" + self.BY_KIND.lstrip("\n"))
        self.apply("--target", "s-one")
        self.assertEqual(
            set(self.registered()), {(of("s-two"), INSTANCES), *self.OF_KINDS}, "s-two was not meant by --target"
        )


class Removal(KindsTest):
    WORLD = """
endpoints:
  - { name: ours, variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 3 }] }
  - { name: theirs, variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 3 }] }
  - { name: shared, variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 3 }] }
  - { name: stays, variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 3 }] }
  - { name: tiny, variants: [{ name: v, serverless: { max_concurrency: 20, provisioned: 4 } }] }
"""
    STAYS = """
targets:
  - { endpoint: stays, variant: v, bounds: { min: 1, max: 4 } }
"""
    CONFIG = (
        STAYS
        + """
  - endpoint: ours
    variant: v
    bounds: { min: 1, max: 4 }
    policies:
      - target_tracking: { metric: invocations_per_instance, target: 600 }
      - fast_scale_out: { metric: invocations_per_instance, above: 900, add: 1 }
  - { endpoint: shared, variant: v, bounds: { min: 1, max: 4 } }
  - { endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 4 } }
"""
    )
    DEREGISTER = "manage: { on_removal: deregister }\n"

    def setUp(self):
        super().setUp()
        self.register(of("theirs"), 1, 5)
        # One that stood before, and that the config names.
        self.register(of("shared"), 1, 4)
        self.apply()
        self.assertEqual(len(self.registered()), 5)

    def test_the_tag_tells_whose_it_is(self):
        self.assertEqual(self.owner(of("ours")), "evenkeel")
        self.assertEqual(self.owner(of("tiny"), CONCURRENCY), "evenkeel")
        self.assertIsNone(self.owner(of("theirs")))
        self.assertIsNone(self.owner(of("shared")))

    def test_nothing_is_deregistered_unless_the_config_says_so(self):
        self.configure(self.STAYS)
        before = (self.targets(), self.policies(), self.alarms())
        self.plan(0)
        self.apply()
        self.ends(0, "run", "--once")
        self.assertEqual((self.targets(), self.policies(), self.alarms()), before)

    def test_what_is_ours_is_deregistered_and_nothing_else(self):
        self.configure(self.DEREGISTER + self.STAYS)
        changed = {key for key, entry in self.planned(self.plan(2)).items() if entry["actions"]}
        self.assertEqual(changed, {(of("ours"), INSTANCES), (of("tiny"), CONCURRENCY)})
        self.apply()
        self.assertEqual(
            self.registered(),
            {(of("stays"), INSTANCES): (1, 4), (of("theirs"), INSTANCES): (1, 5), (of("shared"), INSTANCES): (1, 4)},
        )
        self.assertEqual(self.policies(), {})
        self.assertEqual(self.alarms(), {}, "its step alarm goes with it")
        self.assertEqual(self.desired("ours"), 3, "capacity stays")
        self.plan(0)

    def test_the_daemon_does_the_same(self):
        self.configure(self.DEREGISTER + self.STAYS)
        self.ends(0, "run", "--once")
        self.assertEqual(
            set(self.registered()),
            {(of("stays"), INSTANCES), (of("theirs"), INSTANCES), (of("shared"), INSTANCES)},
        )

    def test_another_evenkeel_s_is_not_ours(self):
        self.configure("manage: { on_removal: deregister, owner: second }\n" + self.STAYS)
        self.plan(0)
        self.apply()
        self.assertEqual(len(self.registered()), 5)

    def test_a_mark_that_is_taken_away_or_made_decides(self):
        ours = self.targets()[of("ours"), INSTANCES]["ScalableTargetARN"]
        theirs = self.targets()[of("theirs"), INSTANCES]["ScalableTargetARN"]
        self.scaling.untag_resource(ResourceARN=ours, TagKeys=["evenkeel:owner"])
        self.scaling.tag_resource(ResourceARN=theirs, Tags={"evenkeel:owner": "evenkeel"})
        self.configure(self.DEREGISTER + self.STAYS)
        self.apply()
        self.assertIn((of("ours"), INSTANCES), self.registered())
        self.assertNotIn((of("theirs"), INSTANCES), self.registered())

    def test_more_than_a_share_is_not_let_go_unasked(self):
        """A config that lost most of its targets looks like this too."""
        names = ["ours", "theirs", "shared", "stays"]
        for name in names:
            self.scaling.deregister_scalable_target(**ids(of(name)))
        self.configure(
            "targets:\n  - { select: { endpoint: '*' }, bounds: { min: 1, max: 4 } }\n"
            "  - { endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 4 } }\n"
        )
        self.apply()
        self.assertEqual({self.owner(of(name)) for name in names}, {"evenkeel"})
        tiny = "{ endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 4 } }"
        self.configure(self.DEREGISTER + f"targets:\n  - {tiny}\n")
        done = self.not_even_tried("DeregisterScalableTarget", "apply", "--yes")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(self.registered()), 5)
        self.assertNotEqual(self.evenkeel("run", "--once").returncode, 0)
        self.assertEqual(len(self.registered()), 5)
        self.apply("--allow-shrink")
        self.assertEqual(set(self.registered()), {(of("tiny"), CONCURRENCY)})

    def test_a_hold_of_what_is_deregistered_goes_too(self):
        self.ends(0, "hold", "ours", "--for", "1h", "--reason", "test")
        self.assertEqual(len(self.markers()), 1)
        self.configure(self.DEREGISTER + self.STAYS)
        self.apply()
        self.assertNotIn((of("ours"), INSTANCES), self.registered())
        self.sandbox.advance(2 * 3600)
        self.apply()
        self.assertEqual(self.markers(), {}, "nothing is left of it")


class Leases(KindsTest):
    """Holds and overrides."""

    WORLD = FLEET_WORLD
    CONFIG = FLEET

    CHAT = (of("chat"), INSTANCES)
    HOLD = f"evenkeel/hold/{of('chat')}"
    OVERRIDE = f"evenkeel/override/{of('chat')}"

    def setUp(self):
        super().setUp()
        self.apply()

    def after(self, **span):
        return (self.sandbox.now() + datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def asked(self):
        """What `status` shows of what is asked for, by target."""
        shown = json.loads(self.evenkeel("status", "--output", "json").stdout)
        (scope,) = shown["scopes"].values()
        return {entry["target"]: (entry["hold"], entry["override"]) for entry in scope["targets"]}


class Holds(Leases):
    def hold(self, target="chat", *arguments):
        terms = ("--for", "2h", "--reason", "load test; keep warm", "--by", "Ada")
        return self.ends(0, "hold", target, *arguments, *terms)

    def test_it_holds_at_once_and_ends_by_itself(self):
        until = self.after(hours=2)
        self.hold("chat", "--in")
        self.assertEqual(self.suspended(of("chat")), NOT_IN)
        self.assertEqual({key for key, t in self.targets().items() if t["SuspendedState"] != FREE}, {self.CHAT})
        self.assertEqual(self.registered(), BOUNDS, "no bounds are touched")
        (name, description) = self.markers().popitem()
        self.assertEqual(name, self.HOLD)
        for part in ("load test; keep warm", "Ada", until):
            self.assertIn(part, description)
        # An alarm that does nothing, and that no evaluation sets off.
        marker = self.alarms(self.HOLD)[self.HOLD]
        self.assertEqual(marker["AlarmActions"] + marker["OKActions"] + marker["InsufficientDataActions"], [])

        self.assertIn("load test; keep warm", self.ends(0, "plan"))
        self.apply()
        self.assertEqual(self.suspended(of("chat")), NOT_IN)
        shown, other = self.asked()[of("chat")]
        self.assertIsNone(other)
        self.assertEqual((shown["by"], shown["reason"]), ("Ada", "load test; keep warm"))
        self.assertIn("load test; keep warm", self.ends(0, "status"))

        self.sandbox.advance(2 * 3600 - 60)
        self.plan(0)
        self.apply()
        self.assertEqual(self.suspended(of("chat")), NOT_IN)
        self.sandbox.advance(61)
        self.assertEqual(self.suspended(of("chat")), NOT_IN)
        self.plan(2)
        self.apply()
        self.assertEqual(self.suspended(of("chat")), FREE)
        self.assertEqual(self.markers(), {})
        self.plan(0)

    def test_a_pass_of_the_daemon_ends_it_too(self):
        self.hold("chat")
        self.assertEqual(self.suspended(of("chat")), {**NOT_IN, "DynamicScalingOutSuspended": True})
        self.ends(0, "run", "--once")
        self.assertEqual(len(self.markers()), 1)
        self.sandbox.advance(2 * 3600 + 1)
        self.ends(0, "run", "--once")
        self.assertEqual((self.suspended(of("chat")), self.markers()), (FREE, {}))

    def test_release_ends_it_early(self):
        self.hold("chat", "--out")
        self.assertEqual(self.suspended(of("chat")), NOT_OUT)
        self.ends(0, "release", "chat")
        self.assertEqual((self.suspended(of("chat")), self.markers()), (FREE, {}))
        self.plan(0)
        self.assertNotEqual(self.evenkeel("release", "chat").returncode, 0)

    def test_every_dimension_can_be_held(self):
        for target, key in [
            ("tiny", (of("tiny"), CONCURRENCY)), ("llama", ("inference-component/llama", COPIES)),
            (of("batch"), (of("batch"), INSTANCES)),
        ]:  # fmt: skip
            with self.subTest(target):
                self.hold(target, "--in")
                self.assertEqual({k for k, t in self.targets().items() if t["SuspendedState"] == NOT_IN}, {key})
                self.plan(0)
                self.ends(0, "release", target)
                self.assertEqual({k for k, t in self.targets().items() if t["SuspendedState"] != FREE}, set())
                self.assertEqual(self.markers(), {})

    def test_many_at_once(self):
        self.hold("*", "--in")
        self.assertEqual(self.registered(), BOUNDS)
        self.assertEqual([t["SuspendedState"] for t in self.targets().values()], [NOT_IN] * 5)
        self.assertEqual(len(self.markers()), 5)
        self.plan(0)
        self.ends(0, "release", "*")
        self.assertEqual([t["SuspendedState"] for t in self.targets().values()], [FREE] * 5)

    def test_a_suspension_that_stood_before_comes_back(self):
        scheduled = {**FREE, "ScheduledScalingSuspended": True}
        for end, before in [("time", NOT_IN), ("time", scheduled), ("release", NOT_OUT), ("release", NOT_IN)]:
            with self.subTest((end, before)):
                self.scaling.register_scalable_target(**ids(of("chat")), SuspendedState=before)
                self.hold("chat", "--in")
                self.assertEqual(self.suspended(of("chat")), {**before, "DynamicScalingInSuspended": True})
                # A second hold does not take the first for what stood before.
                self.hold("chat", "--in", "--out")
                both = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
                self.assertEqual(self.suspended(of("chat")), {**before, **both})
                if end == "time":
                    self.sandbox.advance(2 * 3600 + 1)
                    self.apply()
                else:
                    self.ends(0, "release", "chat")
                self.assertEqual((self.suspended(of("chat")), self.markers()), (before, {}))

    def test_what_the_config_suspends_comes_back(self):
        chat = "bounds: { min: 2, max: 9 }\n"
        self.configure(FLEET.replace(chat, chat + "    suspended: { scale_out: true }\n"))
        self.apply()
        self.hold("chat", "--in")
        self.assertEqual(self.suspended(of("chat")), {**NOT_IN, "DynamicScalingOutSuspended": True})
        self.plan(0)
        self.sandbox.advance(2 * 3600 + 1)
        self.apply()
        self.assertEqual(self.suspended(of("chat")), NOT_OUT)

    def test_it_ends_also_when_the_config_forgets_the_target(self):
        self.hold("chat", "--in")
        self.forget_chat()
        self.plan(0)
        self.sandbox.advance(2 * 3600 + 1)
        self.apply()
        self.assertEqual((self.suspended(of("chat")), self.markers()), (FREE, {}))
        self.assertEqual(self.bounds(of("chat")), (2, 9))

    def test_someone_who_resumes_scaling_is_overruled(self):
        self.hold("chat", "--in")
        self.scaling.register_scalable_target(**ids(of("chat")), SuspendedState=FREE)
        self.plan(2)
        self.apply()
        self.assertEqual(self.suspended(of("chat")), NOT_IN)

    def test_it_really_holds(self):
        """Nothing asks for these three instances, and AWS does not take one away until the hold is over."""
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="chat", DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredInstanceCount": 4}]
        )
        self.sandbox.advance(SOON)
        self.assertEqual(self.variant("chat")["CurrentInstanceCount"], 4)
        self.hold("chat", "--in")
        self.sandbox.traffic("chat", steady=60)
        self.sandbox.advance(7000)
        self.assertEqual(self.desired("chat"), 4)
        self.sandbox.advance(300)
        self.apply()
        self.sandbox.advance(3600)
        self.assertEqual(self.desired("chat"), 2)

    def test_a_hold_of_the_past_or_of_nothing_is_refused(self):
        for target, terms in [
            ("chat", ["--until", "2020-01-01T00:00:00Z", "--reason", "r"]),
            ("chat", ["--for", "31days", "--reason", "r"]),
            ("chat", ["--for", "1h"]),
            ("chat", ["--reason", "r"]),
            ("no-such", ["--for", "1h", "--reason", "r"]),
        ]:
            with self.subTest((target, terms)):
                self.assertNotEqual(self.evenkeel("hold", target, *terms).returncode, 0)
                self.assertEqual(self.markers(), {})
                self.assertEqual(self.suspended(of("chat")), FREE)

    def test_a_hold_that_is_refused_is_refused_whole(self):
        """One of several targets is not registered: either the others are held at once, or nothing is kept."""
        self.configure(FLEET + "  - { endpoint: no-such, variant: v, bounds: { min: 1, max: 2 } }\n")
        done = self.evenkeel("hold", "*", "--in", "--for", "1h", "--reason", "r")
        held = {key for key, target in self.targets().items() if target["SuspendedState"] == NOT_IN}
        self.assertEqual(len(self.markers()), len(held), f"{done.stdout}{done.stderr}")
        self.apply()
        after = {key for key, target in self.targets().items() if target["SuspendedState"] == NOT_IN}
        self.assertEqual(after, held, "nothing is held later that was not held at once")

    def test_a_hold_of_an_endpoint_that_is_deleted_goes_too(self):
        self.configure(FLEET.replace("  - endpoint: chat\n    variant: v", "  - select: { endpoint: c* }"))
        self.plan(0)
        self.hold("chat", "--in")
        self.sagemaker.delete_endpoint(EndpointName="chat")
        self.sandbox.advance(2 * 3600 + 1)
        self.apply()
        self.assertEqual(self.markers(), {}, "its time is over, and it is about nothing")

    def test_an_import_does_not_make_a_hold_last(self):
        """What is asked for a while is none of the config: evenkeel knows its own markers."""
        self.hold("chat", "--in")
        self.ends(0, "override", "tiny", "--max", "11", "--for", "1h", "--reason", "r")
        imported = self.evenkeel("import")
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.configure(imported.stdout)
        self.plan(0)
        self.sandbox.advance(2 * 3600 + 1)
        self.apply()
        self.assertEqual(self.suspended(of("chat")), FREE)
        self.assertEqual(self.registered(), BOUNDS)


class Overrides(Leases):
    def override(self, *arguments, target="chat", span="2h"):
        return self.ends(0, "override", target, "--yes", *arguments, "--for", span, "--reason", "launch day", "--by", "Ada")

    def before(self, marker):
        return re.search(r"before=([^;]*);", self.markers()[marker]).group(1)

    def test_other_bounds_for_a_while(self):
        self.assertEqual(self.desired("chat"), 2)
        until = self.after(hours=2)
        self.override("--min", "4", "--max", "12")
        self.assertEqual(self.registered(), {**BOUNDS, (of("chat"), INSTANCES): (4, 12)})
        self.assertEqual(self.desired("chat"), 4, "AWS pulls capacity into the bounds")
        (name, description) = self.markers().popitem()
        self.assertEqual((name, self.before(name)), (self.OVERRIDE, "2..9"))
        for part in ("launch day", "Ada", until):
            self.assertIn(part, description)
        self.sandbox.advance(A_WHILE)
        self.assertEqual(self.variant("chat")["CurrentInstanceCount"], 4)
        self.assertIn("launch day", self.ends(0, "plan"))
        self.apply()
        self.assertEqual(self.bounds(of("chat")), (4, 12))
        self.assertEqual(self.asked()[of("chat")][1]["reason"], "launch day")

        self.sandbox.advance(2 * 3600 - A_WHILE + 1)
        self.plan(2)
        self.apply()
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))
        self.assertEqual(self.suspended(of("chat")), FREE)
        self.plan(0)

    def test_capacity_above_is_pulled_down(self):
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="chat", DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredInstanceCount": 8}]
        )
        self.sandbox.advance(SOON)
        self.assertEqual(self.variant("chat")["CurrentInstanceCount"], 8)
        self.override("--min", "1", "--max", "5")
        self.assertEqual((self.bounds(of("chat")), self.desired("chat")), ((1, 5), 5))

    def test_what_was_before_outlives_a_second_override(self):
        self.override("--min", "4", "--max", "12")
        self.sandbox.advance(A_WHILE)
        self.override("--min", "3", "--max", "5", span="1h")
        self.assertEqual(self.bounds(of("chat")), (3, 5))
        self.assertEqual(list(self.markers()), [self.OVERRIDE])
        self.assertEqual(self.before(self.OVERRIDE), "2..9")
        # With nobody left to say what the bounds are, those before come back.
        self.forget_chat()
        self.sandbox.advance(3601)
        self.apply()
        self.assertEqual((self.bounds(of("chat")), self.markers()), ((2, 9), {}))

    def test_one_end_alone(self):
        self.override("--max", "20")
        self.assertEqual(self.bounds(of("chat")), (2, 20))
        self.ends(0, "release", "chat")
        self.override("--min", "3")
        self.assertEqual(self.bounds(of("chat")), (3, 9))
        self.sandbox.advance(A_WHILE)
        # The config goes on deciding the other end.
        self.configure(FLEET.replace("{ min: 2, max: 9 }", "{ min: 2, max: 7 }"))
        self.apply()
        self.assertEqual(self.bounds(of("chat")), (3, 7))
        self.assertNotEqual(
            self.evenkeel("override", "chat", "--min", "30", "--for", "1h", "--reason", "r").returncode, 0
        )
        self.assertEqual(self.bounds(of("chat")), (3, 7))

    def test_release_brings_the_config_s_back(self):
        self.override("--min", "1", "--max", "1")
        self.sandbox.advance(A_WHILE)
        self.assertEqual(self.variant("chat")["CurrentInstanceCount"], 1)
        self.ends(0, "release", "chat")
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))
        self.assertEqual(self.desired("chat"), 2)

    def test_other_dimensions(self):
        self.override("--min", "5", "--max", "6", target="tiny")
        self.override("--min", "2", "--max", "3", target="llama")
        self.assertEqual(self.bounds(of("tiny"), CONCURRENCY), (5, 6))
        self.assertEqual(self.bounds("inference-component/llama", COPIES), (2, 3))
        serverless = self.variant("tiny")["DesiredServerlessConfig"]
        self.assertEqual(serverless["ProvisionedConcurrency"], 5)
        self.assertEqual(self.copies("llama")[1], 2)
        self.sandbox.advance(2 * 3600 + 1)
        self.ends(0, "run", "--once")
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))

    def test_bounds_that_can_not_be_are_refused(self):
        for target, low, high in [("chat", "0", "4"), ("tiny", "1", "21"), ("chat", "5", "4")]:
            with self.subTest((target, low, high)):
                done = self.evenkeel(
                    "override", target, "--min", low, "--max", high, "--for", "1h", "--reason", "r"
                )
                self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(self.registered(), BOUNDS)
                left = self.markers()
                self.evenkeel("release", target)
                self.assertEqual(left, {}, "what was refused is not kept")

    def test_a_hold_and_an_override_at_once(self):
        self.override("--min", "4", "--max", "12", span="1h")
        self.sandbox.advance(A_WHILE)
        self.ends(0, "hold", "chat", "--in", "--for", "2h", "--reason", "r")
        self.assertEqual((self.bounds(of("chat")), self.suspended(of("chat"))), ((4, 12), NOT_IN))
        self.plan(0)
        self.sandbox.advance(3600)
        self.apply()
        self.assertEqual((self.bounds(of("chat")), self.suspended(of("chat"))), ((2, 9), NOT_IN))
        self.assertEqual(list(self.markers()), [self.HOLD])
        self.ends(0, "release", "chat")
        self.assertEqual((self.bounds(of("chat")), self.suspended(of("chat"))), ((2, 9), FREE))

    def test_one_of_long_ago_does_not_reach_a_stranger(self):
        """The endpoint was deleted, and left the config; what someone registers under its name later is not ours."""
        self.override("--min", "4", "--max", "12", span="1h")
        self.sandbox.advance(A_WHILE)
        self.sagemaker.delete_endpoint(EndpointName="chat")
        self.forget_chat()
        self.sandbox.advance(2 * 3600)
        self.apply()
        self.create_endpoint("chat", config="anew")
        self.sandbox.advance(A_WHILE)
        self.register(of("chat"), 1, 50)
        self.apply()
        self.assertEqual(self.bounds(of("chat")), (1, 50))

    def test_asked_for_while_the_endpoint_is_busy_it_comes_later(self):
        self.sandbox.tell("POST", "endpoints/chat/system-update", seconds=900)
        self.override("--min", "4", "--max", "12")
        self.assertEqual(self.bounds(of("chat")), (2, 9))
        self.sandbox.advance(901)
        self.plan(2)
        self.apply()
        self.assertEqual((self.bounds(of("chat")), self.desired("chat")), ((4, 12), 4))


class Updates(KindsTest):
    WORLD = FLEET_WORLD
    CONFIG = FLEET
    MARKER = "evenkeel/update/endpoint/chat"

    def setUp(self):
        super().setUp()
        self.apply()
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.2xlarge", "InitialInstanceCount": 2}
        self.sagemaker.create_endpoint_config(EndpointConfigName="larger", ProductionVariants=[variant])

    def update(self):
        self.sagemaker.update_endpoint(
            EndpointName="chat", EndpointConfigName="larger", RetainAllVariantProperties=True
        )

    def wiring(self):
        held = self.policies()
        return {key: policy["PolicyARN"] for key, policy in held.items() if key[0] == of("chat")}

    def alarm(self):
        name = f"evenkeel/{of('chat')}/evenkeel-fast_scale_out"
        return self.alarms(name)[name]

    def test_to_another_instance_type(self):
        before, tracked = self.wiring(), self.config_of(of("chat"), "evenkeel-invocations_per_instance")
        step = self.config_of(of("chat"), "evenkeel-fast_scale_out")
        self.refused(
            self.sagemaker.update_endpoint, "must be deregistered",
            EndpointName="chat", EndpointConfigName="larger", RetainAllVariantProperties=True,
        )  # fmt: skip
        said = self.ends(0, "prepare-update", "chat", "--yes", "--reason", "to 2xlarge", "--by", "Ada")
        self.assertIn("2..9", said)
        without = {key: value for key, value in BOUNDS.items() if key[0] != of("chat")}
        self.assertEqual(self.registered(), without)
        self.assertEqual(self.desired("chat"), 2, "capacity stays")
        self.assertIn("to 2xlarge", self.markers()[self.MARKER])
        self.assertEqual(self.wiring(), {})

        def left_alone():
            for command in (["plan"], ["apply", "--yes"], ["run", "--once"]):
                done = self.evenkeel(*command)
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
                self.assertEqual(self.registered(), without, command)
            self.assertIn("finish-update chat", self.ends(0, "plan"))

        left_alone()
        self.update()
        left_alone()
        self.assertNotEqual(self.evenkeel("finish-update", "chat", "--yes").returncode, 0, "it is Updating")
        self.assertEqual(self.registered(), without)
        self.sandbox.advance(A_WHILE)
        self.assertEqual(self.sagemaker.describe_endpoint(EndpointName="chat")["EndpointConfigName"], "larger")
        left_alone()

        self.ends(0, "finish-update", "chat", "--yes")
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))
        after = self.wiring()
        self.assertEqual(set(after), set(before))
        self.assertEqual(self.config_of(of("chat"), "evenkeel-invocations_per_instance"), tracked)
        self.assertEqual(self.config_of(of("chat"), "evenkeel-fast_scale_out"), step)
        arn = after[of("chat"), "evenkeel-fast_scale_out"]
        self.assertNotEqual(arn, before[of("chat"), "evenkeel-fast_scale_out"])
        self.assertEqual(self.alarm()["AlarmActions"], [arn])
        self.assertEqual(self.owner(of("chat")), "evenkeel")
        self.plan(0)
        self.assertNotEqual(self.evenkeel("finish-update", "chat", "--yes").returncode, 0, "there is none any more")

    def test_prepared_twice_and_finished_without_an_update(self):
        self.ends(0, "prepare-update", "chat", "--yes", "--reason", "first")
        self.ends(0, "prepare-update", "chat", "--yes", "--reason", "second")
        self.ends(0, "finish-update", "chat", "--yes")
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))
        self.plan(0)

    def test_without_yes_nothing_happens(self):
        self.assertNotEqual(self.evenkeel("prepare-update", "chat").returncode, 0)
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))

    def test_what_could_not_be_brought_back_is_not_thrown_away(self):
        self.put(
            of("chat"), "by hand",
            TargetTrackingScalingPolicyConfiguration=predefined(
                "SageMakerVariantConcurrentRequestsPerModelHighResolution", 5.0
            ),
        )  # fmt: skip
        done = self.not_even_tried("DeregisterScalableTarget", "prepare-update", "chat", "--yes")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("by hand", done.stderr)
        self.assertEqual((self.registered(), self.markers()), (BOUNDS, {}))
        self.assertIn((of("chat"), "by hand"), self.policies())
        # Also when the target as a whole is not declared.
        self.scaling.delete_scaling_policy(**ids(of("chat")), PolicyName="by hand")
        self.forget_chat()
        self.assertNotEqual(self.evenkeel("prepare-update", "chat", "--yes").returncode, 0)
        self.assertEqual(self.registered(), BOUNDS)

    def test_a_hold_and_an_override_last_over_an_update(self):
        self.ends(0, "hold", "chat", "--in", "--for", "3h", "--reason", "r")
        self.ends(0, "override", "chat", "--max", "12", "--for", "3h", "--reason", "r")
        self.ends(0, "prepare-update", "chat", "--yes")
        self.update()
        self.sandbox.advance(A_WHILE)
        self.ends(0, "finish-update", "chat", "--yes")
        self.assertEqual((self.bounds(of("chat")), self.suspended(of("chat"))), ((2, 12), NOT_IN))
        self.sandbox.advance(3 * 3600)
        self.apply()
        self.assertEqual((self.bounds(of("chat")), self.suspended(of("chat"))), ((2, 9), FREE))
        self.assertEqual(self.markers(), {})

    def test_a_suspension_that_the_config_does_not_name_is_not_lost(self):
        """The registration is all that AWS keeps of it, and that is taken away."""
        self.scaling.register_scalable_target(**ids(of("chat")), SuspendedState=NOT_OUT)
        self.plan(0)
        done = self.evenkeel("prepare-update", "chat", "--yes")
        if done.returncode == 0:
            self.ends(0, "finish-update", "chat", "--yes")
        self.assertEqual(self.suspended(of("chat")), NOT_OUT)

    def test_tags_that_go_with_the_registration_are_told(self):
        arn = self.targets()[of("chat"), INSTANCES]["ScalableTargetARN"]
        self.scaling.tag_resource(ResourceARN=arn, Tags={"cost-center": "42"})
        done = self.evenkeel("prepare-update", "chat", "--yes")
        self.assertEqual(done.returncode, 0)
        self.assertIn("its tags go with it", done.stderr)
        self.assertIn("cost-center=42", done.stderr)
        self.assertNotIn("evenkeel:owner", done.stderr)

    def test_an_endpoint_that_is_deleted_meanwhile_is_not_left_alone_for_ever(self):
        self.ends(0, "prepare-update", "chat", "--yes")
        self.sagemaker.delete_endpoint(EndpointName="chat")
        self.sandbox.advance(A_WHILE)
        self.evenkeel("finish-update", "chat", "--yes")
        self.sagemaker.create_endpoint(EndpointName="chat", EndpointConfigName="larger")
        self.sandbox.advance(A_WHILE)
        self.apply()
        self.assertEqual(self.bounds(of("chat")), (2, 9))


class Findings(KindsTest):
    WORLD = FLEET_WORLD
    CONFIG = """
targets:
  - endpoint: chat
    variant: v
    bounds: { min: 1, max: 3 }
    policies: [{ target_tracking: { metric: invocations_per_instance, target: 600 } }]
"""

    def found(self, rule):
        """Who is told of by a rule, in a plan that has nothing to do."""
        findings = self.plan(0)["findings"]
        return {(finding["target"], finding["policy"]) for finding in findings if finding["rule"] == rule}

    def test_invocations_on_an_asynchronous_endpoint(self):
        metric = "invocations_per_instance"
        policy = f"policies: [{{ target_tracking: {{ metric: {metric}, target: 600 }} }}]"
        batch = f"  - endpoint: batch\n    variant: v\n    bounds: {{ min: 1, max: 3 }}\n    {policy}\n"
        self.configure(self.CONFIG + batch)
        self.apply()
        self.assertEqual(self.found("async-invocations"), {(of("batch"), f"evenkeel-{metric}")})
        self.assertIn("async-invocations", self.ends(0, "plan"))
        # It is true: however long it runs, AWS finds no data.
        self.sandbox.traffic("batch", steady=60)
        self.sandbox.advance(3600)
        alarms = self.alarms(f"TargetTracking-{of('batch')}").values()
        self.assertEqual([alarm["StateValue"] for alarm in alarms], ["INSUFFICIENT_DATA"] * 2)
        self.configure(self.CONFIG + batch + "    ignore: { async-invocations: is known }\n")
        self.assertEqual(self.found("async-invocations"), set())

    def test_capacity_outside_of_the_bounds(self):
        self.configure(self.CONFIG.partition("    policies")[0])
        self.apply()
        for count, outside in [(3, False), (5, True)]:
            self.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName="chat", DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredInstanceCount": count}]
            )
            self.sandbox.advance(A_WHILE)
            self.assertEqual(self.variant("chat")["CurrentInstanceCount"], count)
            self.assertEqual(self.bounds(of("chat")), (1, 3))
            self.assertEqual(self.found("outside-bounds"), {(of("chat"), None)} if outside else set())

    def test_capacity_outside_of_the_bounds_of_other_dimensions(self):
        self.configure(
            """
            targets:
              - { endpoint: tiny, variant: v, dimension: provisioned_concurrency, bounds: { min: 1, max: 5 } }
              - { component: llama, bounds: { min: 1, max: 2 } }
            """
        )
        self.apply()
        self.assertEqual(self.found("outside-bounds"), set())
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="tiny",
            DesiredWeightsAndCapacities=[{"VariantName": "v", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 9}}],
        )
        self.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName="llama", DesiredRuntimeConfig={"CopyCount": 3}
        )
        self.sandbox.advance(A_WHILE)
        self.assertEqual(self.variant("tiny")["CurrentServerlessConfig"]["ProvisionedConcurrency"], 9)
        self.assertEqual(self.copies("llama"), (3, 3))
        self.assertEqual(self.found("outside-bounds"), {(of("tiny"), None), ("inference-component/llama", None)})

    def test_an_alarm_without_data(self):
        self.configure(
            self.CONFIG.replace(
                "policies: [",
                "policies: [{ name: queue, target_tracking: { target: 5, "
                "metric: { namespace: App, name: Queue, statistic: Average } } }, ",
            )
        )
        self.sandbox.traffic("chat", steady=600)
        self.apply()
        self.sandbox.advance(29 * 60)
        self.assertEqual(self.found("silent-metric"), set())
        self.sandbox.advance(2 * 60)
        states = {name: alarm["StateValue"] for name, alarm in self.alarms("TargetTracking-").items()}
        self.assertEqual(sorted(states.values()).count("INSUFFICIENT_DATA"), 2, states)
        self.assertEqual(self.found("silent-metric"), {(of("chat"), "queue")})
        self.cloudwatch.put_metric_data(
            Namespace="App",
            MetricData=[
                {"MetricName": "Queue", "Value": 4.9, "Timestamp": self.sandbox.now() - datetime.timedelta(minutes=m)}
                for m in range(20)
            ],
        )
        self.sandbox.advance(300)
        self.assertEqual(self.found("silent-metric"), set())

    def test_a_component_that_sleeps_well_is_no_finding(self):
        """Nothing fails for want of capacity, so that metric is silent, and that is as it should be."""
        self.configure(FLEET)
        self.apply()
        self.sandbox.tell("PUT", "components/llama/traffic", steady=30)
        self.sandbox.advance(2 * 3600)
        wake = self.alarms("evenkeel/inference-component/llama/")
        self.assertEqual([alarm["StateValue"] for alarm in wake.values()], ["INSUFFICIENT_DATA"])
        silent = self.found("silent-metric")
        self.assertNotIn(("inference-component/llama", "evenkeel-wake_from_zero"), silent)

    def test_findings_are_about_selected_targets_too(self):
        self.configure(
            """
            targets:
              - select: { endpoint: "b*" }
                bounds: { min: 1, max: 3 }
                policies: [{ target_tracking: { metric: invocations_per_instance, target: 600 } }]
            """
        )
        self.apply()
        self.assertEqual(self.found("async-invocations"), {(of("batch"), "evenkeel-invocations_per_instance")})


if __name__ == "__main__":
    unittest.main()
