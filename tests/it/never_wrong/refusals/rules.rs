//! Rules: what they take of what is written into a view, and what stands below them.

const A: &str = "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id, a) VALUES (NEW.id, NEW.a)";
const W: &str = "CREATE TABLE t (id int, a int, k text); CREATE TABLE o (id int, c int); CREATE TABLE log (id int);
    CREATE RULE r AS ON UPDATE TO t WHERE OLD.a <> NEW.a AND EXISTS (SELECT FROM o WHERE o.c = NEW.a) DO ALSO INSERT INTO log VALUES (NEW.id)";
const B: &str = "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1)";

pub(super) const CASES: &[(&str, &str, bool)] = &[
    (A, "DROP TABLE log", true),
    (A, "ALTER TABLE log DROP COLUMN a", true),
    (A, "ALTER TABLE log DROP COLUMN c", false),
    (A, "ALTER TABLE t DROP COLUMN a", true),
    (A, "ALTER TABLE t ALTER COLUMN a TYPE bigint", true),
    (A, "ALTER TABLE log ALTER COLUMN a TYPE bigint", true),
    (A, "ALTER TABLE t RENAME COLUMN a TO b", false),
    (A, "DROP TABLE t", false),
    (A, "DROP TABLE t, log", false),
    (A, "ALTER TABLE log DROP COLUMN a CASCADE", false),
    (A, "DROP RULE r ON t; DROP TABLE log", false),
    (W, "ALTER TABLE t DROP COLUMN a", true),
    (W, "ALTER TABLE t DROP COLUMN k", false),
    (W, "ALTER TABLE t ALTER COLUMN a TYPE bigint", true),
    (W, "ALTER TABLE t ALTER COLUMN k TYPE varchar(9)", false),
    (W, "ALTER TABLE o DROP COLUMN c", true),
    (W, "DROP TABLE o", true),
    (W, "DROP TABLE o CASCADE; DROP TABLE log", false),
    (W, "DROP RULE r ON t; ALTER TABLE t DROP COLUMN a", false),
    (B, "INSERT INTO v (id, b) VALUES (1, 1)", false),
    (B, "UPDATE v SET b = 1", true),
    (B, "UPDATE v SET id = 1", false),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE t SET a = NEW.b - 1 WHERE id = OLD.id",
        "UPDATE v SET b = 1",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE t SET a = NEW.b - 1 WHERE id = OLD.id",
        "INSERT INTO v VALUES (1, 1)",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1); CREATE VIEW w AS SELECT * FROM v",
        "INSERT INTO w (id, b) VALUES (1, 1)",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1); CREATE VIEW w AS SELECT * FROM v",
        "UPDATE w SET b = 1",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1); DROP RULE r ON v",
        "INSERT INTO v (id, b) VALUES (1, 1)",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1); DROP RULE r ON v",
        "INSERT INTO v (id) VALUES (1)",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; CREATE RULE r AS ON INSERT TO v WHERE NEW.id > 0 DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1)",
        "INSERT INTO v (id, b) VALUES (1, 1)",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT count(*) AS n FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING",
        "INSERT INTO v VALUES (1)",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int); CREATE VIEW v AS SELECT id FROM log; CREATE RULE r AS ON INSERT TO t DO ALSO SELECT * FROM v",
        "DROP VIEW v",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.id, NEW.a); ALTER TABLE log RENAME a TO b",
        "ALTER TABLE log DROP COLUMN b",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.id, NEW.a)",
        "ALTER TABLE log DROP COLUMN c",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO log (id) VALUES (NEW.id); DELETE FROM log WHERE c = 1)",
        "ALTER TABLE log DROP COLUMN c",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id)",
        "ALTER TABLE log DROP COLUMN a",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING",
        "DROP TABLE log",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id); DROP RULE r ON t",
        "DROP TABLE log",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id); ALTER TABLE log RENAME TO logs",
        "DROP TABLE logs",
        true,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id); ALTER TABLE t RENAME TO s",
        "DROP TABLE s, log",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id); DROP TABLE t",
        "DROP TABLE log",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id) VALUES (NEW.id); DROP TABLE log CASCADE; CREATE TABLE log (id int)",
        "DROP TABLE log",
        false,
    ),
    (
        "CREATE TABLE t (id int, a int); CREATE TABLE log (id int, a int, c int); CREATE RULE r AS ON INSERT TO t DO INSTEAD SELECT NEW.* FROM log",
        "ALTER TABLE log DROP COLUMN c",
        false,
    ),
];
