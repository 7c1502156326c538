//! Cost of the static check: queries of both versions × statements of the release. The time must grow linearly with either; 2,000 queries a
//! version and 100 statements should take a second at most.

use camino::Utf8PathBuf;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::workload::Workload;

/// As many as a large application has.
const TABLES: usize = 200;

/// The tables, and a release that changes one of them with each statement: half of them add, half of them take away.
fn history(statements: usize) -> Folder {
    let table = |i: usize| {
        let parent = i / 2;
        format!(
            "CREATE TABLE t{i} (id bigint PRIMARY KEY, parent bigint REFERENCES t{parent} (id), state text NOT NULL DEFAULT 'new',\n\
             amount numeric(12,2), made timestamptz NOT NULL DEFAULT now(), spare{i} integer, tags text[]);\n"
        )
    };
    let change = |i: usize| {
        let of = i % TABLES;
        match i % 4 {
            0 => format!("ALTER TABLE t{of} ADD COLUMN extra{i} text;\n"),
            1 => format!("ALTER TABLE t{of} DROP COLUMN IF EXISTS spare{of};\n"),
            2 => format!("CREATE INDEX t{of}_{i}_idx ON t{of} (made);\n"),
            _ => format!("ALTER TABLE t{of} ALTER COLUMN amount DROP NOT NULL;\n"),
        }
    };
    let files = [
        ("V1__tables.sql", (0..TABLES).map(table).collect::<String>()),
        ("V2__release.sql", (0..statements).map(change).collect::<String>()),
    ];
    let files = files.map(|(path, text)| (Utf8PathBuf::from(path), text));
    Folder::from_files(Convention::Refinery, files).expect("the names are good")
}

/// Queries as applications have them: by key, joins, aggregates, writes.
fn queries(count: usize) -> Workload {
    let query = |i: usize| {
        let (of, parent) = (i % TABLES, i % TABLES / 2);
        match i / TABLES % 5 {
            0 => format!("SELECT id, state, amount, made FROM t{of} WHERE id = $1 AND state = ANY ($2)"),
            1 => format!(
                "SELECT c.id, p.state, coalesce(c.amount, 0) AS amount FROM t{of} c LEFT JOIN t{parent} p ON p.id = c.parent \
                 WHERE c.made > now() - interval '1 day' ORDER BY c.made DESC LIMIT $1"
            ),
            2 => format!(
                "WITH recent AS (SELECT parent, count(*) AS n, sum(amount) AS total FROM t{of} GROUP BY parent) \
                 SELECT p.id, r.n, r.total FROM t{parent} p JOIN recent r ON r.parent = p.id WHERE r.n > $1"
            ),
            3 => format!(
                "INSERT INTO t{of} (id, parent, state) VALUES ($1, $2, lower($3)) ON CONFLICT (id) DO UPDATE SET state = excluded.state RETURNING id, made"
            ),
            _ => format!(
                "UPDATE t{of} SET state = $2, amount = amount + $3 WHERE id = $1 AND tags @> ARRAY['a'] RETURNING state"
            ),
        }
    };
    let text: String = (0..count).map(|i| format!("-- name: q{i}\n{};\n", query(i))).collect();
    Workload::from_text("queries.sql", &text).0
}

fn check(criterion: &mut Criterion) {
    for (name, sizes) in [
        ("queries", [(500, 100), (1_000, 100), (2_000, 100), (4_000, 100)]),
        ("statements", [(2_000, 25), (2_000, 50), (2_000, 100), (2_000, 200)]),
    ] {
        let mut group = criterion.benchmark_group(format!("compat/{name}"));
        group.sample_size(10);
        for (count, statements) in sizes {
            let (folder, workload) = (history(statements), queries(count));
            let pending = folder.pending_after(Some("1")).expect("the version exists");
            let request = Request { blue: Some(&workload), green: Some(&workload), ..Request::new(&folder, &pending) };
            let size = if name == "queries" { count } else { statements };
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::from_parameter(size), &request, |bencher, request| {
                bencher.iter(|| plan(*request));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, check);
criterion_main!(benches);
