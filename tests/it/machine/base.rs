//! What is there before the release: tables with rows, and what stands on them.

use super::random::Random;
use super::server::ROLE;
use super::world::{Column, Function, Table, View, World};

/// How many rows a table begins with.
pub(super) const ROWS: usize = 3;

/// Makes a base.
pub(super) fn base(random: &mut Random) -> (World, Vec<String>) {
    let (mut world, mut sql) = (World::default(), Vec::new());
    if random.chance(15) {
        world.role = true;
        sql.push(format!("GRANT USAGE ON SCHEMA public TO {ROLE}"));
        let of = |what| format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON {what} TO {ROLE}");
        sql.extend(["TABLES", "SEQUENCES", "SCHEMAS"].map(of));
    }
    if random.chance(30) {
        world.schemas.push("app".into());
        sql.push("CREATE SCHEMA app".into());
    }
    if random.chance(40) {
        sql.push(new_enum(&mut world, random));
    }
    if random.chance(30) {
        sql.push(new_domain(&mut world, random));
    }
    if random.chance(15) {
        sql.push(new_composite(&mut world, random));
    }
    if random.chance(20) {
        sql.push(new_sequence(&mut world, random));
    }
    for _ in 0..2 + random.below(2) {
        let made = new_table(&mut world, random, true);
        sql.extend(made);
    }
    if random.chance(20) {
        sql.extend(new_partitioned(&mut world, random));
    }
    if random.chance(12)
        && let Some(child) = new_child(&mut world, random)
    {
        sql.push(child);
    }
    for table in world.tables.clone() {
        sql.extend(rows(&world, &table));
    }
    for _ in 0..random.below(3) {
        sql.extend(new_index(&mut world, random));
    }
    for _ in 0..random.below(3) {
        sql.extend(new_view(&mut world, random));
    }
    if random.chance(45) {
        sql.extend(new_function(&mut world, random));
    }
    if random.chance(35) {
        sql.extend(new_trigger(&mut world, random).into_iter().flatten());
    }
    if random.chance(if world.role { 50 } else { 8 }) {
        sql.extend(new_policy(&mut world, random).into_iter().flatten());
    }
    if random.chance(10) {
        sql.extend(new_publication(&mut world, random));
    }
    (world, sql)
}

pub(super) fn new_enum(world: &mut World, random: &mut Random) -> String {
    let name = world.fresh_object("e", random);
    let labels: Vec<String> = ["'new'", "'open'", "'done'"].iter().map(|l| (*l).to_owned()).collect();
    world.enums.push((name.clone(), labels.clone()));
    format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
}

pub(super) fn new_domain(world: &mut World, random: &mut Random) -> String {
    let name = world.fresh_object("d", random);
    let (of, check) = match random.below(3) {
        0 => ("text", " CHECK (VALUE <> '')"),
        1 => ("int", " CHECK (VALUE >= 0)"),
        _ => ("text", ""),
    };
    world.domains.push((name.clone(), of.to_owned()));
    format!("CREATE DOMAIN {name} AS {of}{check}")
}

pub(super) fn new_composite(world: &mut World, random: &mut Random) -> String {
    let name = world.fresh_object("c", random);
    let texts: Vec<String> = (0..1 + random.below(2)).map(|n| format!("y{n}")).collect();
    let written: String = texts.iter().map(|text| format!(", {text} text")).collect();
    world.composites.push((name.clone(), std::iter::once("x".to_owned()).chain(texts).collect()));
    format!("CREATE TYPE {name} AS (x int{written})")
}

pub(super) fn new_sequence(world: &mut World, random: &mut Random) -> String {
    let name = world.fresh_object("s", random);
    world.sequences.push(name.clone());
    format!("CREATE SEQUENCE {name} START {}", 100 + random.below(9))
}

/// A column with its text.
pub(super) fn new_column(
    world: &mut World,
    table: &Table,
    random: &mut Random,
    base: bool,
) -> Option<(Column, String)> {
    let name = table.free_name(random)?;
    let data_type = world.any_type(random);
    let mut column = Column { name, data_type, not_null: false, default: false, generated: false, references: None };
    let of_number = table.columns.iter().find(|c| c.data_type == "int");
    let of_text = table.columns.iter().find(|c| c.data_type == "text");
    let tail = match random.below(20) {
        0..=7 => String::new(),
        8..=10 => {
            column.default = true;
            format!(" DEFAULT {}", world.value(&column.data_type, 7))
        }
        11 | 12 => {
            (column.default, column.not_null) = (true, true);
            format!(" NOT NULL DEFAULT {}", world.value(&column.data_type, 8))
        }
        13 | 14 if base => {
            column.not_null = true;
            " NOT NULL".to_owned()
        }
        15 if of_number.is_some() || of_text.is_some() => {
            column.generated = true;
            match (of_number, of_text) {
                (Some(number), _) => {
                    column.data_type = "int".into();
                    format!(" GENERATED ALWAYS AS ({} + 1) STORED", number.name)
                }
                (_, Some(text)) => {
                    column.data_type = "text".into();
                    format!(" GENERATED ALWAYS AS (upper({})) STORED", text.name)
                }
                _ => return None,
            }
        }
        16 => {
            column.data_type = "timestamptz".into();
            column.default = true;
            " DEFAULT now()".to_owned()
        }
        17 => {
            (column.data_type, column.not_null, column.default) = ("int".into(), true, true);
            " GENERATED BY DEFAULT AS IDENTITY (START 500)".to_owned()
        }
        18 | 19 => {
            let targets: Vec<&Table> =
                world.tables.iter().filter(|t| t.keyed && t.key.len() == 1 && t.parent.is_none()).collect();
            let target = random.pick(&targets)?;
            let keyed = target.column(&target.key[0]).map(|c| c.data_type.clone()).unwrap_or_default();
            column.data_type = keyed;
            column.references = Some(target.name.clone());
            let action = random.word(&["", "", "", " ON DELETE CASCADE", " ON DELETE SET NULL"]);
            format!(" REFERENCES {}{action}", target.name)
        }
        _ => String::new(),
    };
    let text = format!("{} {}{tail}", column.name, column.data_type);
    Some((column, text))
}

/// A table, and its text.
pub(super) fn new_table(world: &mut World, random: &mut Random, base: bool) -> Vec<String> {
    let mut table = Table { name: world.fresh_object("t", random), ..Table::default() };
    let key = Column {
        name: "id".into(),
        data_type: random.word(&["int", "int", "bigint"]).into(),
        not_null: true,
        default: false,
        generated: false,
        references: None,
    };
    let mut parts = vec![format!("id {} NOT NULL", key.data_type)];
    match random.below(6) {
        0 => parts[0].push_str(" GENERATED BY DEFAULT AS IDENTITY (START 500)"),
        1 => parts[0] = format!("id {}", if key.data_type == "int" { "serial" } else { "bigserial" }),
        _ => {}
    }
    table.columns.push(Column { default: parts[0].contains("IDENTITY"), ..key });
    table.key = vec!["id".into()];
    if random.chance(15) {
        let sub = Column {
            name: "sub".into(),
            data_type: "int".into(),
            not_null: true,
            default: false,
            ..table.columns[0].clone()
        };
        table.columns.push(sub);
        parts.push("sub int NOT NULL".into());
        table.key.push("sub".into());
    }
    for _ in 0..2 + random.below(3) {
        if let Some((column, text)) = new_column(world, &table, random, base) {
            table.columns.push(column);
            parts.push(text);
        }
    }
    if random.chance(92) {
        table.keyed = true;
        parts.push(format!("PRIMARY KEY ({})", table.key.join(", ")));
    }
    if random.chance(25)
        && let Some(column) = table.writable(random).filter(|c| !["boolean", "jsonb"].contains(&&*c.data_type))
        && !world.enums.iter().any(|(name, _)| *name == column.data_type)
    {
        let name = world.fresh("u");
        parts.push(format!("CONSTRAINT {name} UNIQUE ({})", column.name));
        table.unique.push((name.clone(), column.name.clone(), true));
        table.constraints.push(name);
    }
    if random.chance(15)
        && let Some(column) = table.writable(random)
    {
        let name = world.fresh("k");
        parts.push(format!("CONSTRAINT {name} CHECK ({})", check(&column)));
        table.constraints.push(name);
    }
    let sql = format!("CREATE TABLE {} ({})", table.name, parts.join(", "));
    world.tables.push(table);
    vec![sql]
}

/// A condition that most rows fulfil.
pub(super) fn check(column: &Column) -> String {
    match column.data_type.split('(').next().unwrap_or_default() {
        "int" | "bigint" | "numeric" | "smallint" => format!("{} > -5", column.name),
        "text" | "varchar" => format!("{} <> 'none'", column.name),
        _ if column.not_null => format!("{} IS NOT NULL", column.name),
        _ => format!("{0} IS NULL OR {0} IS NOT NULL", column.name),
    }
}

pub(super) fn new_partitioned(world: &mut World, random: &mut Random) -> Vec<String> {
    let name = world.fresh_object("p", random);
    let column = |name: &str, data_type: &str, not_null| Column {
        name: name.into(),
        data_type: data_type.into(),
        not_null,
        default: false,
        generated: false,
        references: None,
    };
    let columns = vec![column("id", "int", true), column("note", "text", false), column("a", "int", false)];
    let table = Table {
        name: name.clone(),
        columns,
        key: vec!["id".into()],
        partitioned: true,
        keyed: true,
        ..Table::default()
    };
    let mut sql = vec![format!("CREATE TABLE {name} (id int PRIMARY KEY, note text, a int) PARTITION BY RANGE (id)")];
    world.tables.push(table.clone());
    for (from, to) in [("MINVALUE", "1000"), ("1000", "5000")] {
        let part = world.fresh("p");
        sql.push(format!("CREATE TABLE {part} PARTITION OF {name} FOR VALUES FROM ({from}) TO ({to})"));
        world.tables.push(Table { name: part, parent: Some(name.clone()), partitioned: false, ..table.clone() });
        if random.chance(30) {
            sql.pop();
            let part = &mut world.tables.last_mut().unwrap().name;
            sql.push(format!("CREATE TABLE {part} PARTITION OF {name} DEFAULT"));
            break;
        }
    }
    sql
}

pub(super) fn new_child(world: &mut World, random: &mut Random) -> Option<String> {
    let parent = world.own(random).filter(|t| !t.partitioned)?;
    let name = world.fresh("h");
    let mut child = Table { name: name.clone(), parent: Some(parent.name.clone()), ..parent.clone() };
    child.columns.push(Column {
        name: "own".into(),
        data_type: "int".into(),
        not_null: false,
        default: false,
        generated: false,
        references: None,
    });
    (child.unique, child.indexes, child.constraints) = Default::default();
    world.tables.push(child);
    Some(format!("CREATE TABLE {name} (own int) INHERITS ({})", parent.name))
}

/// Rows for a table; those of a parent with partitions go there.
fn rows(world: &World, table: &Table) -> Vec<String> {
    let is_partition = |t: &Table| t.parent.as_ref().and_then(|p| world.table(p)).is_some_and(|p| p.partitioned);
    if is_partition(table) {
        return Vec::new();
    }
    let written: Vec<&Column> = table.columns.iter().filter(|c| !c.generated).collect();
    let names: Vec<&str> = written.iter().map(|c| c.name.as_str()).collect();
    let first = if table.parent.is_some() { 100 } else { 1 };
    let row = |n: usize| {
        let own = |c: &&Column| match c {
            c if c.not_null || table.key.contains(&c.name) || !n.is_multiple_of(3) => world.value_for(c, n),
            _ => "NULL".to_owned(),
        };
        format!("({})", written.iter().map(own).collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = (first..first + ROWS).map(row).collect();
    vec![format!("INSERT INTO {} ({}) VALUES {}", table.name, names.join(", "), rows.join(", "))]
}

pub(super) fn new_index(world: &mut World, random: &mut Random) -> Option<String> {
    let table = world.any(random)?;
    let column = table.plain(random).filter(|c| c.data_type != "jsonb")?;
    let name = world.fresh("i");
    let (unique, kept) = (random.chance(25), table.name.clone());
    let (kind, form) = match random.below(6) {
        0 if matches!(&*column.data_type, "text" | "varchar(20)") => (false, format!("lower({})", column.name)),
        1 => (false, format!("{}) WHERE ({} IS NOT NULL", column.name, column.name)),
        _ => (unique, column.name.clone()),
    };
    let table = world.table_mut(&kept)?;
    table.indexes.push(name.clone());
    if kind {
        table.unique.push((name.clone(), column.name.clone(), false));
    }
    Some(format!("CREATE {}INDEX {name} ON {kept} ({form})", if kind { "UNIQUE " } else { "" }))
}

pub(super) fn new_view(world: &mut World, random: &mut Random) -> Option<String> {
    let name = world.fresh_object("v", random);
    if let Some(under) = random.pick(&world.views).cloned()
        && random.chance(25)
    {
        let columns = under.columns.clone();
        world.views.push(View {
            name: name.clone(),
            columns: columns.clone(),
            of: under.name.clone(),
            materialized: false,
        });
        return Some(format!("CREATE VIEW {name} AS SELECT {} FROM {}", columns.join(", "), under.name));
    }
    let table = world.any(random)?;
    let mut columns = table.key.clone();
    columns.extend(table.plain(random).map(|c| c.name));
    if random.chance(40) {
        let more = table.plain(random).map(|c| c.name).filter(|c| !columns.contains(c));
        columns.extend(more);
    }
    let materialized = random.chance(12);
    let (list, named) = match random.below(5) {
        0 => ("*".to_owned(), table.columns.iter().map(|c| c.name.clone()).collect()),
        _ => (columns.join(", "), columns),
    };
    let tail = match random.below(6) {
        0 if list != "*" => format!(" WHERE {} IS NOT NULL", named.last()?),
        _ => String::new(),
    };
    let kind = if materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    world.views.push(View { name: name.clone(), columns: named, of: table.name.clone(), materialized });
    Some(format!("CREATE {kind} {name} AS SELECT {list} FROM {}{tail}", table.name))
}

pub(super) fn new_function(world: &mut World, random: &mut Random) -> Option<String> {
    let name = world.fresh_object("f", random);
    let table = world.any(random)?;
    let column = table.plain(random)?;
    let key = table.column(table.key.first()?)?.data_type.clone();
    let (t, c, id) = (&table.name, &column.name, &table.key[0]);
    let mut function = Function { name: name.clone(), arguments: vec![key.clone()], set: false, trigger: false };
    let language = random.word(&["sql", "plpgsql"]);
    let (returns, query) = match random.below(4) {
        0 => {
            function.set = true;
            (format!("SETOF {t}"), format!("SELECT * FROM {t} WHERE {id} = $1"))
        }
        1 => ("bigint".to_owned(), format!("SELECT count(*) FROM {t} WHERE {id} = $1 AND {c} IS NOT NULL")),
        2 => ("text".to_owned(), format!("SELECT {c}::text FROM {t} WHERE {id} = $1")),
        _ => {
            function.set = true;
            let of = &column.data_type;
            (format!("TABLE (found {key}, value {of})"), format!("SELECT {id}, {c} FROM {t} WHERE {id} = $1"))
        }
    };
    let body = match (language, function.set) {
        ("sql", _) => query,
        (_, true) => format!("BEGIN RETURN QUERY {query}; END"),
        (_, false) => format!("BEGIN RETURN ({query}); END"),
    };
    let argument = random.word(&["", "wanted ", "a ", "note "]);
    world.functions.push(function);
    Some(format!(
        "CREATE FUNCTION {name}({argument}{key}) RETURNS {returns} LANGUAGE {language} STABLE AS $$ {body} $$"
    ))
}

pub(super) fn new_trigger(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (function, trigger) = (world.fresh("g"), world.fresh("g"));
    let column = table.writable(random)?;
    let text = ["text", "varchar(20)"].contains(&&*column.data_type);
    let (t, c) = (table.name.clone(), &column.name);
    let (when, body) = match random.below(4) {
        0 if text => ("BEFORE INSERT OR UPDATE", format!("NEW.{c} := lower(NEW.{c}); RETURN NEW;")),
        1 => {
            let other = world.own(random).filter(|o| o.name != t)?;
            let filled = other.writable(random)?;
            let value = world.value_for(&filled, 9);
            (
                "AFTER INSERT",
                format!("UPDATE {} SET {} = {value} WHERE {} = 1; RETURN NULL;", other.name, filled.name, other.key[0]),
            )
        }
        2 => (
            "BEFORE UPDATE",
            format!(
                "IF NEW.{c} IS DISTINCT FROM OLD.{c} THEN NEW.{c} := coalesce(NEW.{c}, OLD.{c}); END IF; RETURN NEW;"
            ),
        ),
        _ => (
            "BEFORE INSERT",
            format!("IF NEW.{c} IS NULL THEN NEW.{c} := {}; END IF; RETURN NEW;", world.value_for(&column, 6)),
        ),
    };
    let name = function.clone();
    world.functions.push(Function { name, arguments: Vec::new(), set: false, trigger: true });
    world.table_mut(&t)?.triggers.push(trigger.clone());
    Some(vec![
        format!("CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"),
        format!("CREATE TRIGGER {trigger} {when} ON {t} FOR EACH ROW EXECUTE FUNCTION {function}()"),
    ])
}

pub(super) fn new_policy(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.own(random)?;
    let (policy, t, id) = (world.fresh("y"), table.name.clone(), table.key.first()?.clone());
    let mut sql = Vec::new();
    if table.policies.is_empty() {
        sql.push(format!("ALTER TABLE {t} ENABLE ROW LEVEL SECURITY"));
    }
    let column = table.plain(random).map_or(id, |c| c.name);
    sql.push(format!("CREATE POLICY {policy} ON {t} USING ({column} IS NOT NULL)"));
    world.table_mut(&t)?.policies.push(policy);
    Some(sql)
}

pub(super) fn new_publication(world: &mut World, random: &mut Random) -> Option<String> {
    let name = world.fresh("b");
    let table = world.own(random)?;
    world.publications.push(name.clone());
    Some(match random.below(3) {
        0 => format!("CREATE PUBLICATION {name} FOR ALL TABLES"),
        1 => format!(
            "CREATE PUBLICATION {name} FOR TABLE {} ({})",
            table.name,
            table.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
        ),
        _ => format!("CREATE PUBLICATION {name} FOR TABLE {}", table.name),
    })
}
