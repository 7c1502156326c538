# dbmate, from npm: the binary is in a package of its own for each platform.
# shellcheck shell=bash disable=SC2034,SC2154
version=2.36.0

get() { kept "dbmate-$version" npm_packages "dbmate@$version"; }
file() { printf -- '-- migrate:up\n%s;\n\n-- migrate:down\n' "$4" >"$1/$2_$3.sql"; }
migrate() {
    "$CACHE/dbmate-$version/node_modules/.bin/dbmate" --url "$(url)?sslmode=disable" --migrations-dir "$1" --no-dump-schema up
}
