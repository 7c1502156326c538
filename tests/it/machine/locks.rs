//! The locks of a step against what the plan says that it costs.

use std::collections::BTreeMap;

use cutover::effect::LockMode;

use super::server::{Lock, Old};

/// What the server locked more than the plan says, of tables that were there before: the mode, or the table, and a sentence.
pub(super) fn untold(
    told: &str,
    sql: &str,
    locks: &[Lock],
    old: &BTreeMap<u32, Old>,
    renames: bool,
) -> Option<(String, String)> {
    if told == "cost not known" {
        return None;
    }
    let most = told.split([',', '(']).next().and_then(|words| LockMode::named(words.trim()));
    let worst = locks.iter().filter_map(|lock| Some((mode(lock)?, &lock.table.name))).max()?;
    // Nobody but DDL waits for it.
    let harmless = worst.0 <= LockMode::ShareUpdateExclusive && most.is_none();
    if Some(worst.0) > most && !harmless {
        return Some((worst.0.name().to_owned(), format!("{} on {}, told `{told}`", worst.0.name(), worst.1)));
    }
    // A table that has another name by now is not found under its old one.
    if renames { None } else { elsewhere(told, sql, locks, old) }
}

/// A table that writers wait for, and that neither the statement nor the plan names. An index, a trigger, a type stand for one.
fn elsewhere(told: &str, sql: &str, locks: &[Lock], old: &BTreeMap<u32, Old>) -> Option<(String, String)> {
    let plain = |text: &str| text.replace('"', "");
    let text = plain(&format!("{told} {sql}"));
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let names = |name: &str| words.contains(&plain(name).rsplit('.').next().unwrap_or_default());
    let blocking = |lock: &&Lock| mode(lock).is_some_and(|mode| mode >= LockMode::Share);
    let unnamed = |lock: &&Lock| !names(&lock.table.name) && !lock.table.parents.split_whitespace().any(names);
    let mut unnamed: Vec<&str> = locks.iter().filter(blocking).filter(unnamed).map(|l| l.table.name.as_str()).collect();
    unnamed.sort_unstable();
    unnamed.dedup();
    // What is locked with the table that it is a part of.
    let all = unnamed.clone();
    let part = |name: &str| {
        let of =
            |lock: &&Lock| lock.table.name == name && lock.table.parents.split_whitespace().any(|p| all.contains(&p));
        locks.iter().any(|lock| of(&lock))
    };
    unnamed.retain(|name| !part(name));
    let stands_for_one = !old.values().any(|table| names(&table.name));
    if unnamed.len() <= usize::from(stands_for_one) {
        return None;
    }
    Some(("elsewhere".to_owned(), format!("locks {}, told `{told}`", unnamed.join(" and "))))
}

fn mode(lock: &Lock) -> Option<LockMode> {
    let mut words = String::new();
    for c in lock.mode.trim_end_matches("Lock").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_uppercase());
    }
    LockMode::named(&words)
}
