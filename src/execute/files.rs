//! The migration files behind a plan: read once, and only if they are still what the plan was made of.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::error::Stale;
use crate::digest::hex;
use crate::plan::saved::{Migration, SavedPlan};

/// The pending migrations with their texts, by version.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, (Migration, String)>);

impl Files {
    /// Reads every file of the plan and compares checksums.
    pub(super) fn read(plan: &SavedPlan) -> Result<Self, Stale> {
        for migration in &plan.migrations.applied {
            text(plan, migration)?;
        }
        let pending = plan.migrations.pending.iter();
        pending.map(|m| Ok((m.version.clone(), (m.clone(), text(plan, m)?)))).collect::<Result<_, _>>().map(Self)
    }

    /// A pending migration and its text.
    pub(super) fn get(&self, version: &str) -> Option<(&Migration, &str)> {
        self.0.get(version).map(|(migration, text)| (migration, text.as_str()))
    }
}

fn text(plan: &SavedPlan, migration: &Migration) -> Result<String, Stale> {
    let path = plan.migrations.folder.join(&migration.path);
    let unreadable = |why: String| Stale::Unreadable { path: path.to_string(), why };
    let bytes = std::fs::read(&path).map_err(|e| unreadable(e.to_string()))?;
    let found = hex(&Sha256::digest(&bytes));
    if found != migration.sha256 {
        return Err(Stale::Changed { path: path.to_string(), planned: migration.sha256.clone(), found });
    }
    String::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))
}
