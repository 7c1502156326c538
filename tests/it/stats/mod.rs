//! `cutover stats`, and what `lint` and `plan` make of what it measured.

mod measure;
mod truth;
mod weigh;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support;

/// Runs `cutover` there.
fn run(directory: &Path, args: &[&str]) -> Output {
    support::cutover(directory).args(args).output().unwrap()
}

/// A table in a file of statistics. Sizes in MB.
pub(crate) fn table(name: &str, megabytes: u64, rows: u64) -> Value {
    json!({
        "table": { "schema": "public", "name": name },
        "kind": "table",
        "parent": null,
        "bytes": { "heap": megabytes * 1_000_000, "toast": 0, "basis": "measured" },
        "rows": { "count": rows, "basis": "estimated", "source": "reltuples, scaled to the size" },
        "indexes": [{ "name": format!("{name}_pkey"), "bytes": megabytes * 100_000, "basis": "measured" }],
        "columns": [],
        "activity": null,
    })
}

/// A statement in it, with the tables that it touches.
pub(crate) fn statement(text: &str, calls_per_second: f64, touches: &[(&str, &str)]) -> Value {
    let touch = |(table, way): &(&str, &str)| json!({ "table": { "schema": "public", "name": table }, "way": way });
    let touches: Vec<Value> = touches.iter().map(touch).collect();
    json!({ "text": text, "calls_per_second": calls_per_second, "mean_ms": 1.0, "max_ms": 250.0, "read": true, "touches": touches })
}

/// A file of today, on PostgreSQL 15, with nothing missing.
pub(crate) fn statistics(tables: &[Value], statements: &[Value]) -> Value {
    json!({
        "format_version": "1.0",
        "tool": "cutover 0.1.0",
        "server_version_num": 150_004,
        "measured_at": jiff_now(),
        "standby": false,
        "max_connections": 100,
        "tables": tables,
        "statements": { "seconds": 86400.0, "basis": "measured", "list": statements, "others": {}, "forgotten": 0 },
        "transactions": {
            "active": 3, "idle": 1, "hidden": 0, "median_ms": 5.0, "p95_ms": 900.0, "oldest_ms": 12000.0, "wraparound": [],
        },
        "missing": [],
    })
}

/// The time of now, as the server writes it.
fn jiff_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
