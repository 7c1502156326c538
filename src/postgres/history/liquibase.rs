//! Liquibase's `databasechangelog`: read only.

use super::tools::Sql;

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT pg_catalog.concat_ws('::', pg_catalog.regexp_replace(filename, '^classpath:/*', ''), id, author), id::pg_catalog.text, md5sum::pg_catalog.text, true, false \
         FROM databasechangelog WHERE filename <> 'liquibase-internal' \
           AND coalesce(exectype, '') NOT IN ('FAILED', 'SKIPPED') ORDER BY orderexecuted",
    ..Sql::READ_ONLY
};
