//! Statements that change rows.

use super::super::random::Random;
use super::super::world::World;
use super::Change;

pub(super) const CHANGES: &[(usize, Change)] = &[
    (6, update),
    (3, update_from),
    (4, delete),
    (4, insert),
    (4, insert_select),
    (1, truncate),
    (2, merge_like),
    (1, with_delete),
];

fn update(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.writable(random)?;
    let other = table.plain(random)?;
    let text = ["text", "varchar(20)"].contains(&&*column.data_type);
    let value = match random.below(4) {
        0 if text => format!("lower({})", column.name),
        1 if text => format!("{} || '!'", column.name),
        2 if other.data_type == column.data_type => other.name.clone(),
        3 if ["int", "bigint", "numeric(10,2)"].contains(&&*column.data_type) => format!("{} + 1", column.name),
        _ => world.value(&column.data_type, 50 + random.below(9)),
    };
    let tail = match random.below(5) {
        0 => format!(" WHERE {} IS NULL", column.name),
        1 => format!(" WHERE {} IS NOT NULL", other.name),
        2 => format!(" WHERE {} = 2", table.key[0]),
        _ => String::new(),
    };
    Some(vec![format!("UPDATE {} SET {} = {value}{tail}", table.name, column.name)])
}

fn update_from(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from) = (world.own(random)?, world.own(random)?);
    if table.name == from.name {
        return None;
    }
    let column = table.writable(random)?;
    let same = |c: &&super::super::world::Column| c.data_type == column.data_type;
    let source = from.columns.iter().find(same)?;
    Some(vec![format!(
        "UPDATE {} AS x SET {} = y.{} FROM {} AS y WHERE y.{} = x.{}",
        table.name, column.name, source.name, from.name, from.key[0], table.key[0]
    )])
}

fn delete(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.plain(random)?;
    let tail = match random.below(4) {
        0 => format!("{} IS NULL", column.name),
        1 => format!("{} = {}", column.name, world.value_for(&column, 2)),
        2 => format!("{} > 2", table.key[0]),
        _ => format!("{} = 3", table.key[0]),
    };
    Some(vec![format!("DELETE FROM {} WHERE {tail}", table.name)])
}

fn insert(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let written: Vec<_> =
        table.columns.iter().filter(|c| !c.generated && (c.not_null && !c.default || random.chance(60))).collect();
    if written.is_empty() {
        return None;
    }
    let names: Vec<_> = written.iter().map(|c| c.name.as_str()).collect();
    let key = |c: &&&super::super::world::Column| table.key.contains(&c.name);
    let value = |c: &&super::super::world::Column| if key(&c) { "500".to_owned() } else { world.value_for(c, 51) };
    let values: Vec<_> = written.iter().map(value).collect();
    let conflict = random.word(&["", "", " ON CONFLICT DO NOTHING"]);
    Some(vec![format!("INSERT INTO {} ({}) VALUES ({}){conflict}", table.name, names.join(", "), values.join(", "))])
}

fn insert_select(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from) = (world.own(random)?, world.own(random)?);
    if table.name == from.name {
        return None;
    }
    let mut pairs = Vec::new();
    for column in table.columns.iter().filter(|c| !c.generated) {
        if table.key.first() == Some(&column.name) {
            pairs.push((column.name.clone(), format!("y.{} + 700", from.key[0])));
        } else if let Some(source) = from.columns.iter().find(|c| c.data_type == column.data_type && random.chance(70))
        {
            pairs.push((column.name.clone(), format!("y.{}", source.name)));
        } else if column.not_null && !column.default {
            pairs.push((column.name.clone(), world.value_for(column, 52)));
        }
    }
    let (into, what): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let tail = match random.below(3) {
        0 => format!(
            " WHERE NOT EXISTS (SELECT FROM {} AS x WHERE x.{} = y.{} + 700)",
            table.name, table.key[0], from.key[0]
        ),
        1 => " ON CONFLICT DO NOTHING".to_owned(),
        _ => String::new(),
    };
    Some(vec![format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} AS y{tail}",
        table.name,
        into.join(", "),
        what.join(", "),
        from.name
    )])
}

fn truncate(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    Some(vec![format!("TRUNCATE {}{}", table.name, random.word(&["", " CASCADE"]))])
}

/// Rows that stand twice go.
fn merge_like(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.writable(random)?;
    let (t, c, id) = (&table.name, &column.name, &table.key[0]);
    Some(vec![match random.below(2) {
        0 => format!("DELETE FROM {t} AS x USING {t} AS y WHERE x.{id} > y.{id} AND x.{c} = y.{c}"),
        _ => format!(
            "MERGE INTO {t} AS x USING (SELECT {id} AS k FROM {t}) AS y ON x.{id} = y.k WHEN MATCHED AND x.{c} IS NULL THEN UPDATE SET {c} = {}",
            world.value_for(&column, 53)
        ),
    }])
}

fn with_delete(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, archive) = (world.own(random)?, world.fresh("t"));
    let copy = super::super::world::Table { name: archive.clone(), ..table.clone() };
    world.tables.push(copy);
    let (t, id) = (&table.name, &table.key[0]);
    Some(vec![
        format!("CREATE TABLE {archive} (LIKE {t})"),
        format!("WITH gone AS (DELETE FROM {t} WHERE {id} = 3 RETURNING *) INSERT INTO {archive} SELECT * FROM gone"),
    ])
}
