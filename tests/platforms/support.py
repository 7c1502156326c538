"""What the tests of AWS share: moto and LocalEmu, a server before them that makes trouble, a database with a release, and each backend with what it moves."""

import atexit
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile
from pathlib import Path

import boto3
import cbor2
from botocore.config import Config

WORK = Path(os.environ["PLATFORM_TEST_WORK"])
PORT = os.environ["PLATFORM_TEST_PORT"]
CUTOVER = os.environ["PLATFORM_TEST_CUTOVER"]
EMULATOR = os.environ["PLATFORM_TEST_EMULATOR"]
REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# Several processes try at once.
MOTO_LOG = WORK / f"moto-{os.getpid()}.log"
_number = itertools.count(1)

# Where a shop's migrations are, and the columns of its table: before its release, while both versions run, and behind it.
FOLDER = "migrations"
BEFORE, OVERLAP, AFTER = "id name email", "id name email nick", "id name nick"

# What stands in `[release]` and behind it for a green that is bad once there is a file `bad`.
BAD_GREEN = 'smoke = []\nwatch = ["green"]\n[checks.green]\nkind = "command"\ncommand = ["sh", "-c", "test ! -e bad"]\ninterval = "1s"'


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Trouble:
    """A server before the emulators: it notes what is asked, and answers some of it itself, late, or not at all."""

    def __init__(self):
        self.moto, self.port = free_port(), free_port()
        self.localemu = None
        # Told of each call before it goes on.
        self.watch = lambda action: None
        self.asked, self.rules, self.lock = [], [], threading.Lock()
        # What moto does not have: the prefix of a service's targets, and what answers an action.
        self.scripted = {}
        # The same by the beginning of a path: what an action is called, and what answers it.
        self.served = {}
        with open(MOTO_LOG, "w") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.moto)]
            self.server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **KEYS})
        trouble = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = self.headers.get("X-Amz-Target")
                served = next((known for start, known in trouble.served.items() if self.path.startswith(start)), None)
                name_of = served[0] if served else action_of
                action = target.split(".")[1] if target else name_of(self.command, self.path, body)
                rule = trouble.meets(action, body)
                trouble.watch(action)
                if rule and rule["before"]:
                    rule["before"]()
                    self.close_connection = True
                    return None
                if rule and rule["answer"]:
                    status, kind, text = rule["answer"]
                    more = {"smithy-protocol": "rpc-v2-cbor"} if kind == "application/cbor" else {}
                    return self.give(status, {"Content-Type": kind, **more}, text if isinstance(text, bytes) else text.encode())
                if target and target.split(".")[0] in trouble.scripted:
                    status, answer = trouble.scripted[target.split(".")[0]](action, json.loads(body or b"{}"))
                    if rule and rule["after"]:
                        rule["after"]()
                    return self.give(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())
                if rule and rule["meanwhile"]:
                    rule["meanwhile"]()
                if served:
                    status, kind, text = served[1](self.command, self.path, body)
                    if rule and rule["after"]:
                        rule["after"]()
                    return self.give(status, {"Content-Type": kind}, text.encode())
                connection = http.client.HTTPConnection("127.0.0.1", trouble.behind(self.path), timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection",)}
                connection.request(self.command, self.path, body, headers)
                came = connection.getresponse()
                text = came.read()
                connection.close()
                if rule and rule["after"]:
                    rule["after"]()
                if rule and rule["change"]:
                    text = rule["change"](text.decode()).encode()
                self.give((rule and rule["status"]) or came.status, dict(came.getheaders()), text)

            def give(self, status, headers, text):
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        if name.lower() not in ("connection", "content-length", "date", "server", "transfer-encoding"):
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.front = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.front.daemon_threads = True
        # Who asks may be killed.
        self.front.handle_error = lambda *_: None
        threading.Thread(target=self.front.serve_forever, daemon=True).start()
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.moto), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.server.poll() is not None:
                    raise RuntimeError((MOTO_LOG).read_text())
                time.sleep(0.1)

    def emulator(self):
        """The port of LocalEmu, which is started when it is first needed."""
        if self.localemu is None:
            path, folder = WORK / f"emu-{os.getpid()}.sock", WORK / f"emu-{os.getpid()}"
            program = [str(Path(EMULATOR) / "bin" / "python"), "localemu.py", str(path), str(folder)]
            apart = ["unshare", "-n" if os.geteuid() == 0 else "-rn"]
            self.apart = subprocess.Popen([*apart, *program], stdin=subprocess.PIPE, env={**os.environ, **KEYS})
            deadline = time.monotonic() + 150
            while not path.exists():
                if time.monotonic() > deadline or self.apart.poll() is not None:
                    raise RuntimeError(f"LocalEmu does not start, see {folder}/log")
                time.sleep(0.1)
            listening = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=carry_to, args=(listening, str(path)), daemon=True).start()
            self.localemu = listening.getsockname()[1]
        return self.localemu

    def behind(self, path):
        """The port of the emulator that a path belongs to."""
        return self.emulator() if path.startswith(("/restapis", "/service/GraniteServiceVersion20100801")) else self.moto

    def end(self):
        self.server.kill()
        self.server.wait()
        if self.localemu is not None:
            self.apart.communicate()

    def meets(self, action, body):
        with self.lock:
            self.asked.append((action, body.decode("utf-8", "replace")))
            for rule in self.rules:
                if rule["action"] == action:
                    rule["skip"] -= 1
                    if rule["skip"] < 0 and rule["times"] > 0:
                        rule["times"] -= 1
                        return rule

    def make(self, action, answer=None, before=None, after=None, change=None, status=None, skip=0, times=1, meanwhile=None):
        """From now on, `times` calls of an action, after the first `skip`: are answered so, are lost once somebody is told of them, are told of behind moto, are changed on the way back, come a moment after something else."""
        rule = {"action": action, "answer": answer, "before": before, "after": after, "change": change, "status": status, "skip": skip, "times": times, "meanwhile": meanwhile}
        with self.lock:
            self.rules.append(rule)

    def serve(self, start, name_of, answer):
        """From now on, paths that begin like this are answered by somebody else than moto."""
        self.served[start] = (name_of, answer)

    def clear(self):
        with self.lock:
            self.asked, self.rules = [], []

    def actions(self):
        with self.lock:
            return [action for action, _ in self.asked]

    def bodies(self, action):
        with self.lock:
            return [body for known, body in self.asked if known == action]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.emulator() if service in ('apigateway', 'cloudwatch') else self.moto}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )


def action_of(method, path, body):
    """The action of a request as IAM calls it."""
    named = re.search(rb"(?:^|&)Action=(\w+)", body)
    if named:
        return named[1].decode()
    path = path.split("?")[0]
    for wanted, pattern, action in [
        ("GET", r"/2013-04-01/hostedzone/[^/]+/rrset", "ListResourceRecordSets"),
        ("POST", r"/2013-04-01/hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
        ("GET", r"/2013-04-01/change/.+", "GetChange"),
        ("GET", r"/2013-04-01/healthcheck/[^/]+/status", "GetHealthCheckStatus"),
        ("GET", r"/2013-04-01/healthcheck/[^/]+", "GetHealthCheck"),
        ("GET", r"/2015-03-31/functions/[^/]+/aliases/[^/]+", "GetAlias"),
        ("PUT", r"/2015-03-31/functions/[^/]+/aliases/[^/]+", "UpdateAlias"),
        ("GET", r"/2015-03-31/functions/[^/]+/configuration", "GetFunctionConfiguration"),
        ("GET", r"/restapis/[^/]+/stages/[^/]+", "GetStage"),
        ("PATCH", r"/restapis/[^/]+/stages/[^/]+", "UpdateStage"),
        ("GET", r"/restapis/[^/]+/deployments/[^/]+", "GetDeployment"),
        ("POST", r"/service/GraniteServiceVersion20100801/operation/DescribeAlarms", "DescribeAlarms"),
        ("POST", r"/service/GraniteServiceVersion20100801/operation/GetMetricData", "GetMetricData"),
    ]:
        if method == wanted and re.fullmatch(pattern, path):
            return action
    return f"{method} {path}"


def query_error(status, code, message="no"):
    """An error of the services that are asked by forms, and of Route 53."""
    text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    return status, "text/xml", text


def json_error(status, code, message="no"):
    """An error of Lambda and of API Gateway."""
    return status, "application/json", json.dumps({"__type": code, "Message": message, "Type": "User"})


def cbor(answer, status=200):
    """An answer of CloudWatch."""
    return status, "application/cbor", cbor2.dumps(answer)


def cbor_error(status, code, message="no"):
    """An error of CloudWatch."""
    return cbor({"__type": f"com.amazonaws.cloudwatch#{code}", "message": message}, status)


def carry_to(listening, path):
    """Carries connections to a Unix socket."""

    def carry(came, went):
        try:
            while data := came.recv(1 << 16):
                went.sendall(data)
            went.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(came):
        with came, socket.socket(socket.AF_UNIX) as went:
            went.connect(path)
            back = threading.Thread(target=carry, args=(went, came), daemon=True)
            back.start()
            carry(came, went)
            back.join()

    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


class Ran:
    def __init__(self, case, code, out):
        self.case, self.code, self.out = case, code, out

    def ends(self, code):
        self.case.assertEqual(self.code, code, self.out)
        return self

    def says(self, text):
        self.case.assertIn(text, self.out)
        return self


TROUBLE = None


def trouble():
    global TROUBLE
    if TROUBLE is None:
        TROUBLE = Trouble()
        atexit.register(TROUBLE.end)
    return TROUBLE


class Backend:
    """A backend with what it moves."""

    error = staticmethod(query_error)
    drains_within = "5s"
    # Where it says that it works, and whether it takes every share.
    at, takes_any_share = "AWS account 123456789012 in eu-central-1", False

    def allows(self, action):
        """What IAM calls what allows an action."""
        return action

    def gives(self, blue, green):
        """Blue and green have these weights, and nobody else has any."""
        self.somebody_else(blue, green)

    def __init__(self, trouble):
        self.trouble = trouble
        trouble.watch = self.watches

    def watches(self, action):
        """Told of each call before it goes on."""

    def files(self, folder):
        """What stands beside cutover.toml."""

    def settings(self):
        return f'[traffic.edge.account]\nendpoint = "{self.trouble.url}"\n'


class Refused(Exception):
    """What a scripted service answers instead."""

    def __init__(self, code, message="no"):
        super().__init__(code)
        self.code, self.message = code, message


class Scripted:
    """A service of ours in JSON, for what moto does not go on with: a method an action."""

    account = "123456789012"

    def __init__(self):
        self.lock = threading.Lock()

    def stands_before(self, trouble, *targets):
        for target in targets:
            trouble.scripted[target] = self.answer

    def answer(self, action, asked):
        with self.lock:
            try:
                return 200, getattr(self, action)(asked)
            except Refused as refused:
                return 400, {"__type": refused.code, "message": refused.message}


def scripted_error(status, code, message="no"):
    """An error of such a service."""
    return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})


class LoadBalancer(Backend):
    kind, writes, reads = "aws-elb", "ModifyRule", "DescribeRules"

    def __init__(self, trouble, rules=1):
        super().__init__(trouble)
        ec2, self.elb = trouble.client("ec2"), trouble.client("elbv2")
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [f"{REGION}a", f"{REGION}b"]
        subnets = [
            ec2.create_subnet(VpcId=network, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"] for at, zone in enumerate(zones)
        ]
        name = f"edge-{next(_number)}"
        balancer = self.elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        group = lambda side: self.elb.create_target_group(Name=f"{side}-{name}", Protocol="HTTP", Port=80, VpcId=network, TargetType="ip")
        self.blue, self.green = [group(side)["TargetGroups"][0]["TargetGroupArn"] for side in ("blue", "green")]
        for at, arn in enumerate((self.blue, self.green)):
            self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": f"10.0.0.{10 + at}"}])
        rejected = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        self.listener = self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=rejected)["Listeners"][0]["ListenerArn"]
        self.rules = []
        for at in range(rules):
            path = [{"Field": "path-pattern", "Values": [f"/{at}/*"]}]
            made = self.elb.create_rule(ListenerArn=self.listener, Conditions=path, Priority=at + 1, Actions=self.actions(100, 0))
            self.rules.append(made["Rules"][0]["RuleArn"])

    def actions(self, blue, green, **more):
        groups = [{"TargetGroupArn": self.blue, "Weight": blue}, {"TargetGroupArn": self.green, "Weight": green}]
        return [{"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups, **more}}]

    def settings(self, more=""):
        rules = ", ".join(f'"{rule}"' for rule in self.rules)
        return f'kind = "{self.kind}"\nrules = [{rules}]\nblue = "{self.blue}"\ngreen = "{self.green}"\n{more}' + super().settings()

    def weights(self, rule=0):
        """Of blue and green."""
        actions = self.elb.describe_rules(RuleArns=[self.rules[rule]])["Rules"][0]["Actions"]
        (forward,) = [action for action in actions if action["Type"] == "forward"]
        groups = {group["TargetGroupArn"]: group["Weight"] for group in forward["ForwardConfig"]["TargetGroups"]}
        return groups[self.blue], groups[self.green]

    def somebody_else(self, blue, green):
        self.elb.modify_rule(RuleArn=self.rules[0], Actions=self.actions(blue, green))

    def blue_ends(self):
        self.elb.deregister_targets(TargetGroupArn=self.blue, Targets=[{"Id": "10.0.0.10"}])


class Dns(Backend):
    kind, writes, reads = "aws-route53", "ChangeResourceRecordSets", "ListResourceRecordSets"

    def __init__(self, trouble):
        super().__init__(trouble)
        self.route53 = trouble.client("route53")
        self.domain = f"d{next(_number)}.example.com"
        self.zone = self.route53.create_hosted_zone(Name=self.domain, CallerReference=self.domain)["HostedZone"]["Id"].split("/")[-1]
        self.name, self.at = f"app.{self.domain}", f"Route 53, hosted zone {self.zone}"
        self.somebody_else(100, 0)

    def record(self, side, weight, ttl=1, **more):
        address = {"blue": "192.0.2.1", "green": "192.0.2.2"}.get(side, "192.0.2.3")
        return {
            "Name": self.name,
            "Type": "A",
            "SetIdentifier": side,
            "Weight": weight,
            "TTL": ttl,
            "ResourceRecords": [{"Value": address}],
            **more,
        }

    def change(self, *records):
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record} for record in records]
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})

    def settings(self, more=""):
        return f'kind = "{self.kind}"\nzone = "{self.zone}"\nrecord = "{self.name}"\ntype = "A"\nblue = "blue"\ngreen = "green"\n{more}' + super().settings()

    def records(self):
        found = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {record["SetIdentifier"]: record for record in found if record["Type"] == "A"}

    def weights(self):
        records = self.records()
        return records["blue"]["Weight"], records["green"]["Weight"]

    def somebody_else(self, blue, green):
        self.change(self.record("blue", blue), self.record("green", green))

    def blue_ends(self):
        pass


class Alias(Backend):
    kind, writes, reads = "aws-lambda", "UpdateAlias", "GetAlias"
    takes_any_share = True
    error = staticmethod(json_error)
    # The longest invocation, and what a change of the alias may take.
    drains_within = "60s"

    def __init__(self, trouble, timeout=1):
        super().__init__(trouble)
        self.client, roles = trouble.client("lambda"), trouble.client("iam")
        self.function = f"orders-{next(_number)}"
        trusted = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = roles.create_role(RoleName=self.function, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        code = WORK / f"{self.function}.zip"
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("f.py", "def handler(event, context):\n    return 1\n")
        code = {"ZipFile": code.read_bytes()}
        self.client.create_function(FunctionName=self.function, Runtime="python3.13", Role=role, Handler="f.handler", Code=code, Timeout=timeout)
        self.versions = []
        for at in (1, 2, 3):
            # A version is published only if something has changed.
            self.client.update_function_configuration(FunctionName=self.function, Description=str(at))
            self.versions.append(self.client.publish_version(FunctionName=self.function, Description=str(at))["Version"])
        self.blue, self.green, self.third = self.versions
        self.client.create_alias(FunctionName=self.function, Name="live", FunctionVersion=self.blue)

    def settings(self, more=""):
        return (
            f'kind = "{self.kind}"\nfunction = "{self.function}"\nalias = "live"\nblue = "{self.blue}"\ngreen = "{self.green}"\n{more}'
            + super().settings()
            + f'region = "{REGION}"\n'
        )

    def weights(self):
        alias = self.client.get_alias(FunctionName=self.function, Name="live")
        more = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        first = 1 - sum(more.values())
        of = {alias["FunctionVersion"]: first, **more}
        return round(100 * of.get(self.blue, 0)), round(100 * of.get(self.green, 0))

    def somebody_else(self, blue, green):
        more = {self.green: green / 100} if green else {}
        self.client.update_alias(FunctionName=self.function, Name="live", FunctionVersion=self.blue, RoutingConfig={"AdditionalVersionWeights": more})

    def blue_ends(self):
        pass


class Gateway(Backend):
    """A stage of a REST API, in LocalEmu."""

    kind, writes, reads = "aws-apigateway", "UpdateStage", "GetStage"
    at, takes_any_share = f"AWS region {REGION}", True
    error = staticmethod(json_error)
    canary = "/canarySettings"

    def __init__(self, trouble, variables=None):
        super().__init__(trouble)
        self.client, self.variables = trouble.client("apigateway"), variables or {}
        self.api = self.client.create_rest_api(name=f"shop-{next(_number)}")["id"]
        (root,) = self.client.get_resources(restApiId=self.api)["items"]
        method = {"restApiId": self.api, "resourceId": root["id"], "httpMethod": "GET"}
        self.client.put_method(**method, authorizationType="NONE")
        self.client.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        self.blue, self.green, self.third = [self.client.create_deployment(restApiId=self.api)["id"] for _ in range(3)]
        own = {name: "blue" for name in self.variables}
        self.client.create_stage(restApiId=self.api, stageName="live", deploymentId=self.blue, variables=own)

    def allows(self, action):
        return {"Get": "GET", "Upd": "PATCH"}[action[:3]]

    def settings(self, more=""):
        variables = ", ".join(f'{name} = "{value}"' for name, value in self.variables.items())
        return (
            f'kind = "{self.kind}"\napi = "{self.api}"\nstage = "live"\nblue = "{self.blue}"\ngreen = "{self.green}"\nvariables = {{ {variables} }}\n{more}'
            + super().settings()
            + f'region = "{REGION}"\n'
        )

    def stage(self):
        return self.client.get_stage(restApiId=self.api, stageName="live")

    def patch(self, *patches):
        """Each as (op, path, value)."""
        patches = [dict(zip(("op", "path", "value"), patch)) for patch in patches]
        self.client.update_stage(restApiId=self.api, stageName="live", patchOperations=patches)

    def weights(self):
        stage = self.stage()
        canary = stage.get("canarySettings") or {"deploymentId": stage["deploymentId"], "percentTraffic": 0.0}
        of = {deployment: 0.0 for deployment in (self.blue, self.green)}
        of[stage["deploymentId"]] += 100 - canary["percentTraffic"]
        of[canary["deploymentId"]] += canary["percentTraffic"]
        return round(of[self.blue]), round(of[self.green])

    def somebody_else(self, blue, green):
        own = [("replace", f"{self.canary}/stageVariableOverrides/{name}", value) for name, value in self.variables.items()]
        self.patch(("replace", f"{self.canary}/deploymentId", self.green), *own, ("replace", f"{self.canary}/percentTraffic", str(float(green))))

    def blue_ends(self):
        pass


class Groups(Backend):
    """Two Auto Scaling groups behind a target group, a Classic Load Balancer, or both."""

    kind, writes, reads = "aws-autoscaling", "AttachLoadBalancerTargetGroups", "DescribeAutoScalingGroups"

    def __init__(self, trouble, sources=("target-group",), protocol="HTTP"):
        super().__init__(trouble)
        ec2, self.elb, self.classic = trouble.client("ec2"), trouble.client("elbv2"), trouble.client("elb")
        self.scaling = trouble.client("autoscaling")
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [f"{REGION}a", f"{REGION}b"]
        subnets = [
            ec2.create_subnet(VpcId=network, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"] for at, zone in enumerate(zones)
        ]
        self.name = f"shop-{next(_number)}"
        self.target_groups, self.load_balancers = [], []
        if "target-group" in sources:
            kind = "application" if protocol == "HTTP" else "network"
            balancer = self.elb.create_load_balancer(Name=self.name, Subnets=subnets, Type=kind)["LoadBalancers"][0]["LoadBalancerArn"]
            group = self.elb.create_target_group(Name=self.name, Protocol=protocol, Port=80, VpcId=network, TargetType="instance")
            self.target_groups = [group["TargetGroups"][0]["TargetGroupArn"]]
            forward = [{"Type": "forward", "TargetGroupArn": self.target_groups[0]}]
            self.elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=80, DefaultActions=forward)
        if "classic" in sources:
            listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 80}
            self.classic.create_load_balancer(LoadBalancerName=self.name, Listeners=[listener], AvailabilityZones=zones)
            self.load_balancers = [self.name]
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        self.scaling.create_launch_configuration(LaunchConfigurationName=self.name, ImageId=image, InstanceType="t3.micro")
        self.blue, self.green = f"{self.name}-blue", f"{self.name}-green"
        for group, behind in ((self.blue, {"TargetGroupARNs": self.target_groups, "LoadBalancerNames": self.load_balancers}), (self.green, {})):
            size = {"MinSize": 2, "MaxSize": 2, "DesiredCapacity": 2}
            self.scaling.create_auto_scaling_group(
                AutoScalingGroupName=group, LaunchConfigurationName=self.name, VPCZoneIdentifier=",".join(subnets), **size, **behind
            )
        # The calls before which both groups were detached from something.
        self.gaps = []

    def settings(self, more=""):
        return (
            f'kind = "{self.kind}"\nblue = "{self.blue}"\ngreen = "{self.green}"\ntarget-groups = {json.dumps(self.target_groups)}\n'
            f"load-balancers = {json.dumps(self.load_balancers)}\n{more}"
            + super().settings()
            + ("" if self.target_groups else f'region = "{REGION}"\n')
        )

    def attached(self):
        """The groups behind each source."""
        groups = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.blue, self.green])["AutoScalingGroups"]
        behind = lambda kind, source: sorted(group["AutoScalingGroupName"] for group in groups if source in group.get(kind, []))
        return [behind("TargetGroupARNs", one) for one in self.target_groups] + [behind("LoadBalancerNames", one) for one in self.load_balancers]

    def watches(self, action):
        # moto is slow, and most calls change nothing.
        if "tach" not in action and action not in ("DescribeInstanceHealth", "the end"):
            return
        attached = self.attached()
        if not all(attached):
            self.gaps.append(action)
        # moto takes the instances of one group out of a Classic Load Balancer when another group is attached, which AWS does not, and leaves those there that
        # were not registered by a group.
        for balancer in self.load_balancers:
            (found,) = self.classic.describe_load_balancers(LoadBalancerNames=[balancer])["LoadBalancerDescriptions"]
            there = {instance["InstanceId"] for instance in found["Instances"]}
            wanted = {one for group in attached[-1] for one in self.instances(group)}
            own = {one for group in (self.blue, self.green) for one in self.instances(group)}
            for change, ids in (
                (self.classic.register_instances_with_load_balancer, wanted - there),
                (self.classic.deregister_instances_from_load_balancer, (there & own) - wanted),
            ):
                if ids:
                    change(LoadBalancerName=balancer, Instances=[{"InstanceId": one} for one in sorted(ids)])

    def instances(self, group):
        (found,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        return [instance["InstanceId"] for instance in found["Instances"]]

    def weights(self):
        """All of a group that stands alone everywhere, and a half of two."""
        each = {tuple(groups) for groups in self.attached()}
        return {((self.blue,),): (100, 0), ((self.green,),): (0, 100)}.get(tuple(each), (50, 50))

    def attach(self, group):
        if self.target_groups:
            self.scaling.attach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=self.target_groups)
        if self.load_balancers:
            self.scaling.attach_load_balancers(AutoScalingGroupName=group, LoadBalancerNames=self.load_balancers)

    def detach(self, group):
        """moto refuses to detach what is not attached."""
        if self.target_groups and group in self.attached()[0]:
            self.scaling.detach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=self.target_groups)
        if self.load_balancers and group in self.attached()[-1]:
            self.scaling.detach_load_balancers(AutoScalingGroupName=group, LoadBalancerNames=self.load_balancers)

    def gives(self, blue, green):
        for group, weight in ((self.blue, blue), (self.green, green)):
            (self.attach if weight else self.detach)(group)

    def somebody_else(self, blue, green):
        """Blue is attached beside green, or the other way round."""
        self.gives(1, 1)

    def blue_ends(self):
        pass


class Shop:
    """A database with a release that has a step before the cutover and one after it, and a folder whose cutover.toml names a backend."""

    def __init__(self, case, backend, more="", release=""):
        self.case, self.backend, self.name = case, backend, f"shop_{os.getpid()}_{next(_number)}"
        self.folder = Path(tempfile.mkdtemp(dir=WORK))
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.sql(f"CREATE DATABASE {self.name}", "postgres")
        users = "CREATE TABLE users (id int PRIMARY KEY, name text, email text);"
        self.sql(f"{users} CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY); INSERT INTO schema_migrations VALUES (1)")
        (self.folder / "migrations").mkdir()
        for number, name, sql in [
            (1, "users", users),
            (2, "nick", "ALTER TABLE users ADD COLUMN nick text;"),
            (3, "email", "ALTER TABLE users DROP COLUMN email;"),
        ]:
            (self.folder / "migrations" / f"{number}_{name}.sql").write_text(f"-- migrate:up\n{sql}\n-- migrate:down\n")
        toml = f'[release]\ntraffic = "edge"\n{release}\n[traffic.edge]\n{backend.settings(more)}'
        (self.folder / "migrations" / "cutover.toml").write_text(toml)
        backend.files(self.folder / "migrations")

    def sql(self, text, database=None):
        psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", PORT, "-U", "deploy", "-d", database or self.name, "-c", text]
        return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()

    def columns(self):
        of = "attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped"
        return self.sql(f"SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE {of}")

    def environment(self, **more):
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "AWS_EC2_METADATA_DISABLED": "true", **KEYS}
        return {**base, "CUTOVER_DATABASE": f"postgres://deploy@127.0.0.1:{PORT}/{self.name}", **more}

    def start(self, *args, folder=".", **environment):
        where = {"cwd": self.folder / folder, "env": self.environment(**environment)}
        process = subprocess.Popen(
            [CUTOVER, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **where
        )
        self.case.addCleanup(process.stdout.close)
        self.case.addCleanup(process.kill)
        return process

    def run(self, *args, folder=".", **environment):
        process = self.start(*args, folder=folder, **environment)
        try:
            out, _ = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            raise AssertionError(f"{args} does not end:\n{out}")
        return Ran(self.case, process.returncode, out)

    def plan(self, *more):
        self.run("plan", "migrations", "-o", "release.plan", *more).ends(0)

    def execute(self, *more):
        return self.run("execute", "release.plan", "--yes", "--traffic-timeout", "10s", "--drain-timeout", self.backend.drains_within, *more)


def kill(process):
    process.send_signal(signal.SIGKILL)
