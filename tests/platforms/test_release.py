"""Whole releases whose traffic load balancers, Route 53 and Lambda have."""

import unittest

from release import RAMP, Release
from support import Alias, Dns, LoadBalancer, Shop, kill, trouble


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
