#!/usr/bin/env python3
"""A traffic backend for cutover that keeps green's share in a file: put your load balancer in the place of `Weights`.

    move_traffic.py FILE               one call: a JSON request on standard input, a JSON answer on standard output
    move_traffic.py FILE --session     a line a request, a line an answer, until standard input ends
    move_traffic.py FILE --http PORT   POST /v1/OPERATION on 127.0.0.1; calls are signed if CUTOVER_SECRET is set
"""

import fcntl
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROTOCOL = 1
EVERYTHING = 10000


class Weights:
    """What your load balancer is here: green's share in basis points, and the highest fence of the release that was seen last."""

    def __init__(self, path):
        self.path = path

    def change(self, use):
        """Reads, lets `use` look and change, and writes, while nobody else does."""
        with open(self.path, "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            state = json.loads(file.read() or '{"share": 0, "release": "", "fence": 0}')
            answer = use(state)
            file.seek(0)
            file.truncate()
            json.dump(state, file)
        return answer


class Refused(Exception):
    def __init__(self, code, message, retryable=False):
        super().__init__(message)
        self.answer = {"code": code, "message": message, "retryable": retryable}


def set_share(state, share, release, fence):
    # Fences rise within a release; another database, or a restored one, begins anew.
    if release != state["release"]:
        state["release"], state["fence"] = release, 0
    if fence < state["fence"]:
        raise Refused("fenced", f"an executor with fence {state['fence']} has taken over")
    state["fence"] = fence
    if state["share"] != share:
        print(f"green gets {share / 100} %", file=sys.stderr)
    state["share"] = share
    return {"share": share}


def verify(state, share):
    if state["share"] == share:
        return {"verified": "yes"}
    return {"verified": "not-yet", "seen": state["share"]}


def finalize(state):
    # What was green is blue of the next release.
    state["share"] = 0
    return {}


def perform(weights, request):
    """The result of an operation."""
    op, args = request["op"], request.get("args") or {}
    operations = {
        "capabilities": lambda state: {"kind": "weighted", "can_verify": True, "can_prove_drain": False},
        "preflight": lambda state: {},
        "observe": lambda state: {"share": state["share"]},
        "set_share": lambda state: set_share(state, args["share"], request["release"], request["fence"]),
        "verify": lambda state: verify(state, args["share"]),
        "health": lambda state: {"health": "unknown"},
        "drain": lambda state: {"drain": "unknown"},
        "finalize": finalize,
    }
    if op not in operations:
        raise Refused("unknown", f"there is no operation {op}")
    return weights.change(operations[op])


def answer(weights, request):
    if request.get("protocol") != PROTOCOL:
        error = {"code": "protocol", "message": f"this speaks protocol {PROTOCOL}", "retryable": False}
        return {"protocol": PROTOCOL, "ok": False, "error": error}
    try:
        return {"protocol": PROTOCOL, "ok": True, "result": perform(weights, request)}
    except Refused as refused:
        return {"protocol": PROTOCOL, "ok": False, "error": refused.answer}


def session(weights):
    print(json.dumps({"protocol": PROTOCOL, "ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"], **answer(weights, request)}), flush=True)


def is_signed(headers, body, secret):
    """HMAC-SHA-256 of the time, a full stop and the body; a call that is older than a minute is none."""
    timestamp = headers.get("Cutover-Timestamp", "")
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = timestamp.isdigit() and abs(time.time() - int(timestamp)) < 60
    return fresh and hmac.compare_digest(f"sha256={expected}", headers.get("Cutover-Signature", ""))


def serve(weights, port):
    secret = os.environ.get("CUTOVER_SECRET")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if secret and not is_signed(self.headers, body, secret):
                self.send_error(403, "not signed")
                return
            text = json.dumps(answer(weights, json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main():
    weights = Weights(sys.argv[1])
    match sys.argv[2:]:
        case []:
            print(json.dumps(answer(weights, json.load(sys.stdin))))
        case ["--session"]:
            session(weights)
        case ["--http", port]:
            serve(weights, int(port))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
