"""Checks that ask AWS: alarms and metrics of CloudWatch in LocalEmu, targets in moto, in releases on a PostgreSQL whose traffic a load balancer has."""

import datetime
import json
import time
import unittest

from support import FOLDER, OVERLAP, REGION, LoadBalancer, Shop, cbor, cbor_error, query_error, trouble

_minute = datetime.timedelta(minutes=1)


class Checked(unittest.TestCase):
    """A release that holds at 10 % while a check is made again and again."""

    def shop(self, settings, smoke=(), watch=("green",), limits=""):
        trouble().clear()
        self.backend = LoadBalancer(trouble())
        settings = settings(self.backend) if callable(settings) else settings
        listed = lambda names: ", ".join(f'"{name}"' for name in names)
        check = f'[checks.green]\ninterval = "1s"\n{limits}{settings}'
        shop = Shop(self, self.backend, release=f"smoke = [{listed(smoke)}]\nwatch = [{listed(watch)}]\n{check}")
        shop.plan("--shift", "10,hold=3s,100")
        return shop

    def goes_on(self, shop):
        ran = shop.execute()
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)
        return ran

    def goes_back(self, shop, says):
        ran = shop.execute().ends(8).says(says)
        self.assertEqual((self.backend.weights(), shop.columns()), ((100, 0), OVERLAP), ran.out)

    def stands_still(self, shop, says):
        ran = shop.execute().ends(4).says(says)
        self.assertEqual((self.backend.weights(), shop.columns()), ((90, 10), OVERLAP), ran.out)


def account():
    return f'account = {{ region = "{REGION}", endpoint = "{trouble().url}" }}\n'


class Alarms(Checked):
    def alarms(self, *states, more="", **limits):
        """A release that watches alarms in these states, and a composite one over them."""
        self.cloudwatch = trouble().client("cloudwatch")
        self.names = [f"{self.id()}-{at}" for at, _ in enumerate(states)]
        for name, state in zip(self.names, states):
            metric = {"Namespace": "Shop", "MetricName": name, "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
            # It is not evaluated: the state is the one that is set.
            quiet = {"ActionsEnabled": False, "TreatMissingData": "ignore"}
            self.cloudwatch.put_metric_alarm(AlarmName=name, Threshold=1, ComparisonOperator="GreaterThanThreshold", **metric, **quiet)
            self.state(name, state)
        return self.shop(f'kind = "aws-cloudwatch-alarms"\nalarms = {json.dumps(self.names)}\n{more}' + account(), **limits)

    def state(self, name, state):
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"set to {state}")

    def test_none_in_alarm(self):
        shop = self.alarms("OK", "OK", smoke=["green"])
        self.goes_on(shop)
        # Without their types, the service describes those of metrics only, and no more than fifty.
        (asked, *_) = [body for action, body in trouble().asked if action == "DescribeAlarms"]
        for word in ("CompositeAlarm", "LogAlarm", "MetricAlarm", "MaxRecords"):
            self.assertIn(word, asked)

    def test_one_comes_to_be_in_alarm(self):
        shop = self.alarms("OK", "OK")
        trouble().make(self.backend.writes, after=lambda: self.state(self.names[1], "ALARM"))
        self.goes_back(shop, f"in alarm: {self.names[1]} (set to ALARM)")

    def test_one_in_alarm_before_green_has_traffic(self):
        shop = self.alarms("ALARM", smoke=["green"])
        ran = shop.execute().says("in alarm: ")
        self.assertNotEqual(ran.code, 0)
        self.assertNotIn(self.backend.writes, trouble().actions())

    def test_a_composite_one(self):
        shop = self.alarms("OK")
        name = f"{self.id()}-all"
        self.cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{self.names[0]}")')
        self.state(name, "ALARM")
        toml = shop.folder / FOLDER / "cutover.toml"
        toml.write_text(toml.read_text().replace(self.names[0], name))
        shop.plan("--shift", "10,hold=3s,100")
        self.goes_back(shop, f"in alarm: {name}")

    def test_too_little_data_is_what_the_settings_say(self):
        self.stands_still(self.alarms("OK", "INSUFFICIENT_DATA"), "too little data: ")
        self.goes_back(self.alarms("INSUFFICIENT_DATA", more='insufficient-data = "failed"\n'), "too little data: ")
        ran = self.goes_on(self.alarms("INSUFFICIENT_DATA", more='insufficient-data = "successful"\n', smoke=["green"]))
        ran.says("which counts as successful")

    def test_one_that_is_not_there(self):
        shop = self.alarms("OK", limits="consecutive-error-limit = 0\n")
        self.cloudwatch.delete_alarms(AlarmNames=self.names)
        self.goes_back(shop, f"there is no alarm {self.names[0]}")

    def test_no_answer_is_an_error(self):
        answers = [
            (cbor_error(400, "AccessDenied", "this is why"), "AccessDenied: this is why"),
            (cbor_error(403, "ExpiredToken", "this is why"), "ExpiredToken: this is why"),
            (cbor_error(400, "ThrottlingException", "this is why"), "ThrottlingException: this is why"),
            (cbor_error(503, "ServiceUnavailable", "this is why"), "ServiceUnavailable: this is why"),
        ]
        for answer, says in answers:
            with self.subTest(says):
                shop = self.alarms("OK", limits="consecutive-error-limit = 1\n")
                trouble().make("DescribeAlarms", answer=answer, times=99)
                self.goes_back(shop, says)

    def test_an_answer_that_comes_too_late_is_an_error(self):
        shop = self.alarms("OK", limits='consecutive-error-limit = 0\ntimeout = "1s"\n')
        trouble().make("DescribeAlarms", after=lambda: time.sleep(4), times=99)
        self.goes_back(shop, "no answer within 1s")

    def test_a_few_errors_are_not_the_end(self):
        shop = self.alarms("OK")
        trouble().make("DescribeAlarms", answer=cbor_error(503, "ServiceUnavailable"), times=4)
        self.goes_on(shop)
        self.assertEqual([rule["times"] for rule in trouble().rules], [0])


class Query(Checked):
    def query(self, *values, more="at-most = 1\n", **how):
        """A release that watches the sums of a metric, one a minute."""
        self.cloudwatch, now = trouble().client("cloudwatch"), datetime.datetime.now(datetime.timezone.utc)
        dimensions = [{"Name": "version", "Value": self.id()}]
        for at, value in enumerate(values):
            datum = {"MetricName": "Errors", "Value": value, "Timestamp": now - (at + 1) * _minute, "Dimensions": dimensions}
            self.cloudwatch.put_metric_data(Namespace="Shop", MetricData=[datum])
        metric = f'namespace = "Shop"\nmetric = "Errors"\nstatistic = "Sum"\ndimensions = {{ version = "{self.id()}" }}\n'
        return self.shop(f'kind = "aws-cloudwatch-query"\n{more}' + account() + f"[checks.green.metrics.errors]\n{metric}", **how)

    def test_values_within_bounds(self):
        self.goes_on(self.query(0, 1, smoke=["green"]))

    def test_a_value_beyond_its_bounds(self):
        self.goes_back(self.query(0, 3), "and 1 is the most that may be")
        self.goes_back(self.query(more="at-least = 9\n"), "and 9 is the least that may be")

    def test_no_value_says_nothing(self):
        self.stands_still(self.query(), "the query gave no value")

    def test_an_expression(self):
        shop = self.query(more='expression = "100 * errors / 2"\nat-most = 1\n')
        given = {"Id": "cutover_expression", "Label": "rate", "StatusCode": "PartialData", "Timestamps": [], "Values": [0.5]}
        pages = [{"MetricDataResults": [given], "NextToken": "more"}, {"MetricDataResults": [{**given, "StatusCode": "Complete", "Values": [7.5]}]}]
        for page in pages:
            trouble().make("GetMetricData", answer=cbor(page))
        self.goes_back(shop, "the query gave 0.5, 7.5, and 1 is the most that may be")
        first, second = trouble().bodies("GetMetricData")
        self.assertIn("100 * errors / 2", first)
        self.assertNotIn("NextToken", first)
        self.assertIn("NextToken", second)

    def test_a_series_that_is_not_whole_is_an_error(self):
        shop = self.query(limits="consecutive-error-limit = 0\n")
        message = {"Code": "Forbidden", "Value": "no permission for the source account"}
        given = {"Id": "errors", "Label": "Errors", "StatusCode": "Forbidden", "Values": [], "Messages": [message]}
        trouble().make("GetMetricData", answer=cbor({"MetricDataResults": [given]}), times=9)
        self.goes_back(shop, "CloudWatch gave Errors with Forbidden: no permission for the source account")

    def test_no_answer_is_an_error(self):
        shop = self.query(limits="consecutive-error-limit = 1\n")
        trouble().make("GetMetricData", answer=cbor_error(400, "InvalidParameterValue", "this is why"), times=99)
        self.goes_back(shop, "InvalidParameterValue: this is why")

    def test_credentials_that_cannot_be_had(self):
        shop = self.query(limits="consecutive-error-limit = 0\n", smoke=["green"])
        # Those of the traffic are had: the check has a role to take on, and may not.
        toml = shop.folder / FOLDER / "cutover.toml"
        role = "arn:aws:iam::123456789012:role/look"
        toml.write_text(toml.read_text().replace("account = { region", f'account = {{ role = "{role}", region'))
        shop.plan("--shift", "10,hold=3s,100")
        trouble().make("AssumeRole", answer=query_error(403, "AccessDenied", "this is why"), times=9)
        ran = shop.execute().says("this is why")
        self.assertNotEqual(ran.code, 0)
        self.assertNotIn(self.backend.writes, trouble().actions())


class Targets(Checked):
    def targets(self, more="", group=lambda backend: backend.green):
        check = f'kind = "aws-target-health"\naccount = {{ endpoint = "{trouble().url}" }}\n{more}'
        return self.shop(lambda backend: f'target-group = "{group(backend)}"\n{check}', limits="consecutive-error-limit = 1\n")

    def test_all_are_healthy(self):
        self.goes_on(self.targets())

    def test_too_few(self):
        self.goes_back(self.targets("at-least = 2\n"), "1 targets are healthy, and 2 are to be")

    def test_one_that_is_not(self):
        """The backend's own health is content with one that works; the check is not."""
        shop = self.targets()
        self.backend.elb.register_targets(TargetGroupArn=self.backend.green, Targets=[{"Id": "10.0.0.99"}])

        def unhealthy(text):
            before, there, after = text.partition("10.0.0.99")
            return before + there + after.replace("<State>healthy<", "<State>unhealthy<", 1)

        trouble().make("DescribeTargetHealth", change=unhealthy, times=999)
        self.goes_back(shop, "10.0.0.99 is unhealthy")

    def test_no_answer_is_an_error(self):
        self.goes_back(self.targets(group=lambda backend: f"{backend.green}0"), "TargetGroupNotFound")
