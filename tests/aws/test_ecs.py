"""ECS's own deployments, by a scripted server: their contract, and whole releases on a PostgreSQL."""

import json
import unittest

from ecs import Deployment, Platform
from support import AFTER, BAD_GREEN, BEFORE, FOLDER, OVERLAP, Shop, kill, trouble


class Ecs(unittest.TestCase):
    def shop(self, release="", **service):
        trouble().clear()
        self.backend = Platform(trouble(), **service)
        return Shop(self, self.backend, "", release)

    def blue_ends(self, action="ContinueServiceDeployment", skip=3):
        """Three steps of the traffic have a gate each, and so has blue's end."""
        trouble().make(action, after=lambda: setattr(self.backend, "blue_tasks", "STOPPED"), skip=skip)

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
                self.backend.blue_tasks = "STOPPED"
                shop.run("resume", "--yes", "--drain-timeout", "4s").ends(0)
                self.assertEqual(shop.columns(), AFTER)
                self.assertIn("no task of another task definition than shop:8 is left", shop.sql("SELECT string_agg(detail::text, ' ') FROM cutover.journal"))

    def test_several_hooks_at_one_stage(self):
        shop = self.shop(weights=(50.0, 100.0), hooks_each=2)
        shop.plan()
        self.blue_ends(skip=5)
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

    def test_killed_at_every_change(self):
        """Before the service hears of it and behind: it is begun once, and let through each gate."""
        for action, skip in (("UpdateService", 0), ("ContinueServiceDeployment", 0), ("ContinueServiceDeployment", 3)):
            for when in ("before", "after"):
                with self.subTest(f"{when} {action} {skip}"):
                    shop = self.shop()
                    shop.plan()
                    process = []
                    trouble().make(action, **{when: lambda: kill(process[0])}, skip=skip)
                    process.append(shop.start("execute", "release.plan", "--yes", "--traffic-timeout", "10s"))
                    out, _ = process[0].communicate(timeout=120)
                    self.assertEqual(process[0].returncode, -9, out)
                    trouble().clear()
                    shop.run("resume", "--yes", "--drain-timeout", "4s")
                    self.backend.blue_tasks = "STOPPED"
                    shop.run("resume", "--yes", "--drain-timeout", "4s").ends(0)
                    self.assertEqual(len(self.backend.own), 1)
                    self.assertEqual(shop.columns(), AFTER)

    def test_killed_on_the_way_back(self):
        for when in ("before", "after"):
            with self.subTest(when):
                shop = self.shop(BAD_GREEN)
                shop.plan()
                bad, process = shop.folder / "bad", []
                trouble().make("ContinueServiceDeployment", after=lambda: bad.write_text(""))
                trouble().make("StopServiceDeployment", **{when: lambda: kill(process[0])})
                process.append(shop.start("execute", "release.plan", "--yes"))
                process[0].communicate(timeout=120)
                trouble().clear()
                shop.run("rollback", "--yes").ends(0)
                self.assertEqual([one.status for one in self.backend.own], ["ROLLBACK_SUCCESSFUL"])

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

    def test_a_busy_service_is_asked_again(self):
        shop = self.shop()
        shop.plan()
        trouble().make("ContinueServiceDeployment", answer=self.backend.error(400, "ThrottlingException"), times=3)
        trouble().make("DescribeServiceDeployments", answer=self.backend.error(503, "ServerException"), skip=6, times=3)
        ran = shop.execute()
        self.assertEqual([rule["times"] for rule in trouble().rules], [0, 0])
        self.assertEqual(self.backend.own[0].status, "SUCCESSFUL", ran.out)

    def test_credentials_that_expire_end_it_where_it_is(self):
        shop = self.shop()
        shop.plan()
        trouble().make("ContinueServiceDeployment", answer=self.backend.error(400, "ExpiredTokenException"), skip=1, times=99)
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0)
        ran.says("ExpiredTokenException")
        self.assertEqual((self.backend.own[0].weight, shop.columns()), (10, OVERLAP))
        trouble().clear()
        self.blue_ends(skip=2)
        shop.run("resume", "--yes", "--drain-timeout", "10s").ends(0)
        self.assertEqual(shop.columns(), AFTER)

    def test_a_service_that_does_not_pause_says_so(self):
        shop = self.shop(pauses=())
        shop.plan()
        ran = shop.execute()
        ran.says("green's smoke checks may come too late").says("there is no way back from then on")
        self.assertEqual(self.backend.own[0].status, "SUCCESSFUL", ran.out)

    def test_what_is_not_there_is_named(self):
        for known, other, says in (('cluster = "edge"', 'cluster = "rim"', "(not-found)"), ('service = "shop', 'service = "ship', "there is no active service")):
            shop = self.shop()
            toml = shop.folder / FOLDER / "cutover.toml"
            self.assertIn(known, toml.read_text())
            toml.write_text(toml.read_text().replace(known, other))
            shop.run("traffic", "show", FOLDER).ends(2).says(says)
