//! Composite types, and what a session looks for names by.

use super::super::base::new_composite;
use super::super::random::Random;
use super::super::world::World;
use super::Change;

pub(super) const CHANGES: &[(usize, Change)] = &[(3, composite), (4, attribute), (1, drop_composite), (1, rename_type)];

fn composite(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    Some(vec![new_composite(world, random)])
}

fn attribute(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, attributes) = random.pick(&world.composites)?.clone();
    let (fresh, old) = (world.fresh("x"), random.pick(&attributes)?.clone());
    let cascade = random.word(&["", "", " CASCADE"]);
    let mut after = attributes.clone();
    let sql = match random.below(4) {
        0 | 1 => {
            after.push(fresh.clone());
            format!("ALTER TYPE {name} ADD ATTRIBUTE {fresh} text{cascade}")
        }
        2 if attributes.len() > 1 => {
            after.retain(|attribute| *attribute != old);
            format!("ALTER TYPE {name} DROP ATTRIBUTE {old}{cascade}")
        }
        _ => {
            after.iter_mut().filter(|attribute| **attribute == old).for_each(|attribute| attribute.clone_from(&fresh));
            format!("ALTER TYPE {name} RENAME ATTRIBUTE {old} TO {fresh}{cascade}")
        }
    };
    world.composites.iter_mut().filter(|(n, _)| *n == name).for_each(|(_, a)| a.clone_from(&after));
    Some(vec![sql])
}

fn drop_composite(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, _) = random.pick(&world.composites)?.clone();
    world.composites.retain(|(n, _)| *n != name);
    Some(vec![format!("DROP TYPE {name}")])
}

fn rename_type(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, _) = random.pick(&world.composites)?.clone();
    let bare = world.fresh("c");
    let to = name.rsplit_once('.').map_or_else(|| bare.clone(), |(schema, _)| format!("{schema}.{bare}"));
    world.composites.iter_mut().filter(|(n, _)| *n == name).for_each(|(n, _)| n.clone_from(&to));
    for column in world.tables.iter_mut().flat_map(|table| &mut table.columns) {
        if column.data_type == name {
            column.data_type.clone_from(&to);
        }
    }
    Some(vec![format!("ALTER TYPE {name} RENAME TO {bare}")])
}

/// A file whose names of a schema are found by the path of its session.
pub(super) fn by_path(file: &mut Vec<String>) {
    const VERBS: [&str; 6] =
        ["ALTER TABLE app.", "UPDATE app.", "DELETE FROM app.", "INSERT INTO app.", "DROP TABLE app.", "TRUNCATE app."];
    for sql in file.iter_mut().filter(|sql| VERBS.iter().any(|verb| sql.starts_with(verb))) {
        *sql = sql.replace("app.", "");
    }
    file.insert(0, "SET search_path TO public, app".into());
}
