"""Kubernetes, against an API server of ours: none of it has met a cluster."""

import json
import subprocess
import unittest
from pathlib import Path

import yaml
from kubernetes import HttpRoute, Selector
from support import AFTER, BAD_GREEN, CUTOVER, FOLDER, OVERLAP, Shop, kill, trouble
from test_release import Release


class Contract(unittest.TestCase):
    def each(self):
        for maker in (HttpRoute, Selector):
            trouble().clear()
            backend = maker(trouble())
            yield backend, Shop(self, backend)

    def test_every_rule_is_kept(self):
        for backend, shop in self.each():
            backend.api.lag = 0.3
            ran = shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)
            self.assertNotIn("BROKEN", ran.out)
            self.assertGreaterEqual(ran.out.count("  kept "), 9, ran.out)
            self.assertEqual(backend.weights(), (100, 0))

    def test_what_it_does_is_what_the_role_allows(self):
        for backend, shop in self.each():
            shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)
            role = json.loads(shop.run("traffic", "policy", FOLDER).ends(0).out)
            self.assertEqual((role["kind"], role["metadata"]["namespace"]), ("Role", backend.namespace))
            allowed = {f"{verb} {resource}" for rule in role["rules"] for verb in rule["verbs"] for resource in rule["resources"]}
            self.assertEqual(set(trouble().actions()), allowed)

    def test_errors_are_told_apart(self):
        for backend, shop in self.each():
            for code, says in [("AccessDenied", "(denied)"), ("ExpiredToken", "(denied)"), ("ThrottlingException", "(throttled)"), ("ServiceUnavailable", "cannot reach it")]:
                trouble().make(backend.reads, answer=backend.error(0, code, "this is why"), times=9)
                shop.run("traffic", "show", FOLDER).ends(2).says("this is why").says(says)
                trouble().clear()
            trouble().make(backend.reads, answer=(200, "text/html", "<html>"), times=9)
            shop.run("traffic", "show", FOLDER).ends(2)
            trouble().clear()
            backend.kubeconfig.unlink()
            shop.run("traffic", "show", FOLDER).ends(2).says("the cluster is not known")

    def test_what_is_not_there_is_named(self):
        for backend, shop in self.each():
            backend.api.delete(backend.namespace, "httproutes", "web")
            backend.api.delete(backend.namespace, "services", "web")
            shop.run("traffic", "show", FOLDER).ends(2).says('"web" not found').says("(not-found)")

    def test_somebody_else_who_writes_at_the_same_moment_is_not_overwritten(self):
        for backend, shop in self.each():
            # Something else of the object changes: it is read again.
            known = lambda: backend.api.of(backend.namespace, "httproutes" if backend.kind.endswith("route") else "services")
            touch = lambda: [backend.api.put(backend.namespace, backend.writes.split()[1], it["metadata"]["name"], {**it, "spec": {**it["spec"], "note": 1}}) for it in known()[-1:]]
            trouble().make(backend.reads, after=touch, skip=2)
            shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)

    def test_a_write_that_is_refused_is_made_again_on_what_is_there(self):
        """Something else of the object changes between the look and the write: the write is refused, and made again on what is there then."""
        for backend, shop in self.each():
            resource = backend.writes.split()[1]

            def touch():
                known = backend.api.get(backend.namespace, resource, "web")
                backend.api.put(backend.namespace, resource, "web", {**known, "spec": {**known["spec"], "note": 1}})

            shop.plan()
            refused = backend.api.conflicts
            trouble().make(backend.writes, meanwhile=touch)
            shop.execute("--until", "shifted").ends(0)
            self.assertEqual(backend.api.conflicts, refused + 1)
            self.assertEqual(backend.weights(), (0, 100))
            self.assertEqual(backend.api.get(backend.namespace, resource, "web")["spec"]["note"], 1)

    def test_somebody_else_who_moves_the_traffic_at_the_same_moment_is_told(self):
        backend = HttpRoute(trouble())
        trouble().clear()
        shop = Shop(self, backend)
        shop.plan("--shift", "10,100")
        trouble().make(backend.writes, meanwhile=lambda: backend.somebody_else(60, 40))
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        ran.says("somebody else has changed the weights of HTTPRoute web")
        self.assertEqual(backend.weights(), (60, 40))


class Manifests(unittest.TestCase):
    """examples/kubernetes"""

    folder = Path(__file__).parents[2] / "examples" / "kubernetes"

    def documents(self, name):
        return list(yaml.safe_load_all((self.folder / name).read_text()))

    def test_the_role_is_what_the_backend_asks_for(self):
        shop = Shop(self, HttpRoute(trouble()))
        wanted = json.loads(shop.run("traffic", "policy", str(self.folder)).ends(0).out)
        (role,) = [it for it in self.documents("role.yaml") if it["kind"] == "Role"]
        self.assertEqual(role["rules"], wanted["rules"])

    def test_the_route_is_one_that_the_backend_moves(self):
        backend = HttpRoute(trouble())
        route, *services = self.documents("route.yaml")
        backend.api.put(backend.namespace, "httproutes", "shop", route)
        for service in services:
            backend.api.put(backend.namespace, "services", service["metadata"]["name"], service)
        shop = Shop(self, backend)
        toml = (self.folder / "cutover.toml").read_text().replace('namespace = "shop"', f'namespace = "{backend.namespace}"\nkubeconfig = "{backend.kubeconfig}"')
        (shop.folder / FOLDER / "cutover.toml").write_text(toml)
        shown = shop.run("traffic", "show", FOLDER, "--format", "json").ends(0).out
        self.assertEqual(json.loads(shown[shown.index("{") :])["share"], 0)

    def test_the_job_carries_on_what_was_begun(self):
        (job,) = self.documents("job.yaml")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        script = container["args"][0].replace("/app/release.plan", "release.plan").replace("cutover ", f"{CUTOVER} ")
        trouble().clear()
        backend = HttpRoute(trouble())
        shop = Shop(self, backend, 'drain = "pods-gone"\n')
        shop.plan("--shift", "10,100")
        pod = lambda: subprocess.run(["sh", "-c", script], cwd=shop.folder, env=shop.environment(), capture_output=True, text=True, timeout=120)
        trouble().make(backend.writes, answer=backend.error(0, "AccessDenied"), times=1)
        self.assertEqual(pod().returncode, 4)
        trouble().make(backend.writes, after=backend.blue_ends, skip=1)
        ran = pod()
        self.assertEqual((ran.returncode, shop.columns()), (0, AFTER), ran.stderr)
        self.assertEqual(pod().returncode, 0)


class Routes(unittest.TestCase):
    def made(self, *rules):
        trouble().clear()
        backend = HttpRoute(trouble())
        backend.write(*[rule(backend) for rule in rules])
        return backend, Shop(self, backend)

    def test_rules_that_cannot_be_moved_are_refused(self):
        for rules, says in [
            ([lambda b: {"backendRefs": [{"name": "blue", "port": 80}]}], "does not lead to Service green"),
            ([lambda b: b.rule(100, 0, {"name": "old", "port": 80})], "neither blue's nor green's"),
            ([lambda b: b.rule(100, 0), lambda b: b.rule(50, 50)], "give green different shares"),
            ([lambda b: {"backendRefs": [{"name": "old", "port": 80}]}], "no rule of it leads to either Service"),
        ]:
            _, shop = self.made(*rules)
            shop.run("traffic", "show", FOLDER).ends(2).says(says)

    def test_all_rules_are_moved_and_others_stay(self):
        other = {"backendRefs": [{"name": "old", "port": 80, "weight": 7}]}
        backend, shop = self.made(lambda b: b.rule(100, 0), lambda b: other, lambda b: b.rule(100, 0))
        shop.plan("--shift", "0.01,100")
        ran = shop.execute()
        rules = backend.api.get(backend.namespace, "httproutes", "web")["spec"]["rules"]
        self.assertEqual([[ref["weight"] for ref in rule["backendRefs"]] for rule in rules], [[0, 100], [7], [0, 100]], ran.out)
        self.assertEqual(trouble().actions().count("update httproutes"), 2)

    def test_a_route_that_a_gateway_refuses_gets_no_traffic_counted(self):
        backend, shop = self.made(lambda b: b.rule(100, 0))
        shop.plan("--shift", "10,100")
        trouble().make("update httproutes", after=lambda: setattr(backend.api, "refuses", "no such port"))
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        ran.says("gateway edge refuses it").says("no such port")
        self.assertEqual(shop.columns(), OVERLAP)

    def test_a_route_that_no_gateway_has_looked_at_begins_nothing(self):
        backend, shop = self.made(lambda b: b.rule(100, 0))
        shop.plan("--shift", "10,100")
        backend.api.lag = 60
        shop.execute().ends(2).says("not every gateway that it names has accepted it as it is now").says("nothing was begun")

    def test_a_gateway_that_does_not_look_is_waited_for_and_not_for_ever(self):
        backend, shop = self.made(lambda b: b.rule(100, 0))
        shop.plan("--shift", "10,100")
        trouble().make("update httproutes", after=lambda: setattr(backend.api, "lag", 60))
        shop.execute("--verify-timeout", "2s").ends(4)
        self.assertEqual(shop.columns(), OVERLAP)


class RouteRelease(Release, unittest.TestCase):
    maker = HttpRoute
    settings = 'drain = "pods-gone"\n'
    goes_on = "resume"
    proves_by_itself = False

    def test_a_green_without_a_ready_pod_gets_nothing(self):
        shop = self.shop()
        self.backend.api.delete(self.backend.namespace, "pods", "web-green")
        shop.plan("--shift", "10,100")
        ran = shop.execute()
        self.assertNotEqual(ran.code, 0, ran.out)
        ran.says("Service green has no pods")
        self.assertEqual(self.backend.weights(), (100, 0))


class SelectorRelease(unittest.TestCase):
    def shop(self, release=""):
        trouble().clear()
        self.backend = Selector(trouble())
        return Shop(self, self.backend, 'drain = "pods-gone"\n', release)

    def finish(self, shop, ran):
        self.assertEqual(self.backend.weights(), (0, 100), ran.out)
        self.assertEqual(shop.columns(), OVERLAP, ran.out)
        self.backend.blue_ends()
        shop.run("resume", "--yes", "--drain-timeout", "10s").ends(0)
        self.assertEqual(shop.columns(), AFTER)

    def test_a_good_green(self):
        shop = self.shop()
        self.backend.api.lag = 0.5
        shop.plan()
        self.finish(shop, shop.execute().ends(4))

    def test_a_bad_green(self):
        shop = self.shop(BAD_GREEN)
        shop.plan("--shift", "100,bake=30s")
        bad = shop.folder / "bad"
        trouble().make(self.backend.writes, after=lambda: bad.write_text(""))
        ran = shop.execute().ends(8)
        self.assertEqual(self.backend.weights(), (100, 0), ran.out)
        self.assertEqual(shop.columns(), OVERLAP)

    def test_killed_at_the_change(self):
        for when in ("before", "after"):
            with self.subTest(when):
                shop = self.shop()
                shop.plan()
                process = []
                trouble().make(self.backend.writes, **{when: lambda: kill(process[0])})
                process.append(shop.start("execute", "release.plan", "--yes", "--traffic-timeout", "10s"))
                out, _ = process[0].communicate(timeout=120)
                self.assertEqual(process[0].returncode, -9, out)
                trouble().clear()
                self.finish(shop, shop.run("resume", "--yes", "--drain-timeout", "2s"))

    def test_shares_are_refused_before_anything_runs(self):
        shop = self.shop()
        shop.plan("--shift", "10,100")
        shop.execute().ends(2)
        self.assertEqual(shop.columns(), "id name email")

    def test_a_selector_that_is_neither(self):
        shop = self.shop()
        self.backend.service("web", {"app": "web"})
        shop.run("traffic", "show", FOLDER).ends(2).says("which is neither blue nor green")
