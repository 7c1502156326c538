"""Whole releases whose traffic API Gateway has, and their end: green is promoted, and the canary goes."""

import json
import unittest

from release import Release
from support import AFTER, OVERLAP, Gateway, Shop, kill, trouble


class GatewayRelease(Release, unittest.TestCase):
    maker = Gateway
    proves_by_itself = False

    def and_then(self, ran):
        """Green's deployment is that of the stage, which has no canary any more."""
        stage = self.backend.stage()
        self.assertEqual((stage["deploymentId"], stage.get("canarySettings")), (self.backend.green, None), ran.out)

    def promoted(self):
        """Green has everything, and somebody is to say that blue is drained."""
        shop = self.shop()
        shop.plan(*self.ramp)
        shop.execute()
        self.assertEqual(self.backend.weights(), (0, 100))
        trouble().clear()
        return shop

    def test_killed_at_its_end(self):
        for when in ("before", "after"):
            for at in range(2):
                with self.subTest(f"{when} {at}"):
                    shop = self.promoted()
                    process = []
                    trouble().make("UpdateStage", **{when: lambda: kill(process[0])}, skip=at)
                    process.append(shop.start("promote", "--yes"))
                    out, _ = process[0].communicate(timeout=120)
                    self.assertEqual(process[0].returncode, -9, out)
                    self.assertEqual(self.backend.weights(), (0, 100))
                    trouble().clear()
                    ran = shop.run("resume", "--yes").ends(0)
                    self.assertEqual(shop.columns(), AFTER)
                    self.and_then(ran)

    def test_a_stage_that_shows_its_change_late_is_read_again(self):
        shop = self.promoted()
        stage = self.backend.stage()
        old = json.dumps({"deploymentId": self.backend.blue, "stageName": "live", "canarySettings": stage["canarySettings"]})
        trouble().make("GetStage", change=lambda _: old, skip=1, times=2)
        ran = shop.run("promote", "--yes").ends(0)
        self.and_then(ran)
        self.assertEqual(trouble().actions().count("UpdateStage"), 2)

    def test_stage_variables_go_with_green(self):
        trouble().clear()
        self.backend = Gateway(trouble(), variables={"alias": "green"})
        shop = Shop(self, self.backend)
        shop.plan("--shift", "10,hold=1s,100")
        trouble().make("UpdateStage", after=lambda: seen.append(self.backend.stage()), times=9)
        seen = []
        ran = shop.execute()
        ran = shop.run("promote", "--yes").ends(0)
        first = seen[0]
        self.assertEqual((first["variables"], first["canarySettings"]["stageVariableOverrides"]), ({"alias": "blue"}, {"alias": "green"}))
        self.assertEqual(self.backend.stage()["variables"], {"alias": "green"})
        self.and_then(ran)
        promotion, removal = [json.loads(body)["patchOperations"] for body in trouble().bodies("UpdateStage")[-2:]]
        self.assertEqual(
            [(patch["op"], patch.get("from"), patch["path"], patch.get("value")) for patch in promotion],
            [
                ("copy", "/canarySettings/deploymentId", "/deploymentId", None),
                ("copy", "/canarySettings/stageVariableOverrides", "/variables", None),
                ("replace", None, "/canarySettings/percentTraffic", "0.0"),
            ],
        )
        self.assertEqual([(patch["op"], patch["path"]) for patch in removal], [("remove", "/canarySettings")])

    def test_a_green_that_somebody_promoted_goes_back(self):
        shop = self.shop()
        shop.plan(*self.stands)
        process = shop.start("execute", "release.plan", "--yes", "--verify-timeout", "3s")
        for line in process.stdout:
            if "Holding" in line:
                break
        self.backend.patch(("replace", "/deploymentId", self.backend.green))
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 4, out)
        self.assertEqual(self.backend.weights(), (0, 100))
        shop.run("rollback", "--yes").ends(0)
        stage = self.backend.stage()
        self.assertEqual((stage["deploymentId"], stage.get("canarySettings")), (self.backend.blue, None))

    def test_a_service_that_forgets_the_canary_is_noticed(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        without = lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != "canarySettings"})
        trouble().make("GetStage", change=without, skip=3, times=999)
        ran = shop.run("execute", "release.plan", "--yes", "--verify-timeout", "3s").ends(4)
        ran.says("10 %")
        self.assertEqual(shop.columns(), OVERLAP)
