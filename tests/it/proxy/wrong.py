"""A plugin with one defect: `wrong.py STATE DEFECT`, as a session."""

import json
import os
import sys
import time

path, defect = sys.argv[1:]


def load():
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return {"share": 0, "fence": 0, "sets": 0, "own": {}}


def perform(state, op, args, fence, release):
    share = args.get("share")
    if op == "capabilities":
        return {"kind": "weighted", "can_verify": True, "can_prove_drain": True}
    if op == "observe":
        if defect == "answers":
            return {"share": "ten"}
        if defect == "ready":
            return {"share": 10}
        if defect == "foreign-change":
            return {"share": state["own"].get(release, 0)}
        return {"share": state["share"]}
    if op == "set_share":
        state["sets"] += 1
        if fence < state["fence"]:
            if defect == "fence":
                state["share"] = share
            return None
        state["fence"] = fence
        state["own"][release] = share
        told = share
        if defect == "read-after-set":
            share = 0
        elif defect == "idempotency" and share == state["share"]:
            share = told = 9
        elif defect == "rounding" and share == 1:
            share = 100
            told = 0
        elif defect == "back" and share == 0 and state["fence"] > 2:
            share = state["share"]
        state["share"] = share
        return {"share": told}
    if op == "verify":
        seen = state["own"].get(release, 0) if defect == "foreign-change" else state["share"]
        if seen == share or defect == "verify":
            return {"verified": "yes"}
        return {"verified": "not-yet", "seen": seen}
    if op == "health":
        return {"health": "fine"} if defect == "health" else {"health": "healthy"}
    if op == "drain":
        if defect == "deadline":
            time.sleep(600)
        if state["share"] < 10000 and defect != "drain":
            return {"drain": "active", "count": 1}
        return {"drain": "drained", "evidence": "none"}
    return {}


print('{"protocol":1,"ready":true}', flush=True)
for line in sys.stdin:
    request = json.loads(line)
    state = load()
    result = perform(state, request["op"], request.get("args") or {}, request["fence"], request["release"])
    with open(path + ".new", "w") as file:
        json.dump(state, file)
    os.replace(path + ".new", path)
    answer = {"id": request["id"], "protocol": 1, "ok": result is not None, "result": result}
    if result is None:
        answer["error"] = {"code": "fenced", "message": "somebody else has taken over"}
    print(json.dumps(answer), flush=True)
