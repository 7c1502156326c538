//! Tables and their columns.

use super::super::base::{new_child, new_column, new_partitioned, new_table};
use super::super::random::Random;
use super::super::world::{Column, Table, World};
use super::Change;

pub(super) const CHANGES: &[(usize, Change)] = &[
    (6, create),
    (2, partitioned),
    (1, child),
    (2, create_as),
    (4, drop),
    (3, rename),
    (2, move_to_schema),
    (24, add_column),
    (12, drop_column),
    (5, rename_column),
    (6, set_default),
    (3, drop_default),
    (7, set_not_null),
    (5, drop_not_null),
    (7, retype),
    (3, identity),
    (10, compound),
    (2, add_partition),
    (2, detach),
    (2, settings),
    (1, drop_expression),
    (1, drop_together),
    (1, comment),
];

fn create(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    Some(new_table(world, random, false))
}

fn partitioned(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    Some(new_partitioned(world, random))
}

fn child(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_child(world, random).map(|sql| vec![sql])
}

fn create_as(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let from = world.any(random)?;
    let name = world.fresh_object("t", random);
    let table = Table { name: name.clone(), columns: from.columns.clone(), key: from.key.clone(), ..Table::default() };
    world.tables.push(table);
    world.table_mut(&name)?.columns.iter_mut().for_each(|c| {
        (c.default, c.not_null, c.generated, c.references) = (false, false, false, None);
    });
    Some(vec![match random.below(3) {
        0 => format!("CREATE TABLE {name} (LIKE {} INCLUDING ALL)", from.name),
        1 => format!("SELECT * INTO {name} FROM {}", from.name),
        _ => format!("CREATE TABLE {name} AS SELECT * FROM {}", from.name),
    }])
}

fn forget(world: &mut World, name: &str) {
    world.tables.retain(|t| t.name != name && t.parent.as_deref() != Some(name));
    while let Some(at) = world.views.iter().position(|v| v.of == name || !known(world, &v.of)) {
        world.views.remove(at);
    }
}

fn known(world: &World, name: &str) -> bool {
    world.table(name).is_some() || world.views.iter().any(|v| v.name == name)
}

fn drop(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let needed = world.views.iter().any(|v| v.of == table.name)
        || world.tables.iter().any(|t| t.columns.iter().any(|c| c.references.as_deref() == Some(&table.name)));
    let cascade = if random.chance(if needed { 70 } else { 10 }) { " CASCADE" } else { "" };
    forget(world, &table.name);
    for column in world.tables.iter_mut().flat_map(|t| &mut t.columns) {
        column.references.take_if(|to| *to == table.name);
    }
    let exists = if random.chance(20) { "IF EXISTS " } else { "" };
    Some(vec![format!("DROP TABLE {exists}{}{cascade}", table.name)])
}

/// Where other things speak of a table by its name.
pub(super) fn renamed(world: &mut World, from: &str, to: &str) {
    for table in &mut world.tables {
        if table.name == from {
            table.name = to.to_owned();
        }
        if table.parent.as_deref() == Some(from) {
            table.parent = Some(to.to_owned());
        }
        for column in &mut table.columns {
            if column.references.as_deref() == Some(from) {
                column.references = Some(to.to_owned());
            }
        }
    }
    world.views.iter_mut().filter(|v| v.of == from).for_each(|v| to.clone_into(&mut v.of));
}

fn rename(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let bare = world.fresh("t");
    let schema = table.name.rsplit_once('.').map(|(schema, _)| format!("{schema}.")).unwrap_or_default();
    let to = format!("{schema}{bare}");
    renamed(world, &table.name, &to);
    let mut sql = vec![format!("ALTER TABLE {} RENAME TO {bare}", table.name)];
    if random.chance(40) {
        let columns: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let list = if random.chance(50) { "*".to_owned() } else { columns.join(", ") };
        sql.push(format!("CREATE VIEW {} AS SELECT {list} FROM {to}", table.name));
        if random.chance(50) {
            sql.push(format!("DROP VIEW {}", table.name));
        }
    }
    Some(sql)
}

fn move_to_schema(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let schema = random.pick(&world.schemas)?.clone();
    if table.name.contains('.') {
        return None;
    }
    renamed(world, &table.name, &format!("{schema}.{}", table.name));
    Some(vec![format!("ALTER TABLE {} SET SCHEMA {schema}", table.name)])
}

fn add_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (column, text) = new_column(world, &table, random, false)?;
    world.on_family(&table.name, |t| t.columns.push(column.clone()));
    let exists = if random.chance(10) { "IF NOT EXISTS " } else { "" };
    Some(vec![format!("ALTER TABLE {} ADD COLUMN {exists}{text}", table.name)])
}

pub(super) fn forget_column(world: &mut World, table: &str, column: &str) {
    world.on_family(table, |t| {
        t.columns.retain(|c| c.name != column);
        t.unique.retain(|(_, of, _)| of != column);
    });
    while let Some(at) = world.views.iter().position(|v| v.of == table && v.columns.iter().any(|c| c == column)) {
        let gone = world.views.remove(at);
        world.views.retain(|v| v.of != gone.name);
    }
}

fn drop_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.plain(random)?;
    let viewed = world.views.iter().any(|v| v.of == table.name && v.columns.contains(&column.name));
    let cascade = if random.chance(if viewed { 70 } else { 4 }) { " CASCADE" } else { "" };
    forget_column(world, &table.name, &column.name);
    Some(vec![format!("ALTER TABLE {} DROP COLUMN {}{cascade}", table.name, column.name)])
}

fn rename_column(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.plain(random)?;
    let to = table.free_name(random)?;
    world.on_family(&table.name, |t| {
        if let Some(c) = t.column_mut(&column.name) {
            c.name.clone_from(&to);
        }
        t.unique.iter_mut().filter(|(_, of, _)| *of == column.name).for_each(|(_, of, _)| of.clone_from(&to));
    });
    Some(vec![format!("ALTER TABLE {} RENAME COLUMN {} TO {to}", table.name, column.name)])
}

fn alter(
    world: &mut World,
    random: &mut Random,
    change: fn(&mut World, &Table, &mut Random) -> Option<String>,
) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let text = change(world, &table, random)?;
    Some(vec![format!("ALTER TABLE {} {text}", table.name)])
}

fn set_default(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    alter(world, random, |world, table, random| {
        let column = table.writable(random)?;
        let value = world.value(&column.data_type, 20 + random.below(5));
        world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.default = true));
        Some(format!("ALTER COLUMN {} SET DEFAULT {value}", column.name))
    })
}

fn drop_default(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    alter(world, random, |world, table, random| {
        let column = table.writable(random)?;
        world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.default = false));
        Some(format!("ALTER COLUMN {} DROP DEFAULT", column.name))
    })
}

fn set_not_null(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.writable(random)?;
    world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.not_null = true));
    let mut sql = Vec::new();
    if random.chance(80) {
        let value = world.value(&column.data_type, 30);
        let tail = if random.chance(90) { format!(" WHERE {} IS NULL", column.name) } else { String::new() };
        sql.push(format!("UPDATE {} SET {} = {value}{tail}", table.name, column.name));
    }
    sql.push(format!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", table.name, column.name));
    Some(sql)
}

fn drop_not_null(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    alter(world, random, |world, table, random| {
        let column = table.writable(random)?;
        world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.not_null = false));
        Some(format!("ALTER COLUMN {} DROP NOT NULL", column.name))
    })
}

fn retype(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    alter(world, random, |world, table, random| {
        let column = table.writable(random)?;
        let to = match column.data_type.as_str() {
            "int" => random.word(&["bigint", "text", "numeric(10,2)"]),
            "smallint" => random.word(&["int", "bigint"]),
            "bigint" => random.word(&["int", "numeric(10,2)"]),
            "text" => random.word(&["varchar(40)", "varchar(3)"]),
            "varchar(20)" => random.word(&["varchar(40)", "text", "varchar(10)"]),
            "numeric(10,2)" => random.word(&["numeric(12,2)", "int"]),
            "timestamp" => "timestamptz",
            "date" => "timestamp",
            "jsonb" => "json",
            _ => "text",
        };
        world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.data_type = to.into()));
        let using = if random.chance(40) { format!(" USING {}::{to}", column.name) } else { String::new() };
        Some(format!("ALTER COLUMN {} TYPE {to}{using}", column.name))
    })
}

fn identity(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    alter(world, random, |world, table, random| {
        let key = table.column(table.key.first()?)?.clone();
        let set = |world: &mut World, default| {
            world.on_family(&table.name, |t| t.column_mut(&key.name).into_iter().for_each(|c| c.default = default))
        };
        Some(if key.default {
            set(world, false);
            format!("ALTER COLUMN {} DROP IDENTITY IF EXISTS", key.name)
        } else {
            set(world, true);
            let always = random.word(&["BY DEFAULT", "BY DEFAULT", "ALWAYS"]);
            format!("ALTER COLUMN {} ADD GENERATED {always} AS IDENTITY (START 5000)", key.name)
        })
    })
}

/// Several changes of one table in one statement.
fn compound(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let mut parts: Vec<String> = Vec::new();
    for _ in 0..2 + random.below(3) {
        let now = world.table(&table.name)?.clone();
        match random.below(8) {
            6 => parts.push(odd(world, &now, random)?),
            0 | 1 => {
                let (column, text) = new_column(world, &now, random, false)?;
                world.on_family(&table.name, |t| t.columns.push(column.clone()));
                parts.push(format!("ADD COLUMN {text}"));
            }
            2 => {
                // Of the columns that were there: one statement cannot drop what it adds.
                let column = now.plain(random).filter(|c| table.column(&c.name).is_some())?;
                forget_column(world, &table.name, &column.name);
                parts.push(format!("DROP COLUMN {}", column.name));
            }
            3 => {
                let column = now.writable(random).filter(|c| table.column(&c.name).is_some())?;
                parts.push(format!("ALTER COLUMN {} SET DEFAULT {}", column.name, world.value(&column.data_type, 40)));
                world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.default = true));
            }
            4 => {
                let column = now.writable(random)?;
                parts.push(format!("ALTER COLUMN {} DROP NOT NULL", column.name));
                world.on_family(&table.name, |t| {
                    t.column_mut(&column.name).into_iter().for_each(|c| c.not_null = false)
                });
            }
            _ => {
                let (name, column) = (world.fresh("k"), now.writable(random)?);
                parts.push(format!("ADD CONSTRAINT {name} CHECK ({})", super::super::base::check(&column)));
                world.table_mut(&table.name)?.constraints.push(name);
            }
        }
    }
    let between = random.word(&[", ", ",\n    "]);
    Some(vec![format!("ALTER TABLE {} {}", table.name, parts.join(between))])
}

/// A sub-command with a clause that few know.
fn odd(world: &mut World, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.writable(random)?;
    let (name, c) = (world.fresh("k"), &column.name);
    let parent = world.own(random).filter(|t| t.keyed && t.key.len() == 1)?;
    Some(match random.below(9) {
        0 => format!("ADD CONSTRAINT {name} UNIQUE NULLS NOT DISTINCT (id, {c})"),
        1 => format!("ADD CONSTRAINT {name} CHECK ({c} IS NULL OR {c} IS NOT NULL) NO INHERIT"),
        2 => format!("ADD CONSTRAINT {name} UNIQUE (id, {c}) USING INDEX TABLESPACE pg_default"),
        3 => format!("ADD CONSTRAINT {name} UNIQUE (id) INCLUDE ({c}) DEFERRABLE"),
        4 => {
            let target = table.columns.iter().find(|k| k.references.as_deref() == Some(&parent.name))?;
            let (from, key) = (&target.name, &parent.key[0]);
            format!(
                "ADD CONSTRAINT {name} FOREIGN KEY ({from}) REFERENCES {} ({key}) ON DELETE SET NULL ({from})",
                parent.name
            )
        }
        5 => format!("ALTER COLUMN {c} SET (n_distinct = 5)"),
        6 => format!("ALTER COLUMN {c} SET STATISTICS 300"),
        7 => "SET (autovacuum_enabled = false, fillfactor = 80)".to_owned(),
        _ => {
            let new = table.free_name(random)?;
            let made = Column {
                name: new.clone(),
                data_type: "text".into(),
                not_null: false,
                default: false,
                generated: false,
                references: None,
            };
            world.on_family(&table.name, |t| t.columns.push(made.clone()));
            format!("ADD COLUMN {new} text COMPRESSION pglz COLLATE \"C\"")
        }
    })
}

fn add_partition(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let parents: Vec<&Table> = world.tables.iter().filter(|t| t.partitioned).collect();
    let parent = (*random.pick(&parents)?).clone();
    let name = world.fresh("p");
    let part = Table { name: name.clone(), parent: Some(parent.name.clone()), partitioned: false, ..parent.clone() };
    world.tables.push(part);
    let bounds = "FOR VALUES FROM (5000) TO (6000)";
    Some(if random.chance(50) {
        vec![format!("CREATE TABLE {name} PARTITION OF {} {bounds}", parent.name)]
    } else {
        let like = format!("CREATE TABLE {name} (LIKE {} INCLUDING ALL)", parent.name);
        vec![like, format!("ALTER TABLE {} ATTACH PARTITION {name} {bounds}", parent.name)]
    })
}

fn detach(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let parts: Vec<&Table> = world.tables.iter().filter(|t| t.parent.is_some()).collect();
    let part = (*random.pick(&parts)?).clone();
    let parent = part.parent.clone()?;
    let partitioned = world.table(&parent)?.partitioned;
    world.table_mut(&part.name)?.parent = None;
    Some(vec![if partitioned {
        format!("ALTER TABLE {parent} DETACH PARTITION {}", part.name)
    } else {
        format!("ALTER TABLE {} NO INHERIT {parent}", part.name)
    }])
}

fn settings(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.plain(random)?;
    Some(vec![match random.below(6) {
        0 => format!("ALTER TABLE {} SET (fillfactor = 70)", table.name),
        1 => format!("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS 200", table.name, column.name),
        2 => format!("ALTER TABLE {} REPLICA IDENTITY {}", table.name, random.word(&["FULL", "NOTHING", "DEFAULT"])),
        3 => format!("ALTER TABLE {} SET UNLOGGED", table.name),
        4 => format!("ALTER TABLE {} ALTER COLUMN {} SET STORAGE PLAIN", table.name, column.name),
        _ => format!("ALTER TABLE {} CLUSTER ON {}", table.name, table.given_name("pkey")),
    }])
}

fn drop_expression(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.columns.iter().find(|c| c.generated)?.name.clone();
    world.on_family(&table.name, |t| t.column_mut(&column).into_iter().for_each(|c| c.generated = false));
    Some(vec![format!("ALTER TABLE {} ALTER COLUMN {column} DROP EXPRESSION", table.name)])
}

fn drop_together(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (one, two) = (world.own(random)?, world.own(random)?);
    if one.name == two.name || world.tables.len() < 4 {
        return None;
    }
    forget(world, &one.name);
    forget(world, &two.name);
    Some(vec![format!("DROP TABLE {}, {} CASCADE", one.name, two.name)])
}

fn comment(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let column = table.plain(random)?;
    Some(vec![if random.chance(50) {
        format!("COMMENT ON COLUMN {}.{} IS 'it''s; said'", table.name, column.name)
    } else {
        format!("COMMENT ON TABLE {} IS 'a table'", table.name)
    }])
}
