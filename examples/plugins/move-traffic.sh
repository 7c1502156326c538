#!/bin/sh
# A traffic backend for cutover that keeps green's share in a file: `move-traffic.sh FILE`. Yours tells a load balancer there.
# Called once an operation: a JSON request on standard input, a JSON answer on standard output. Shares are basis points: 10000 is everything.
set -eu
file=$1
read -r request
number() { echo "$request" | sed 's/.*"'"$1"'":\([0-9]*\).*/\1/'; }
now() { cat "$file" 2>/dev/null || echo 0; }
case "$request" in
*'"op":"capabilities"'*) result='{"kind":"weighted","can_verify":true,"can_prove_drain":false}' ;;
*'"op":"observe"'*) result="{\"share\":$(now)}" ;;
*'"op":"set_share"'*)
    share=$(number share)
    # Written beside and moved, so that nobody reads half of it.
    echo "$share" > "$file.new" && mv "$file.new" "$file"
    echo "green gets $share of 10000" >&2
    result="{\"share\":$share}"
    ;;
*'"op":"verify"'*)
    if [ "$(now)" = "$(number share)" ]; then result='{"verified":"yes"}'; else result="{\"verified\":\"not-yet\",\"seen\":$(now)}"; fi
    ;;
*'"op":"health"'*) result='{"health":"unknown"}' ;;
*'"op":"drain"'*) result='{"drain":"unknown"}' ;;
*'"op":"finalize"'*)
    rm -f "$file" # what was green is blue from now on
    result='{}'
    ;;
*) result='{}' ;;
esac
echo "{\"protocol\":1,\"ok\":true,\"result\":$result}"
