# Sqitch, from the system's packages.
# shellcheck shell=bash disable=SC2034,SC2154
label=Sqitch

get() {
    system_packages sqitch
    version=$(sqitch --version | sed 's/.* v//')
}
file() {
    mkdir -p "$1/deploy"
    [ -e "$1/sqitch.plan" ] || printf '%%syntax-version=1.0.0\n%%project=shop\n\n' >"$1/sqitch.plan"
    printf '%s 2024-01-01T00:00:0%sZ Team <team@example.org> # %s\n' "$3" "$2" "$3" >>"$1/sqitch.plan"
    printf 'BEGIN;\n%s;\nCOMMIT;\n' "$4" >"$1/deploy/$3.sql"
}
ready() { printf '[core]\n\tengine = pg\n' >"$1/sqitch.conf"; }
sqitch_deploy() {
    (cd "$1" && SQITCH_FULLNAME=Team SQITCH_EMAIL=team@example.org sqitch deploy "${@:2}" "db:pg://deploy@127.0.0.1:$PORT/$DATABASE")
}
migrate() { sqitch_deploy "$1"; }
record() { sqitch_deploy "$1" --log-only; }
