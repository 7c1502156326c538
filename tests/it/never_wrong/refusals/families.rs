//! Tables that inherit from each other, and partitions.

pub(super) const CASES: &[(&str, &str, bool)] = &[
    ("CREATE TABLE t (id int); CREATE TABLE c (id int, x int)", "ALTER TABLE c NO INHERIT t", true),
    ("CREATE TABLE t (id int, y int); CREATE TABLE c (id int, x int)", "ALTER TABLE c INHERIT t", true),
    ("CREATE TABLE t (id int); CREATE TABLE c (id bigint, x int)", "ALTER TABLE c INHERIT t", true),
    ("CREATE TABLE t (id int); CREATE TABLE c (id int, x int)", "ALTER TABLE c INHERIT t", false),
    ("CREATE TABLE t (id int NOT NULL); CREATE TABLE c (id int, x int)", "ALTER TABLE c INHERIT t", true),
    ("CREATE TABLE t (id int); CREATE TABLE c () INHERITS (t)", "ALTER TABLE c INHERIT t", true),
    ("CREATE TABLE t (id int); CREATE TABLE c () INHERITS (t)", "ALTER TABLE t INHERIT c", true),
    (
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE c (id int)",
        "ALTER TABLE p DETACH PARTITION c",
        true,
    ),
    (
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE c (id int, x int)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x int) PARTITION BY RANGE (id); CREATE TABLE c (id int)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE c (id bigint)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text NOT NULL) PARTITION BY RANGE (id); CREATE TABLE c (id int, x text)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text CHECK (x <> '')) PARTITION BY RANGE (id); CREATE TABLE c (id int, x text)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c (id int, x text); CREATE TABLE d () INHERITS (c)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c (id int, x text) PARTITION BY LIST (x)",
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (2)",
        false,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE c RENAME COLUMN x TO y",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE c ALTER COLUMN x SET NOT NULL",
        false,
    ),
    (
        "CREATE TABLE p (id int, x text NOT NULL) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE c ALTER COLUMN x DROP NOT NULL",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE ONLY p ADD CHECK (x <> '')",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE ONLY p DROP COLUMN x",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE ONLY p ADD PRIMARY KEY (id)",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE c INHERIT p",
        true,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE c PARTITION OF p DEFAULT",
        "ALTER TABLE c NO INHERIT p",
        true,
    ),
    ("CREATE TABLE p (id int, x text) PARTITION BY RANGE (id)", "CREATE RULE r AS ON INSERT TO p DO NOTHING", false),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE TABLE o (id int primary key)",
        "ALTER TABLE ONLY p ADD FOREIGN KEY (id) REFERENCES o",
        true,
    ),
    (
        "CREATE TABLE p (id int primary key, x text) PARTITION BY RANGE (id); CREATE TABLE o (id int)",
        "ALTER TABLE o ADD FOREIGN KEY (id) REFERENCES p",
        false,
    ),
    (
        "CREATE TABLE p (id int, x text) PARTITION BY RANGE (id); CREATE UNIQUE INDEX i ON p (id)",
        "ALTER TABLE p ADD CONSTRAINT k UNIQUE USING INDEX i",
        true,
    ),
    ("CREATE TABLE p (id int, x text) PARTITION BY RANGE (id)", "ALTER TABLE p REPLICA IDENTITY FULL", false),
    // What goes down to the tables below in a pass of its own.
    (
        "CREATE TABLE a (x int NOT NULL DEFAULT 1, y int); CREATE TABLE b () INHERITS (a)",
        "ALTER TABLE a ALTER COLUMN x DROP DEFAULT, DROP COLUMN x",
        true,
    ),
    (
        "CREATE TABLE a (x int NOT NULL DEFAULT 1, y int); CREATE TABLE b () INHERITS (a)",
        "ALTER TABLE a ALTER COLUMN x DROP NOT NULL, DROP COLUMN y",
        false,
    ),
    ("CREATE TABLE a (x int NOT NULL, y int)", "ALTER TABLE a ALTER COLUMN x DROP NOT NULL, DROP COLUMN x", false),
];

/// What is refused until 17, and not since NOT NULL is a constraint, which goes with its column.
pub(super) const UNTIL_17: &[(&str, &str)] = &[
    (
        "CREATE TABLE a (x int NOT NULL DEFAULT 1, y int); CREATE TABLE b () INHERITS (a)",
        "ALTER TABLE a ALTER COLUMN x DROP NOT NULL, DROP COLUMN x",
    ),
    (
        "CREATE TABLE p (k int, x int NOT NULL) PARTITION BY LIST (k); CREATE TABLE q PARTITION OF p DEFAULT",
        "ALTER TABLE p ALTER COLUMN x DROP NOT NULL, DROP COLUMN x",
    ),
];
