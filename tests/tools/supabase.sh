# Supabase's command line, from npm: the binary is in a package of its own for each platform.
# shellcheck shell=bash disable=SC2034,SC2154
version=3.1.0
label=Supabase

get() { kept "supabase-$version" npm_packages "supabase@$version"; }
file() {
    mkdir -p "$1/supabase/migrations"
    printf '%s;\n' "$4" >"$1/supabase/migrations/2024010100000$2_$3.sql"
}
ready() { printf 'project_id = "shop"\n' >"$1/supabase/config.toml"; }
ours() { printf '%s' "$1/supabase/migrations"; }
migrate() {
    (cd "$1" && "$CACHE/supabase-$version/node_modules/.bin/supabase" db push --yes --db-url "$(url)?sslmode=disable")
}
