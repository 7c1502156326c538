//! Statements for one kind of relation on another, columns that are not what a statement takes them for.

pub(super) const CASES: &[(&str, &str, bool)] = &[
    ("CREATE TABLE t (id int, c text)", "ALTER TABLE t ALTER COLUMN c DROP EXPRESSION", true),
    ("CREATE TABLE t (id int, c text)", "ALTER TABLE t ALTER COLUMN c DROP EXPRESSION IF EXISTS", false),
    ("CREATE TABLE t (id int, c text)", "ALTER TABLE t ALTER COLUMN id DROP IDENTITY", true),
    ("CREATE TABLE t (id int, c text)", "ALTER TABLE t ALTER COLUMN id DROP IDENTITY IF EXISTS", false),
    ("CREATE TABLE t (id int, c text)", "ALTER TABLE t ALTER COLUMN id SET GENERATED ALWAYS", true),
    ("CREATE TABLE t (id text NOT NULL)", "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v ADD COLUMN x int", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "DROP TABLE v", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "CREATE INDEX i ON v (id)", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v RENAME COLUMN id TO x", false),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v ADD CHECK (id > 0)", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v ALTER COLUMN id SET NOT NULL", true),
    (
        "CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t",
        "ALTER TABLE v ALTER COLUMN id SET DEFAULT 4",
        false,
    ),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v ALTER COLUMN id TYPE bigint", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER TABLE v DROP COLUMN id", true),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "ALTER VIEW t RENAME TO x", true),
    (
        "CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t",
        "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES v",
        true,
    ),
    ("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t", "DROP VIEW t", true),
    ("CREATE TABLE t (id int); CREATE MATERIALIZED VIEW v AS SELECT id FROM t", "DROP VIEW v", true),
    ("CREATE TABLE t (id int); CREATE MATERIALIZED VIEW v AS SELECT id FROM t", "REFRESH MATERIALIZED VIEW t", true),
    ("CREATE TABLE t (id int); CREATE MATERIALIZED VIEW v AS SELECT id FROM t", "INSERT INTO v VALUES (1)", true),
    (
        "CREATE TABLE t (id int, x text); CREATE VIEW v AS SELECT id, x FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id FROM t",
        true,
    ),
    (
        "CREATE TABLE t (id int, x text); CREATE VIEW v AS SELECT id, x FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT x, id FROM t",
        true,
    ),
    (
        "CREATE TABLE t (id int, x text); CREATE VIEW v AS SELECT id, x FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id, x AS y FROM t",
        true,
    ),
    (
        "CREATE TABLE t (id int, x text); CREATE VIEW v AS SELECT id, x FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id::bigint AS id, x FROM t",
        true,
    ),
    (
        "CREATE TABLE t (id int, x text); CREATE VIEW v AS SELECT id, x FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id, x, 1 AS y FROM t",
        false,
    ),
    ("CREATE TABLE t (id int, x text)", "CREATE OR REPLACE VIEW t AS SELECT 1 AS id", true),
];
