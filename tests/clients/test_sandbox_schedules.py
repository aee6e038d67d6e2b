"""boto3, unchanged, puts scheduled actions into the sandbox, and the clock is turned past them."""

import datetime
import tempfile
import unittest

from botocore.exceptions import ClientError

from support import Sandbox

WORLD = """
endpoints:
  - name: chat
    exact: true
    variants: [{ name: v, instance_type: ml.m5.xlarge, instances: 2, start_up: 5m }]
"""

IDS = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/chat/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def bounds(low, high):
    return {"MinCapacity": low, "MaxCapacity": high}


class SchedulesTest(unittest.TestCase):
    def setUp(self):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        file.write(WORLD)
        file.flush()
        self.sandbox = Sandbox("--world", file.name)
        self.addCleanup(self.sandbox.stop)
        self.scaling = self.sandbox.scaling
        self.scaling.register_scalable_target(**IDS, MinCapacity=1, MaxCapacity=10)

    def put(self, name, **members):
        answer = self.scaling.put_scheduled_action(**IDS, ScheduledActionName=name, **members)
        self.assertEqual(set(answer), {"ResponseMetadata"})

    def listed(self, **filters):
        answer = self.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker", **filters)
        return answer["ScheduledActions"]

    def activities(self):
        return self.scaling.describe_scaling_activities(**IDS)["ScalingActivities"]

    def capacity(self):
        target = self.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
        return target["MinCapacity"], target["MaxCapacity"]

    def desired(self):
        endpoint = self.sandbox.sagemaker.describe_endpoint(EndpointName="chat")
        return endpoint["ProductionVariants"][0]["DesiredInstanceCount"]

    def in_minutes(self, minutes):
        """The full minute so many minutes from now."""
        now = self.sandbox.now().astimezone(datetime.timezone.utc)
        return now.replace(second=0, microsecond=0) + datetime.timedelta(minutes=minutes)

    def turn_to(self, moment):
        self.sandbox.advance((moment - self.sandbox.now()).total_seconds())

    def refused(self, code, part, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**{**IDS, **arguments})
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        self.assertIn(part, error["Message"])


class Runs(SchedulesTest):
    def test_at_its_minute_with_two_activities(self):
        due = self.in_minutes(10)
        schedule = f"cron({due.minute} {due.hour} ? * {due:%a} *)"
        self.put("morning", Schedule=schedule, ScalableTargetAction=bounds(4, 12))
        self.turn_to(due - datetime.timedelta(seconds=1))
        self.assertEqual((self.capacity(), self.activities()), ((1, 10), []))
        self.turn_to(due + datetime.timedelta(seconds=11))
        self.assertEqual((self.capacity(), self.desired()), ((4, 12), 4))
        moved, set_bounds = self.activities()
        self.assertEqual(set_bounds["Description"], "Setting min capacity to 4 and max capacity to 12")
        self.assertEqual(set_bounds["Cause"], "scheduled action name morning was triggered")
        self.assertEqual(set_bounds["StatusCode"], "Successful")
        self.assertEqual(
            set_bounds["StatusMessage"], "Successfully set min capacity to 4 and max capacity to 12"
        )
        self.assertIn("EndTime", set_bounds)
        late = (set_bounds["StartTime"] - due).total_seconds()
        self.assertTrue(0 <= late <= 10, late)
        self.assertEqual(moved["Description"], "Setting desired instance count to 4.")
        self.assertEqual(moved["Cause"], "minimum capacity was set to 4")
        self.sandbox.advance(6 * 86_400)
        self.assertEqual((self.capacity(), len(self.activities())), ((4, 12), 2))

    def test_in_its_time_zone_and_once(self):
        due = self.in_minutes(5)
        # Tokyo has no summer time, so this holds whenever it runs.
        local = due.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
        self.put(
            "once", Schedule=f"at({local:%Y-%m-%dT%H:%M:%S})", Timezone="Asia/Tokyo",
            ScalableTargetAction=bounds(1, 3),
        )  # fmt: skip
        self.turn_to(due + datetime.timedelta(seconds=11))
        self.assertEqual((self.capacity(), len(self.activities())), ((1, 3), 1))
        self.sandbox.advance(2 * 86_400)
        self.assertEqual(len(self.activities()), 1)
        self.assertEqual([a["ScheduledActionName"] for a in self.listed()], ["once"])

    def test_what_can_not_run(self):
        due = self.in_minutes(30)
        cron = f"cron({due.minute} {due.hour} * * ? *)"
        self.put("collides", Schedule=cron, ScalableTargetAction={"MinCapacity": 11})
        self.turn_to(due + datetime.timedelta(seconds=11))
        failed = self.activities()[0]
        self.assertEqual((failed["StatusCode"], self.capacity()), ("Failed", (1, 10)))
        self.scaling.delete_scheduled_action(**IDS, ScheduledActionName="collides")
        self.put("busy", Schedule="rate(1 hour)", StartTime=self.in_minutes(30), ScalableTargetAction=bounds(3, 5))
        self.sandbox.advance(1500)
        self.sandbox._send("POST", "endpoints/chat/system-update", {"seconds": 900})
        self.sandbox.advance(1800)
        failed = self.activities()[0]
        self.assertEqual((failed["StatusCode"], self.capacity(), self.desired()), ("Failed", (1, 10), 2))
        self.assertEqual(
            failed["StatusMessage"],
            "Resource Id [endpoint/chat/variant/v] is not scalable. Reason: The endpoint chat is in status "
            "SystemUpdating.",
        )
        self.assertEqual(failed["Cause"], "scheduled action name busy was triggered")

    def test_suspended_is_skipped(self):
        self.put("often", Schedule="rate(10 minutes)", StartTime=self.in_minutes(5), ScalableTargetAction=bounds(3, 5))
        for suspended in (True, False):
            state = {"ScheduledScalingSuspended": suspended}
            self.scaling.register_scalable_target(**IDS, SuspendedState=state)
            self.sandbox.advance(600)
            self.assertEqual(self.capacity(), (1, 10) if suspended else (3, 5))


class Puts(SchedulesTest):
    CRON = "cron(0 8 ? * MON-FRI *)"

    def test_an_update_drops_the_window_only(self):
        start, end = self.in_minutes(60), self.in_minutes(600)
        zone = "Europe/Berlin"
        self.put(
            "day", Schedule=self.CRON, Timezone=zone, StartTime=start, EndTime=end, ScalableTargetAction=bounds(2, 8)
        )
        first = self.listed()[0]
        self.assertRegex(
            first["ScheduledActionARN"],
            r"^arn:aws:autoscaling:us-east-1:\d{12}:scheduledAction:[0-9a-f-]{36}:resource/sagemaker/"
            r"endpoint/chat/variant/v:scheduledActionName/day$",
        )
        self.assertEqual((first["StartTime"], first["EndTime"]), (start, end))
        self.put("day", ScalableTargetAction=bounds(3, 8))
        second = self.listed()[0]
        self.assertFalse({"StartTime", "EndTime"} & set(second))
        self.assertEqual((second["Schedule"], second["Timezone"]), (self.CRON, zone))
        self.assertEqual(second["ScalableTargetAction"], bounds(3, 8))
        self.assertEqual(second["CreationTime"], first["CreationTime"])

    def test_pages_filters_and_what_goes_with_a_target(self):
        for i in range(53):
            self.put(f"a{i:02}", Schedule="rate(1 day)", ScalableTargetAction=bounds(1, 9))
        pages = self.scaling.get_paginator("describe_scheduled_actions")
        pages = [p["ScheduledActions"] for p in pages.paginate(ServiceNamespace="sagemaker")]
        self.assertEqual([len(page) for page in pages], [50, 3])
        self.assertEqual(len(self.listed(ScheduledActionNames=["a07", "none"])), 1)
        self.assertEqual(self.listed(ResourceId="endpoint/other/variant/v"), [])
        self.scaling.deregister_scalable_target(**IDS)
        self.assertEqual(self.listed(), [])

    def test_errors(self):
        put, delete = self.scaling.put_scheduled_action, self.scaling.delete_scheduled_action
        good = {"ScheduledActionName": "day", "Schedule": self.CRON, "ScalableTargetAction": bounds(1, 4)}
        now = self.sandbox.now()
        for part, wrong in [
            ("cron", {"Schedule": "cron(0 8 * * *)"}),
            ("at(...)", {"Schedule": "0 8 * * *"}),
            ("does not exist", {"Schedule": "at(2027-03-28T02:30:00)", "Timezone": "Europe/Berlin"}),
            ("time zone", {"Timezone": "Local"}),
            ("StartTime", {"StartTime": now, "EndTime": now}),
            ("maximum", {"ScalableTargetAction": bounds(5, 4)}),
            ("negative", {"ScalableTargetAction": bounds(-1, 4)}),
            ("MinCapacity", {"ScalableTargetAction": {}}),
            ("scheduledActionName", {"ScheduledActionName": "a:b"}),
        ]:
            self.refused("ValidationException", part, put, **{**good, **wrong})
        for member in ("Schedule", "ScalableTargetAction"):
            lacking = {name: value for name, value in good.items() if name != member}
            self.refused("ValidationException", member, put, **lacking)
        nobody = {"ResourceId": "endpoint/nobody/variant/v"}
        self.refused("ObjectNotFoundException", "No scalable target", put, **good, **nobody)
        self.refused("ObjectNotFoundException", "No scheduled action", delete, ScheduledActionName="day")
        describe = self.scaling.describe_scheduled_actions
        self.refused("InvalidNextTokenException", "token", describe, NextToken="no token")
        self.assertEqual(self.listed(), [])


class ZCalled(unittest.TestCase):
    """Runs last, by its name."""

    def test_every_operation_was_called_with_success(self):
        operations = {"PutScheduledAction", "DescribeScheduledActions", "DeleteScheduledAction"}
        self.assertEqual(operations - Sandbox.called, set())


if __name__ == "__main__":
    unittest.main()
