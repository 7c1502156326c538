//! What [`Fact`]s say, tried: a server of a version that has one takes the statement, an older one refuses it. `tests/versions` runs this on
//! every version there is a fact of.

use cutover::effect::{Fact, PgVersion, hazard, needed, refused_since};
use cutover::postgres::Session;
use cutover::schema::Schema;
use cutover::source::Sources;
use cutover::sql::{self, Statement, Words};

use crate::support;

/// What stands there before each.
const BASE: &str = "CREATE TABLE t (a int NOT NULL, b int, j jsonb, g int GENERATED ALWAYS AS (a + 1) STORED);
CREATE TABLE u (a int PRIMARY KEY, r int4range, s int4range);
CREATE VIEW v AS SELECT a FROM t;
CREATE TABLE p (k int, a int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
CREATE INDEX pi ON p (k);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SEQUENCE s;
";

/// A statement for each fact that decides whether it is taken.
const TAKEN: &[(Fact, &str)] = &[
    (Fact::DetachConcurrently, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY"),
    (Fact::ReplaceTrigger, "CREATE OR REPLACE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
    (Fact::Compression, "CREATE TABLE x (a text COMPRESSION pglz)"),
    (Fact::Compression, "ALTER TABLE t ADD c text COMPRESSION pglz"),
    (Fact::Multirange, "CREATE TABLE x (a int4multirange)"),
    (Fact::ProcedureOut, "CREATE PROCEDURE x(a int, OUT b int) LANGUAGE sql AS 'SELECT 1'"),
    (Fact::SqlBody, "CREATE FUNCTION x() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END"),
    (Fact::SqlBody, "CREATE OR REPLACE FUNCTION x(a int) RETURNS int LANGUAGE sql RETURN a + 1"),
    (Fact::ReindexPartitioned, "REINDEX INDEX pi"),
    (Fact::ReindexTablespace, "REINDEX (TABLESPACE pg_default) TABLE t"),
    (Fact::StatisticsOnExpressions, "CREATE STATISTICS x ON (a * 2) FROM t"),
    (
        Fact::SearchAndCycle,
        "INSERT INTO t (a) WITH RECURSIVE x(a) AS (SELECT a FROM t UNION ALL SELECT t.a FROM t JOIN x ON x.a = t.b)
         SEARCH DEPTH FIRST BY a SET o SELECT a FROM x",
    ),
    (Fact::NullsNotDistinct, "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a)"),
    (Fact::NullsNotDistinct, "CREATE UNIQUE INDEX x ON t (a) NULLS NOT DISTINCT"),
    (Fact::Merge, "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE"),
    (Fact::SecurityInvoker, "CREATE VIEW x WITH (security_invoker = true) AS SELECT a FROM t"),
    (Fact::SecurityInvoker, "ALTER VIEW v SET (security_invoker = true)"),
    (Fact::SetAccessMethod, "ALTER TABLE t SET ACCESS METHOD heap"),
    (
        Fact::SetNullColumns,
        "CREATE TABLE x (a int REFERENCES u, b int, FOREIGN KEY (b) REFERENCES u ON DELETE SET NULL (b))",
    ),
    (Fact::ParameterPrivileges, "GRANT SET ON PARAMETER work_mem TO public"),
    (Fact::PublishedSchemas, "CREATE PUBLICATION x FOR TABLES IN SCHEMA public"),
    (Fact::PublishedParts, "CREATE PUBLICATION x FOR TABLE u WHERE (a > 1)"),
    (Fact::PublishedParts, "CREATE PUBLICATION x FOR TABLE u (a)"),
    (Fact::ClusterPartitioned, "CLUSTER p USING pi"),
    (Fact::NegativeScale, "CREATE TABLE x (a numeric(3, -2))"),
    (Fact::UnloggedSequence, "CREATE UNLOGGED SEQUENCE x"),
    (Fact::UnloggedSequence, "ALTER SEQUENCE s SET UNLOGGED"),
    (Fact::ColumnStorage, "CREATE TABLE x (a text STORAGE EXTERNAL)"),
    (Fact::IsJson, "ALTER TABLE t ADD c text CHECK (c IS JSON)"),
    (Fact::SetExpression, "ALTER TABLE t ALTER COLUMN g SET EXPRESSION AS (a + 2)"),
    (Fact::MergeMore, "MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED BY SOURCE THEN DELETE"),
    (Fact::ExcludePartitioned, "ALTER TABLE p ADD EXCLUDE USING btree (k WITH =)"),
    (Fact::DefaultAccessMethod, "ALTER TABLE t SET ACCESS METHOD DEFAULT"),
    (Fact::PartitionedAccessMethod, "CREATE TABLE x (k int) PARTITION BY RANGE (k) USING heap"),
    (Fact::StatisticsDefault, "ALTER TABLE t ALTER a SET STATISTICS DEFAULT"),
    (Fact::Maintain, "GRANT SELECT, MAINTAIN ON t TO public"),
    (Fact::JsonTable, "INSERT INTO t (a) SELECT x.a FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')) x"),
    (Fact::GeneratedVirtual, "CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) VIRTUAL)"),
    (Fact::GeneratedVirtual, "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a)"),
    (Fact::NotEnforced, "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0) NOT ENFORCED"),
    (Fact::NotEnforced, "CREATE TABLE x (a int REFERENCES u NOT ENFORCED)"),
    (Fact::NotNullByName, "ALTER TABLE t ADD CONSTRAINT x NOT NULL b"),
    (Fact::NotNullByName, "ALTER TABLE t ADD NOT NULL b"),
    (Fact::NotNullByName, "CREATE TABLE x (a int, CONSTRAINT n NOT NULL a)"),
    (Fact::NotNullNotValid, "ALTER TABLE t ADD CONSTRAINT x NOT NULL b NOT VALID"),
    (Fact::NotNullNoInherit, "CREATE TABLE x (a int NOT NULL NO INHERIT)"),
    (Fact::NotNullIsConstraint, "ALTER TABLE t DROP CONSTRAINT t_a_not_null"),
    (Fact::NotNullIsConstraint, "ALTER TABLE t RENAME CONSTRAINT t_a_not_null TO x"),
    (Fact::WithoutOverlaps, "CREATE TABLE x (a int4range, b int4range, UNIQUE (a, b WITHOUT OVERLAPS))"),
    (Fact::NotValidOnPartitioned, "ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES u NOT VALID"),
    (Fact::OnlyMaintained, "ANALYZE ONLY t"),
    (Fact::ReturningOld, "UPDATE t SET a = 1 RETURNING old.a"),
    (Fact::LargeObjectDefaults, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO public"),
];

/// Those that the words show and that stand in statements of a session, for a role, for a file, or on what another newer statement makes.
const ELSEWHERE: &[(Fact, &str)] = &[
    (Fact::ReindexConcurrently, "REINDEX TABLE CONCURRENTLY t"),
    (Fact::IdleSessionTimeout, "SET idle_session_timeout = '5s'"),
    (Fact::TransactionTimeout, "SET LOCAL transaction_timeout = '5s'"),
    (Fact::GrantOptions, "GRANT pg_read_all_stats TO public WITH INHERIT TRUE"),
    (Fact::CopyOnError, "COPY t FROM '/dev/null' WITH (ON_ERROR ignore)"),
    (Fact::PeriodKey, "ALTER TABLE u ADD FOREIGN KEY (a, PERIOD s) REFERENCES w (a, PERIOD s)"),
    (Fact::ForeignTableLike, "CREATE FOREIGN TABLE x (LIKE t) SERVER files"),
];

/// Calls of functions that came with a version.
const CALLED: &[(u32, &str)] = &[
    (14, "bit_count('\\x01'::bytea)"),
    (14, "date_bin('1 day', now(), now())"),
    (14, "trim_array(ARRAY[1, 2], 1)"),
    (14, "unistr('a')"),
    (15, "regexp_count('a', 'a')"),
    (15, "regexp_instr('a', 'a')"),
    (15, "regexp_like('a', 'a')"),
    (15, "regexp_substr('a', 'a')"),
    (16, "any_value(a)"),
    (16, "array_sample(ARRAY[1], 1)"),
    (16, "array_shuffle(ARRAY[1])"),
    (16, "JSON_ARRAY(1)"),
    (16, "JSON_ARRAYAGG(a)"),
    (16, "JSON_OBJECTAGG('k': a)"),
    (16, "random_normal()"),
    (17, "JSON_EXISTS(jsonb '1', '$')"),
    (17, "JSON_QUERY(jsonb '1', '$')"),
    (17, "JSON_SERIALIZE('1')"),
    (17, "JSON_VALUE(jsonb '1', '$')"),
    (17, "to_bin(1)"),
    (17, "to_oct(1)"),
    (17, "uuid_extract_timestamp(gen_random_uuid())"),
    (17, "xmltext('a')"),
    (18, "array_reverse(ARRAY[1])"),
    (18, "array_sort(ARRAY[1])"),
    (18, "casefold('A' COLLATE \"C\")"),
    (18, "crc32('\\x01'::bytea)"),
    (18, "crc32c('\\x01'::bytea)"),
    (18, "uuidv4()"),
    (18, "uuidv7()"),
];

/// What looks like one of them and needs nothing.
const PLAIN: &[&str] = &[
    "CREATE TABLE x (enforced boolean, period text, storage text, compression text, CHECK (NOT enforced))",
    "CREATE TABLE x (a int CONSTRAINT n NOT NULL, CONSTRAINT m CHECK (a IS NOT NULL))",
    "ALTER TABLE t ADD CONSTRAINT x CHECK (b IS NOT NULL) NOT VALID",
    "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED",
    "ALTER TABLE t ALTER COLUMN b SET NOT NULL",
    "CREATE UNIQUE INDEX x ON t (b NULLS FIRST)",
    "CREATE FUNCTION x() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN ''nulls not distinct''; END'",
    "CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
    "CREATE TABLE x (a int REFERENCES u ON DELETE SET NULL)",
    "CREATE PUBLICATION x FOR TABLE u WITH (publish = 'insert')",
    "COMMENT ON TABLE t IS 'merge into'",
    "ALTER TABLE t ALTER a SET STATISTICS 100",
    "GRANT SELECT ON t TO public",
    "VACUUM t",
];

struct Read {
    sources: Sources,
    statement: Statement,
    schema: Schema,
}

fn read(sql: &str) -> Read {
    let mut sources = Sources::new();
    let files = [sources.add("base.sql", BASE), sources.add("a.sql", sql)];
    let [base, mut one] = files.map(|file| sql::read(&sources, file).0);
    let pieces = base.iter().flat_map(|s| &s.pieces);
    let schema = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
    assert_eq!(one.len(), 1, "{sql}");
    Read { statement: one.remove(0), sources, schema }
}

/// What the text says that a statement needs: the words, and the version.
fn said(sql: &str) -> Option<(String, PgVersion)> {
    let Read { sources, statement, schema } = read(sql);
    let words = Words::of([sources.slice(statement.span)]);
    let needs = statement.pieces.iter().filter_map(|piece| needed(&words, &piece.operation, &schema, PgVersion(0)));
    needs.max_by_key(|need| need.since).map(|need| (need.what, need.since))
}

async fn taken(session: &Session, sql: &str) -> Result<(), String> {
    session.batch_execute(sql).await.map_err(|error| support::message(&error))
}

/// Tries a statement on the base, and takes it back; one that bears no transaction has a database of its own.
async fn runs(shared: &Session, sql: &str) -> Result<(), String> {
    let Read { statement, schema, .. } = read(sql);
    let cost = hazard(&statement.pieces[0].operation, &schema, &schema, PgVersion::NEWEST);
    if statement.transactional && !cost.outside_transaction {
        shared.batch_execute("BEGIN").await.unwrap();
        let outcome = taken(shared, sql).await;
        shared.batch_execute("ROLLBACK").await.unwrap();
        return outcome;
    }
    taken(&base().await, sql).await
}

async fn base() -> Session {
    let session = support::database().await.connect().await;
    session.batch_execute(BASE).await.unwrap();
    session
}

#[tokio::test]
async fn a_server_takes_what_its_version_has() {
    let mut wrong = Vec::new();
    let session = base().await;
    let version = support::version(&session);
    for (fact, sql) in TAKEN {
        let outcome = runs(&session, sql).await;
        if version.has(*fact) != outcome.is_ok() {
            wrong.push(format!("{fact:?} since {}, {version}: {sql}: {outcome:?}", fact.since()));
        }
    }
    for (since, call) in CALLED {
        let outcome = taken(&session, &format!("SELECT {call} FROM t")).await;
        // A server without the library says that it has the function and can not run it.
        let taken = outcome.as_ref().err().is_none_or(|message| message.contains("built with libxml"));
        if (version >= PgVersion(*since)) != taken {
            wrong.push(format!("{call} since {since}, {version}: {outcome:?}"));
        }
    }
    for sql in PLAIN {
        if let Err(message) = runs(&session, sql).await {
            wrong.push(format!("{version}: {sql}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_text_shows_what_a_statement_needs() {
    let mut wrong = Vec::new();
    for (fact, sql) in TAKEN.iter().chain(ELSEWHERE) {
        let found = said(sql);
        if found != Some((fact.words().to_owned(), fact.since())) {
            wrong.push(format!("{fact:?}: {sql}: {found:?}"));
        }
    }
    for (since, call) in CALLED {
        let found = said(&format!("INSERT INTO t (b) SELECT a FROM t WHERE {call} IS NULL")).map(|(_, since)| since);
        if found != Some(PgVersion(*since)) {
            wrong.push(format!("{call} since {since}: {found:?}"));
        }
    }
    for sql in PLAIN {
        let found = said(sql);
        if found.is_some() {
            wrong.push(format!("{sql}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_server_refuses_what_is_gone() {
    let session = base().await;
    for sql in ["CREATE UNLOGGED TABLE x (k int) PARTITION BY RANGE (k)", "ALTER TABLE p SET UNLOGGED"] {
        let Read { statement, schema, .. } = read(sql);
        let (_, since) = refused_since(&statement.pieces[0].operation, &schema).unwrap();
        let outcome = runs(&session, sql).await;
        assert_eq!(outcome.is_err(), support::version(&session) >= since, "{sql}: {outcome:?}");
    }
}
