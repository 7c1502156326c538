//! Constraints and indexes.

use super::super::base::{check, new_index};
use super::super::random::Random;
use super::super::world::{Table, World};
use super::Change;

pub(super) const CHANGES: &[(usize, Change)] = &[
    (8, add_check),
    (6, add_foreign_key),
    (8, add_unique),
    (6, drop_constraint),
    (2, rename_constraint),
    (10, create_index),
    (3, concurrently),
    (5, drop_index),
    (2, rename_index),
    (3, using_index),
    (3, primary_key),
    (2, index_swap),
    (2, constraint_swap),
    (1, exclusion),
    (1, deferrable),
];

fn add_check(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("k"), table.plain(random)?);
    world.table_mut(&table.name)?.constraints.push(name.clone());
    let condition = match random.below(4) {
        0 => format!("{} IS NOT NULL", column.name),
        _ => check(&column),
    };
    let mut sql = vec![format!("ALTER TABLE {} ADD CONSTRAINT {name} CHECK ({condition})", table.name)];
    if random.chance(40) {
        sql[0].push_str(" NOT VALID");
        if random.chance(60) {
            sql.push(format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", table.name));
        }
    }
    Some(sql)
}

fn add_foreign_key(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, target) = (world.own(random)?, world.own(random)?);
    let key = target.column(target.key.first().filter(|_| target.key.len() == 1)?)?.clone();
    let column = table
        .columns
        .iter()
        .find(|c| c.references.is_none() && !c.generated && ["int", "bigint"].contains(&&*c.data_type))?
        .clone();
    let name = world.fresh("k");
    let t = world.table_mut(&table.name)?;
    t.constraints.push(name.clone());
    t.column_mut(&column.name)?.references = Some(target.name.clone());
    let action = random.word(&["", "", " ON DELETE CASCADE", " ON DELETE SET NULL", " DEFERRABLE INITIALLY DEFERRED"]);
    let mut sql = Vec::new();
    if random.chance(50) {
        sql.push(format!(
            "DELETE FROM {} WHERE {} NOT IN (SELECT {} FROM {})",
            table.name, column.name, key.name, target.name
        ));
    }
    let valid = if random.chance(40) { " NOT VALID" } else { "" };
    sql.push(format!(
        "ALTER TABLE {} ADD CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {} ({}){action}{valid}",
        table.name, column.name, target.name, key.name
    ));
    if !valid.is_empty() && random.chance(60) {
        sql.push(format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", table.name));
    }
    Some(sql)
}

fn distinct(table: &Table, random: &mut Random) -> Option<String> {
    let column = table.writable(random)?;
    ["int", "bigint", "text", "varchar(20)", "uuid"].contains(&&*column.data_type).then_some(column.name)
}

fn add_unique(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("u"), distinct(&table, random)?);
    let t = world.table_mut(&table.name)?;
    t.unique.push((name.clone(), column.clone(), true));
    t.constraints.push(name.clone());
    Some(vec![format!("ALTER TABLE {} ADD CONSTRAINT {name} UNIQUE ({column})", table.name)])
}

fn drop_constraint(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let name = random.pick(&table.constraints)?.clone();
    let t = world.table_mut(&table.name)?;
    t.constraints.retain(|c| *c != name);
    t.unique.retain(|(c, _, _)| *c != name);
    let exists = if random.chance(20) { "IF EXISTS " } else { "" };
    Some(vec![format!("ALTER TABLE {} DROP CONSTRAINT {exists}{name}", table.name)])
}

fn rename_constraint(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let (name, to) = (random.pick(&table.constraints)?.clone(), world.fresh("k"));
    let t = world.table_mut(&table.name)?;
    t.constraints.iter_mut().filter(|c| **c == name).for_each(|c| c.clone_from(&to));
    t.unique.iter_mut().filter(|(c, _, _)| *c == name).for_each(|(c, _, _)| c.clone_from(&to));
    Some(vec![format!("ALTER TABLE {} RENAME CONSTRAINT {name} TO {to}", table.name)])
}

fn create_index(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    if random.chance(70) {
        return new_index(world, random).map(|sql| vec![sql]);
    }
    let table = world.own(random)?;
    let (name, column) = (world.fresh("i"), distinct(&table, random)?);
    let t = world.table_mut(&table.name)?;
    t.unique.push((name.clone(), column.clone(), false));
    t.indexes.push(name.clone());
    Some(vec![format!("CREATE UNIQUE INDEX {name} ON {} ({column})", table.name)])
}

fn concurrently(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let sql = new_index(world, random)?;
    Some(vec![sql.replacen("INDEX", "INDEX CONCURRENTLY", 1)])
}

fn drop_index(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let name = random.pick(&table.indexes)?.clone();
    let t = world.table_mut(&table.name)?;
    t.indexes.retain(|i| *i != name);
    t.unique.retain(|(i, _, _)| *i != name);
    let form = random.word(&["", "", "IF EXISTS ", "CONCURRENTLY "]);
    Some(vec![format!("DROP INDEX {form}{}", qualified(&table, &name))])
}

/// An index stands in the schema of its table.
fn qualified(table: &Table, index: &str) -> String {
    table.name.rsplit_once('.').map_or_else(|| index.to_owned(), |(schema, _)| format!("{schema}.{index}"))
}

fn rename_index(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let (name, to) = (random.pick(&table.indexes)?.clone(), world.fresh("i"));
    let t = world.table_mut(&table.name)?;
    t.indexes.iter_mut().filter(|i| **i == name).for_each(|i| i.clone_from(&to));
    Some(vec![format!("ALTER INDEX {} RENAME TO {to}", qualified(&table, &name))])
}

fn using_index(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (index, name, column) = (world.fresh("i"), world.fresh("u"), distinct(&table, random)?);
    let t = world.table_mut(&table.name)?;
    t.unique.push((name.clone(), column.clone(), true));
    t.constraints.push(name.clone());
    let how = random.word(&["", " CONCURRENTLY"]);
    Some(vec![
        format!("CREATE UNIQUE INDEX{how} {index} ON {} ({column})", table.name),
        format!("ALTER TABLE {} ADD CONSTRAINT {name} UNIQUE USING INDEX {index}", table.name),
    ])
}

/// Another primary key: the old one goes first, or the new one has its own column.
fn primary_key(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let old = table.given_name("pkey");
    let name = world.fresh("q");
    if random.chance(50) {
        let keys = table.key.join(", ");
        return Some(vec![
            format!("ALTER TABLE {} DROP CONSTRAINT {old}", table.name),
            format!("ALTER TABLE {} ADD CONSTRAINT {name} PRIMARY KEY ({keys})", table.name),
        ]);
    }
    let column = table.free_name(random)?;
    let made = super::super::world::Column {
        name: column.clone(),
        data_type: "bigint".into(),
        not_null: true,
        default: true,
        generated: false,
        references: None,
    };
    world.on_family(&table.name, |t| t.columns.push(made.clone()));
    Some(vec![
        format!("ALTER TABLE {} ADD COLUMN {column} bigint GENERATED BY DEFAULT AS IDENTITY", table.name),
        format!("ALTER TABLE {} DROP CONSTRAINT {old}, ADD CONSTRAINT {name} PRIMARY KEY ({column})", table.name),
    ])
}

fn index_swap(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let (old, new) = (random.pick(&table.indexes)?.clone(), world.fresh("i"));
    let column = table.plain(random)?;
    Some(vec![
        format!("CREATE INDEX {new} ON {} ({})", table.name, column.name),
        format!("DROP INDEX {}", qualified(&table, &old)),
        format!("ALTER INDEX {} RENAME TO {old}", qualified(&table, &new)),
    ])
}

fn constraint_swap(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let name = random.pick(&table.constraints)?.clone();
    let column = table.plain(random)?;
    let condition = check(&column);
    world.table_mut(&table.name)?.unique.retain(|(c, _, _)| *c != name);
    Some(if random.chance(50) {
        vec![format!("ALTER TABLE {} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({condition})", table.name)]
    } else {
        vec![
            format!("ALTER TABLE {} DROP CONSTRAINT {name}", table.name),
            format!("ALTER TABLE {} ADD CONSTRAINT {name} CHECK ({condition})", table.name),
        ]
    })
}

fn exclusion(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("x"), distinct(&table, random)?);
    world.table_mut(&table.name)?.constraints.push(name.clone());
    Some(vec![format!("ALTER TABLE {} ADD CONSTRAINT {name} EXCLUDE USING btree ({column} WITH =)", table.name)])
}

fn deferrable(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.columns.iter().find(|c| c.references.is_some())?;
    let name = table.given_name(&format!("{}_fkey", column.name));
    Some(vec![format!("ALTER TABLE {} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED", table.name)])
}
