//! The planner in a program of your own: files in memory, queries of both versions, the order and what stands in its way.
//!
//! ```console
//! $ cargo run --no-default-features --example plan
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use cutover::migrations::{Convention, Folder};
use cutover::plan::saved::{Phase, Verdict};
use cutover::plan::{Request, plan};
use cutover::report::{Style, render_diagnostics};
use cutover::workload::Workload;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Folder::from_files(
        Convention::Refinery,
        [
            ("V1__users.sql".into(), "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);".into()),
            ("V2__email.sql".into(), "ALTER TABLE users ADD COLUMN email text, DROP COLUMN name;".into()),
        ],
    )?;
    let pending = folder.pending_after(Some("1"))?;
    let (blue, _) = Workload::from_text("blue.sql", "-- name: names\nSELECT id, name FROM users;");
    let (green, _) = Workload::from_text("green.sql", "-- name: emails\nSELECT id, email FROM users;");

    let planned = plan(Request { blue: Some(&blue), green: Some(&green), ..Request::new(&folder, &pending) });
    for (title, phase) in [("Before the cutover", Phase::Before), ("After the cutover", Phase::After)] {
        println!("{title}:");
        for step in planned.plan.phase(phase) {
            println!("  {} {}  {}", step.id, step.object, step.action);
        }
    }
    print!("{}", render_diagnostics(&planned.diagnostics, &planned.sources, Style::default()));
    assert_eq!(planned.plan.verdict, Verdict::Safe);
    Ok(())
}
