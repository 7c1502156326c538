//! The pending statements: what a release does, from a weighted list.

mod constraints;
mod data;
mod idioms;
mod objects;
mod tables;
mod types;
mod wider;

use super::random::Random;
use super::world::World;

/// Statements that belong together, or none if the world has nothing to do it to.
type Change = fn(&mut World, &mut Random) -> Option<Vec<String>>;

/// The files of a release.
pub(super) fn files(world: &mut World, random: &mut Random) -> Vec<Vec<String>> {
    let lists: [(&[(usize, Change)], usize); 7] = [
        (tables::CHANGES, 29),
        (constraints::CHANGES, 16),
        (objects::CHANGES, 14),
        (wider::CHANGES, 14),
        (types::CHANGES, 3),
        (data::CHANGES, 10),
        (idioms::CHANGES, 14),
    ];
    let wanted = 1 + random.below(6);
    let (mut files, mut made) = (vec![Vec::new()], 0);
    for _ in 0..wanted * 4 {
        if made == wanted {
            break;
        }
        let mut at = random.below(100);
        let list = lists.iter().find(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let Some((list, _)) = list else { continue };
        // A change that gives up half way may have named things: that is forgotten.
        let mut tried = world.clone();
        if let Some(statements) = weighted(list, random)(&mut tried, random) {
            *world = tried;
            made += 1;
            for statement in statements {
                if random.chance(25) && files.last().is_some_and(|f| !f.is_empty()) {
                    files.push(Vec::new());
                }
                if let Some(file) = files.last_mut() {
                    file.push(statement);
                }
            }
        }
    }
    files.retain(|f| !f.is_empty());
    for file in &mut files {
        if !world.schemas.is_empty() && random.chance(10) {
            types::by_path(file);
        }
        wrap(file, random);
    }
    files
}

fn weighted(list: &[(usize, Change)], random: &mut Random) -> Change {
    let all = list.iter().map(|(weight, _)| weight).sum();
    let mut at = random.below(all);
    for (weight, change) in list {
        if at < *weight {
            return *change;
        }
        at -= weight;
    }
    list[0].1
}

/// Now and then a file is one transaction, or sets something first.
fn wrap(file: &mut Vec<String>, random: &mut Random) {
    let alone = file.iter().any(|s| s.contains("CONCURRENTLY"));
    if !alone && random.chance(8) {
        file.insert(0, "BEGIN".into());
        file.push("COMMIT".into());
    }
    if random.chance(5) {
        file.insert(0, "SET lock_timeout = '5s'".into());
    }
}
