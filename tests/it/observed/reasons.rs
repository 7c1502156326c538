//! Where text and server differ, and may.

/// Fixture (the beginning of its name is enough), part of the line, and why it is so.
pub(super) const REASONS: &[(&str, &str, &str)] = &[
    (
        "31",
        "text: rewrites",
        "timestamp to timestamptz is free where the session's TimeZone is UTC, as it is here, and rewrites elsewhere",
    ),
    ("31", "text: scans", "as above"),
    ("37", "text: rewrites", "the table has that access method already"),
    ("39", "server: rewrites", "TRUNCATE gives the table new files, empty ones; nothing is written anew"),
    ("39", "text: scans", "whether an index finds the rows is known to the server's planner only"),
    ("91", "text: scans", "as above"),
    ("92", "text: scans", "as above"),
    ("79", "", "rules are opaque: the server says that there is one, and no capability stands for what it does"),
    (
        "85",
        "p1_k_check",
        "DETACH … CONCURRENTLY leaves the bound behind as a CHECK, which rows of the partition obeyed before",
    ),
    ("88", "text: opaque", "what an update of an extension does is in its scripts"),
    ("96", "", "what a DO block or a procedure does, only the server knows"),
    (
        "102",
        "when it did",
        "ALTER CONSTRAINT may change when a check is made; only its options say that this one does not",
    ),
    ("104", "", "opaque: what readers of the column see changes, which only its author can judge"),
    ("107", "", "opaque: whose rights count decides what readers may see, and no capability stands for it"),
    ("111", "parts1", "who writes to a partition by its own name meets the key, too"),
    ("98", "", "publications are opaque: no client of the database reads them"),
];

/// The same for the statements of the histories: the beginning of their place.
pub(super) const HISTORIES: &[(&str, &str)] = &[
    ("crates.io/2018-04-24-145128", "the type of sum(downloads) is known to the server only"),
    ("crates.io/2019-03-22-162022", "the type of sum(downloads) is known to the server only"),
    (
        "crates.io/20141020175650_dumped_migration_76.sql:16",
        "the trigger's body names new.keywords, which crates gets in the next file; a server finds that when the trigger runs",
    ),
    ("docs.rs/20240309082057", "the types of CASE and of aggregates are known to the server only"),
    (
        "hatchet/20250912162812_v1_0_42.sql:65",
        "the key points to the partitions as well, which a function made and the text does not show",
    ),
    (
        "hatchet/20251001155231_v1_0_46.sql:10",
        "the key points to the partitions as well, which a function made and the text does not show",
    ),
    ("river/004_pending_and_more.sql:10", "SET DEFAULT to the default it had: the simulation keeps no expressions"),
];
