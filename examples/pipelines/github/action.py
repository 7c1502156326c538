"""What the steps of action.yml do: `find` looks for cutover, `run` runs a command of it and tells of it where people look.

It needs Python 3.8 and nothing else. Inputs come as INPUT_… from the environment, so that no text of a pull request becomes code.
"""

import hashlib
import json
import os
import platform
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from comment import fenced, post, shortened  # noqa: E402

# What a pipeline may conclude; docs/exit-codes.md has the whole list.
MEANING = {
    1: "the plan is not safe",
    2: "it could not begin, and nothing was done: the message above says why",
    4: "a step failed, and nothing half-done is left: fix the cause and run this job again",
    5: "nobody can tell whether a step took effect: look at the database, then run `cutover resume --mark-done`, `--retry` or `--skip`",
    6: "the plan is stale, or the database is not as it should be: the message above says what is other",
    7: "another executor works on this database; nothing was done",
    8: "green was unhealthy, and blue has all traffic again",
    9: "the release stands still until somebody lets it go on",
    75: "not yet",
    130: "it was interrupted, and its state is saved: run this job again",
}
# GitHub takes 1 MiB for each step.
LONGEST_SUMMARY = 900_000


def given(name, default=""):
    """An input."""
    return os.environ.get("INPUT_" + name, "").strip() or default


def append(variable, text):
    """Adds to a file that the workflow reads."""
    path = os.environ.get(variable)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def output(name, value):
    text = str(value)
    if "\n" in text or "\r" in text:
        raise SystemExit(f"{name} must be one line: {text!r}")
    append("GITHUB_OUTPUT", f"{name}={text}\n")


def summary(text):
    append("GITHUB_STEP_SUMMARY", shortened(text, LONGEST_SUMMARY, "\n\nThe rest is in the log of the run.\n"))


def tell(kind, title, text):
    """An annotation: `notice`, `warning` or `error`."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::{kind} title={title}::{escaped}", flush=True)


class Quoted:
    """While text of migrations is printed, no line of it is a command to GitHub."""

    def __enter__(self):
        self.token = secrets.token_hex(16)
        print(f"::stop-commands::{self.token}", flush=True)

    def __exit__(self, *_):
        print(f"::{self.token}::", flush=True)


def temporary(name):
    return str(Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir()) / name)


def environment():
    """What cutover gets: no token, and nothing that makes it write annotations by itself, or colours into a comment."""
    mine = {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "CLICOLOR_FORCE"}
    return {name: value for name, value in os.environ.items() if name not in mine and not name.startswith("INPUT_")}


def cutover(*args, **how):
    """Runs cutover. A cancelled job reaches it, so that it saves its state."""
    print("$ cutover " + " ".join(shlex.quote(arg) for arg in args), flush=True)
    with Quoted():
        # In a session of its own it gets each signal once.
        child = subprocess.Popen(["cutover", *args], env=environment(), stdin=subprocess.DEVNULL, start_new_session=True, **how)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: child.send_signal(number))
        code = child.wait()
    return 128 - code if code < 0 else code


def asked(*args):
    """What cutover answers."""
    done = subprocess.run(["cutover", *args], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return done.stdout if done.returncode == 0 else None


def event():
    path = os.environ.get("GITHUB_EVENT_PATH")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}


def base(args):
    """The options that say what is pending, where nothing else does."""
    said = given("BASE")
    if said == "none":
        return []
    if said:
        return ["--base", said]
    names = ("--base", "--from", "--database", "--replan")
    if any(arg == name or arg.startswith(name + "=") for arg in args for name in names):
        return []
    if given("COMMAND", "lint") == "plan" and os.environ.get("CUTOVER_DATABASE"):
        return []
    merge_group = event().get("merge_group")
    if merge_group:
        return ["--base", merge_group["base_sha"]]
    branch = os.environ.get("GITHUB_BASE_REF")
    return ["--base", f"origin/{branch}"] if branch else []


def lint(args):
    sarif = given("SARIF", temporary("cutover.sarif"))
    annotations, markdown = temporary("cutover-annotations"), temporary("cutover-lint.md")
    for path in (sarif, annotations, markdown):
        Path(path).unlink(missing_ok=True)
    reports = [("sarif", sarif), ("github", annotations), ("markdown", markdown)]
    options = [word for name, path in reports for word in ("--report", f"{name}={path}")]
    code = cutover("lint", given("FOLDER", "."), *base(args), *args, *options)
    if Path(annotations).is_file():
        # cutover escapes what it writes there.
        print(Path(annotations).read_text(encoding="utf-8"), end="", flush=True)
    if Path(markdown).is_file():
        summary(Path(markdown).read_text(encoding="utf-8"))
    if Path(sarif).is_file():
        output("sarif", Path(sarif).resolve())
    return code


def within(folder):
    """A folder as the repository has it, so that the plans of two services are two comments."""
    root = os.environ.get("GITHUB_WORKSPACE") or "."
    return os.path.relpath(folder, root).replace(os.sep, "/")


def plan(args):
    path = given("PLAN_FILE", temporary("release.plan"))
    folder = given("FOLDER", ".")
    Path(path).unlink(missing_ok=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as findings:
        code = cutover("plan", folder, *base(args), *args, "-o", path, stderr=findings)
        findings.seek(0)
        found = findings.read()
    with Quoted():
        print(found, end="", flush=True)
    saved = Path(path).is_file()
    if saved:
        output("plan", Path(path).resolve())
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        verdict = {"safe": "safe", "unsafe": "not safe"}[document["verdict"]]
        steps = document["steps"]
        shown = fenced(asked("report", path, "--format", "text") or "")
        if found.strip():
            shown += f"\n\n<details><summary>Findings</summary>\n\n{fenced(found)}\n\n</details>"
    else:
        # What it said is for the log only: it may name the database.
        verdict, steps, shown = "could not be made", [None], f"The log says why (exit code {code})."
    title = f"### cutover plan of `{within(folder).replace('`', '')}`: {verdict}\n\n"
    summary(f"{title}{shown}\n")
    request = event().get("pull_request")
    if request and given("COMMENT", "true").lower() != "false":
        run = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(os.environ)
        end = f"\n\nCommit {request['head']['sha'][:12]}, [run]({run})\n"
        rest = f"\n\nThis is not all of it: the rest is in the summary of the [run]({run})."
        problem = post(request["number"], f"plan {within(folder)}", title, shown, rest, end, given("TOKEN"), given("COMMENT_AUTHOR"), bool(steps))
        if problem:
            tell("notice", "cutover plan", f"{problem}; the plan is in the summary of this run")
    return code


def release(command, args):
    """Begins the release of a plan, or carries on with it, so that a job that was killed can be run again."""
    path = given("PLAN_FILE", temporary("release.plan"))
    if any(word.split("=")[0] == "--database" for word in args):
        tell("error", f"cutover {command}", "args: the database is named by CUTOVER_DATABASE, which is asked where the release stands as well")
        return 2
    try:
        digest = json.loads(Path(path).read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError) as error:
        tell("error", f"cutover {command}", f"{path} cannot be read as a plan: {error}")
        return 2
    status = asked("status", "--format", "json")
    if status is None:
        return 2
    status = json.loads(status)
    of_plan = (status.get("release") or {}).get("id")
    of_plan = of_plan if of_plan and digest.startswith(of_plan) else None
    stage = status["status"]["stage"]["stage"] if of_plan else None
    standing = ((status["status"].get("standing") or {}).get("standing")) if of_plan else None
    if stage in ("rolled-back", "rolling-back"):
        tell("error", f"cutover {command}", f"release {of_plan} went back to blue; `cutover resume` sends it forward again")
        return 9
    if standing in ("paused", "pause-asked"):
        tell("error", f"cutover {command}", f"release {of_plan} is paused; `cutover resume` lets it go on")
        return 9
    if command == "promote" and not of_plan:
        tell("error", "cutover promote", "the release of this plan was not begun in this database, or is not its last one")
        return 2
    if stage == "done":
        print(f"Release {of_plan} is complete already.", flush=True)
        code = 0
    elif command == "promote" and stage == "awaiting-approval":
        code = cutover("promote", "--yes", *args)
    elif of_plan:
        code = cutover("resume", "--yes", *carried_on(args))
    else:
        code = cutover("execute", path, "--yes", *args)
    if command == "promote" and code == 0 and not any(word.split("=")[0] == "--until" for word in args):
        state = json.loads(asked("status", "--format", "json") or "{}")
        stage = state.get("status", {}).get("stage", {}).get("stage")
        if stage != "done":
            tell("error", "cutover promote", f"release {of_plan} is not done: it waits for more (stage {stage})")
            code = 9
    shown = asked("status")
    if shown:
        summary(f"### cutover {command}\n\n{fenced(shown)}\n")
    return code


def carried_on(args):
    """Without what only a release that begins, or a word for it, can be told."""
    names = ("--shift", "--on-failure", "--gate", "--reason")
    kept, words = [], iter(args)
    for word in words:
        if word == "--traffic-exec":
            # All behind it is the program's.
            return [*kept, word, *words]
        if word in names:
            next(words, None)
        elif word != "--accept-base" and not word.startswith(tuple(f"{name}=" for name in names)):
            kept.append(word)
    return kept


def run():
    command = given("COMMAND", "lint")
    try:
        args = shlex.split(given("ARGS"))
    except ValueError as error:
        raise SystemExit(f"args: {error}") from None
    if command == "setup":
        code = subprocess.run(["cutover", "--version"], env=environment()).returncode
    elif command == "lint":
        code = lint(args)
    elif command == "plan":
        code = plan(args)
    elif command in ("execute", "promote"):
        code = release(command, args)
    else:
        raise SystemExit(f"there is no command {command!r}: it is lint, plan, execute, promote or setup")
    output("exit-code", code)
    # `plan --detailed-exitcode` ends with 3 if there are steps.
    if code not in (0, 3):
        meaning = "there are findings" if (command, code) == ("lint", 1) else MEANING.get(code, "see docs/exit-codes.md")
        tell("error", f"cutover {command}", f"exit code {code}: {meaning}")
        sys.exit(code)


def find():
    """Says whether cutover is there, and otherwise where its build belongs and what that depends on."""
    if shutil.which("cutover"):
        print(f"cutover is on the PATH: {shutil.which('cutover')}", flush=True)
        subprocess.run(["cutover", "--version"], env=environment(), check=True)
        output("found", "true")
        return
    action = Path(__file__).resolve().parents[3]
    digest = hashlib.sha256(os.environ.get("INPUT_FEATURES", "").encode())
    files = [action / "Cargo.toml", action / "Cargo.lock", *sorted(path for path in (action / "src").rglob("*") if path.is_file())]
    for path in files:
        digest.update(f"{path.relative_to(action).as_posix()}\0".encode() + path.read_bytes())
    machine = "-".join([os.environ.get("ImageOS") or platform.system().lower(), platform.machine()])
    print("cutover is not on the PATH: it is built from this action's source, once for each version of it")
    output("found", "false")
    output("root", temporary("cutover"))
    output("key", f"cutover-{machine}-{digest.hexdigest()[:32]}")


if __name__ == "__main__":
    {"find": find, "run": run}[sys.argv[1]]()
