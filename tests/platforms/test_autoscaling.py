"""Whole releases in which Auto Scaling groups change places, and are never both detached."""

import re
import unittest

from release import Release
from support import AFTER, OVERLAP, Groups, Shop, trouble


class Swap(Release):
    maker = Groups
    proves_by_itself = True
    ramp, stands = ("--shift", "100"), ("--shift", "100,bake=30s")
    second, before_second = ("DetachLoadBalancerTargetGroups", 0), (50, 50)
    others, others_in_words = (50, 50), "green's share"
    changes = [("AttachLoadBalancerTargetGroups", 0), ("DetachLoadBalancerTargetGroups", 0)]
    made = {}

    def shop(self, release=""):
        trouble().clear()
        self.backend = Groups(trouble(), **self.made)
        return Shop(self, self.backend, self.settings, release)

    def tearDown(self):
        self.backend.watches("the end")
        self.assertEqual(self.backend.gaps, [], "both groups were detached")


class GroupsRelease(Swap, unittest.TestCase):
    def test_a_group_that_is_being_attached_is_waited_for(self):
        """Longer than one question to the backend may take."""
        shop = self.shop()
        shop.plan(*self.ramp)
        # The same for both groups: what is being attached is attached.
        trouble().make("DescribeLoadBalancerTargetGroups", change=lambda text: text.replace(">Added<", ">Adding<"), skip=6, times=12)
        ran = shop.run("execute", "release.plan", "--yes", "--traffic-timeout", "2s", "--drain-timeout", "10s").ends(0)
        ran.says(f"group {self.backend.green} is being attached to")
        self.assertEqual((self.backend.weights(), shop.columns()), ((0, 100), AFTER))

    def test_a_green_that_never_serves_leaves_blue_where_it_is(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        green = self.backend.instances(self.backend.green)

        def unhealthy(text):
            for one in green:
                text = re.sub(rf"({one}(?:(?!</member>).)*?<State>)healthy", r"\1initial", text, flags=re.S)
            return text

        trouble().make("DescribeTargetHealth", change=unhealthy, times=999)
        ran = shop.run("execute", "release.plan", "--yes", "--traffic-timeout", "2s", "--verify-timeout", "3s").ends(4)
        ran.says(f"0 of 2 instances of group {self.backend.green} are healthy")
        self.assertEqual(self.backend.weights(), (50, 50))
        self.assertNotIn("DetachLoadBalancerTargetGroups", trouble().actions())
        self.assertEqual(shop.columns(), OVERLAP)
        trouble().clear()
        shop.run("rollback", "--yes").ends(0)
        self.assertEqual(self.backend.weights(), (100, 0))

    def test_blue_is_drained_once_it_is_removed(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        leaving = f"<member><LoadBalancerTargetGroupARN>{self.backend.target_groups[0]}</LoadBalancerTargetGroupARN><State>Removing</State></member>"
        end = "</LoadBalancerTargetGroups>"

        def removing(text):
            return text if "<State>" in text else text.replace("<LoadBalancerTargetGroups/>", f"<LoadBalancerTargetGroups>{end}").replace(end, leaving + end)

        detached = lambda: trouble().make("DescribeLoadBalancerTargetGroups", change=removing, times=30)
        trouble().make("DetachLoadBalancerTargetGroups", after=detached)
        ran = shop.run("execute", "release.plan", "--yes", "--drain-timeout", "20s").ends(0)
        ran.says("blue to drain")
        self.assertEqual(shop.columns(), AFTER)

    def test_flows_of_a_network_load_balancer_are_for_people_to_judge(self):
        self.made = {"protocol": "TCP"}
        shop = self.shop()
        shop.plan(*self.ramp)
        shop.execute()
        self.assertEqual((self.backend.weights(), shop.columns()), ((0, 100), OVERLAP))
        shop.run("promote", "--yes").ends(0)
        self.assertEqual(shop.columns(), AFTER)


class ClassicRelease(Swap, unittest.TestCase):
    """The same behind a target group and a Classic Load Balancer at once: neither is left before green serves behind both."""

    made = {"sources": ("target-group", "classic")}
    changes = [
        ("AttachLoadBalancerTargetGroups", 0),
        ("AttachLoadBalancers", 0),
        ("DetachLoadBalancerTargetGroups", 0),
        ("DetachLoadBalancers", 0),
    ]

    def test_a_load_balancer_alone(self):
        self.made = {"sources": ("classic",)}
        shop = self.shop()
        shop.plan(*self.ramp)
        shop.execute().ends(0)
        self.assertEqual((self.backend.weights(), shop.columns()), ((0, 100), AFTER))
        self.assertEqual({action for action in trouble().actions() if "tach" in action}, {"AttachLoadBalancers", "DetachLoadBalancers"})
