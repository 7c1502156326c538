//! Views that nobody can write, and what takes their rows all the same.

const V: &str = "CREATE TABLE t (id int, a int, b text); CREATE TABLE u (id int, c int); CREATE SEQUENCE s;
    CREATE VIEW plain AS SELECT id, a FROM t; CREATE VIEW joined AS SELECT t.id, u.c FROM t JOIN u USING (id);
    CREATE VIEW summed AS SELECT a, count(*) AS n FROM t GROUP BY a; CREATE VIEW few AS SELECT DISTINCT a FROM t;
    CREATE VIEW limited AS SELECT id FROM t LIMIT 5; CREATE VIEW united AS SELECT id FROM t UNION ALL SELECT id FROM u;
    CREATE VIEW ranked AS SELECT id, row_number() OVER (ORDER BY id) AS r FROM t; CREATE VIEW total AS SELECT max(a) AS a FROM t;
    CREATE VIEW fixed AS SELECT 1 AS id; CREATE VIEW listed AS VALUES (1), (2); CREATE VIEW above AS SELECT * FROM few;
    CREATE VIEW asked AS SELECT id, a FROM t WHERE a IN (SELECT a FROM few); CREATE VIEW whole AS TABLE t;
    CREATE VIEW inside AS (SELECT id, a FROM t); CREATE VIEW named AS WITH c AS (SELECT id FROM t) SELECT id FROM c;
    CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE VIEW kept AS SELECT id FROM m;
    CREATE VIEW called AS SELECT g FROM generate_series(1, 3) AS g; CREATE VIEW sampled AS SELECT id FROM t TABLESAMPLE system (10);
    CREATE VIEW had AS SELECT 1 AS id FROM t HAVING true; CREATE VIEW comma AS SELECT t.id FROM t, u;
    CREATE VIEW derived AS SELECT id FROM (SELECT id FROM t) AS d; CREATE VIEW counted AS SELECT id, (SELECT count(*) FROM u) AS n FROM t;
    CREATE VIEW locked AS SELECT id FROM t FOR UPDATE; CREATE VIEW ordered AS SELECT id FROM t ORDER BY id;
    CREATE VIEW offsets AS SELECT id FROM t OFFSET 1; CREATE VIEW fetched AS SELECT id FROM t FETCH FIRST ROW ONLY;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

pub(super) const CASES: &[(&str, &str, bool)] = &[
    (V, "DELETE FROM plain", false),
    (V, "UPDATE plain SET a = 1", false),
    (V, "INSERT INTO plain VALUES (1, 2)", false),
    (V, "DELETE FROM joined", true),
    (V, "UPDATE joined SET c = 1", true),
    (V, "INSERT INTO joined VALUES (1, 2)", true),
    (V, "DELETE FROM summed", true),
    (V, "UPDATE summed SET a = 1 WHERE a = 2", true),
    (V, "DELETE FROM few", true),
    (V, "INSERT INTO few VALUES (1)", true),
    (V, "DELETE FROM limited", true),
    (V, "DELETE FROM united", true),
    (V, "INSERT INTO united VALUES (1)", true),
    (V, "UPDATE ranked SET id = 1", true),
    (V, "DELETE FROM total", true),
    (V, "DELETE FROM fixed", true),
    (V, "INSERT INTO listed VALUES (1)", true),
    (V, "DELETE FROM above", true),
    (V, "DELETE FROM asked", false),
    (V, "UPDATE asked SET a = 1", false),
    (V, "DELETE FROM whole", false),
    (V, "INSERT INTO whole (id) VALUES (1)", false),
    (V, "UPDATE inside SET a = 1", false),
    (V, "DELETE FROM named", true),
    (V, "DELETE FROM kept", true),
    (V, "DELETE FROM m", true),
    (V, "DELETE FROM called", true),
    (V, "DELETE FROM sampled", true),
    (V, "DELETE FROM had", true),
    (V, "DELETE FROM comma", true),
    (V, "DELETE FROM derived", true),
    (V, "DELETE FROM counted", false),
    (V, "DELETE FROM locked", false),
    (V, "UPDATE ordered SET id = 1", false),
    (V, "DELETE FROM offsets", true),
    (V, "DELETE FROM fetched", true),
    // A trigger takes what it is for, and nothing else.
    (V, "CREATE TRIGGER g INSTEAD OF DELETE ON few FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM few", false),
    (V, "CREATE TRIGGER g INSTEAD OF INSERT ON few FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM few", true),
    (
        V,
        "CREATE TRIGGER g INSTEAD OF INSERT ON few FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO few VALUES (1)",
        false,
    ),
    (V, "CREATE TRIGGER g INSTEAD OF DELETE ON few FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM above", false),
    (V, "CREATE TRIGGER g INSTEAD OF INSERT ON few FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM above", true),
    (
        V,
        "CREATE TRIGGER g INSTEAD OF INSERT OR UPDATE ON few FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM above",
        true,
    ),
    (
        V,
        "CREATE TRIGGER g INSTEAD OF INSERT OR UPDATE ON few FOR EACH ROW EXECUTE FUNCTION f(); UPDATE above SET a = 1",
        false,
    ),
    (
        V,
        "CREATE TRIGGER g INSTEAD OF DELETE ON few FOR EACH ROW EXECUTE FUNCTION f(); DROP TRIGGER g ON few; DELETE FROM few",
        true,
    ),
    // What becomes of a view.
    (V, "CREATE OR REPLACE VIEW plain AS SELECT DISTINCT id, a FROM t; DELETE FROM plain", true),
    (V, "CREATE OR REPLACE VIEW few AS SELECT a FROM t; DELETE FROM few", false),
    (V, "CREATE OR REPLACE VIEW few AS SELECT a FROM t; DELETE FROM above", false),
    (V, "ALTER VIEW few RENAME TO fewer; DELETE FROM above", true),
    (V, "ALTER TABLE t RENAME TO t2; DELETE FROM asked", false),
];
