//! What stands beside and on tables.

use super::super::base::{
    new_domain, new_enum, new_function, new_policy, new_publication, new_sequence, new_trigger, new_view,
};
use super::super::random::Random;
use super::super::server::ROLE;
use super::super::world::World;
use super::Change;

pub(super) const CHANGES: &[(usize, Change)] = &[
    (8, view),
    (6, replace_view),
    (4, drop_view),
    (2, rename_view),
    (2, view_again),
    (6, function),
    (5, replace_function),
    (4, drop_function),
    (3, function_again),
    (2, overload),
    (6, trigger),
    (3, drop_trigger),
    (3, policy),
    (1, drop_policy),
    (4, enumeration),
    (5, add_label),
    (2, rename_label),
    (2, domain),
    (3, domain_check),
    (3, sequence),
    (3, alter_sequence),
    (2, schema),
    (2, publication),
    (2, alter_publication),
    (4, privileges),
    (2, refresh),
    (1, statistics),
    (1, rule),
    (1, careful_block),
];

fn view(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_view(world, random).map(|sql| vec![sql])
}

fn replace_view(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let view = random.pick(&world.views)?.clone();
    let table = world.table(&view.of).filter(|_| !view.materialized)?.clone();
    let more = table.plain(random).filter(|c| !view.columns.contains(&c.name) && random.chance(60));
    let mut columns = view.columns.clone();
    columns.extend(more.map(|c| c.name));
    let (name, of, list) = (&view.name, &view.of, columns.join(", "));
    let form = match random.below(4) {
        0 => format!("SELECT DISTINCT {list} FROM {of}"),
        1 => format!("SELECT {list} FROM {of} WHERE {} IS NOT NULL", columns[0]),
        _ => format!("SELECT {list} FROM {of}"),
    };
    let sql = format!("CREATE OR REPLACE VIEW {name} AS {form}");
    world.views.iter_mut().filter(|v| v.name == view.name).for_each(|v| v.columns.clone_from(&columns));
    Some(vec![sql])
}

fn drop_view(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let view = random.pick(&world.views)?.clone();
    world.views.retain(|v| v.name != view.name && v.of != view.name);
    let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    Some(vec![format!("DROP {kind} {}{}", view.name, random.word(&["", "", " CASCADE"]))])
}

fn rename_view(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let view = random.pick(&world.views)?.clone();
    let bare = world.fresh("v");
    let to = view.name.rsplit_once('.').map_or_else(|| bare.clone(), |(schema, _)| format!("{schema}.{bare}"));
    for other in &mut world.views {
        if other.name == view.name {
            other.name.clone_from(&to);
        }
        if other.of == view.name {
            other.of.clone_from(&to);
        }
    }
    let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    Some(vec![format!("ALTER {kind} {} RENAME TO {bare}", view.name)])
}

/// Dropped, a column changed, and made again.
fn view_again(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let view = random.pick(&world.views)?.clone();
    let table = world.table(&view.of).filter(|_| !view.materialized)?.clone();
    let column = table.writable(random)?;
    let to = match column.data_type.as_str() {
        "int" => "bigint",
        "text" => "varchar(50)",
        "varchar(20)" => "text",
        _ => return None,
    };
    world.on_family(&table.name, |t| t.column_mut(&column.name).into_iter().for_each(|c| c.data_type = to.into()));
    Some(vec![
        format!("DROP VIEW {}", view.name),
        format!("ALTER TABLE {} ALTER COLUMN {} TYPE {to}", table.name, column.name),
        format!("CREATE VIEW {} AS SELECT {} FROM {}", view.name, view.columns.join(", "), table.name),
    ])
}

fn function(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_function(world, random).map(|sql| vec![sql])
}

/// Another function under the name of one that is there.
fn replace_function(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let old = random.pick(&world.functions).filter(|f| !f.trigger)?.clone();
    let sql = new_function(world, random)?;
    let new = world.functions.pop()?;
    if new.arguments != old.arguments || new.set != old.set {
        return None;
    }
    let sql = sql.replacen("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1);
    Some(vec![sql.replacen(&format!("{}(", new.name), &format!("{}(", old.name), 1)])
}

fn drop_function(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let function = random.pick(&world.functions)?.clone();
    world.functions.retain(|f| f.name != function.name);
    let arguments = function.arguments.join(", ");
    let tail = if function.trigger && random.chance(60) { " CASCADE" } else { "" };
    Some(vec![format!("DROP FUNCTION {}({arguments}){tail}", function.name)])
}

/// Dropped and made again with another result.
fn function_again(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let old = random.pick(&world.functions).filter(|f| !f.trigger)?.clone();
    let sql = new_function(world, random)?;
    let new = world.functions.pop()?;
    world.functions.retain(|f| f.name != old.name);
    let made = sql.replacen(&format!("{}(", new.name), &format!("{}(", old.name), 1);
    let drop = format!("DROP FUNCTION {}({})", old.name, old.arguments.join(", "));
    world.functions.push(super::super::world::Function { name: old.name, ..new });
    Some(vec![drop, made])
}

/// The same name with one more argument, which may be left out.
fn overload(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let old = random.pick(&world.functions).filter(|f| !f.trigger)?.clone();
    let default = random.word(&["", " DEFAULT 0"]);
    let first = old.arguments.first()?;
    Some(vec![format!("CREATE FUNCTION {}({first}, int{default}) RETURNS int LANGUAGE sql AS 'SELECT 1'", old.name)])
}

fn trigger(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_trigger(world, random)
}

fn drop_trigger(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let name = random.pick(&table.triggers)?.clone();
    world.table_mut(&table.name)?.triggers.retain(|t| *t != name);
    Some(vec![match random.below(4) {
        0 => format!("ALTER TABLE {} DISABLE TRIGGER {name}", table.name),
        _ => format!("DROP TRIGGER {name} ON {}", table.name),
    }])
}

fn policy(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_policy(world, random)
}

fn drop_policy(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let name = random.pick(&table.policies)?.clone();
    world.table_mut(&table.name)?.policies.retain(|p| *p != name);
    Some(vec![format!("DROP POLICY {name} ON {}", table.name)])
}

fn enumeration(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    Some(vec![new_enum(world, random)])
}

fn add_label(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let name = random.pick(&world.enums)?.0.clone();
    let label = format!("'{}'", world.fresh("l"));
    let (_, labels) = world.enums.iter_mut().find(|(n, _)| *n == name)?;
    // Green writes it.
    labels.insert(0, label.clone());
    let position = random.word(&["", "", " BEFORE 'new'", " AFTER 'new'"]);
    let exists = random.word(&["", "IF NOT EXISTS "]);
    Some(vec![format!("ALTER TYPE {name} ADD VALUE {exists}{label}{position}")])
}

fn rename_label(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let name = random.pick(&world.enums)?.0.clone();
    let to = format!("'{}'", world.fresh("l"));
    let (_, labels) = world.enums.iter_mut().find(|(n, _)| *n == name)?;
    let from = std::mem::replace(labels.first_mut()?, to.clone());
    Some(vec![format!("ALTER TYPE {name} RENAME VALUE {from} TO {to}")])
}

fn domain(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    Some(vec![new_domain(world, random)])
}

fn domain_check(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, of) = random.pick(&world.domains)?.clone();
    let made = world.fresh("k");
    let condition = if of == "int" { "VALUE > -9" } else { "length(VALUE) < 90" };
    Some(match random.below(4) {
        0 => vec![format!("ALTER DOMAIN {name} SET NOT NULL")],
        1 => vec![
            format!("ALTER DOMAIN {name} ADD CONSTRAINT {made} CHECK ({condition}) NOT VALID"),
            format!("ALTER DOMAIN {name} VALIDATE CONSTRAINT {made}"),
        ],
        _ => vec![format!("ALTER DOMAIN {name} ADD CONSTRAINT {made} CHECK ({condition})")],
    })
}

fn sequence(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let mut sql = vec![new_sequence(world, random)];
    let name = world.sequences.last()?.clone();
    if random.chance(40) {
        let table = world.own(random)?;
        let column =
            table.columns.iter().find(|c| ["int", "bigint"].contains(&&*c.data_type) && !c.generated)?.name.clone();
        world.on_family(&table.name, |t| t.column_mut(&column).into_iter().for_each(|c| c.default = true));
        sql.push(format!("ALTER TABLE {} ALTER COLUMN {column} SET DEFAULT nextval('{name}')", table.name));
    }
    Some(sql)
}

fn alter_sequence(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let name = random.pick(&world.sequences)?.clone();
    Some(vec![match random.below(5) {
        0 => {
            let bare = world.fresh("s");
            let to = name.rsplit_once('.').map_or_else(|| bare.clone(), |(schema, _)| format!("{schema}.{bare}"));
            world.sequences.iter_mut().filter(|s| **s == name).for_each(|s| s.clone_from(&to));
            format!("ALTER SEQUENCE {name} RENAME TO {bare}")
        }
        1 => {
            world.sequences.retain(|s| *s != name);
            format!("DROP SEQUENCE {name}")
        }
        2 => format!("ALTER SEQUENCE {name} RESTART WITH 9000"),
        3 => format!("SELECT setval('{name}', 8000)"),
        _ => format!("ALTER SEQUENCE {name} INCREMENT BY 10"),
    }])
}

fn schema(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    if random.chance(60) {
        let name = world.fresh("z");
        world.schemas.push(name.clone());
        return Some(vec![format!("CREATE SCHEMA {name}")]);
    }
    let old = random.pick(&world.schemas)?.clone();
    let to = world.fresh("z");
    let moved = |name: &mut String| {
        if let Some(bare) = name.strip_prefix(&format!("{old}.")) {
            *name = format!("{to}.{bare}");
        }
    };
    for table in &mut world.tables {
        moved(&mut table.name);
        table.parent.as_mut().map(moved);
        table.columns.iter_mut().for_each(|c| moved(&mut c.data_type));
        table.columns.iter_mut().filter_map(|c| c.references.as_mut()).for_each(moved);
    }
    world.views.iter_mut().for_each(|v| [&mut v.name, &mut v.of].into_iter().for_each(moved));
    world.functions.iter_mut().for_each(|f| moved(&mut f.name));
    world.enums.iter_mut().for_each(|(name, _)| moved(name));
    world.domains.iter_mut().for_each(|(name, _)| moved(name));
    world.sequences.iter_mut().for_each(moved);
    world.schemas.iter_mut().filter(|s| **s == old).for_each(|s| s.clone_from(&to));
    Some(vec![format!("ALTER SCHEMA {old} RENAME TO {to}")])
}

fn publication(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    new_publication(world, random).map(|sql| vec![sql])
}

fn alter_publication(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (name, table) = (random.pick(&world.publications)?.clone(), world.own(random)?);
    Some(vec![match random.below(3) {
        0 => format!("ALTER PUBLICATION {name} ADD TABLE {}", table.name),
        1 => format!("ALTER PUBLICATION {name} SET TABLE {}", table.name),
        _ => {
            world.publications.retain(|p| *p != name);
            format!("DROP PUBLICATION {name}")
        }
    }])
}

fn privileges(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let table = world.any(random)?;
    let to = if world.role { ROLE } else { "PUBLIC" };
    let column = table.plain(random)?.name;
    let t = &table.name;
    Some(match random.below(7) {
        0 => vec![format!("GRANT SELECT, INSERT ON {t} TO {to}")],
        1 => vec![format!("REVOKE ALL ON {t} FROM {to}")],
        2 => vec![format!("REVOKE {} ON {t} FROM {to}", random.word(&["UPDATE", "DELETE", "INSERT"]))],
        3 => vec![format!("REVOKE SELECT ON {t} FROM {to}"), format!("GRANT SELECT ({column}) ON {t} TO {to}")],
        4 => vec![format!("ALTER TABLE {t} OWNER TO {ROLE}")],
        5 => vec![format!("ALTER TABLE {t} ENABLE ROW LEVEL SECURITY")],
        _ => vec![format!("GRANT SELECT ({column}) ON {t} TO {to}")],
    })
}

fn refresh(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let views: Vec<_> = world.views.iter().filter(|v| v.materialized).collect();
    let view = (*random.pick(&views)?).clone();
    if random.chance(50) {
        return Some(vec![format!("REFRESH MATERIALIZED VIEW {}", view.name)]);
    }
    let index = world.fresh("i");
    Some(vec![
        format!("CREATE UNIQUE INDEX {index} ON {} ({})", view.name, view.columns[0]),
        format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {}", view.name),
    ])
}

fn statistics(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, name) = (world.own(random)?, world.fresh("x"));
    let column = table.plain(random)?;
    Some(vec![format!("CREATE STATISTICS {name} ON {}, {} FROM {}", table.key[0], column.name, table.name)])
}

fn rule(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let (table, name) = (world.own(random)?, world.fresh("r"));
    Some(vec![format!(
        "CREATE RULE {name} AS ON DELETE TO {} WHERE OLD.{} = 1 DO INSTEAD NOTHING",
        table.name, table.key[0]
    )])
}

/// What four generators of migrations write around a statement.
fn careful_block(world: &mut World, random: &mut Random) -> Option<Vec<String>> {
    let sql = new_enum(world, random);
    Some(vec![format!("DO $$ BEGIN {sql}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")])
}
