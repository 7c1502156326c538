# Drizzle, from npm: its migrator, as an application calls it.
# shellcheck shell=bash disable=SC2034,SC2154
version=0.45.4
label=Drizzle

get() {
    kept "drizzle-$version" drizzle_packages
}
drizzle_packages() {
    npm_packages "drizzle-orm@$version" pg@8
    cat >migrate.mjs <<'JS'
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
const db = drizzle(process.argv[2]);
try {
    await migrate(db, { migrationsFolder: process.argv[3] });
} catch (error) {
    console.error(`${error.message}: ${error.cause?.message ?? ""}`);
    process.exitCode = 1;
}
await db.$client.end();
JS
}
file() { printf '%s;\n' "${4//;/;--> statement-breakpoint}" >"$1/000$2_$3.sql"; }
ready() {
    mkdir -p "$1/meta"
    local entries="" path number=0
    for path in "$1"/*.sql; do
        entries+="${entries:+,}{\"idx\":$number,\"version\":\"7\",\"when\":$((1700000000000 + number)),\"tag\":\"$(basename "$path" .sql)\",\"breakpoints\":true}"
        number=$((number + 1))
    done
    printf '{"version":"7","dialect":"postgresql","entries":[%s]}\n' "$entries" >"$1/meta/_journal.json"
}
record() {
    local path number=0
    for path in "$1"/*.sql; do
        sql "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) SELECT '$(sha256sum "$path" | cut -d ' ' -f 1)', $((1700000000000 + number))
             WHERE $number > 0"
        number=$((number + 1))
    done
}
migrate() { node "$CACHE/drizzle-$version/migrate.mjs" "$(url)" "$1"; }
