"""What is tried of every backend in whole releases on a PostgreSQL: a good green, a bad one, a process that is killed wherever it moves traffic, somebody else who moves
it, a service that is busy."""

from support import AFTER, BAD_GREEN, OVERLAP, Shop, kill, trouble

RAMP = ("--shift", "10,50,100")


class Release:
    maker = None
    settings = ""
    # Once blue has ended: what waits for that looks again, what cannot know is told.
    goes_on = "promote"
    # All shares, and one that stands still for a while.
    ramp, stands = RAMP, ("--shift", "10,hold=30s,100")
    # What a release changes on the way to all traffic, and what it changes second, with the weights that blue and green have before.
    second, before_second = None, (90, 10)
    # What somebody else gives blue and green, and the words for it.
    others, others_in_words = (60, 40), "40 %"

    @property
    def changes(self):
        """Each call that changes something, and how many of its kind come before it."""
        return [(self.backend.writes, at) for at in range(3)]

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

    def and_then(self, ran):
        """What must be so behind a release."""

    def test_a_good_green(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        ran = shop.execute()
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)
        self.assertEqual(shop.columns(), AFTER if self.proves_by_itself else OVERLAP, ran.out)
        self.finish(shop, ran)
        self.and_then(ran)

    def test_a_bad_green(self):
        shop = self.shop(BAD_GREEN)
        shop.plan(*self.stands)
        bad = shop.folder / "bad"
        trouble().make(self.backend.writes, after=lambda: bad.write_text(""))
        ran = shop.execute().ends(8)
        self.assertEqual(self.backend.weights(), (100, 0), ran.out)
        self.assertEqual(shop.columns(), OVERLAP)

    def test_killed_at_every_change(self):
        """Before the service hears of it and behind."""
        self.shop()
        for when in ("before", "after"):
            for action, at in self.changes:
                with self.subTest(f"{when} {action} {at}"):
                    shop = self.shop()
                    shop.plan(*self.ramp)
                    process = []
                    trouble().make(action, **{when: lambda: kill(process[0])}, skip=at)
                    process.append(shop.start("execute", "release.plan", "--yes", "--traffic-timeout", "10s"))
                    out, _ = process[0].communicate(timeout=120)
                    self.assertEqual(process[0].returncode, -9, out)
                    trouble().clear()
                    ran = shop.run("resume", "--yes", "--drain-timeout", self.backend.drains_within)
                    self.assertEqual(self.backend.weights(), (0, 100), ran.out)
                    self.finish(shop, ran)
                    self.and_then(ran)

    def test_somebody_else_moves_it(self):
        shop = self.shop()
        shop.plan(*self.stands)
        process = shop.start("execute", "release.plan", "--yes", "--verify-timeout", "3s")
        for line in process.stdout:
            if "Holding" in line or "Baking" in line:
                break
        self.backend.somebody_else(*self.others)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 4, out)
        self.assertIn(self.others_in_words, out)
        self.assertEqual(self.backend.weights(), self.others)
        shop.run("rollback", "--yes").ends(0)
        self.assertEqual(self.backend.weights(), (100, 0))

    def test_a_busy_service_is_asked_again(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        trouble().make(self.backend.writes, answer=self.backend.error(400, "ThrottlingException"), times=3)
        trouble().make(self.backend.reads, answer=self.backend.error(503, "ServiceUnavailable"), skip=6, times=3)
        ran = shop.execute()
        self.assertEqual([rule["times"] for rule in trouble().rules], [0, 0])
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)

    def test_credentials_that_expire_end_it_where_it_is(self):
        shop = self.shop()
        shop.plan(*self.ramp)
        second = self.second or (self.backend.writes, 1)
        trouble().make(second[0], answer=self.backend.error(403, "ExpiredToken"), skip=second[1], times=99)
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        ran.says("ExpiredToken")
        self.assertEqual(self.backend.weights(), self.before_second)
        trouble().clear()
        ran = shop.run("resume", "--yes", "--drain-timeout", self.backend.drains_within)
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)
