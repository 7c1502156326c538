#!/usr/bin/env python3
"""A platform that owns its deployments, as a plugin: what it does is in the files beside it.

stages: a JSON list of what a deployment goes through, such as {"gate": "ready", "share": 0}, {"share": 1000, "polls": 2},
{"failed": "why"}, {"rolled-back": "why"}; after the last one it has succeeded.
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
# What is wrong with it, for tests of the conformance suite.
defect = (sys.argv[2:] or [""])[0]
state_file = folder / "platform.json"
request = json.load(sys.stdin)
op, args = request["op"], request.get("args", {})
state = json.loads(state_file.read_text()) if state_file.exists() else {"deployments": {}, "calls": []}
state["calls"].append(op + (" " + args["gate"] if op == "answer" else ""))
stages = json.loads((folder / "stages").read_text())


def keep(state):
    """Whoever reads it finds it whole, whenever this is killed."""
    whole = folder / "platform.json.new"
    whole.write_text(json.dumps(state))
    whole.replace(state_file)


def say(result):
    keep(state)
    print(json.dumps({"protocol": 1, "ok": True, "result": result}))
    sys.exit()


def refuse(code, message):
    keep(state)
    print(json.dumps({"protocol": 1, "ok": False, "error": {"code": code, "message": message}}))
    sys.exit()


def share(one):
    if one.get("aborted"):
        return 0
    return 10000 if one["at"] >= len(stages) else stages[one["at"]].get("share", 0)


if op == "capabilities":
    target = folder / "target"
    said = {"target": json.loads(target.read_text())} if target.exists() else {}
    say({"kind": "managed", "can_verify": False, "can_prove_drain": True, **said})
if op == "observe" and (folder / "blind").exists() and (folder / "blind").read_text() == "wholly":
    say({"share": None})
if op == "observe":
    latest = list(state["deployments"].values())[-1:]
    say({"share": share(latest[0]) if latest else 0})
if op == "health":
    say({"health": "unknown"})
if op == "drain":
    over = any(one["at"] >= len(stages) and not one.get("aborted") for one in state["deployments"].values())
    say({"drain": "drained", "evidence": "the platform has no task of blue"} if over else {"drain": "active"})
if op in ("preflight", "finalize"):
    say({})
if op == "start":
    if (folder / "busy").exists():
        refuse("conflict", "another deployment is running")
    name = "d-" + request["release"] + "-" + request["step"]
    if defect == "two":
        name += "-" + str(len(state["deployments"]))
    if defect == "same":
        name = "d"
    state["deployments"].setdefault(name, {"at": 0, "polls": 0, "aborted": False})
    if (folder / "dies").exists():
        # Begun, and nobody hears of it.
        (folder / "dies").unlink()
        keep(state)
        sys.exit(1)
    say({"handle": name})
if op in ("poll", "answer", "abort"):
    one = state["deployments"].get(args["handle"])
    if one is None and defect == "anything":
        say({"progress": "running"})
    if one is None:
        refuse("not-found", "there is no deployment " + args["handle"])
    stage = stages[one["at"]] if one["at"] < len(stages) else None
    if op == "abort":
        if stage is None:
            refuse("misconfigured", "it is over")
        one["aborted"] = defect != "endless"
        say({})
    if op == "answer":
        if stage and stage.get("gate") == args["gate"]:
            if (folder / "lags").exists():
                one["answered"] = args["gate"]
            else:
                one["at"] += 1
        say({})
    if one.get("aborted"):
        say({"progress": "rolled-back", "why": "somebody ended it"})
    if stage is None:
        say({"progress": "succeeded"})
    if "failed" in stage:
        say({"progress": "failed", "why": stage["failed"]})
    if "rolled-back" in stage:
        one["aborted"] = True
        say({"progress": "rolled-back", "why": stage["rolled-back"]})
    if "gate" in stage and one.get("answered") == stage["gate"]:
        # Its reads lag behind.
        one["lag"] = one.get("lag", 0) + 1
        if one["lag"] > 3:
            one["at"] += 1
    if "gate" in stage:
        seen = None if (folder / "blind").exists() else stage["share"]
        say({"progress": "at-gate", "gate": stage["gate"], "share": seen, "approval": stage.get("approval", False)})
    seen = stage["share"]
    one["polls"] += 1
    if one["polls"] >= stage.get("polls", 1) and not (folder / "stay").exists():
        one["at"], one["polls"] = one["at"] + 1, 0
    say({"progress": "running", "share": seen, "stage": stage.get("stage", "shifting")})
refuse("unknown", "what is " + op)
