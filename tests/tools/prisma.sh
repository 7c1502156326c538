# Prisma, from npm. Its engines are fetched from elsewhere, but not the one in WebAssembly that it uses with a driver of the application's.
# shellcheck shell=bash disable=SC2034,SC2154
version=6.19.3
label=Prisma

get() { kept "prisma-$version" prisma_packages; }
prisma_packages() { npm_packages "prisma@$version" "@prisma/adapter-pg@$version" "@prisma/client@$version"; }
file() {
    mkdir -p "$1/prisma/migrations/2024010100000$2_$3"
    printf '%s;\n' "$4" >"$1/prisma/migrations/2024010100000$2_$3/migration.sql"
}
ready() {
    ln -sfn "$CACHE/prisma-$version/node_modules" "$1/node_modules"
    printf 'provider = "postgresql"\n' >"$1/prisma/migrations/migration_lock.toml"
    printf 'datasource db {\n  provider = "postgresql"\n  url = env("TOOL_URL")\n}\n' >"$1/prisma/schema.prisma"
    cat >"$1/prisma.config.ts" <<'TS'
import { PrismaPg } from "@prisma/adapter-pg";
import { defineConfig } from "prisma/config";
import Result from "pg/lib/result.js";

// The engine asks the catalog for columns of type `name`, which the driver adapter does not know.
const addFields = Result.prototype.addFields;
Result.prototype.addFields = function (fields) {
    for (const field of fields) if (field.dataTypeID === 19) field.dataTypeID = 25;
    return addFields.call(this, fields);
};
export default defineConfig({
    schema: "prisma/schema.prisma",
    experimental: { adapter: true },
    engine: "js",
    adapter: async () => new PrismaPg({ connectionString: process.env.TOOL_URL }),
});
TS
}
ours() { printf '%s' "$1/prisma/migrations"; }
migrate() {
    # What would be fetched is not used, but has to be there.
    (cd "$1" && TOOL_URL=$(url) CHECKPOINT_DISABLE=1 PRISMA_HIDE_UPDATE_MESSAGE=1 PRISMA_QUERY_ENGINE_LIBRARY=/bin/true PRISMA_SCHEMA_ENGINE_BINARY=/bin/true \
        node_modules/.bin/prisma migrate deploy)
}
