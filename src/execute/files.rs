//! The migration files behind a plan. What a release needs of them is in the plan; before it begins they must still be what the plan was
//! made of, and afterwards what became of them is told and stops nothing.

use super::error::Stale;
use crate::digest::sha256;
use crate::plan::saved::{PlannedMigration, SavedPlan};

/// Compares every file of a plan with its checksum.
pub(super) fn unchanged(plan: &SavedPlan) -> Result<(), Stale> {
    let mut all = plan.migrations.applied.iter().chain(&plan.migrations.pending);
    all.try_for_each(|migration| compare(plan, migration))
}

/// What became of the pending files, where they are in reach.
pub(super) fn drifted(plan: &SavedPlan) -> Vec<Stale> {
    if !plan.migrations.folder.is_dir() {
        return Vec::new();
    }
    plan.migrations.pending.iter().filter_map(|migration| compare(plan, migration).err()).collect()
}

fn compare(plan: &SavedPlan, migration: &PlannedMigration) -> Result<(), Stale> {
    let path = plan.migrations.folder.join(&migration.path);
    let bytes = std::fs::read(&path).map_err(|e| Stale::Unreadable { path: path.to_string(), why: e.to_string() })?;
    let found = sha256(&bytes);
    if found != migration.sha256 {
        return Err(Stale::Changed { path: path.to_string(), planned: migration.sha256.clone(), found });
    }
    Ok(())
}
