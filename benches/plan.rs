//! Cost of parse → plan: histories of 1 to 10,000 migrations, all pending, and the same with all but the last applied. The time a statement
//! takes must stay flat; criterion's throughput (elements per second) shows it.

use camino::Utf8PathBuf;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};

/// Four statements a migration: a table, columns on an earlier one, an index, and a column that goes.
fn history(migrations: usize) -> Folder {
    let file = |i: usize| {
        let earlier = i / 2;
        let text = format!(
            "CREATE TABLE t{i} (id bigint PRIMARY KEY, a text NOT NULL, b integer, spare text);\n\
             ALTER TABLE t{earlier} ADD COLUMN c{i} text;\n\
             CREATE INDEX t{i}_a_idx ON t{i} (a);\n\
             ALTER TABLE t{i} DROP COLUMN spare;\n"
        );
        (Utf8PathBuf::from(format!("V{}__m.sql", i + 1)), text)
    };
    Folder::from_files(Convention::Refinery, (0..migrations).map(file)).expect("generated names are good")
}

fn statements(criterion: &mut Criterion) {
    for (name, applied_but_last) in [("pending", false), ("applied", true)] {
        let mut group = criterion.benchmark_group(format!("plan/{name}"));
        group.sample_size(10);
        for migrations in [1, 10, 100, 1_000, 10_000] {
            let folder = history(migrations);
            let from = (applied_but_last && migrations > 1).then(|| (migrations - 1).to_string());
            let pending = folder.pending_after(from.as_deref()).expect("the version exists");
            group.throughput(Throughput::Elements(4 * migrations as u64));
            group.bench_with_input(BenchmarkId::from_parameter(migrations), &folder, |bencher, folder| {
                bencher.iter(|| plan(Request::new(folder, &pending)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, statements);
criterion_main!(benches);
