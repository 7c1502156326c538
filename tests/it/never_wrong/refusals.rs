//! Statements that PostgreSQL refuses whatever rows there are, and their twins that it takes: the plan says the same as the server.

use cutover::diagnostic::Severity;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::{Request, check};

use crate::support;

/// The schema before, the statements, and whether the last of them is refused.
const CASES: &[(&str, &str, bool)] = &[
    // Views.
    (
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT b FROM t",
        "ALTER TABLE t ALTER COLUMN b TYPE varchar(9)",
        true,
    ),
    (
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t",
        "ALTER TABLE t ALTER COLUMN b TYPE varchar(9)",
        false,
    ),
    (
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t WHERE b = 'x'",
        "ALTER TABLE t DROP COLUMN b",
        true,
    ),
    ("CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT * FROM t", "ALTER TABLE t DROP COLUMN b", true),
    ("CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t", "ALTER TABLE t DROP COLUMN b", false),
    ("CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT b FROM t", "ALTER TABLE t DROP COLUMN b CASCADE", false),
    (
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT b FROM t; ALTER TABLE t RENAME COLUMN b TO c",
        "ALTER TABLE t DROP COLUMN c",
        true,
    ),
    ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t", "DROP TABLE t", true),
    ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t", "DROP TABLE t, v", true),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE VIEW v AS SELECT a, b, count(*) FROM t GROUP BY a",
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
        true,
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE VIEW v AS SELECT a, count(*) FROM t GROUP BY a",
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
        false,
    ),
    (
        "CREATE SCHEMA s; CREATE TABLE s.t (a int, b text); CREATE VIEW v AS SELECT b FROM s.t",
        "ALTER TABLE s.t DROP COLUMN b",
        true,
    ),
    // Generated columns, policies, triggers, publications, functions that PostgreSQL reads.
    (
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
        "ALTER TABLE t ALTER COLUMN a TYPE bigint",
        true,
    ),
    ("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)", "ALTER TABLE t DROP COLUMN a", true),
    ("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)", "ALTER TABLE t DROP COLUMN b", false),
    ("CREATE TABLE t (a int, b bool); CREATE POLICY p ON t FOR SELECT USING (b)", "ALTER TABLE t DROP COLUMN b", true),
    (
        "CREATE TABLE t (a int, b bool); CREATE POLICY p ON t USING (b)",
        "DROP POLICY p ON t; ALTER TABLE t DROP COLUMN b",
        false,
    ),
    (
        "CREATE TABLE t (a int, b int); CREATE POLICY p ON t USING (b > 1)",
        "ALTER TABLE t ALTER COLUMN b TYPE bigint",
        true,
    ),
    (
        TRIGGER,
        "CREATE TRIGGER g BEFORE UPDATE OF b ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DROP COLUMN b",
        true,
    ),
    (
        TRIGGER,
        "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DROP COLUMN b",
        false,
    ),
    (
        TRIGGER,
        "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (new.b > 3) EXECUTE FUNCTION f(); ALTER TABLE t ALTER b TYPE bigint",
        true,
    ),
    (TRIGGER, "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); DROP FUNCTION f()", true),
    (
        TRIGGER,
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); DROP FUNCTION f() CASCADE; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        false,
    ),
    (
        TRIGGER,
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE TABLE t (a int, b int); CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT b FROM t; END",
        "ALTER TABLE t DROP COLUMN b",
        true,
    ),
    (
        "CREATE TABLE t (a int, b int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT b FROM t'",
        "ALTER TABLE t DROP COLUMN b",
        false,
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b int, c int); CREATE PUBLICATION p FOR TABLE t (a, b)",
        "ALTER TABLE t DROP COLUMN b",
        true,
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b int, c int); CREATE PUBLICATION p FOR TABLE t (a, b)",
        "ALTER TABLE t DROP COLUMN c",
        false,
    ),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b int); CREATE PUBLICATION p FOR TABLE t WHERE (b > 1) WITH (publish = 'insert')",
        "ALTER TABLE t DROP COLUMN b",
        true,
    ),
    // Types.
    ("CREATE TABLE t (a text)", "ALTER TABLE t ALTER COLUMN a TYPE timestamptz", true),
    ("CREATE TABLE t (a text)", "ALTER TABLE t ALTER COLUMN a TYPE timestamptz USING a::timestamptz", false),
    ("CREATE TABLE t (a int)", "ALTER TABLE t ALTER COLUMN a TYPE text", false),
    ("CREATE TABLE t (a text DEFAULT 'x')", "ALTER TABLE t ALTER COLUMN a TYPE int USING 1", true),
    ("CREATE TABLE t (a text DEFAULT NULL)", "ALTER TABLE t ALTER COLUMN a TYPE int USING 1", false),
    ("CREATE TABLE t (a timestamptz DEFAULT now())", "ALTER TABLE t ALTER COLUMN a TYPE date", false),
    ("CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)", "ALTER TABLE t ALTER COLUMN a TYPE numeric", true),
    ("CREATE TYPE e AS ENUM ('x'); CREATE TABLE t (a e)", "DROP TYPE e", true),
    ("CREATE TYPE e AS ENUM ('x'); CREATE TABLE t (a e[])", "DROP TYPE e", true),
    ("CREATE TYPE e AS ENUM ('x'); CREATE FUNCTION f(e) RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP TYPE e", true),
    ("CREATE TYPE e AS ENUM ('x'); CREATE TABLE t (a int)", "DROP TYPE e", false),
    ("CREATE DOMAIN d AS int; CREATE TABLE t (a d)", "DROP DOMAIN d", true),
    ("CREATE TYPE e AS ENUM ('x')", "ALTER TYPE e ADD VALUE 'x'", true),
    ("CREATE TYPE e AS ENUM ('x')", "ALTER TYPE e ADD VALUE IF NOT EXISTS 'x'", false),
    ("CREATE TYPE e AS ENUM ('x')", "ALTER TYPE e ADD VALUE 'y' BEFORE 'z'", true),
    ("CREATE TYPE e AS ENUM ('x')", "ALTER TYPE e RENAME VALUE 'y' TO 'z'", true),
    ("CREATE TABLE a (x int); CREATE TABLE h (r a)", "ALTER TABLE a ADD COLUMN z int DEFAULT 1", true),
    ("CREATE TABLE a (x int); CREATE TABLE h (r a)", "ALTER TABLE a ALTER COLUMN x TYPE bigint", true),
    ("CREATE TABLE a (x int); CREATE TABLE h (r a)", "ALTER TABLE a ADD COLUMN z int", false),
    ("CREATE TABLE a (x int); CREATE TABLE h (r a)", "DROP TABLE a", true),
    ("CREATE TABLE a (x int); CREATE FUNCTION f(a) RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP TABLE a", true),
    // Keys and other constraints.
    ("CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL)", "ALTER TABLE t ADD PRIMARY KEY (b)", true),
    (
        "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL)",
        "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (b)",
        false,
    ),
    ("CREATE TABLE t (a int PRIMARY KEY)", "ALTER TABLE t ALTER COLUMN a DROP NOT NULL", true),
    ("CREATE TABLE t (a int CONSTRAINT k CHECK (a > 0))", "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1)", true),
    ("CREATE TABLE t (a int)", "ALTER TABLE t ADD UNIQUE (b)", true),
    (
        "CREATE TABLE p (a int PRIMARY KEY, b int); CREATE TABLE c (x int REFERENCES p)",
        "ALTER TABLE p DROP CONSTRAINT p_pkey",
        true,
    ),
    (
        "CREATE TABLE p (a int PRIMARY KEY, b int); CREATE TABLE c (x int REFERENCES p)",
        "ALTER TABLE p DROP COLUMN a",
        true,
    ),
    (
        "CREATE TABLE p (a int PRIMARY KEY, b int); CREATE TABLE c (x int REFERENCES p)",
        "ALTER TABLE p DROP CONSTRAINT p_pkey CASCADE",
        false,
    ),
    (
        "CREATE TABLE p (a int PRIMARY KEY, b int); CREATE TABLE c (x int)",
        "ALTER TABLE c ADD FOREIGN KEY (x) REFERENCES p (b)",
        true,
    ),
    (
        "CREATE TABLE p (a int PRIMARY KEY, b int); CREATE TABLE c (x int)",
        "ALTER TABLE c ADD FOREIGN KEY (x) REFERENCES p (a)",
        false,
    ),
    ("CREATE TABLE p (a int); CREATE TABLE c (x int)", "ALTER TABLE c ADD FOREIGN KEY (x) REFERENCES p", true),
    (
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (x text)",
        "ALTER TABLE c ADD FOREIGN KEY (x) REFERENCES p",
        true,
    ),
    (
        "CREATE TABLE p (a bigint PRIMARY KEY); CREATE TABLE c (x int)",
        "ALTER TABLE c ADD FOREIGN KEY (x) REFERENCES p",
        false,
    ),
    ("CREATE TABLE p (a int, b int)", "CREATE TABLE c (x int REFERENCES p (b))", true),
    ("CREATE TABLE t (a int UNIQUE)", "DROP INDEX t_a_key", true),
    (
        "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a) WHERE a > 1",
        "ALTER TABLE t ADD UNIQUE USING INDEX i",
        true,
    ),
    ("CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a)", "ALTER TABLE t ADD UNIQUE USING INDEX i", false),
    ("CREATE TABLE t (a int PRIMARY KEY UNIQUE)", "ALTER TABLE t DROP CONSTRAINT t_a_key", true),
    // Partitions and inheritance.
    (PARTS, "ALTER TABLE p1 DROP COLUMN k", true),
    (PARTS, "ALTER TABLE p DROP COLUMN k", false),
    (PARTS, "ALTER TABLE p1 ALTER COLUMN k TYPE bigint", true),
    (PARTS, "ALTER TABLE p DROP COLUMN at", true),
    (PARTS, "ALTER TABLE p ALTER COLUMN at TYPE timestamptz", true),
    (PARTS, "ALTER TABLE p ADD UNIQUE (k)", true),
    (PARTS, "ALTER TABLE p ADD UNIQUE (k, at)", false),
    (PARTS, "CREATE UNIQUE INDEX ON p (k)", true),
    (PARTS, "ALTER TABLE p ADD CONSTRAINT f FOREIGN KEY (k) REFERENCES o; ALTER TABLE p1 DROP CONSTRAINT f", true),
    (PARTS, "ALTER TABLE p ADD PRIMARY KEY (k, at); ALTER TABLE p1 DROP CONSTRAINT p1_pkey", true),
    (PARTS, "CREATE TABLE d1 PARTITION OF p DEFAULT; CREATE TABLE d2 PARTITION OF p DEFAULT", true),
    (
        PARTS,
        "CREATE TABLE d1 PARTITION OF p DEFAULT; ALTER TABLE p DETACH PARTITION d1; CREATE TABLE d2 PARTITION OF p DEFAULT",
        false,
    ),
    (PARTS, "ALTER TABLE o ATTACH PARTITION p1 DEFAULT", true),
    (PARTS, "CREATE VIEW v AS SELECT k FROM p1; ALTER TABLE p DROP COLUMN k", true),
    (
        "CREATE TABLE a (x int CHECK (x > 0)); CREATE TABLE b () INHERITS (a)",
        "ALTER TABLE b DROP CONSTRAINT a_x_check",
        true,
    ),
    ("CREATE TABLE a (x int); CREATE TABLE b () INHERITS (a)", "ALTER TABLE b RENAME COLUMN x TO y", true),
    ("CREATE TABLE a (x int); CREATE TABLE b () INHERITS (a)", "ALTER TABLE ONLY a ADD COLUMN y int", true),
    ("CREATE TABLE a (x int); CREATE TABLE b () INHERITS (a)", "ALTER TABLE a ADD COLUMN y int", false),
    // Names, sequences, schemas.
    ("CREATE TABLE t (a int, b int)", "ALTER TABLE t RENAME COLUMN a TO b", true),
    ("CREATE TABLE t (a int); CREATE TABLE u (a int)", "ALTER TABLE t RENAME TO u", true),
    ("CREATE TABLE t (a int); CREATE INDEX u ON t (a)", "CREATE TABLE u (a int)", true),
    ("CREATE TABLE t (a int); CREATE TABLE u (a int)", "CREATE INDEX u ON t (a)", true),
    ("CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)", "ALTER INDEX i RENAME TO j", true),
    ("CREATE TABLE t (a serial)", "DROP SEQUENCE t_a_seq", true),
    ("CREATE TABLE t (a serial)", "DROP SEQUENCE t_a_seq CASCADE", false),
    ("CREATE SCHEMA s; CREATE TABLE s.t (a int)", "DROP SCHEMA s", true),
    ("CREATE SCHEMA s; CREATE TABLE s.t (a int)", "DROP SCHEMA s CASCADE", false),
    ("CREATE TABLE t (a int)", "CREATE INDEX i ON t (b)", true),
    ("CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 3", true),
    ("CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)", "ALTER TABLE t ALTER COLUMN a DROP NOT NULL", true),
    // Functions.
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        true,
    ),
    (
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        false,
    ),
    (
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f",
        true,
    ),
    // The passes of one ALTER TABLE.
    ("CREATE TABLE t (a int)", "ALTER TABLE t ADD COLUMN x int, ALTER COLUMN x DROP NOT NULL", true),
    ("CREATE TABLE t (a int)", "ALTER TABLE t ADD COLUMN x int, ALTER COLUMN x SET NOT NULL", false),
    ("CREATE TABLE t (a int, b int)", "ALTER TABLE t ADD CONSTRAINT k CHECK (b > 0), DROP COLUMN b", true),
    (
        "CREATE TABLE t (a int CONSTRAINT k CHECK (a > 0))",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1), DROP CONSTRAINT k",
        false,
    ),
    // Rows.
    ("CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (x int REFERENCES p)", "TRUNCATE p", true),
    ("CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (x int REFERENCES p)", "TRUNCATE p, c", false),
    ("CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (x int REFERENCES p)", "TRUNCATE p CASCADE", false),
    ("CREATE TABLE t (a int); CREATE PUBLICATION b FOR TABLE t", "DELETE FROM t", true),
    (
        "CREATE TABLE t (a int); CREATE PUBLICATION b FOR TABLE t; ALTER TABLE t REPLICA IDENTITY FULL",
        "DELETE FROM t",
        false,
    ),
    ("CREATE TABLE t (a int); CREATE PUBLICATION b FOR TABLE t WITH (publish = 'insert')", "UPDATE t SET a = 1", false),
    ("CREATE TABLE t (a int)", "UPDATE t SET b = 1", true),
    ("CREATE TABLE t (a int)", "INSERT INTO t (a) SELECT 'x'::text", true),
    (
        "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a)",
        "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT i DO NOTHING",
        true,
    ),
    (
        "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i ON t (a) WHERE b > 0",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO NOTHING",
        true,
    ),
    (
        "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i ON t (a) WHERE b > 0",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE b > 0 DO NOTHING",
        false,
    ),
    (
        "CREATE TABLE t (a text); CREATE UNIQUE INDEX i ON t (lower(a))",
        "INSERT INTO t VALUES ('x') ON CONFLICT (lower(a)) DO NOTHING",
        false,
    ),
    ("CREATE TABLE t (a int, b int)", "CREATE TABLE u AS SELECT a, b, count(*) FROM t GROUP BY a", true),
    ("CREATE TABLE t (a int PRIMARY KEY, b int)", "INSERT INTO t SELECT a, b FROM t GROUP BY a", false),
    ("CREATE TABLE t (a int UNIQUE, b int)", "INSERT INTO t SELECT a, b FROM t GROUP BY a", true),
    ("CREATE TABLE U&\"d\\0061ta\" (id int, U&\"n\\0061me\" text)", "ALTER TABLE data DROP COLUMN name", false),
];

const TRIGGER: &str =
    "CREATE TABLE t (a int, b int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

const PARTS: &str = "CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE p (k int, at date) PARTITION BY RANGE (at);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')";

/// What the plan says: whether a statement fails as it is written.
fn foreseen(base: &str, statements: &str) -> bool {
    let files = [("1.sql".into(), format!("{base};")), ("2.sql".into(), format!("{statements};"))];
    let folder = Folder::from_files(Convention::Plain, files).unwrap();
    let (applied, pending) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: pending.to_vec() };
    let found = check(Request::new(&folder, &pending)).diagnostics;
    found.iter().any(|d| d.severity == Severity::Error && ["CO411", "CO006"].contains(&d.code.id))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_foreseen() {
    let database = support::database().await;
    let client = database.connect().await;
    let mut wrong = Vec::new();
    for (base, statements, refused) in CASES {
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute(base).await.unwrap_or_else(|error| panic!("{base}: {}", support::message(&error)));
        let ran = client.batch_execute(statements).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        let message = ran.as_ref().err().map(support::message);
        let foreseen = foreseen(base, statements);
        if (ran.is_err(), foreseen) != (*refused, *refused) {
            wrong.push(format!("{base} | {statements}: expected {refused}, foreseen {foreseen}, server {message:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
