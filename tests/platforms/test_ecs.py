"""ECS's own deployments, by a scripted server: their contract, and whole releases on a PostgreSQL."""

import json
import unittest

from ecs import Deployment, Platform
from managed import Managed
from support import AFTER, BAD_GREEN, BEFORE, FOLDER, OVERLAP, trouble


class Ecs(Managed, unittest.TestCase):
    platform = Platform
    begins, passes = "UpdateService", "ContinueServiceDeployment"
    stops, looks = "StopServiceDeployment", "DescribeServiceDeployments"
    # Three steps of the traffic have one each, and so has blue's end.
    gates_before_the_last = 3
    succeeded, taken_back = "SUCCESSFUL", "ROLLBACK_SUCCESSFUL"
    without_gates = {"pauses": ()}
    weight_behind_one = 10

    def test_every_rule_is_kept(self):
        shop = self.shop(weights=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 100.0))
        ran = shop.run("traffic", "test", FOLDER, "--yes").ends(0)
        self.assertNotIn("BROKEN", ran.out)
        self.assertEqual([one.status for one in self.backend.own], ["ROLLBACK_SUCCESSFUL"] * 2)
        policy = json.loads(shop.run("traffic", "policy", FOLDER).ends(0).out)
        allowed = {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}
        self.assertLessEqual(set(trouble().actions()), allowed)

    def test_a_good_green(self):
        for strategy, weights in (("BLUE_GREEN", (100.0,)), ("LINEAR", (50.0, 100.0)), ("CANARY", (10.0, 50.0, 100.0))):
            with self.subTest(strategy):
                shop = self.shop(strategy=strategy, weights=weights)
                shop.plan()
                # Blue's tasks are still stopping.
                ran = shop.execute()
                self.assertNotEqual(ran.code, 0, ran.out)
                self.assertEqual(shop.columns(), OVERLAP, ran.out)
                (one,) = self.backend.own
                self.assertEqual(one.status, "SUCCESSFUL", ran.out)
                self.assertEqual(trouble().actions().count("ContinueServiceDeployment"), len(weights) + 1)
                self.backend.stop_blue()
                shop.run("resume", "--yes", "--drain-timeout", "4s").ends(0)
                self.assertEqual(shop.columns(), AFTER)
                self.assertIn("no task of another task definition than shop:8 is left", shop.sql("SELECT string_agg(detail::text, ' ') FROM cutover.journal"))

    def test_several_hooks_at_one_stage(self):
        shop = self.shop(weights=(50.0, 100.0), hooks_each=2)
        shop.plan()
        trouble().make(self.passes, after=self.backend.stop_blue, skip=5)
        shop.execute().ends(0)
        self.assertEqual(shop.columns(), AFTER)
        self.assertEqual(trouble().actions().count("ContinueServiceDeployment"), 6)

    def test_a_weight_that_is_told_late_gives_up_nothing(self):
        """At the last hook it still says 90 %: blue goes in the drain, where the database is looked at first."""
        shop = self.shop(told_most=90.0)
        shop.plan()
        self.blue_ends()
        shop.execute().ends(0)
        events = shop.sql("SELECT string_agg(event || coalesce(detail->>'gate', ''), ' ' ORDER BY seq) FROM cutover.journal")
        self.assertRegex(events, "drain_started.* gate_passedpost-production-traffic-shift-10000")

    def test_a_bad_green(self):
        for gate in range(3):
            with self.subTest(f"behind gate {gate}"):
                shop = self.shop(BAD_GREEN)
                shop.plan()
                bad = shop.folder / "bad"
                trouble().make("ContinueServiceDeployment", after=lambda: bad.write_text(""), skip=gate)
                ran = shop.execute().ends(8)
                self.assertEqual(shop.columns(), OVERLAP, ran.out)
                (one,) = self.backend.own
                self.assertEqual((one.status, one.weight), ("ROLLBACK_SUCCESSFUL", 0), ran.out)

    def test_the_platform_takes_it_back(self):
        for fails in ("SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"):
            with self.subTest(fails):
                shop = self.shop(fails=fails)
                shop.plan()
                shop.execute().ends(8).says("the deployment circuit breaker was triggered")
                self.assertEqual(shop.columns(), OVERLAP)
                # Mended, it is deployed once more.
                trouble().clear()
                self.backend.fails = None
                self.blue_ends()
                shop.run("resume", "--yes", "--drain-timeout", "10s").ends(0)
                self.assertEqual(shop.columns(), AFTER)
                self.assertEqual(len(self.backend.own), 2)

    def test_somebody_else_deploys(self):
        shop = self.shop()
        shop.plan()
        other = Deployment(self.backend, self.backend.family + "9")
        other.shown, other.hook = True, "hook-of-somebody"
        other.status = "IN_PROGRESS"
        self.backend.deployments.append(other)
        shop.execute().ends(4).says("is being deployed by somebody else").says("(conflict)")
        self.assertEqual(len(self.backend.own), 1)

    def test_somebody_else_deployed_green_already(self):
        shop = self.shop()
        shop.plan()
        other = Deployment(self.backend, self.backend.family + "8")
        other.shown, other.status = True, "SUCCESSFUL"
        self.backend.deployments.append(other)
        shop.execute().ends(2).says("green has 100 % of the traffic already")
        self.assertEqual(shop.columns(), BEFORE)
        self.assertNotIn("UpdateService", trouble().actions())

    def test_a_rolling_service_is_refused(self):
        shop = self.shop(strategy="ROLLING")
        shop.plan()
        shop.execute().says("its deployment strategy is ROLLING")
        self.assertEqual(shop.columns(), BEFORE)

    def test_what_is_not_there_is_named(self):
        for known, other, says in (('cluster = "edge"', 'cluster = "rim"', "(not-found)"), ('service = "shop', 'service = "ship', "there is no active service")):
            shop = self.shop()
            toml = shop.folder / FOLDER / "cutover.toml"
            self.assertIn(known, toml.read_text())
            toml.write_text(toml.read_text().replace(known, other))
            shop.run("traffic", "show", FOLDER).ends(2).says(says)
