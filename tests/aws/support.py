"""What the tests of AWS share: moto, a server before it that makes trouble, a database with a release, and each backend with what it moves."""

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
from botocore.config import Config

WORK = Path(os.environ["AWS_TEST_WORK"])
PORT = os.environ["AWS_TEST_PORT"]
CUTOVER = os.environ["AWS_TEST_CUTOVER"]
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
    """A server before moto: it notes what is asked, and answers some of it itself, late, or not at all."""

    def __init__(self):
        self.moto, self.port = free_port(), free_port()
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
                if rule and rule["before"]:
                    rule["before"]()
                    self.close_connection = True
                    return None
                if rule and rule["answer"]:
                    status, kind, text = rule["answer"]
                    return self.give(status, {"Content-Type": kind}, text.encode())
                if target and target.split(".")[0] in trouble.scripted:
                    status, answer = trouble.scripted[target.split(".")[0]](action, json.loads(body or b"{}"))
                    if rule and rule["after"]:
                        rule["after"]()
                    return self.give(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())
                if served:
                    status, kind, text = served[1](self.command, self.path, body)
                    if rule and rule["after"]:
                        rule["after"]()
                    return self.give(status, {"Content-Type": kind}, text.encode())
                connection = http.client.HTTPConnection("127.0.0.1", trouble.moto, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection",)}
                connection.request(self.command, self.path, body, headers)
                came = connection.getresponse()
                text = came.read()
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

    def end(self):
        self.server.kill()
        self.server.wait()

    def meets(self, action, body):
        with self.lock:
            self.asked.append((action, body.decode("utf-8", "replace")))
            for rule in self.rules:
                if rule["action"] == action:
                    rule["skip"] -= 1
                    if rule["skip"] < 0 and rule["times"] > 0:
                        rule["times"] -= 1
                        return rule

    def make(self, action, answer=None, before=None, after=None, change=None, status=None, skip=0, times=1):
        """From now on, `times` calls of an action, after the first `skip`: are answered so, are lost once somebody is told of them, are told of behind moto, are changed on the way back."""
        rule = {"action": action, "answer": answer, "before": before, "after": after, "change": change, "status": status, "skip": skip, "times": times}
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
            endpoint_url=f"http://127.0.0.1:{self.moto}",
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
    ]:
        if method == wanted and re.fullmatch(pattern, path):
            return action
    return f"{method} {path}"


def query_error(status, code, message="no"):
    """An error of the services that are asked by forms, and of Route 53."""
    text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    return status, "text/xml", text


def json_error(status, code, message="no"):
    """An error of Lambda."""
    return status, "application/json", json.dumps({"__type": code, "Message": message, "Type": "User"})


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

    def __init__(self, trouble):
        self.trouble = trouble

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
        self.name = f"app.{self.domain}"
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
