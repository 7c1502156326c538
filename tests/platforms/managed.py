"""What is tried of every platform that owns its deployments: killed, busy, without credentials, without gates."""

from support import AFTER, BAD_GREEN, FOLDER, OVERLAP, Shop, kill, trouble


class Managed:
    platform = None
    # The actions that begin a deployment, let it through a gate, take it back, and look at it; and how many gates come before blue's end.
    begins = passes = stops = looks = None
    gates_before_the_last = 0
    # What a deployment is once it is over.
    succeeded = taken_back = None
    # What makes a platform without gates, and green's weight behind the first gate of one with gates.
    without_gates = {}
    weight_behind_one = None

    def shop(self, release="", more="", **platform):
        trouble().clear()
        self.backend = self.platform(trouble(), **platform)
        return Shop(self, self.backend, more, release)

    def blue_ends(self, passed=0):
        """Blue's tasks end when the last gate is passed, of which so many are passed already."""
        trouble().make(self.passes, after=self.backend.stop_blue, skip=self.gates_before_the_last - passed)

    def test_killed_at_every_change(self):
        """Before the service hears of it and behind: it is begun once, and let through each gate."""
        for action, skip in ((self.begins, 0), (self.passes, 0), (self.passes, self.gates_before_the_last)):
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
                    shop.run("resume", "--yes", "--drain-timeout", "4s", folder=FOLDER)
                    self.backend.stop_blue()
                    shop.run("resume", "--yes", "--drain-timeout", "4s", folder=FOLDER).ends(0)
                    self.assertEqual(len(self.backend.own), 1)
                    self.assertEqual(shop.columns(), AFTER)

    def test_killed_on_the_way_back(self):
        for when in ("before", "after"):
            with self.subTest(when):
                shop = self.shop(BAD_GREEN)
                shop.plan()
                bad, process = shop.folder / "bad", []
                trouble().make(self.passes, after=lambda: bad.write_text(""))
                trouble().make(self.stops, **{when: lambda: kill(process[0])})
                process.append(shop.start("execute", "release.plan", "--yes"))
                process[0].communicate(timeout=120)
                trouble().clear()
                shop.run("rollback", "--yes", folder=FOLDER).ends(0)
                self.assertEqual([one.status for one in self.backend.own], [self.taken_back])
                self.assertEqual(self.backend.own[0].weight, 0)

    def test_a_busy_service_is_asked_again(self):
        shop = self.shop()
        shop.plan()
        trouble().make(self.passes, answer=self.backend.error(400, "ThrottlingException"), times=3)
        trouble().make(self.looks, answer=self.backend.error(503, "ServiceUnavailable"), skip=3, times=3)
        ran = shop.execute()
        self.assertEqual([rule["times"] for rule in trouble().rules], [0, 0])
        self.assertEqual(self.backend.own[0].status, self.succeeded, ran.out)

    def test_credentials_that_expire_end_it_where_it_is(self):
        shop = self.shop()
        shop.plan()
        trouble().make(self.passes, answer=self.backend.error(400, "ExpiredTokenException"), skip=1, times=99)
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0)
        ran.says("ExpiredTokenException")
        self.assertEqual((self.backend.own[0].weight, shop.columns()), (self.weight_behind_one, OVERLAP))
        trouble().clear()
        self.blue_ends(passed=1)
        shop.run("resume", "--yes", "--drain-timeout", "10s", folder=FOLDER).ends(0)
        self.assertEqual(shop.columns(), AFTER)

    def test_a_platform_without_gates_says_so(self):
        shop = self.shop(**self.without_gates)
        shop.plan()
        ran = shop.execute()
        ran.says("green's smoke checks may come too late").says("there is no way back from then on")
        self.assertEqual(self.backend.own[0].status, self.succeeded, ran.out)
