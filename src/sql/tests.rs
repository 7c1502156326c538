//! Statements → pieces, with the text each piece covers.

use proptest::prelude::*;

use super::operation::{DefaultValue, Operation, TableChange};
use super::read;
use crate::source::Sources;

/// `prefix|piece` of every piece of the first statement, and the codes of what is wrong with the file.
fn pieces(text: &str) -> (Vec<String>, Vec<&'static str>) {
    let mut sources = Sources::new();
    let file = sources.add("a.sql", text);
    let (statements, diagnostics) = read(&sources, file);
    let show = |piece: &super::Piece| {
        let prefix = piece.prefix.map(|p| format!("{}|", sources.slice(p))).unwrap_or_default();
        format!("{prefix}{}", sources.slice(piece.span))
    };
    let shown = statements.first().map(|s| s.pieces.iter().map(show).collect()).unwrap_or_default();
    (shown, diagnostics.iter().map(|d| d.code.id).collect())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(pieces(text), (expected.iter().map(ToString::to_string).collect(), Vec::new()), "{text}");
}

#[test]
fn sub_commands_are_sliced_from_the_author_s_text() {
    check("ALTER TABLE t ADD COLUMN a int;", &["ALTER TABLE t ADD COLUMN a int"]);
    check(
        "ALTER TABLE IF EXISTS ONLY \"T\"\n  ADD a numeric(10, 2), -- x, y\n  DROP b, ALTER c TYPE text USING f(c, 1)",
        &[
            "ALTER TABLE IF EXISTS ONLY \"T\"|ADD a numeric(10, 2)",
            "ALTER TABLE IF EXISTS ONLY \"T\"|DROP b",
            "ALTER TABLE IF EXISTS ONLY \"T\"|ALTER c TYPE text USING f(c, 1)",
        ],
    );
    check("ALTER TABLE é ADD ç text, ADD d text", &["ALTER TABLE é|ADD ç text", "ALTER TABLE é|ADD d text"]);
    check("DROP TABLE a, b CASCADE", &["DROP TABLE a, b CASCADE", "DROP TABLE a, b CASCADE"]);
}

#[test]
fn of_very_long_statements_the_head_is_read() {
    let rows = "(1, 'it''s (a) row'), ".repeat(80_000);
    let text = format!("INSERT INTO t (a, b) VALUES {rows}(2, 'x') ON CONFLICT (a) DO NOTHING");
    let (shown, problems) = pieces(&text);
    assert_eq!((shown[0].len(), problems), (text.len(), Vec::new()));
    let (shown, problems) = pieces(&format!("SELECT '{}'", "x".repeat(2 << 20)));
    assert_eq!((shown.len(), problems), (1, vec!["CO001"]));
}

/// Words that mean storage elsewhere are names here.
#[test]
fn words_that_are_names_stay() {
    for (text, names) in [
        ("CREATE TABLE storage (compression text, period text, period2 text)", ["storage", "compression", "period"]),
        ("CREATE TABLE tablespace (storage text, enforced int)", ["tablespace", "storage", "enforced"]),
    ] {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", text);
        let (statements, diagnostics) = read(&sources, file);
        assert!(diagnostics.is_empty(), "{text}: {}", diagnostics[0].message);
        let Operation::CreateTable(table) = &statements[0].pieces[0].operation else { panic!("{text}") };
        let columns = table.columns.iter().map(|c| &*c.name);
        assert_eq!(std::iter::once(&*table.name.name).chain(columns).take(3).collect::<Vec<_>>(), names);
    }
    check("ALTER TABLE storage ADD raw_key text", &["ALTER TABLE storage ADD raw_key text"]);
    check("CREATE INDEX i ON tablespace (a)", &["CREATE INDEX i ON tablespace (a)"]);
}

#[test]
fn what_a_like_brings_is_told_apart() {
    let mut sources = Sources::new();
    let text =
        "CREATE TABLE t (a int, LIKE s.u INCLUDING ALL EXCLUDING INDEXES, b int GENERATED ALWAYS AS (a) VIRTUAL)";
    let file = sources.add("a.sql", text);
    let (statements, _) = read(&sources, file);
    let Operation::CreateTable(table) = &statements[0].pieces[0].operation else { panic!() };
    let like = &table.like[0];
    assert_eq!((like.name.to_string(), like.at), ("s.u".to_owned(), 1));
    assert!(like.defaults && like.constraints && like.generated && like.identity && !like.indexes);
    assert_eq!(table.columns[1].default, Some(DefaultValue::GeneratedVirtual));
}

#[test]
fn forms_that_the_parser_lacks_are_read_from_its_tokens() {
    let typed = |text: &str| {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", text);
        let (statements, diagnostics) = read(&sources, file);
        assert!(diagnostics.is_empty(), "{text}: {}", diagnostics[0].message);
        let operation = &statements[0].pieces[0].operation;
        assert!(!matches!(operation, Operation::Opaque { .. }), "{text}");
        (operation.clone(), statements[0].transactional)
    };
    for text in [
        "ALTER SEQUENCE s RESTART WITH 1",
        "CREATE TABLE t (a text COMPRESSION lz4, b text STORAGE EXTERNAL, c int UNIQUE NULLS NOT DISTINCT)",
        "CREATE TABLE t (a int) USING heap WITH (fillfactor = 70, toast.autovacuum_enabled) TABLESPACE x",
        "CREATE TABLE t (a int, b text) PARTITION BY RANGE (a int4_ops, lower(b) COLLATE \"C\")",
        "CREATE TABLE t PARTITION OF p (b WITH OPTIONS NOT NULL DEFAULT 0) FOR VALUES FROM (1) TO (MAXVALUE) PARTITION BY LIST (b)",
        "CREATE TABLE t PARTITION OF p FOR VALUES WITH (MODULUS 4, REMAINDER 0)",
        "CREATE TABLE t (a int, CONSTRAINT n NOT NULL a NO INHERIT, FOREIGN KEY (a) REFERENCES u ON DELETE SET NULL (a))",
        "CREATE FOREIGN TABLE t (a int OPTIONS (x 'y')) SERVER s OPTIONS (z '1')",
        "CREATE VIEW v WITH (security_barrier) AS SELECT * FROM ONLY t",
        "CREATE DOMAIN d text COLLATE \"C\" DEFAULT 'x' NOT NULL CHECK (VALUE <> '')",
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID, ADD CHECK (a > 0) NO INHERIT NOT ENFORCED",
        "CREATE INDEX i ON t (a) TABLESPACE x",
        "ALTER PUBLICATION p ADD TABLE t",
        "CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)",
        "DROP OPERATOR IF EXISTS === (int, int) CASCADE",
        "CREATE STATISTICS s ON a, b FROM t",
        "ALTER SEQUENCE s OWNED BY public.t.c",
        "REINDEX TABLE t",
        "ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
        "ALTER TABLE t ALTER COLUMN c SET STATISTICS 100, ALTER c SET STORAGE EXTERNAL",
        "ALTER TABLE t DISABLE TRIGGER ALL",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "ALTER TABLE t SET (fillfactor = 70)",
        "ALTER TABLE t ALTER c DROP IDENTITY IF EXISTS",
        "COMMENT ON CONSTRAINT c ON t IS 'x; y'",
        "CREATE INDEX i ON ONLY t (a)",
        "CREATE FUNCTION f(a int, OUT b text, c numeric DEFAULT 1) RETURNS text LANGUAGE sql AS $$ SELECT 1 $$",
        "CREATE CONSTRAINT TRIGGER x AFTER UPDATE OF a, b ON t FOR EACH ROW EXECUTE PROCEDURE f()",
        "GRANT SELECT (a, b), INSERT ON t TO app, PUBLIC",
        "REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM app",
        "LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
        "SELECT pg_catalog.set_config('search_path', '', false)",
    ] {
        assert!(typed(text).1, "{text} runs in a transaction");
    }
    for text in [
        "DROP INDEX CONCURRENTLY IF EXISTS i",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
        "REINDEX INDEX CONCURRENTLY i",
        "VACUUM t",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    ] {
        assert!(!typed(text).1, "{text} runs outside transactions");
    }
}

#[test]
fn defaults_are_told_apart_by_what_they_cost() {
    let check = |default: &str, expected: Option<DefaultValue>| {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", format!("ALTER TABLE t ADD COLUMN c int {default}"));
        let (statements, _) = read(&sources, file);
        let Operation::AlterTable { change: TableChange::AddColumn { column, .. }, .. } =
            &statements[0].pieces[0].operation
        else {
            panic!("{default}");
        };
        assert_eq!(column.default, expected, "{default}");
    };
    // Measured on PostgreSQL 15: which of these rewrite the table.
    check("", None);
    check("DEFAULT -1", Some(DefaultValue::Constant));
    check("DEFAULT 'x'::text", Some(DefaultValue::Constant));
    check("DEFAULT CURRENT_DATE", Some(DefaultValue::Stable));
    check("DEFAULT now()", Some(DefaultValue::Stable));
    check("DEFAULT lower('A')", Some(DefaultValue::Constant));
    check("DEFAULT date_trunc('day', now())", Some(DefaultValue::Stable));
    check("DEFAULT nullif(1, 2)", Some(DefaultValue::Constant));
    check("DEFAULT NULL", Some(DefaultValue::Null));
    check("DEFAULT random()", Some(DefaultValue::Volatile));
    check("DEFAULT gen_random_uuid()", Some(DefaultValue::Volatile));
    check("DEFAULT clock_timestamp()", Some(DefaultValue::Volatile));
    check("DEFAULT nextval('s')", Some(DefaultValue::Volatile));
    check("GENERATED ALWAYS AS (a + 1) STORED", Some(DefaultValue::GeneratedStored));
    check("GENERATED ALWAYS AS IDENTITY", Some(DefaultValue::IdentityAlways));
}

#[test]
fn one_bad_statement_does_not_lose_the_file() {
    let mut sources = Sources::new();
    let file = sources.add("a.sql", "CREATE TABLE a (id int);\nCREATE TABEL b (id int);\nDROP TABLE c;");
    let (statements, diagnostics) = read(&sources, file);
    assert_eq!(statements.len(), 3);
    assert!(matches!(statements[1].pieces[0].operation, Operation::Opaque { .. }));
    assert!(diagnostics.is_empty(), "an unknown kind is opaque, not an error: {diagnostics:?}");
    let (_, codes) = pieces("CREATE TABLE b (id int,, x text);");
    assert_eq!(codes, ["CO001"]);
    let (_, codes) = pieces("SELECT 'never closed");
    assert_eq!(codes, ["CO002", "CO001"]);
}

#[test]
fn deep_nesting_is_an_answer_not_a_crash() {
    let text = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(pieces(&text).1, ["CO001"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the input, reading ends, and every span lies in the file.
    #[test]
    fn any_text_is_read(text in "(?s)((ALTER|CREATE|DROP|TABLE|INDEX|t|a|int|ADD|COLUMN|,|;|\\(|\\)|'|\"|\\$\\$|--|/\\*|\\*/|E'|é|\n| |BEGIN|ATOMIC|END|.){0,40})") {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", text.clone());
        let (statements, diagnostics) = read(&sources, file);
        let spans = statements.iter().flat_map(|s| s.pieces.iter().map(|p| p.span).chain([s.span]));
        for span in spans.chain(diagnostics.iter().flat_map(|d| d.labels.iter().map(|l| l.span))) {
            prop_assert!(text.get(span.range()).is_some(), "{span:?}");
        }
    }
}

#[test]
fn types_that_an_expression_casts_to() {
    let check = |text: &str, expected: &[&str]| {
        let found: Vec<String> = super::types_in(text).iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("a = 1", &[]);
    check("a::st = 'x'", &["st"]);
    check("CAST(a AS app.st)", &["app.st"]);
    check("cast((SELECT b AS c) AS st)", &["st"]);
    check("(SELECT a AS st) = b, 'cast'", &[]);
    check("st 'x' <> app.st 'y'", &["st", "app.st"]);
    check("(a)::\"My type\"[]", &["\"My type\""]);
    check("'a::st' <> b", &[]);
    check("a /* ::st */ = 'x'", &[]);
}
