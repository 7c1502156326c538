//! A source of queries of your own: whatever knows what a version asks of the database. Here it is a file with a query a line, after its name.
//!
//! ```console
//! $ cargo run --no-default-features --example custom_source
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use cutover::project::{Definition, Inputs};
use cutover::workload::{Location, Workload, load_from};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let root = camino::Utf8Path::from_path(folder.path()).ok_or("the folder's name is not UTF-8")?;
    std::fs::create_dir(root.join("migrations"))?;
    let files = [
        ("migrations/V1__users.sql", "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);"),
        ("migrations/V2__drop.sql", "ALTER TABLE users DROP COLUMN name;"),
        ("blue.list", "names: SELECT id, name FROM users\n"),
        ("green.list", "users: SELECT id FROM users\n"),
        ("cutover.toml", "[migrations]\nfolder = \"migrations\"\nconvention = \"refinery\"\nfrom = \"1\"\n"),
    ];
    for (path, text) in files {
        std::fs::write(root.join(path), text)?;
    }
    let at = |name: &str| Location::parse(root.join(name).as_str());
    let said = Inputs { blue: Some(at("blue.list")?), green: Some(at("green.list")?), ..Inputs::default() };

    let project = Definition::find(root, &said)?.open_with(|location| match location.path.ends_with(".list") {
        true => Ok::<_, Box<dyn Error>>(Workload::from_text(location.path.as_str(), &listed(location)?)),
        false => Ok(load_from(location)?),
    })?;
    let (pending, _) = project.pending()?;
    let planned = project.plan(&pending);
    println!("{:?}: {} step(s) after the cutover", planned.plan.verdict, planned.plan.steps.len());
    Ok(())
}

/// `name: query` as `.sql` files have it.
fn listed(location: &Location) -> Result<String, Box<dyn Error>> {
    let text = std::fs::read_to_string(&location.path)?;
    let queries = text.lines().filter_map(|line| line.split_once(": "));
    Ok(queries.map(|(name, query)| format!("-- name: {name}\n{query};\n")).collect())
}
