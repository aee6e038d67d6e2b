"""boto3, unchanged, against `evenkeel sandbox`: every operation it serves, capacity that follows traffic, errors."""

import datetime
import json
import re
import unittest
import urllib.request

from botocore.exceptions import ClientError

from support import Sandbox

INSTANCES = "sagemaker:variant:DesiredInstanceCount"

# Every operation that the sandbox promises. The last test holds this against what was called with success.
PROMISED = {
    "RegisterScalableTarget", "DeregisterScalableTarget", "DescribeScalableTargets",
    "PutScalingPolicy", "DeleteScalingPolicy", "DescribeScalingPolicies", "DescribeScalingActivities",
    "TagResource", "UntagResource", "ListTagsForResource",
    "CreateEndpoint", "DescribeEndpoint", "DeleteEndpoint", "ListEndpoints", "UpdateEndpoint",
    "UpdateEndpointWeightsAndCapacities",
    "CreateEndpointConfig", "DescribeEndpointConfig", "DeleteEndpointConfig", "ListEndpointConfigs",
    "ListTags", "AddTags",
    "PutMetricData", "GetMetricData", "ListMetrics", "PutMetricAlarm", "DescribeAlarms", "DeleteAlarms",
    "EnableAlarmActions", "DisableAlarmActions", "DescribeAlarmHistory", "SetAlarmState",
}  # fmt: skip


def ids(endpoint="chat"):
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic",
        "ScalableDimension": INSTANCES,
    }


def tracking_of(metric):
    specification = {"Namespace": "App", "MetricName": metric, "Statistic": "Average"}
    return {"TargetValue": 10.0, "CustomizedMetricSpecification": specification}


def tracking(target=100.0, **more):
    return {
        "TargetValue": target,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        **more,
    }


class SandboxTest(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.scaling, self.sagemaker = self.sandbox.scaling, self.sandbox.sagemaker
        self.cloudwatch = self.sandbox.cloudwatch

    def make_config(self, name, instances=1):
        variant = {
            "VariantName": "AllTraffic", "ModelName": "model", "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": instances, "InitialVariantWeight": 1.0,
        }  # fmt: skip
        return self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def make_endpoint(self, name="chat", instances=1):
        """Makes an endpoint and waits until it is in service."""
        self.make_config(f"{name}-config", instances)
        arn = self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")["EndpointArn"]
        self.assertEqual(self.status(name), "Creating")
        self.sandbox.advance(1200)
        self.assertEqual(self.status(name), "InService")
        return arn

    def status(self, name="chat"):
        return self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]

    def instances(self, name="chat"):
        variant = self.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]
        return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]

    def register(self, endpoint="chat", low=1, high=6, **more):
        return self.scaling.register_scalable_target(**ids(endpoint), MinCapacity=low, MaxCapacity=high, **more)

    def refused(self, call, code, part, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        self.assertIn(part, error["Message"])

    def alarm_states(self):
        alarms = self.cloudwatch.describe_alarms()["MetricAlarms"]
        return {re.search("Alarm(High|Low)", alarm["AlarmName"]).group(): alarm["StateValue"] for alarm in alarms}


class CapacityFollowsTraffic(SandboxTest):
    def test_up_and_down_again(self):
        self.make_endpoint()
        arn = self.register()["ScalableTargetARN"]
        self.assertRegex(arn, r"^arn:aws:application-autoscaling:us-east-1:\d{12}:scalable-target/")
        put = self.scaling.put_scaling_policy(
            **ids(), PolicyName="p", PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=tracking(ScaleOutCooldown=300, ScaleInCooldown=900),
        )  # fmt: skip
        self.assertEqual(len(put["Alarms"]), 2)
        held = self.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"][0]
        self.assertEqual(held["TargetTrackingScalingPolicyConfiguration"]["TargetValue"], 100.0)
        self.assertEqual([a["AlarmName"] for a in held["Alarms"]], [a["AlarmName"] for a in put["Alarms"]])

        self.sandbox.traffic("chat", steady=350)
        self.sandbox.advance(420)
        self.assertEqual(self.alarm_states(), {"AlarmHigh": "ALARM", "AlarmLow": "OK"})
        self.assertEqual(self.status(), "Updating")
        self.assertGreater(self.instances()[1], 1)
        self.sandbox.advance(3600)
        current, desired = self.instances()
        self.assertEqual(current, desired)
        self.assertGreaterEqual(current, 4)
        self.assertLessEqual(current, 6)

        end = self.sandbox.now().replace(second=0, microsecond=0)
        dimensions = [{"Name": "EndpointName", "Value": "chat"}, {"Name": "VariantName", "Value": "AllTraffic"}]
        metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions}
        per_instance = {**metric, "MetricName": "InvocationsPerInstance"}
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[
                {"Id": "all", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
                {"Id": "each", "MetricStat": {"Metric": per_instance, "Period": 60, "Stat": "Sum"}},
                {"Id": "ratio", "Expression": "all / each", "Label": "instances"},
            ],
            StartTime=end - datetime.timedelta(minutes=20),
            EndTime=end - datetime.timedelta(minutes=5),
        )
        results = {result["Id"]: result for result in answer["MetricDataResults"]}
        self.assertEqual(len(results["all"]["Values"]), 15)
        self.assertAlmostEqual(sum(results["all"]["Values"]) / 15, 350, delta=20)
        quotients = [a / b for a, b in zip(results["all"]["Values"], results["each"]["Values"], strict=True)]
        self.assertEqual(results["ratio"]["Values"], quotients)
        self.assertTrue(all(4 <= value <= 6 for value in quotients), quotients)

        self.sandbox.traffic("chat", steady=5)
        self.sandbox.advance(3 * 3600)
        self.assertEqual(self.instances(), (1, 1))

        activities = self.scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
        self.assertGreaterEqual(len(activities), 2)
        self.assertEqual({a["StatusCode"] for a in activities}, {"Successful"})
        self.assertIn("AlarmHigh", activities[-1]["Cause"])
        self.assertIn("AlarmLow", activities[0]["Cause"])
        with_reasons = self.scaling.describe_scaling_activities(
            ServiceNamespace="sagemaker", IncludeNotScaledActivities=True
        )["ScalingActivities"]
        refusals = [a for a in with_reasons if a.get("NotScaledReasons")]
        self.assertIn("AlreadyAtDesiredCapacity", {a["NotScaledReasons"][0]["Code"] for a in refusals})
        history = self.cloudwatch.describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        self.assertTrue(any("AlarmHigh" in item["AlarmName"] for item in history))
        metrics = self.cloudwatch.list_metrics(Namespace="AWS/SageMaker")["Metrics"]
        self.assertIn("InvocationsPerInstance", {metric["MetricName"] for metric in metrics})

    def test_invoked_requests_count(self):
        self.make_endpoint()
        self.sandbox.advance(60 - self.sandbox.now().second + 1)
        for _ in range(7):
            answer = self.sandbox.runtime.invoke_endpoint(EndpointName="chat", Body=b"{}")
            self.assertEqual(answer["InvokedProductionVariant"], "AllTraffic")
        self.sandbox.advance(600)
        now = self.sandbox.now()
        metric = {
            "Namespace": "AWS/SageMaker", "MetricName": "Invocations",
            "Dimensions": [{"Name": "EndpointName", "Value": "chat"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        }  # fmt: skip
        query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        start = now - datetime.timedelta(minutes=15)
        answer = self.cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=start, EndTime=now)
        self.assertEqual(sum(answer["MetricDataResults"][0]["Values"]), 7)


class Registration(SandboxTest):
    def test_a_registration_clamps_capacity_and_leaves_a_record(self):
        self.make_endpoint(instances=1)
        self.register(low=3, high=5)
        self.sandbox.advance(30)
        self.assertEqual(self.instances()[1], 3)
        activity = self.scaling.describe_scaling_activities(**ids())["ScalingActivities"][0]
        self.assertEqual(activity["Description"], "Setting desired instance count to 3.")
        self.sandbox.advance(1800)
        self.assertEqual(self.instances(), (3, 3))

    def test_what_a_registration_leaves_out_stays(self):
        self.make_endpoint()
        self.register(low=1, high=4, SuspendedState={"DynamicScalingInSuspended": True})
        self.scaling.register_scalable_target(**ids(), MaxCapacity=5)
        target = self.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
        self.assertEqual((target["MinCapacity"], target["MaxCapacity"]), (1, 5))
        self.assertTrue(target["SuspendedState"]["DynamicScalingInSuspended"])
        self.assertFalse(target["SuspendedState"]["DynamicScalingOutSuspended"])

    def test_tags_of_a_target(self):
        self.make_endpoint()
        arn = self.register(Tags={"team": "search"})["ScalableTargetARN"]
        self.scaling.tag_resource(ResourceARN=arn, Tags={"stage": "prod"})
        self.scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
        self.assertEqual(self.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"], {"stage": "prod"})

    def test_deregistering_takes_policies_and_alarms_along(self):
        self.make_endpoint()
        self.register()
        for name in ("one", "two"):
            self.scaling.put_scaling_policy(
                **ids(), PolicyName=name, PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={**tracking_of(name), "DisableScaleIn": True},
            )  # fmt: skip
        self.assertEqual(len(self.cloudwatch.describe_alarms()["MetricAlarms"]), 2)
        self.scaling.delete_scaling_policy(**ids(), PolicyName="one")
        self.assertEqual(len(self.cloudwatch.describe_alarms()["MetricAlarms"]), 1)
        self.scaling.deregister_scalable_target(**ids())
        self.assertEqual(self.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"], [])
        self.assertEqual(self.cloudwatch.describe_alarms()["MetricAlarms"], [])

    def test_paginators_turn_every_page(self):
        self.make_endpoint()
        self.register()
        for number in range(23):
            self.scaling.put_scaling_policy(
                **ids(), PolicyName=f"p{number:02}", PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracking_of(f"m{number}"),
            )  # fmt: skip
        pages = self.scaling.get_paginator("describe_scaling_policies").paginate(ServiceNamespace="sagemaker")
        pages = [page["ScalingPolicies"] for page in pages]
        self.assertEqual([len(page) for page in pages], [10, 10, 3])
        self.assertEqual(len({policy["PolicyName"] for page in pages for policy in page}), 23)

    def test_a_step_policy_with_its_alarm(self):
        self.make_endpoint()
        self.register()
        steps = {
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": 60,
            "MetricAggregationType": "Maximum",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}],
        }
        arn = self.scaling.put_scaling_policy(
            **ids(), PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
        )["PolicyARN"]
        self.cloudwatch.put_metric_alarm(
            AlarmName="backlog", Namespace="App", MetricName="Queue", Statistic="Maximum", Period=60, Threshold=10.0,
            ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, AlarmActions=[arn],
        )  # fmt: skip
        self.cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Queue", "Value": 25.0}])
        self.sandbox.advance(180)
        self.assertEqual(self.instances()[1], 3)


class Endpoints(SandboxTest):
    def test_the_life_of_an_endpoint(self):
        arn = self.make_endpoint()
        self.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "search"}])
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "team", "Value": "search"}])
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="chat", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
        )
        self.assertEqual((self.status(), self.instances()), ("Updating", (1, 2)))
        self.sandbox.advance(1800)
        self.assertEqual((self.status(), self.instances()), ("InService", (2, 2)))

        self.make_config("next", instances=1)
        names = {c["EndpointConfigName"] for c in self.sagemaker.list_endpoint_configs()["EndpointConfigs"]}
        self.assertEqual(names, {"chat-config", "next"})
        self.sagemaker.update_endpoint(
            EndpointName="chat", EndpointConfigName="next", RetainAllVariantProperties=True
        )
        self.sandbox.advance(3600)
        described = self.sagemaker.describe_endpoint(EndpointName="chat")
        self.assertEqual(described["EndpointConfigName"], "next")
        self.assertEqual(self.instances(), (2, 2), "its count is retained")
        self.sagemaker.update_endpoint(EndpointName="chat", EndpointConfigName="chat-config")
        self.sandbox.advance(3600)
        self.assertEqual(self.instances(), (1, 1), "its count is reset to that of the config")

        self.sagemaker.delete_endpoint_config(EndpointConfigName="next")
        self.assertEqual(len(self.sagemaker.list_endpoints()["Endpoints"]), 1)
        self.sagemaker.delete_endpoint(EndpointName="chat")
        self.sandbox.advance(1800)
        self.assertEqual(self.sagemaker.list_endpoints()["Endpoints"], [])
        self.sagemaker.describe_endpoint_config(EndpointConfigName="chat-config")


class CloudWatch(SandboxTest):
    def test_a_large_request_comes_gzipped(self):
        sent = {}
        self.cloudwatch.meta.events.register(
            "before-send.cloudwatch.PutMetricData", lambda request, **_: sent.update(request.headers)
        )
        data = [{"MetricName": "m", "Dimensions": [{"Name": "i", "Value": str(i)}], "Value": float(i)} for i in range(900)]
        self.cloudwatch.put_metric_data(Namespace="App", MetricData=data)
        encoding = sent["Content-Encoding"]
        self.assertEqual(encoding if isinstance(encoding, str) else encoding.decode(), "gzip")
        self.sandbox.advance(300)
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace="App")
        self.assertEqual([len(page["Metrics"]) for page in pages], [500, 400])

    def test_values_with_counts_and_statistics(self):
        now = self.sandbox.now()
        self.cloudwatch.put_metric_data(
            Namespace="App",
            MetricData=[
                {"MetricName": "m", "Timestamp": now, "Values": [1.0, 5.0], "Counts": [3.0, 1.0]},
                {"MetricName": "m", "Timestamp": now,
                 "StatisticValues": {"SampleCount": 2, "Sum": 12.0, "Minimum": 4.0, "Maximum": 8.0}},
            ],
        )  # fmt: skip
        self.sandbox.advance(300)
        metric = {"Namespace": "App", "MetricName": "m"}
        wanted = {"SampleCount": 6.0, "Sum": 20.0, "Minimum": 1.0, "Maximum": 8.0, "Average": 20.0 / 6}
        queries = [
            {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}} for stat in wanted
        ]
        start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=5)
        answer = self.cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end)
        for result in answer["MetricDataResults"]:
            stat = next(name for name in wanted if name.lower() == result["Id"])
            self.assertAlmostEqual(result["Values"][0], wanted[stat], msg=stat)

    def test_metric_math(self):
        now = self.sandbox.now()
        for name, value in (("a", 6.0), ("b", 3.0)):
            datum = {"MetricName": name, "Timestamp": now, "Value": value}
            self.cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])
        self.sandbox.advance(300)
        queries = [
            {"Id": name, "ReturnData": False, "MetricStat":
             {"Metric": {"Namespace": "App", "MetricName": name}, "Period": 60, "Stat": "Sum"}} for name in "ab"
        ]  # fmt: skip
        for number, (expression, value) in enumerate(
            [("a / b", 2.0), ("a - b * 2", 0.0), ("MAX([a, b])", 6.0), ("IF(a > 5, 1, 0)", 1.0), ("SUM(METRICS())", 9.0)]
        ):
            query = {"Id": f"e{number}", "Expression": expression}
            start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=5)
            answer = self.cloudwatch.get_metric_data(MetricDataQueries=[*queries, query], StartTime=start, EndTime=end)
            results = answer["MetricDataResults"]
            self.assertEqual([result["Id"] for result in results], [f"e{number}"])
            self.assertEqual(results[0]["Values"], [value], expression)

    def test_alarms(self):
        shape = {
            "AlarmName": "hot", "Namespace": "App", "MetricName": "m", "Statistic": "Average", "Period": 60,
            "EvaluationPeriods": 2, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching", "Dimensions": [{"Name": "i", "Value": "1"}],
        }  # fmt: skip
        self.cloudwatch.put_metric_alarm(**shape)
        held = self.cloudwatch.describe_alarms(AlarmNames=["hot"])["MetricAlarms"][0]
        for name, value in shape.items():
            self.assertEqual(held[name], value, name)
        self.assertEqual(held["StateValue"], "INSUFFICIENT_DATA")
        self.cloudwatch.set_alarm_state(AlarmName="hot", StateValue="ALARM", StateReason="a test")
        held = self.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"][0]
        self.assertEqual(held["StateReason"], "a test")
        self.cloudwatch.disable_alarm_actions(AlarmNames=["hot"])
        self.assertFalse(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"])
        self.cloudwatch.enable_alarm_actions(AlarmNames=["hot"])
        self.assertTrue(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"])
        self.sandbox.advance(300)
        self.assertEqual(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"], "OK")
        kinds = [i["HistoryItemType"] for i in self.cloudwatch.describe_alarm_history(AlarmName="hot")["AlarmHistoryItems"]]
        self.assertIn("StateUpdate", kinds)
        self.assertIn("ConfigurationUpdate", kinds)
        self.cloudwatch.delete_alarms(AlarmNames=["hot"])
        self.assertEqual(self.cloudwatch.describe_alarms()["MetricAlarms"], [])

    def test_json_1_0_says_the_same_as_cbor(self):
        self.cloudwatch.put_metric_alarm(
            AlarmName="hot", Namespace="App", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=5.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "GraniteServiceVersion20100801.DescribeAlarms",
        }
        request = urllib.request.Request(self.sandbox.url, b'{"AlarmNames": ["hot"]}', headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(answer.headers["content-type"], "application/x-amz-json-1.0")
            alarm = json.load(answer)["MetricAlarms"][0]
        held = self.cloudwatch.describe_alarms(AlarmNames=["hot"])["MetricAlarms"][0]
        self.assertEqual(alarm["AlarmArn"], held["AlarmArn"])
        self.assertEqual(alarm["StateUpdatedTimestamp"], held["StateUpdatedTimestamp"].timestamp())


class WrongCalls(SandboxTest):
    """AWS's codes, and its words where they are known."""

    def test_application_auto_scaling(self):
        policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
        put, refused = self.scaling.put_scaling_policy, self.refused
        register = self.scaling.register_scalable_target
        refused(register, "ValidationException", "nobody", **ids("nobody"), MinCapacity=1, MaxCapacity=2)
        self.make_endpoint()
        refused(register, "ValidationException", "Minimum capacity", **ids(), MinCapacity=3, MaxCapacity=2)
        refused(register, "ValidationException", "must not be negative", **ids(), MinCapacity=-1, MaxCapacity=2)
        refused(register, "ValidationException", "are required", **ids(), MinCapacity=1)
        refused(
            register, "ValidationException", "'serviceNamespace' failed to satisfy constraint",
            **{**ids(), "ServiceNamespace": "sage"}, MinCapacity=1, MaxCapacity=2,
        )  # fmt: skip
        refused(
            put, "ObjectNotFoundException", "No scalable target", **ids(), **policy,
            TargetTrackingScalingPolicyConfiguration=tracking(),
        )  # fmt: skip
        self.register()
        wrong = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
        refused(
            put, "ValidationException", "only supports the following predefined metric types", **ids(), **policy,
            TargetTrackingScalingPolicyConfiguration={**tracking(), **wrong},
        )  # fmt: skip
        refused(
            self.scaling.delete_scaling_policy, "ObjectNotFoundException", "No scaling policy", **ids(), PolicyName="p"
        )
        refused(
            self.scaling.describe_scaling_policies, "InvalidNextTokenException", "token",
            ServiceNamespace="sagemaker", NextToken="no token",
        )  # fmt: skip
        refused(self.scaling.deregister_scalable_target, "ObjectNotFoundException", "No scalable target", **ids("other"))
        refused(
            self.scaling.get_predictive_scaling_forecast, "UnknownOperationException", "", **ids(), PolicyName="p",
            StartTime=0, EndTime=60,
        )  # fmt: skip

    def test_sagemaker(self):
        refused = self.refused
        refused(
            self.sagemaker.describe_endpoint, "ValidationException", "Could not find endpoint", EndpointName="nobody"
        )
        refused(
            self.sagemaker.create_endpoint, "ValidationException", "Could not find endpoint configuration",
            EndpointName="chat", EndpointConfigName="none",
        )  # fmt: skip
        self.make_endpoint()
        refused(
            self.sagemaker.create_endpoint, "ValidationException", "Cannot create already existing endpoint",
            EndpointName="chat", EndpointConfigName="chat-config",
        )  # fmt: skip
        update = self.sagemaker.update_endpoint_weights_and_capacities
        change = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
        update(EndpointName="chat", DesiredWeightsAndCapacities=change)
        refused(
            update, "ValidationException", "Cannot update in-progress endpoint",
            EndpointName="chat", DesiredWeightsAndCapacities=change,
        )  # fmt: skip
        refused(self.sagemaker.list_models, "UnknownOperationException", "")

    def test_cloudwatch(self):
        refused = self.refused
        refused(
            self.cloudwatch.set_alarm_state, "ResourceNotFound", "", AlarmName="none", StateValue="OK", StateReason="x"
        )
        refused(self.cloudwatch.delete_alarms, "ResourceNotFound", "", AlarmNames=["none"])
        refused(self.cloudwatch.describe_alarms, "InvalidNextToken", "", NextToken="no token")
        refused(
            self.cloudwatch.put_metric_alarm, "ValidationError", "", AlarmName="a", Namespace="App", MetricName="m",
            Statistic="Sum", Period=61, EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        refused(self.cloudwatch.put_metric_data, "InvalidParameterValue", "", Namespace="AWS/Lambda",
                MetricData=[{"MetricName": "m", "Value": 1.0}])  # fmt: skip
        now = self.sandbox.now()
        refused(
            self.cloudwatch.get_metric_data, "ValidationError", "", StartTime=now, EndTime=now,
            MetricDataQueries=[{"Id": "Upper", "Expression": "1 + 1"}],
        )  # fmt: skip
        refused(self.cloudwatch.list_dashboards, "UnknownOperationException", "")


class ZEverything(unittest.TestCase):
    """Runs last, by its name."""

    def test_every_promised_operation_was_called_with_success(self):
        self.assertEqual(PROMISED - Sandbox.called, set())


if __name__ == "__main__":
    unittest.main()
