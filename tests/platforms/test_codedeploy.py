"""CodeDeploy, by a scripted server: its contract, and whole releases on a PostgreSQL."""

import json
import unittest

from codedeploy import Deployment, Platform
from managed import Managed
from support import AFTER, BAD_GREEN, BEFORE, FOLDER, OVERLAP, trouble


class CodeDeploy(Managed, unittest.TestCase):
    platform = Platform
    begins, passes, stops, looks = "CreateDeployment", "ContinueDeployment", "StopDeployment", "GetDeployment"
    gates_before_the_last = 1
    succeeded, taken_back = "Succeeded", "Stopped"
    without_gates = {"ready": False, "wait": 0}
    weight_behind_one = 100

    def test_every_rule_is_kept(self):
        for platform in ("ECS", "Lambda"):
            with self.subTest(platform):
                shop = self.shop(platform=platform, weights=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 100.0))
                ran = shop.run("traffic", "test", FOLDER, "--yes").ends(0)
                self.assertNotIn("BROKEN", ran.out)
                self.assertEqual([one.status for one in self.backend.own], ["Stopped"] * 2)
                policy = json.loads(shop.run("traffic", "policy", FOLDER).ends(0).out)
                allowed = {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}
                self.assertLessEqual(set(trouble().actions()), allowed)

    def test_a_good_green(self):
        shop = self.shop()
        shop.plan()
        # Blue's tasks are still stopping.
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        self.assertEqual(shop.columns(), OVERLAP, ran.out)
        (one,) = self.backend.own
        self.assertEqual(one.status, "Succeeded")
        self.assertEqual(one.revision, "version: 0.0\nResources: []\n")
        self.backend.stop_blue()
        shop.run("resume", "--yes", "--drain-timeout", "4s", folder=FOLDER).ends(0)
        self.assertEqual(shop.columns(), AFTER)
        self.assertIn("no task of task set ecs-svc/1 is left", shop.sql("SELECT string_agg(detail::text, ' ') FROM cutover.journal"))

    def test_task_sets_without_labels(self):
        shop = self.shop(labels=False)
        shop.plan()
        self.blue_ends()
        shop.execute().ends(0)
        self.assertEqual(shop.columns(), AFTER)

    def test_a_function_waits_for_its_longest_invocation(self):
        shop = self.shop(platform="Lambda", more='longest-invocation = "3s"\n')
        shop.plan()
        ran = shop.run("execute", "release.plan", "--yes", "--drain-timeout", "30s").ends(0)
        self.assertEqual(shop.columns(), AFTER, ran.out)
        (one,) = self.backend.own
        ended = float(shop.sql("SELECT extract(epoch FROM at) FROM cutover.journal WHERE event = 'drained'"))
        self.assertGreater(ended - one.ended, 3)

    def test_a_bad_green(self):
        for at in (0, 1):
            with self.subTest(f"behind gate {at}"):
                shop = self.shop(BAD_GREEN)
                shop.plan()
                bad = shop.folder / "bad"
                trouble().make("ContinueDeployment" if at else "CreateDeployment", after=lambda: bad.write_text(""))
                ran = shop.execute().ends(8)
                self.assertEqual(shop.columns(), OVERLAP, ran.out)
                self.assertEqual(self.backend.own[0].status, "Stopped", ran.out)
                self.assertEqual(self.backend.own[0].weight, 0, ran.out)

    def test_the_platform_takes_it_back(self):
        for fails in ("AfterInstall", "AfterAllowTraffic"):
            with self.subTest(fails):
                shop = self.shop(fails=fails)
                shop.plan()
                shop.execute().ends(8).says("HEALTH_CONSTRAINTS: the hook has failed")
                self.assertEqual(shop.columns(), OVERLAP)
                # Mended, it is deployed once more.
                self.backend.group.fails, self.backend.group.blue_tasks = None, "RUNNING"
                self.blue_ends()
                shop.run("resume", "--yes", "--drain-timeout", "10s", folder=FOLDER).ends(0)
                self.assertEqual(shop.columns(), AFTER)
                self.assertEqual(len(self.backend.own), 2)

    def test_somebody_else_deploys(self):
        shop = self.shop()
        shop.plan()
        self.backend.group.deployments.append(Deployment(self.backend.group, "by hand"))
        self.backend.group.ready = True
        shop.execute().ends(4).says("already has an active Deployment").says("(conflict)")
        self.assertEqual(len(self.backend.own), 1)

    def test_what_was_deployed_before_is_blue(self):
        shop = self.shop()
        for _ in range(5):
            before = Deployment(self.backend.group, "by hand")
            before.ends("Succeeded")
            self.backend.group.deployments.append(before)
        shown = shop.run("traffic", "show", FOLDER, "--format", "json").ends(0).out
        shown = json.loads(shown[shown.index("{") :])
        self.assertEqual(shown["share"], 0)
        self.assertEqual(shown["capabilities"]["target"]["at"], "AWS account 123456789012 in eu-central-1")

    def test_what_is_not_there_is_named(self):
        for known, other, says in (
            ('application = "shop', 'application = "ship', "(not-found)"),
            ('deployment-group = "blue-green"', 'deployment-group = "red"', "(not-found)"),
        ):
            shop = self.shop()
            toml = shop.folder / FOLDER / "cutover.toml"
            self.assertIn(known, toml.read_text())
            toml.write_text(toml.read_text().replace(known, other))
            shop.run("traffic", "show", FOLDER).ends(2).says(says)
        shop = self.shop()
        (shop.folder / FOLDER / "appspec.yaml").unlink()
        shop.plan()
        shop.execute().says("the AppSpec")
        self.assertEqual((self.backend.own, shop.columns()), ([], BEFORE))
