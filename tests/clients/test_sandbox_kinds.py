"""boto3, unchanged, against what the sandbox has beside instances: components, serverless, queues; quotas, errors."""

import datetime
import json
import tempfile
import unittest
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from support import Sandbox, get

WORLD = """
endpoints:
  - name: batch
    async: true
    tags: { team: search }
    variants: [{ name: v, instance_type: ml.g5.xlarge, instances: 1, serves: 60, start_up: 5m }]
  - name: tiny
    variants: [{ name: v, latency: 1s, start_up: 5m, serverless: { max_concurrency: 20, provisioned: 4 } }]
  - name: bare
    variants: [{ name: v, serverless: { max_concurrency: 5 } }]
  - name: llms
    variants:
      - { name: v, instance_type: ml.g5.xlarge, hosts_components: { min_instances: 0, max_instances: 2 } }
    components: [{ name: llm, copies: 1, serves: 60, start_up: 3m }]
  - name: chat
    exact: true
    variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 2, serves: 600, start_up: 5m }]
"""

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"


def ids(resource, dimension=INSTANCES):
    return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension}


def tracking(metric, target):
    return {"TargetValue": target, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}}


WAKE = {
    "AdjustmentType": "ChangeInCapacity", "Cooldown": 300, "MetricAggregationType": "Maximum",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
}  # fmt: skip


class KindsTest(unittest.TestCase):
    def setUp(self):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        file.write(WORLD)
        file.flush()
        self.sandbox = Sandbox("--world", file.name)
        self.addCleanup(self.sandbox.stop)
        self.scaling, self.sagemaker = self.sandbox.scaling, self.sandbox.sagemaker
        self.cloudwatch, self.runtime = self.sandbox.cloudwatch, self.sandbox.runtime

    def register(self, resource, dimension=INSTANCES, low=1, high=4):
        return self.scaling.register_scalable_target(**ids(resource, dimension), MinCapacity=low, MaxCapacity=high)

    def put(self, resource, dimension, name, **config):
        kind = "StepScaling" if "StepScalingPolicyConfiguration" in config else "TargetTrackingScaling"
        return self.scaling.put_scaling_policy(**ids(resource, dimension), PolicyName=name, PolicyType=kind, **config)

    def wake_alarm(self, metric, dimension, value, arn, statistic="Sum"):
        self.cloudwatch.put_metric_alarm(
            AlarmName="wake", Namespace="AWS/SageMaker", MetricName=metric, Statistic=statistic, Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold",
            Dimensions=[{"Name": dimension, "Value": value}], AlarmActions=[arn],
        )  # fmt: skip

    def refused(self, call, code, part, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        self.assertIn(part, error["Message"])

    def variant(self, endpoint):
        return self.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]

    def copies(self, name):
        config = self.sagemaker.describe_inference_component(InferenceComponentName=name)["RuntimeConfig"]
        return config["CurrentCopyCount"], config["DesiredCopyCount"]

    def activities(self, resource, dimension=INSTANCES):
        return self.scaling.describe_scaling_activities(**ids(resource, dimension))["ScalingActivities"]

    def metric(self, name, stat, **dimensions):
        now = self.sandbox.now()
        metric = {
            "Namespace": "AWS/SageMaker", "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        }  # fmt: skip
        query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        start = now - datetime.timedelta(hours=2)
        answer = self.cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=start, EndTime=now)
        return answer["MetricDataResults"][0]["Values"]

    def control(self, method, path, body):
        request = urllib.request.Request(
            f"{self.sandbox.url}/_sandbox/{path}", json.dumps(body).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


class Components(KindsTest):
    RESOURCE = "inference-component/llm"

    def test_life_of_a_component(self):
        specification = {"ModelName": "m", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 1024}}
        made = self.sagemaker.create_inference_component(
            InferenceComponentName="second", EndpointName="llms", VariantName="v",
            Specification=specification, RuntimeConfig={"CopyCount": 1}, Tags=[{"Key": "a", "Value": "b"}],
        )  # fmt: skip
        self.assertRegex(made["InferenceComponentArn"], r":inference-component/second$")
        tags = self.sagemaker.list_tags(ResourceArn=made["InferenceComponentArn"])["Tags"]
        self.assertEqual(tags, [{"Key": "a", "Value": "b"}])
        shown = self.sagemaker.describe_inference_component(InferenceComponentName="second")
        self.assertEqual((shown["InferenceComponentStatus"], self.copies("second")), ("Creating", (0, 1)))
        self.assertEqual(shown["Specification"], specification)
        self.refused(
            self.sagemaker.delete_inference_component, "ValidationException", "in-progress",
            InferenceComponentName="second",
        )  # fmt: skip
        self.sandbox.advance(1200)
        self.assertEqual(self.copies("second"), (1, 1))
        self.assertEqual(self.variant("llms")["CurrentInstanceCount"], 2)
        self.assertEqual(self.variant("llms")["ManagedInstanceScaling"]["MaxInstanceCount"], 2)
        self.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName="second", DesiredRuntimeConfig={"CopyCount": 0}
        )
        self.sandbox.advance(300)
        self.assertEqual((self.copies("second"), self.variant("llms")["CurrentInstanceCount"]), ((0, 0), 2))
        self.sandbox.advance(900)
        self.assertEqual(self.variant("llms")["CurrentInstanceCount"], 1)
        self.sagemaker.delete_inference_component(InferenceComponentName="second")
        self.sandbox.advance(300)
        self.refused(
            self.sagemaker.describe_inference_component, "ValidationException", "Could not find",
            InferenceComponentName="second",
        )  # fmt: skip

    def test_lists_come_in_pages(self):
        for number in range(4):
            self.sagemaker.create_inference_component(
                InferenceComponentName=f"c{number}", EndpointName="llms", VariantName="v",
                RuntimeConfig={"CopyCount": 0}, Specification={"ModelName": "m"},
            )  # fmt: skip
        pages = self.sagemaker.get_paginator("list_inference_components").paginate(
            SortBy="Name", SortOrder="Ascending", EndpointNameEquals="llms", PaginationConfig={"PageSize": 2}
        )
        names = [[c["InferenceComponentName"] for c in page["InferenceComponents"]] for page in pages]
        self.assertEqual(names, [["c0", "c1"], ["c2", "c3"], ["llm"]])
        found = self.sagemaker.list_inference_components(StatusEquals="InService", NameContains="l")
        self.assertEqual([c["InferenceComponentName"] for c in found["InferenceComponents"]], ["llm"])

    def test_it_sleeps_and_a_failed_request_wakes_it(self):
        self.register(self.RESOURCE, COPIES, 0, 2)
        per_copy = tracking("SageMakerInferenceComponentInvocationsPerCopy", 30.0)
        self.put(self.RESOURCE, COPIES, "inv", TargetTrackingScalingPolicyConfiguration=per_copy)
        arn = self.put(self.RESOURCE, COPIES, "wake", StepScalingPolicyConfiguration=WAKE)["PolicyARN"]
        self.wake_alarm("NoCapacityInvocationFailures", "InferenceComponentName", "llm", arn)
        self.control("PUT", "components/llm/traffic", {"steady": 0})
        invoke = {"EndpointName": "llms", "InferenceComponentName": "llm", "Body": b"{}"}
        self.assertEqual(self.runtime.invoke_endpoint(**invoke)["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.sandbox.advance(3600)
        self.assertEqual((self.copies("llm"), self.variant("llms")["CurrentInstanceCount"]), ((0, 0), 0))
        self.refused(self.runtime.invoke_endpoint, "ValidationError", "no capacity", **invoke)
        self.sandbox.advance(300)
        self.assertEqual(self.copies("llm")[1], 1)
        self.assertEqual(self.metric("NoCapacityInvocationFailures", "Sum", InferenceComponentName="llm"), [1.0])
        activity = self.activities(self.RESOURCE, COPIES)[0]
        self.assertEqual(activity["Description"], "Setting desired copy count to 1.")
        self.sandbox.advance(600)
        self.assertEqual(self.copies("llm"), (1, 1))
        listed = json.loads(get(f"{self.sandbox.url}/_sandbox"))["components"]
        self.assertEqual(listed, [{"component": "llm", "current": 1, "desired": 1}])

    def test_hosting_instances_are_no_target(self):
        with self.assertRaises(ClientError) as caught:
            self.register("endpoint/llms/variant/v")
        self.assertIn("inference components", str(caught.exception))


class Serverless(KindsTest):
    def test_concurrency_follows_use(self):
        resource = "endpoint/tiny/variant/v"
        self.register(resource, CONCURRENCY, 1, 20)
        use = tracking("SageMakerVariantProvisionedConcurrencyUtilization", 0.5)
        self.put(resource, CONCURRENCY, "pc", TargetTrackingScalingPolicyConfiguration=use)
        self.sandbox.traffic("tiny", steady=300)
        self.sandbox.advance(3600)
        variant = self.variant("tiny")
        self.assertNotIn("CurrentInstanceCount", variant)
        self.assertEqual(variant["CurrentServerlessConfig"]["MaxConcurrency"], 20)
        self.assertGreaterEqual(variant["CurrentServerlessConfig"]["ProvisionedConcurrency"], 8)
        self.assertRegex(
            self.activities(resource, CONCURRENCY)[-1]["Description"], r"^Setting desired provisioned concurrency to \d+\.$"
        )
        dimensions = {"EndpointName": "tiny", "VariantName": "v"}
        self.assertTrue(self.metric("ServerlessConcurrentExecutionsUtilization", "Average", **dimensions))
        self.assertEqual(self.metric("InvocationsPerInstance", "Sum", **dimensions), [])

    def test_what_can_not_be_registered(self):
        for resource, dimension, low, high, part in [
            ("endpoint/tiny/variant/v", INSTANCES, 1, 4, "serverless"),
            ("endpoint/tiny/variant/v", CONCURRENCY, 0, 4, "at least 1"),
            ("endpoint/tiny/variant/v", CONCURRENCY, 1, 21, "MaxConcurrency"),
            ("endpoint/bare/variant/v", CONCURRENCY, 1, 4, "no provisioned concurrency"),
        ]:
            arguments = {**ids(resource, dimension), "MinCapacity": low, "MaxCapacity": high}
            self.refused(self.scaling.register_scalable_target, "ValidationException", part, **arguments)

    def test_made_and_changed_by_hand(self):
        config = {"MemorySizeInMB": 2048, "MaxConcurrency": 10, "ProvisionedConcurrency": 2}
        variant = {"VariantName": "v", "ModelName": "m", "ServerlessConfig": config}
        wrong = {**variant, "ServerlessConfig": {**config, "ProvisionedConcurrency": 11}}
        make = self.sagemaker.create_endpoint_config
        self.refused(
            make, "ValidationException", "MaxConcurrency", EndpointConfigName="c", ProductionVariants=[wrong]
        )
        make(EndpointConfigName="c", ProductionVariants=[variant])
        self.sagemaker.create_endpoint(EndpointName="made", EndpointConfigName="c")
        self.sandbox.advance(1200)
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="made",
            DesiredWeightsAndCapacities=[{"VariantName": "v", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 6}}],
        )
        shown = self.sagemaker.describe_endpoint(EndpointName="made")
        self.assertEqual(shown["EndpointStatus"], "Updating")
        self.assertEqual(shown["ProductionVariants"][0]["DesiredServerlessConfig"]["ProvisionedConcurrency"], 6)
        self.sandbox.advance(1200)
        self.assertEqual(self.variant("made")["CurrentServerlessConfig"], {**config, "ProvisionedConcurrency": 6})


class Queues(KindsTest):
    RESOURCE = "endpoint/batch/variant/v"

    def test_to_zero_and_back(self):
        self.assertIn("AsyncInferenceConfig", self.sagemaker.describe_endpoint(EndpointName="batch"))
        self.register(self.RESOURCE, low=0, high=3)
        backlog = {
            "MetricName": "ApproximateBacklogSizePerInstance", "Namespace": "AWS/SageMaker", "Statistic": "Average",
            "Dimensions": [{"Name": "EndpointName", "Value": "batch"}],
        }  # fmt: skip
        config = {"TargetValue": 5.0, "CustomizedMetricSpecification": backlog}
        self.put(self.RESOURCE, INSTANCES, "backlog", TargetTrackingScalingPolicyConfiguration=config)
        arn = self.put(self.RESOURCE, INSTANCES, "wake", StepScalingPolicyConfiguration=WAKE)["PolicyARN"]
        self.wake_alarm("HasBacklogWithoutCapacity", "EndpointName", "batch", arn, "Average")
        self.sandbox.advance(3600)
        self.assertEqual(self.variant("batch")["CurrentInstanceCount"], 0)
        answer = self.runtime.invoke_endpoint_async(EndpointName="batch", InputLocation="s3://bucket/input")
        self.assertTrue(answer["OutputLocation"] and answer["InferenceId"])
        self.sandbox.advance(300)
        self.assertEqual(self.variant("batch")["DesiredInstanceCount"], 1)
        self.sandbox.advance(600)
        self.assertEqual(max(self.metric("ApproximateBacklogSize", "Maximum", EndpointName="batch")), 1.0)
        self.assertEqual(self.metric("ApproximateBacklogSize", "Maximum", EndpointName="batch")[0], 0.0)
        self.assertEqual(self.metric("Invocations", "Sum", EndpointName="batch", VariantName="v"), [])
        self.refused(
            self.runtime.invoke_endpoint, "ValidationError", "can not be invoked", EndpointName="batch", Body=b"{}"
        )


class LimitsAndErrors(KindsTest):
    RESOURCE = "endpoint/chat/variant/v"

    def want_more(self):
        self.register(self.RESOURCE, high=10)
        config = tracking("SageMakerVariantInvocationsPerInstance", 100.0)
        self.put(self.RESOURCE, INSTANCES, "inv", TargetTrackingScalingPolicyConfiguration=config)
        # From a full minute on: what begins within one looks like less at first, and is answered in two steps.
        self.sandbox.advance(60 - self.sandbox.now().second)
        self.sandbox.traffic("chat", steady=600)

    def test_a_quota_refuses_the_whole_change(self):
        self.control("PUT", "quotas/ml.m5.xlarge", {"limit": 4})
        self.want_more()
        self.sandbox.advance(600)
        activity = self.activities(self.RESOURCE)[0]
        self.assertEqual(activity["StatusCode"], "Failed")
        self.assertRegex(
            activity["StatusMessage"],
            r"^Failed to set desired instance count to 6\. Reason: The account-level service limit 'ml\.m5\.xlarge for "
            r"endpoint usage' is 4 Instances, with current utilization of 2 Instances and a request delta of 4 Instances",
        )
        self.assertEqual(self.variant("chat")["DesiredInstanceCount"], 2)
        self.refused(
            self.sagemaker.update_endpoint_weights_and_capacities, "ResourceLimitExceeded", "request delta of 3",
            EndpointName="chat", DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredInstanceCount": 5}],
        )  # fmt: skip
        self.control("PUT", "quotas/ml.m5.xlarge", {"limit": None})
        self.sandbox.advance(120)
        self.assertEqual(self.variant("chat")["DesiredInstanceCount"], 6)

    def test_a_shortage_rolls_back(self):
        self.control("PUT", "shortages/ml.m5.xlarge", {"short": True})
        self.want_more()
        # Where in its minute the world began decides after which of them the roll-back ends.
        for _ in range(10):
            self.sandbox.advance(120)
            ended = [a for a in self.activities(self.RESOURCE) if "EndTime" in a]
            if ended:
                break
        activity = ended[-1]
        self.assertEqual(activity["StatusCode"], "Failed")
        self.assertIn("InsufficientInstanceCapacity", activity["StatusMessage"])
        self.assertEqual(self.variant("chat")["CurrentInstanceCount"], 2)

    def test_maintenance(self):
        self.control("POST", "endpoints/chat/system-update", {"seconds": 900})
        status = self.sagemaker.describe_endpoint(EndpointName="chat")["EndpointStatus"]
        self.assertEqual(status, "SystemUpdating")
        self.sandbox.advance(901)
        status = self.sagemaker.describe_endpoint(EndpointName="chat")["EndpointStatus"]
        self.assertEqual(status, "InService")

    def test_ordered_errors(self):
        # One that boto3 does not try again by itself.
        order = {"operation": "DescribeScalableTargets", "code": "AccessDeniedException", "times": 2}
        self.control("POST", "faults", order)
        for _ in range(2):
            self.refused(
                self.scaling.describe_scalable_targets, "AccessDeniedException", "not authorized",
                ServiceNamespace="sagemaker",
            )  # fmt: skip
        self.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.control("POST", "faults", {**order, "code": "Nonsense"})
        self.assertIn("ThrottlingException", json.load(caught.exception)["error"])


if __name__ == "__main__":
    unittest.main()
