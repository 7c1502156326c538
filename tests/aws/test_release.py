"""Whole releases on a PostgreSQL: a good green, a bad one, a process that is killed wherever it moves traffic, somebody else who moves it, a service that is busy."""

import unittest

from support import AFTER, BAD_GREEN, OVERLAP, Alias, Dns, LoadBalancer, Shop, kill, trouble

RAMP = ("--shift", "10,50,100")


class Release:
    maker = None
    settings = ""
    # Once blue has ended: what waits for that looks again, what cannot know is told.
    goes_on = "promote"

    def shop(self, release=""):
        trouble().clear()
        self.backend = self.maker(trouble())
        return Shop(self, self.backend, self.settings, release)

    def finish(self, shop, ran):
        """What is left is somebody's word, or blue's end, which is waited for."""
        if shop.columns() != AFTER:
            self.backend.blue_ends()
            ran = shop.run(self.goes_on, "--yes")
        ran.ends(0)
        self.assertEqual(shop.columns(), AFTER)

    def test_a_good_green(self):
        shop = self.shop()
        shop.plan(*RAMP)
        ran = shop.execute()
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)
        self.assertEqual(shop.columns(), AFTER if self.proves_by_itself else OVERLAP, ran.out)
        self.finish(shop, ran)

    def test_a_bad_green(self):
        shop = self.shop(BAD_GREEN)
        shop.plan("--shift", "10,hold=30s,100")
        bad = shop.folder / "bad"
        trouble().make(self.backend.writes, after=lambda: bad.write_text(""))
        ran = shop.execute().ends(8)
        self.assertEqual(self.backend.weights(), (100, 0), ran.out)
        self.assertEqual(shop.columns(), OVERLAP)

    def test_killed_at_every_change(self):
        """Before the service hears of it and behind, and each of the three shares."""
        for when in ("before", "after"):
            for at in range(3):
                with self.subTest(f"{when} {at}"):
                    shop = self.shop()
                    shop.plan(*RAMP)
                    process = []
                    trouble().make(self.backend.writes, **{when: lambda: kill(process[0])}, skip=at)
                    process.append(shop.start("execute", "release.plan", "--yes", "--traffic-timeout", "10s"))
                    out, _ = process[0].communicate(timeout=120)
                    self.assertEqual(process[0].returncode, -9, out)
                    trouble().clear()
                    ran = shop.run("resume", "--yes", "--drain-timeout", self.backend.drains_within)
                    self.assertEqual(self.backend.weights(), (0, 100), ran.out)
                    self.finish(shop, ran)

    def test_somebody_else_moves_it(self):
        shop = self.shop()
        shop.plan("--shift", "10,hold=20s,100")
        process = shop.start("execute", "release.plan", "--yes", "--verify-timeout", "3s")
        for line in process.stdout:
            if "Holding" in line:
                break
        self.backend.somebody_else(60, 40)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 4, out)
        self.assertIn("40 %", out)
        self.assertEqual(self.backend.weights(), (60, 40))
        shop.run("rollback", "--yes").ends(0)
        self.assertEqual(self.backend.weights(), (100, 0))

    def test_a_busy_service_is_asked_again(self):
        shop = self.shop()
        shop.plan(*RAMP)
        trouble().make(self.backend.writes, answer=self.backend.error(400, "ThrottlingException"), times=3)
        trouble().make(self.backend.reads, answer=self.backend.error(503, "ServiceUnavailable"), skip=6, times=3)
        ran = shop.execute()
        self.assertEqual([rule["times"] for rule in trouble().rules], [0, 0])
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)

    def test_credentials_that_expire_end_it_where_it_is(self):
        shop = self.shop()
        shop.plan(*RAMP)
        trouble().make(self.backend.writes, answer=self.backend.error(403, "ExpiredToken"), skip=1, times=99)
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        ran.says("ExpiredToken")
        self.assertEqual(self.backend.weights(), (90, 10))
        trouble().clear()
        ran = shop.run("resume", "--yes", "--drain-timeout", self.backend.drains_within)
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)


class LoadBalancerRelease(Release, unittest.TestCase):
    maker = LoadBalancer
    settings = 'drain = "targets-gone"\n'
    goes_on = "resume"
    proves_by_itself = False

    def test_two_rules_that_are_killed_between_them(self):
        trouble().clear()
        self.backend = LoadBalancer(trouble(), rules=2)
        shop = Shop(self, self.backend, self.settings)
        shop.plan(*RAMP)
        process = []
        # The second change of the second share.
        trouble().make("ModifyRule", before=lambda: kill(process[0]), skip=3)
        process.append(shop.start("execute", "release.plan", "--yes"))
        process[0].communicate(timeout=120)
        self.assertEqual([self.backend.weights(rule) for rule in (0, 1)], [(50, 50), (90, 10)])
        trouble().clear()
        ran = shop.run("resume", "--yes", "--drain-timeout", self.backend.drains_within)
        self.assertEqual([self.backend.weights(rule) for rule in (0, 1)], [(0, 100), (0, 100)], ran.out)
        self.finish(shop, ran)


class DnsRelease(Release, unittest.TestCase):
    maker = Dns
    proves_by_itself = False


class AliasRelease(Release, unittest.TestCase):
    maker = Alias
    proves_by_itself = True
