//! The history of the team's tool on a throwaway database, and its tables.

use tokio_postgres::Client;

use super::error::RehearsalError;
use crate::migrations::{Folder, Migration, books};
use crate::plan::saved::PlannedMigration as SavedMigration;
use crate::postgres::history;

/// Differences that are none of a tool's own: some tools' files make their tables themselves.
pub(super) fn not_of_tools(mut lines: Vec<String>) -> Vec<String> {
    let own = |line: &String| line.split_whitespace().any(|word| word.starts_with("cutover."));
    lines.retain(|line| !own(line) && !line.split([' ', '.']).any(|word| books::are_books("", word)));
    lines
}

/// Writes the history of the folder's tool.
pub(super) async fn record(client: &Client, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
    let convention = folder.convention;
    // Without a history that is written, the plan's `from` is believed on a database without a journal.
    if convention.records_here() {
        return Ok(());
    }
    // A dump may have brought its rows.
    let recorded = history::applied(client, convention).await?;
    let is_new = |migration: &&Migration| {
        let key = convention.version_key(migration.version.as_str());
        recorded.iter().all(|row| row.version != key)
    };
    for migration in migrations.iter().filter(is_new) {
        let text = folder.text(migration);
        let saved = SavedMigration {
            version: migration.version.to_string(),
            name: migration.name.clone(),
            path: migration.path.clone(),
            sha256: migration.sha256.clone(),
            text: None,
        };
        history::record(client, convention, &saved, text).await?;
    }
    Ok(())
}
