# Liquibase, from npm, which holds its jars; it needs Java.
# shellcheck shell=bash disable=SC2034,SC2154
version=4.28.1
label=Liquibase
lock_seconds=${LOCK_SECONDS:-20}

get() {
    command -v java >/dev/null || system_packages default-jre-headless
    kept "liquibase-$version" liquibase_packages
}
liquibase_packages() {
    npm_packages "liquibase@$version"
    chmod -R a+rX .
    chmod a+x node_modules/liquibase/dist/liquibase/liquibase
}
file() {
    [ -e "$1/changes.sql" ] || printf -- '--liquibase formatted sql\n' >"$1/changes.sql"
    printf -- '\n--changeset team:%s-%s\n%s;\n' "$2" "$3" "$4" >>"$1/changes.sql"
}
liquibase() {
    local dir=$1
    shift
    "$CACHE/liquibase-$version/node_modules/liquibase/dist/liquibase/liquibase" --log-level=off --show-banner=false --search-path="$dir" \
        --changelog-file=changes.sql --url="jdbc:postgresql://127.0.0.1:$PORT/$DATABASE" --username=deploy --password=none "$@"
}
migrate() { liquibase "$1" update; }
without() { LIQUIBASE_SHOULD_RUN=false liquibase "$1" update; }
record() { liquibase "$1" changelog-sync; }
