//! What people write when they change something for good: several statements that belong together.

use super::super::random::Random;
use super::super::world::{Column, Table, World};
use super::Change;
use super::tables::{forget_column, renamed};

pub(super) const CHANGES: &[(usize, Change)] = &[
    (8, backfill),
    (5, new_column_in_step),
    (4, move_column),
    (3, copy_table),
    (3, split_table),
    (3, table_swap),
    (3, enum_swap),
    (3, helper),
    (2, temporary_helper),
    (2, trigger_swap),
    (2, counter),
    (2, type_by_new_column),
    (2, view_for_column),
];

pub(super) fn nullable(name: &str, data_type: &str) -> Column {
    Column {
        name: name.into(),
        data_type: data_type.into(),
        not_null: false,
        default: false,
        generated: false,
        references: None,
    }
}

/// A source column and a name for the new one.
fn source(world: &mut World, random: &mut Random) -> Option<(Table, Column, String)> {
    let table = world.own(random)?;
    let from = table.writable(random)?;
    let to = table.free_name(random)?;
    Some((table, from, to))
}

/// Added, filled, and made not null.
fn backfill(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, to) = source(world, random)?;
    let t = &table.name;
    let value = world.value(&from.data_type, 60);
    world.on_family(t, |t| t.columns.push(Column { name: to.clone(), ..nullable("", &from.data_type) }));
    let filled = format!("coalesce({}, {value})", from.name);
    let tail = match random.below(3) {
        0 => String::new(),
        _ => format!(" WHERE {to} IS NULL"),
    };
    let mut sql = vec![
        format!("ALTER TABLE {t} ADD COLUMN {to} {}", from.data_type),
        format!("UPDATE {t} SET {to} = {filled}{tail}"),
    ];
    if random.chance(60) {
        world.on_family(t, |t| t.column_mut(&to).into_iter().for_each(|c| c.not_null = true));
        sql.push(format!("ALTER TABLE {t} ALTER COLUMN {to} SET NOT NULL"));
    }
    if random.chance(40) {
        forget_column(world, t, &from.name);
        sql.push(format!("ALTER TABLE {t} DROP COLUMN {}", from.name));
    }
    Some(sql)
}

/// Another name for a column, with a trigger that keeps both in step.
fn new_column_in_step(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, to) = source(world, random)?;
    let (t, a, b, f) = (&table.name, &from.name, &to, world.fresh("g"));
    forget_column(world, t, a);
    world.on_family(t, |t| t.columns.push(Column { name: to.clone(), ..nullable("", &from.data_type) }));
    let body = format!(
        "IF TG_OP = 'INSERT' THEN NEW.{b} := coalesce(NEW.{b}, NEW.{a}); NEW.{a} := coalesce(NEW.{a}, NEW.{b}); \
         ELSIF NEW.{b} IS DISTINCT FROM OLD.{b} THEN NEW.{a} := NEW.{b}; ELSE NEW.{b} := NEW.{a}; END IF; RETURN NEW;"
    );
    let mut sql = vec![
        format!("ALTER TABLE {t} ADD COLUMN {b} {}", from.data_type),
        format!("CREATE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"),
        format!("CREATE TRIGGER {f} BEFORE INSERT OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {f}()"),
        format!("UPDATE {t} SET {b} = {a} WHERE {b} IS NULL"),
        format!("DROP TRIGGER {f} ON {t}"),
        format!("DROP FUNCTION {f}()"),
        format!("ALTER TABLE {t} DROP COLUMN {a}"),
    ];
    if random.chance(20) {
        // The function is taken away with what hangs on it.
        sql[5] = format!("DROP FUNCTION {f}() CASCADE");
        sql.remove(4);
    }
    Some(sql)
}

/// A column goes to another table.
fn move_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, _) = source(world, random)?;
    let to = world.own(random).filter(|o| o.name != table.name)?;
    let name = to.free_name(random)?;
    let (t, o, a, id, key) = (&table.name, &to.name, &from.name, &table.key[0], &to.key[0]);
    world.on_family(o, |t| t.columns.push(Column { name: name.clone(), ..nullable("", &from.data_type) }));
    forget_column(world, t, a);
    Some(vec![
        format!("ALTER TABLE {o} ADD COLUMN {name} {}", from.data_type),
        format!("UPDATE {o} SET {name} = x.{a} FROM {t} AS x WHERE x.{id} = {o}.{key}"),
        format!("ALTER TABLE {t} DROP COLUMN {a}"),
    ])
}

fn copied(world: &mut World, table: &Table) -> String {
    let name = world.fresh("t");
    let mut copy =
        Table { name: name.clone(), columns: table.columns.clone(), key: table.key.clone(), ..Table::default() };
    copy.columns.iter_mut().for_each(|c| c.references = None);
    world.tables.push(copy);
    name
}

/// All rows go to a new table, and the old one goes.
fn copy_table(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random).filter(|t| !t.partitioned && !t.columns.iter().any(|c| c.generated))?;
    let name = copied(world, &table);
    let mut sql = vec![
        format!("CREATE TABLE {name} (LIKE {} INCLUDING ALL)", table.name),
        format!("INSERT INTO {name} SELECT * FROM {}", table.name),
    ];
    if random.chance(60) {
        world.tables.retain(|t| t.name != table.name);
        world.views.retain(|v| v.of != table.name);
        sql.push(format!("DROP TABLE {} CASCADE", table.name));
    }
    Some(sql)
}

/// Some columns get a table of their own.
fn split_table(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, _) = source(world, random)?;
    let name = world.fresh("t");
    let (t, a, id) = (&table.name, &from.name, &table.key[0]);
    if table.key.len() > 1 {
        return None;
    }
    let key = Column { not_null: true, references: Some(t.clone()), ..nullable(id, &table.column(id)?.data_type) };
    let columns = vec![key.clone(), nullable(a, &from.data_type)];
    world.tables.push(Table { name: name.clone(), columns, key: vec![id.clone()], ..Table::default() });
    forget_column(world, t, a);
    Some(vec![
        format!(
            "CREATE TABLE {name} ({id} {} PRIMARY KEY REFERENCES {t} ON DELETE CASCADE, {a} {})",
            key.data_type, from.data_type
        ),
        format!("INSERT INTO {name} SELECT {id}, {a} FROM {t}"),
        format!("ALTER TABLE {t} DROP COLUMN {a}"),
    ])
}

/// A new table takes the name of the old one.
fn table_swap(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world
        .own(random)
        .filter(|t| !t.partitioned && !t.name.contains('.') && !t.columns.iter().any(|c| c.generated))?;
    let (new, old) = (world.fresh("t"), world.fresh("t"));
    let mut sql = vec![
        format!("CREATE TABLE {new} (LIKE {} INCLUDING ALL)", table.name),
        format!("INSERT INTO {new} SELECT * FROM {}", table.name),
        format!("ALTER TABLE {} RENAME TO {old}", table.name),
        format!("ALTER TABLE {new} RENAME TO {}", table.name),
    ];
    if random.chance(50) {
        sql.push(format!("DROP TABLE {old} CASCADE"));
        world.views.retain(|v| v.of != table.name);
    } else {
        let copy = Table { name: old.clone(), ..table.clone() };
        world.views.iter_mut().filter(|v| v.of == table.name).for_each(|v| v.of.clone_from(&old));
        world.tables.push(copy);
    }
    Some(sql)
}

/// A new enum in the place of an old one.
fn enum_swap(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let users: Vec<(String, String, String)> = world
        .tables
        .iter()
        .flat_map(|t| t.columns.iter().map(move |c| (t.name.clone(), c.name.clone(), c.data_type.clone())))
        .filter(|(_, _, of)| world.enums.iter().any(|(name, _)| name == of))
        .collect();
    let (t, c, of) = random.pick(&users)?.clone();
    let labels = world.enums.iter().find(|(name, _)| *name == of)?.1.clone();
    let new = world.fresh("e");
    let mut more = labels.clone();
    more.push(format!("'{}'", world.fresh("l")));
    if random.chance(40) {
        more.remove(0);
    }
    world.enums.push((new.clone(), more.clone()));
    world.on_family(&t, |t| t.column_mut(&c).into_iter().for_each(|c| c.data_type.clone_from(&new)));
    let mut sql = vec![
        format!("CREATE TYPE {new} AS ENUM ({})", more.join(", ")),
        format!("ALTER TABLE {t} ALTER COLUMN {c} DROP DEFAULT, ALTER COLUMN {c} TYPE {new} USING {c}::text::{new}"),
    ];
    if random.chance(50) {
        sql.push(format!("DROP TYPE {of}"));
        world.enums.retain(|(name, _)| *name != of);
    }
    Some(sql)
}

/// Filled from a table that was made for it.
fn helper(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, to) = source(world, random)?;
    let (t, a, id, h) = (&table.name, &from.name, &table.key[0], world.fresh("t"));
    world.on_family(t, |t| t.columns.push(Column { name: to.clone(), ..nullable("", &from.data_type) }));
    let mut sql = vec![
        format!("CREATE TABLE {h} AS SELECT {id}, {a} FROM {t}"),
        format!("ALTER TABLE {t} ADD COLUMN {to} {}", from.data_type),
        format!("UPDATE {t} SET {to} = (SELECT h.{a} FROM {h} AS h WHERE h.{id} = {t}.{id}) WHERE {to} IS NULL"),
        format!("DROP TABLE {h}"),
    ];
    if random.chance(30) {
        sql.insert(3, format!("ALTER TABLE {t} ALTER COLUMN {to} SET NOT NULL"));
        world.on_family(t, |t| t.column_mut(&to).into_iter().for_each(|c| c.not_null = true));
    }
    Some(sql)
}

fn temporary_helper(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let sql = helper(world, random)?;
    Some(sql.iter().map(|s| s.replacen("CREATE TABLE", "CREATE TEMP TABLE", 1)).collect())
}

/// One trigger in the place of another.
fn trigger_swap(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let old = random.pick(&table.triggers)?.clone();
    let mut sql = super::super::base::new_trigger(world, random)?;
    let made =
        world.tables.iter().find(|t| t.triggers.last().is_some_and(|n| sql[1].contains(&format!("TRIGGER {n} "))))?;
    if made.name != table.name {
        return None;
    }
    world.table_mut(&table.name)?.triggers.retain(|t| *t != old);
    let drop = format!("DROP TRIGGER {old} ON {}", table.name);
    sql.insert(if random.chance(50) { 0 } else { 1 }, drop);
    Some(sql)
}

/// A number that a trigger counts up, filled from the rows there are.
fn counter(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, log) = (world.own(random)?, world.own(random)?);
    let name = table.free_name(random)?;
    let f = world.fresh("g");
    let (t, o, id) = (&table.name, &log.name, &table.key[0]);
    if t == o {
        return None;
    }
    world.on_family(t, |t| {
        t.columns.push(Column { default: true, not_null: true, ..nullable(&name, "int") });
    });
    world.table_mut(o)?.triggers.push(f.clone());
    Some(vec![
        format!("ALTER TABLE {t} ADD COLUMN {name} int NOT NULL DEFAULT 0"),
        format!(
            "CREATE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE {t} SET {name} = {name} + 1 WHERE {id} = 1; RETURN NULL; END $$"
        ),
        format!("CREATE TRIGGER {f} AFTER INSERT ON {o} FOR EACH ROW EXECUTE FUNCTION {f}()"),
        format!("UPDATE {t} SET {name} = (SELECT count(*) FROM {o}) WHERE {id} = 1"),
    ])
}

/// A new column of another type, and the old name for it.
fn type_by_new_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, to) = source(world, random)?;
    let (t, a) = (&table.name, &from.name);
    if from.data_type != "int" {
        return None;
    }
    world.on_family(t, |t| t.column_mut(a).into_iter().for_each(|c| c.data_type = "bigint".into()));
    Some(vec![
        format!("ALTER TABLE {t} ADD COLUMN {to} bigint"),
        format!("UPDATE {t} SET {to} = {a}"),
        format!("ALTER TABLE {t} DROP COLUMN {a}"),
        format!("ALTER TABLE {t} RENAME COLUMN {to} TO {a}"),
    ])
}

/// A table gets another name, and a view with the old columns stands under the old one.
fn view_for_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, from, to) = source(world, random)?;
    if table.name.contains('.') {
        return None;
    }
    let (t, new) = (&table.name, world.fresh("t"));
    renamed(world, t, &new);
    world.on_family(&new, |t| t.column_mut(&from.name).into_iter().for_each(|c| c.name.clone_from(&to)));
    let named = |c: &Column| if c.name == from.name { format!("{to} AS {}", c.name) } else { c.name.clone() };
    let list: Vec<_> = table.columns.iter().map(named).collect();
    let mut sql = vec![
        format!("ALTER TABLE {t} RENAME TO {new}"),
        format!("ALTER TABLE {new} RENAME COLUMN {} TO {to}", from.name),
        format!("CREATE VIEW {t} AS SELECT {} FROM {new}", list.join(", ")),
    ];
    if random.chance(50) {
        sql.push(format!("DROP VIEW {t}"));
    }
    Some(sql)
}
