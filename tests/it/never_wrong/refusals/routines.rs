//! Functions, triggers, and what calls them.

pub(super) const CASES: &[(&str, &str, bool)] = &[
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE PROCEDURE f(a int) LANGUAGE sql AS 'SELECT 1'",
        true,
    ),
    ("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f(text)", true),
    (
        "CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int, CHECK (f(id) > 0))",
        "DROP FUNCTION f(int)",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int); CREATE INDEX i ON t (f(id))",
        "DROP FUNCTION f(int)",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT f(id) FROM t",
        "DROP FUNCTION f(int)",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int); CREATE POLICY p ON t USING (f(id) > 1)",
        "DROP FUNCTION f(int)",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int)",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int)",
        "CREATE INDEX i ON t (f(id))",
        false,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int)",
        "CREATE TRIGGER g BEFORE UPDATE OF nope ON t FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int)",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (new.nope > 1) EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int)",
        "CREATE TRIGGER g INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER g BEFORE INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()",
        false,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t",
        "CREATE TRIGGER g AFTER INSERT ON v FOR EACH STATEMENT EXECUTE FUNCTION f()",
        false,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF t DEFAULT; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP TRIGGER g ON c",
        true,
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF t DEFAULT; CREATE TRIGGER g AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        true,
    ),
    // What calls a function, and what goes with it.
    (CALLED, "ALTER TABLE t ALTER COLUMN a SET DEFAULT f(1); DROP FUNCTION f(int)", true),
    (
        CALLED,
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT f(1); ALTER TABLE t ALTER COLUMN a DROP DEFAULT; DROP FUNCTION f(int)",
        false,
    ),
    (CALLED, "ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (f(a)) STORED; DROP FUNCTION f(int)", true),
    (CALLED, "ALTER TABLE t ADD CHECK (f(a) > 0); DROP FUNCTION f(int)", true),
    (CALLED, "CREATE INDEX i ON t (f(a)); DROP FUNCTION f(int)", true),
    (CALLED, "CREATE INDEX i ON t (f(a)); DROP FUNCTION f(int) CASCADE; DROP INDEX i", true),
    (
        CALLED,
        "ALTER TABLE t ADD CONSTRAINT k CHECK (f(a) > 0); DROP FUNCTION f(int) CASCADE; ALTER TABLE t DROP CONSTRAINT k",
        true,
    ),
    (
        CALLED,
        "ALTER TABLE t ADD x int GENERATED ALWAYS AS (f(a)) STORED; DROP FUNCTION f(int) CASCADE; UPDATE t SET a = x",
        true,
    ),
    (CALLED, "ALTER TABLE t ADD x int DEFAULT f(1); DROP FUNCTION f(int) CASCADE; UPDATE t SET a = x", false),
    (CALLED, "CREATE POLICY p ON t USING (f(a) > 0); DROP FUNCTION f(int) CASCADE; DROP POLICY p ON t", true),
    (CALLED, "CREATE VIEW v AS SELECT f(a) FROM t; DROP FUNCTION f(int) CASCADE; DROP VIEW v", true),
    (CALLED, "CREATE INDEX i ON t (g(a))", true),
    (CALLED, "ALTER TABLE t ADD x int GENERATED ALWAYS AS (g(a)) STORED", true),
    (CALLED, "ALTER TABLE t ADD x int DEFAULT g(1)", false),
];

const CALLED: &str = "CREATE TABLE t (a int);
    CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION g(int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'";
