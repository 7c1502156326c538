//! What fewer people write: procedures, event triggers, statement triggers, keys of several columns, functions in expressions, words for the
//! planner, and statements about what may not be there.

use super::super::random::Random;
use super::super::server::ROLE;
use super::super::world::{Column, Function, Table, World};
use super::Change;
use super::idioms::nullable;

pub(super) const CHANGES: &[(usize, Change)] = &[
    (4, procedure),
    (2, event_trigger),
    (5, statement_trigger),
    (4, wide_key),
    (4, deferrable_key),
    (6, called),
    (3, policy_by_query),
    (4, block),
    (4, worded),
    (3, upsert),
    (3, joined),
    (3, merge),
    (3, inheritance),
    (3, attached),
    (4, beside),
    (3, typed),
    (2, exclusion),
];

fn same_type(table: &Table, other: &Table, random: &mut Random) -> Option<(String, String)> {
    let column = table.writable(random)?;
    let from = other.columns.iter().find(|c| c.data_type == column.data_type)?;
    Some((column.name, from.name.clone()))
}

fn procedure(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("f"), table.writable(random)?);
    let value = world.value_for(&column, 40);
    let body = format!("UPDATE {} SET {c} = {value} WHERE {c} IS NULL", table.name, c = column.name);
    let made = match random.below(2) {
        0 => format!("CREATE PROCEDURE {name}() LANGUAGE sql AS $$ {body} $$"),
        _ => format!("CREATE PROCEDURE {name}() LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"),
    };
    let word =
        random.word(&["", "-- cutover: before it fills what green reads\n", "-- cutover: after it is for green\n"]);
    let mut sql = vec![made, format!("{word}CALL {name}()")];
    if random.chance(60) {
        sql.push(format!("DROP PROCEDURE {name}()"));
    }
    Some(sql)
}

fn event_trigger(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, function) = (world.fresh("w"), world.fresh("g"));
    let mut sql = vec![
        format!("CREATE FUNCTION {function}() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$"),
        format!("CREATE EVENT TRIGGER {name} ON ddl_command_end EXECUTE FUNCTION {function}()"),
    ];
    sql.extend(match random.below(4) {
        0 => vec![format!("ALTER EVENT TRIGGER {name} DISABLE")],
        1 => vec![format!("DROP EVENT TRIGGER {name}"), format!("DROP FUNCTION {function}()")],
        2 => vec![format!("DROP FUNCTION {function}() CASCADE")],
        _ => Vec::new(),
    });
    Some(sql)
}

/// One that sees all rows of a statement.
fn statement_trigger(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, other) = (world.own(random)?, world.own(random).filter(|t| !t.partitioned)?);
    if table.name == other.name {
        return None;
    }
    let (function, trigger, column) = (world.fresh("g"), world.fresh("g"), other.writable(random)?);
    let value = world.value_for(&column, 9);
    let (event, rows, which) = match random.below(3) {
        0 => ("INSERT", "NEW", "new"),
        1 => ("UPDATE", "OLD", "old"),
        _ => ("DELETE", "OLD", "old"),
    };
    let (o, c, key, id) = (&other.name, &column.name, &other.key[0], &table.key[0]);
    let body = format!("UPDATE {o} SET {c} = {value} WHERE {key} IN (SELECT {id} FROM {which}_rows); RETURN NULL;");
    world.functions.push(Function { name: function.clone(), arguments: Vec::new(), set: false, trigger: true });
    world.table_mut(&table.name)?.triggers.push(trigger.clone());
    Some(vec![
        format!("CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"),
        format!(
            "CREATE TRIGGER {trigger} AFTER {event} ON {} REFERENCING {rows} TABLE AS {which}_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
            table.name
        ),
    ])
}

/// A foreign key of two columns.
fn wide_key(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let target = { &world.tables }.iter().find(|t| t.key.len() == 2 && t.keyed && t.parent.is_none())?.clone();
    let table = world.own(random).filter(|t| t.name != target.name)?;
    let (a, b) = (table.free_name(random)?, "part".to_owned());
    if table.column(&b).is_some() {
        return None;
    }
    let name = world.fresh("k");
    let first = target.column(&target.key[0])?.data_type.clone();
    world.on_family(&table.name, |t| t.columns.extend([nullable(&a, &first), nullable(&b, "int")]));
    world.table_mut(&table.name)?.constraints.push(name.clone());
    let action = match random.below(5) {
        0 => " MATCH FULL".to_owned(),
        1 => format!(" ON DELETE SET NULL ({b})"),
        2 => " ON DELETE SET DEFAULT".to_owned(),
        3 => " ON DELETE CASCADE ON UPDATE CASCADE".to_owned(),
        _ => String::new(),
    };
    Some(vec![
        format!("ALTER TABLE {} ADD COLUMN {a} {first}, ADD COLUMN {b} int", table.name),
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {name} FOREIGN KEY ({a}, {b}) REFERENCES {} ({}){action}",
            table.name,
            target.name,
            target.key.join(", ")
        ),
    ])
}

fn deferrable_key(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("u"), table.writable(random)?);
    if !["int", "bigint", "text", "uuid"].contains(&&*column.data_type) {
        return None;
    }
    let t = world.table_mut(&table.name)?;
    t.unique.push((name.clone(), column.name.clone(), true));
    t.constraints.push(name.clone());
    let when = random.word(&["", " INITIALLY DEFERRED"]);
    Some(vec![format!("ALTER TABLE {} ADD CONSTRAINT {name} UNIQUE ({}) DEFERRABLE{when}", table.name, column.name)])
}

/// A function that a default, a check, an index or a generated column calls; now and then it goes again.
fn called(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (f, c, made) = (world.fresh("f"), table.writable(random)?, table.free_name(random)?);
    let number = ["int", "bigint", "smallint"].contains(&&*c.data_type);
    if !number && !["text", "varchar(20)"].contains(&&*c.data_type) {
        return None;
    }
    let (of, body) = if number { ("bigint", "SELECT $1 + 1") } else { ("text", "SELECT lower($1)") };
    let kind = random.word(&["IMMUTABLE", "IMMUTABLE", "STABLE", "VOLATILE"]);
    let (t, column) = (&table.name, &c.name);
    let (k, i) = (world.fresh("k"), world.fresh("i"));
    let used = match random.below(6) {
        0 => format!("ALTER TABLE {t} ALTER COLUMN {column} SET DEFAULT {f}({})", world.value(&c.data_type, 5)),
        1 => format!("ALTER TABLE {t} ADD CONSTRAINT {k} CHECK ({f}({column}) IS NOT NULL OR {column} IS NULL)"),
        2 => format!("CREATE INDEX {i} ON {t} ({f}({column}))"),
        3 => format!("CREATE INDEX {i} ON {t} ({column}) WHERE {f}({column}) IS NOT NULL"),
        4 => format!("ALTER TABLE {t} ADD COLUMN {made} {of} GENERATED ALWAYS AS ({f}({column})) STORED"),
        _ => format!("ALTER TABLE {t} ADD COLUMN {made} {of} DEFAULT {f}({})", world.value(of, 5)),
    };
    if used.contains(&format!(" {made} {of}")) {
        let column = Column {
            name: made.clone(),
            data_type: of.into(),
            not_null: false,
            default: !used.contains("GENERATED"),
            generated: used.contains("GENERATED"),
            references: None,
        };
        world.on_family(t, |t| t.columns.push(column.clone()));
    }
    let language = random.word(&["sql", "sql", "plpgsql"]);
    let body = if language == "sql" { body.to_owned() } else { format!("BEGIN RETURN ({body}); END") };
    let mut sql =
        vec![format!("CREATE FUNCTION {f}({of}) RETURNS {of} LANGUAGE {language} {kind} AS $$ {body} $$"), used];
    if random.chance(25) {
        sql.push(format!("DROP FUNCTION {f}({of}){}", random.word(&["", " CASCADE"])));
    }
    Some(sql)
}

fn policy_by_query(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, other) = (world.own(random)?, world.own(random)?);
    let (name, column) = (world.fresh("y"), other.plain(random)?.name);
    world.table_mut(&table.name)?.policies.push(name.clone());
    let (t, o) = (&table.name, &other.name);
    Some(vec![format!(
        "CREATE POLICY {name} ON {t} USING (EXISTS (SELECT 1 FROM {o} AS x WHERE x.{column} IS NOT NULL OR x.{} = {}))",
        other.key[0], table.key[0]
    )])
}

fn block(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (column, made) = (table.writable(random)?, table.free_name(random)?);
    let (t, value) = (&table.name, world.value_for(&column, 41));
    Some(vec![match random.below(4) {
        0 => format!("DO $$ BEGIN UPDATE {t} SET {c} = {value} WHERE {c} IS NULL; END $$", c = column.name),
        1 => {
            let new = Column { name: made.clone(), data_type: "int".into(), not_null: false, ..column };
            world.on_family(t, |t| t.columns.push(new.clone()));
            format!(
                "DO $$ BEGIN ALTER TABLE {t} ADD COLUMN {made} int; EXCEPTION WHEN duplicate_column THEN NULL; END $$"
            )
        }
        2 => format!("DO $$ BEGIN IF EXISTS (SELECT FROM {t}) THEN RAISE NOTICE 'rows'; END IF; END $$"),
        _ => format!("DO $$ BEGIN EXECUTE 'COMMENT ON TABLE {t} IS ''x'''; END $$"),
    }])
}

/// A statement that its author has placed.
fn worded(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let column = table.writable(random)?;
    let (t, c, value) = (&table.name, &column.name, world.value_for(&column, 42));
    let word = random.word(&["before", "after"]);
    Some(vec![match random.below(3) {
        0 => format!("-- cutover: {word} it is known to be right\nUPDATE {t} SET {c} = {value} WHERE {c} IS NULL"),
        1 => format!(
            "-- cutover: {word} nobody waits\nDO $$ BEGIN UPDATE {t} SET {c} = {value} WHERE {c} IS NULL; END $$"
        ),
        _ => format!("-- cutover: {word} for the planner\nANALYZE {t}"),
    }])
}

fn upsert(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random).filter(|t| t.keyed)?;
    let columns: Vec<&Column> = table.columns.iter().filter(|c| !c.generated).collect();
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let values: Vec<String> = columns.iter().map(|c| world.value_for(c, 2)).collect();
    let set = table.writable(random)?.name;
    Some(vec![format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {set} = EXCLUDED.{set}",
        table.name,
        names.join(", "),
        values.join(", "),
        table.key.join(", ")
    )])
}

fn joined(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, other) = (world.own(random)?, world.own(random)?);
    let (to, from) = same_type(&table, &other, random)?;
    let (t, o, id, key) = (&table.name, &other.name, &table.key[0], &other.key[0]);
    let must: Vec<&Column> =
        table.columns.iter().filter(|c| c.not_null && !c.default && c.name != *id && c.name != to).collect();
    let names: String = must.iter().map(|c| format!(", {}", c.name)).collect();
    let values: String = must.iter().map(|c| format!(", {}", world.value_for(c, 3))).collect();
    Some(vec![format!(
        "INSERT INTO {t} ({id}, {to}{names}) SELECT y.{key} + 700, y.{from}{values} FROM {o} AS y LEFT JOIN {t} AS x ON x.{id} = y.{key} WHERE x.{id} IS NOT NULL"
    )])
}

fn merge(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, other) = (world.own(random)?, world.own(random)?);
    let (to, from) = same_type(&table, &other, random)?;
    let (t, o, id, key) = (&table.name, &other.name, &table.key[0], &other.key[0]);
    let tail = match random.below(3) {
        0 => "WHEN MATCHED THEN DELETE".to_owned(),
        1 => format!("WHEN MATCHED AND y.{from} IS NULL THEN DO NOTHING WHEN MATCHED THEN UPDATE SET {to} = y.{from}"),
        _ => format!("WHEN NOT MATCHED THEN INSERT ({id}, {to}) VALUES (y.{key}, y.{from})"),
    };
    Some(vec![format!("MERGE INTO {t} AS x USING {o} AS y ON x.{id} = y.{key} {tail}")])
}

fn inheritance(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let child = { &world.tables }
        .iter()
        .find(|t| t.parent.as_ref().and_then(|p| world.table(p)).is_some_and(|p| !p.partitioned));
    if let Some(child) = child.cloned()
        && random.chance(60)
    {
        world.table_mut(&child.name)?.parent = None;
        return Some(vec![format!("ALTER TABLE {} NO INHERIT {}", child.name, child.parent?)]);
    }
    let parent = world.own(random).filter(|t| !t.partitioned)?;
    let name = world.fresh("h");
    let heir =
        Table { name: name.clone(), columns: parent.columns.clone(), key: parent.key.clone(), ..Table::default() };
    world.tables.push(Table { parent: Some(parent.name.clone()), ..heir });
    Some(vec![
        format!("CREATE TABLE {name} (LIKE {} INCLUDING ALL)", parent.name),
        format!("ALTER TABLE {name} INHERIT {}", parent.name),
    ])
}

/// A table becomes a partition; now and then where another is already.
fn attached(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let whole = { &world.tables }.iter().find(|t| t.partitioned)?.clone();
    let name = world.fresh("p");
    let from = random.word(&["5000", "7000", "900"]);
    world.tables.push(Table {
        name: name.clone(),
        parent: Some(whole.name.clone()),
        partitioned: false,
        ..whole.clone()
    });
    Some(vec![
        format!("CREATE TABLE {name} (LIKE {} INCLUDING ALL)", whole.name),
        format!("ALTER TABLE {} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO (9000)", whole.name),
    ])
}

/// What is said of an object, that may not be there.
fn beside(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let (t, c) = (&table.name, table.plain(random)?.name);
    let function = random.pick(&world.functions).map(|f| format!("{}({})", f.name, f.arguments.join(", ")));
    let of_type = random.pick(&world.enums).map(|(name, _)| name.clone());
    let x = world.fresh("x");
    let absent = random.chance(15);
    let name = |name: Option<String>| if absent { Some("absent".to_owned()) } else { name };
    Some(match random.below(10) {
        0 => vec![format!("COMMENT ON COLUMN {t}.{c} IS 'x'")],
        1 => vec![format!("COMMENT ON FUNCTION {} IS 'x'", function.filter(|_| !absent)?)],
        2 => vec![format!("COMMENT ON TYPE {} IS 'x'", name(of_type)?)],
        3 => vec![format!("GRANT SELECT ({c}) ON {t} TO {ROLE}")],
        4 => vec![format!("GRANT EXECUTE ON FUNCTION {} TO {ROLE}", function.filter(|_| !absent)?)],
        5 => vec![format!("GRANT USAGE ON TYPE {} TO {ROLE}", name(of_type)?)],
        6 => vec![format!("GRANT USAGE ON SCHEMA {} TO {ROLE}", name(random.pick(&world.schemas).cloned())?)],
        7 => vec![format!("COMMENT ON CONSTRAINT {} ON {t} IS 'x'", name(random.pick(&table.constraints).cloned())?)],
        8 => vec![
            format!("CREATE STATISTICS {x} ON {}, {c} FROM {t}", table.key[0]),
            format!("ALTER STATISTICS {x} SET STATISTICS 50"),
            format!("DROP STATISTICS {x}"),
        ],
        _ => vec![format!("ALTER PUBLICATION {} ADD TABLE {t}", name(random.pick(&world.publications).cloned())?)],
    })
}

/// Expressions whose types may not go together.
fn typed(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (a, b) = (table.writable(random)?, table.writable(random)?);
    let (t, a, b, k, i) = (&table.name, &a.name, &b.name, world.fresh("k"), world.fresh("i"));
    Some(vec![match random.below(6) {
        0 => format!("ALTER TABLE {t} ADD CONSTRAINT {k} CHECK ({a} = {b} OR {a} IS NULL) NOT VALID"),
        1 => format!("CREATE INDEX {i} ON {t} ((coalesce({a}, {b})))"),
        2 => format!("CREATE INDEX {i} ON {t} ({a}) WHERE {b} IS NOT NULL"),
        3 => format!("CREATE INDEX {i} ON {t} (({a}::text))"),
        4 => format!("ALTER TABLE {t} ALTER COLUMN {a} TYPE text USING {b}::text"),
        _ => format!("ALTER TABLE {t} ALTER COLUMN {a} SET DEFAULT nullif(1, 2)"),
    }])
}

fn exclusion(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (name, column) = (world.fresh("x"), table.writable(random)?);
    let with = random.word(&["=", "<>", "="]);
    world.table_mut(&table.name)?.constraints.push(name.clone());
    let filter = match random.below(3) {
        0 => format!(" WHERE ({} IS NOT NULL)", column.name),
        _ => String::new(),
    };
    let when = random.word(&["", " DEFERRABLE INITIALLY DEFERRED"]);
    Some(vec![format!(
        "ALTER TABLE {} ADD CONSTRAINT {name} EXCLUDE USING btree ({} WITH {with}){filter}{when}",
        table.name, column.name
    )])
}
