"""An API server of ours in the shapes of Kubernetes: versions and conflicts, generations that a gateway accepts a little later, endpoints that follow a selector a little later."""

import copy
import json
import re
import threading
import time

from support import WORK, Backend, _number

PATH = re.compile(r"/(?:api|apis/[^/]+)/v1/namespaces/([^/]+)/([^/?]+)(?:/([^/?]+))?(?:\?(.*))?")
VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def match(path):
    return PATH.fullmatch(path)


def action(method, path, _):
    """As a role has it: a verb and a resource."""
    _, resource, name, _ = match(path).groups()
    return f"{'list' if method == 'GET' and not name else VERBS[method]} {resource}"


def status(code, reason, message="no"):
    return code, "application/json", json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code})


# What the tests of all platforms call an error, as Kubernetes does.
ERRORS = {"ThrottlingException": 429, "ServiceUnavailable": 503, "ExpiredToken": 401, "AccessDenied": 403}


def error(_, code, message=""):
    return status(ERRORS[code], code, f"{code} {message}")


class Api:
    """Every namespace is a test's own."""

    def __init__(self, trouble):
        self.objects, self.lock, self.version, self.lag, self.refuses, self.conflicts = {}, threading.RLock(), 0, 0.0, None, 0
        trouble.serve("/api", action, self.answer)

    def put(self, namespace, resource, name, body):
        with self.lock:
            self.version += 1
            known = self.objects.get((namespace, resource, name))
            body = copy.deepcopy(body)
            same = known and known["spec"] == body.get("spec")
            # What is made was there for a while: everybody has seen it who is not slower than that.
            now = time.monotonic() - (0 if known else 30)
            generation = known["metadata"]["generation"] + (0 if same else 1) if known else 1
            body["metadata"] = {**body.get("metadata", {}), "name": name, "namespace": namespace, "resourceVersion": str(self.version), "generation": generation}
            body["_seen"] = known["_seen"] if same else [*(known["_seen"] if known else []), (now, body.get("spec"))]
            self.objects[namespace, resource, name] = body
            return body

    def delete(self, namespace, resource, name):
        with self.lock:
            self.objects.pop((namespace, resource, name), None)

    def get(self, namespace, resource, name):
        with self.lock:
            return self.objects.get((namespace, resource, name))

    def of(self, namespace, resource, labels=""):
        wanted = dict(one.split("=", 1) for one in labels.split(",") if one)
        with self.lock:
            found = [it for (space, kind, _), it in self.objects.items() if (space, kind) == (namespace, resource)]
            return [it for it in found if wanted.items() <= it["metadata"].get("labels", {}).items()]

    def settled(self, known):
        """What of it the rest of the cluster has seen by now."""
        then = [spec for at, spec in known["_seen"] if at + self.lag <= time.monotonic()]
        return len(then), (then[-1] if then else None)

    def shown(self, known):
        shown = {name: value for name, value in known.items() if name != "_seen"}
        if known.get("kind") == "HTTPRoute":
            seen, _ = self.settled(known)
            good = "False" if self.refuses else "True"
            conditions = [
                {"type": kind, "status": good, "reason": "R", "message": self.refuses or "", "observedGeneration": seen} for kind in ("Accepted", "ResolvedRefs")
            ]
            shown["status"] = {"parents": [{"parentRef": {"name": "edge"}, "controllerName": "c", "conditions": conditions}]}
        return shown

    def slices(self, namespace, service):
        """The EndpointSlice of a Service, of whatever it selected a moment ago."""
        known = self.get(namespace, "services", service)
        _, spec = self.settled(known) if known else (0, None)
        if not spec:
            return []
        pods = self.of(namespace, "pods", ",".join(f"{name}={value}" for name, value in spec["selector"].items()))
        endpoint = lambda pod: {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]}, "addresses": ["10.0.0.1"]}
        return [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": f"{service}-1"}, "addressType": "IPv4", "endpoints": [endpoint(pod) for pod in pods]}]

    def answer(self, method, path, body):
        namespace, resource, name, query = match(path).groups()
        give = lambda value, code=200: (code, "application/json", json.dumps(value))
        if method == "GET" and not name:
            labels = re.search(r"labelSelector=([^&]*)", query or "")
            labels = labels[1].replace("%3D", "=").replace("%2C", ",").replace("%2F", "/") if labels else ""
            if resource == "endpointslices":
                items = self.slices(namespace, labels.removeprefix("kubernetes.io/service-name="))
            else:
                items = [self.shown(it) for it in self.of(namespace, resource, labels)]
            return give({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(self.version)}, "items": items})
        with self.lock:
            known = self.get(namespace, resource, name)
            if known is None:
                return status(404, "NotFound", f'{resource} "{name}" not found')
            if method == "GET":
                return give(self.shown(known))
            wanted = json.loads(body)
            if wanted["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                self.conflicts += 1
                return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
            wanted.pop("status", None)
            return give(self.shown(self.put(namespace, resource, name, wanted)))


API = None


def api(trouble):
    global API
    if API is None:
        API = Api(trouble)
    API.lag, API.refuses = 0.0, None
    return API


class Cluster(Backend):
    """A namespace with a pod of blue's and one of green's."""

    error = staticmethod(error)

    def __init__(self, trouble):
        super().__init__(trouble)
        self.api, self.namespace = api(trouble), f"shop-{next(_number)}"
        for side in ("blue", "green"):
            self.pod(side)
        self.kubeconfig = WORK / f"{self.namespace}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": trouble.url}}],
            "users": [{"name": "test", "user": {"token": "test"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "elsewhere"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))

    def pod(self, side, ready=True):
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"labels": {"app": "web", "version": side}},
            "spec": {},
            "status": {"phase": "Running", "conditions": conditions},
        }
        self.api.put(self.namespace, "pods", f"web-{side}", body)

    def blue_ends(self):
        self.api.delete(self.namespace, "pods", "web-blue")

    def service(self, name, selector):
        body = {"apiVersion": "v1", "kind": "Service", "spec": {"selector": selector, "ports": [{"port": 80}]}}
        self.api.put(self.namespace, "services", name, body)

    def settings(self, own):
        return f'kind = "{self.kind}"\n{own}[traffic.edge.cluster]\nnamespace = "{self.namespace}"\nkubeconfig = "{self.kubeconfig}"\n'


class HttpRoute(Cluster):
    kind, writes, reads = "kubernetes-httproute", "update httproutes", "get httproutes"

    def __init__(self, trouble):
        super().__init__(trouble)
        for side in ("blue", "green"):
            self.service(side, {"app": "web", "version": side})
        self.somebody_else(100, 0)

    def rule(self, blue, green, *more):
        reference = lambda name, weight: {"name": name, "port": 80, "weight": weight}
        return {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [reference("blue", blue), reference("green", green), *more]}

    def write(self, *rules):
        body = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {"parentRefs": [{"name": "edge"}], "rules": list(rules)}}
        self.api.put(self.namespace, "httproutes", "web", body)

    def somebody_else(self, blue, green):
        self.write(self.rule(blue, green))

    def weights(self):
        rules = self.api.get(self.namespace, "httproutes", "web")["spec"]["rules"]
        return tuple(reference["weight"] for reference in rules[0]["backendRefs"][:2])

    def settings(self, more=""):
        return super().settings(f'route = "web"\nblue = "blue"\ngreen = "green"\n{more}')


class Selector(Cluster):
    kind, writes, reads = "kubernetes-service", "update services", "get services"

    def __init__(self, trouble):
        super().__init__(trouble)
        self.somebody_else(100, 0)

    def somebody_else(self, blue, green):
        self.service("web", {"app": "web", "version": "green" if green else "blue"})

    def weights(self):
        version = self.api.get(self.namespace, "services", "web")["spec"]["selector"]["version"]
        return (0, 100) if version == "green" else (100, 0)

    def settings(self, more=""):
        return super().settings(f'service = "web"\nblue = {{ version = "blue" }}\ngreen = {{ version = "green" }}\n{more}')
