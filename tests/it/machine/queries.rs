//! What a version of the application asks, with values.

use super::random::Random;
use super::release::Query;
use super::world::{Column, Table, World};

/// The queries of a version. `own` is where the keys of its new rows begin, `row` the key of the row of the base that it changes.
pub(super) fn queries(world: &World, random: &mut Random, own: usize, row: usize) -> Vec<Query> {
    let mut made = Made { world, random, next: own, row, queries: Vec::new() };
    for _ in 0..4 + made.random.below(6) {
        made.one();
    }
    made.queries
}

struct Made<'a> {
    world: &'a World,
    random: &'a mut Random,
    next: usize,
    row: usize,
    queries: Vec<Query>,
}

impl Made<'_> {
    fn one(&mut self) -> Option<()> {
        let table = self.world.any(self.random)?;
        let query = match self.random.below(36) {
            0..=4 => self.select(&table),
            5 => self.star(&table),
            6 => self.join(&table),
            7 => self.natural(&table),
            8 => self.grouped(&table),
            9 => self.nested(&table),
            10 | 11 => self.view(),
            12 | 13 => self.function(),
            14 => self.sequence(),
            15..=19 => self.insert(&table),
            20 => self.positional(&table),
            21..=23 => self.upsert(&table),
            24 | 25 => self.update(&table),
            26 => self.delete(&table),
            27 => self.copy(&table),
            28 => self.with(&table),
            29..=34 => self.odd(&table),
            _ => self.update_from(&table),
        }?;
        self.queries.push(query);
        Some(())
    }

    /// Forms that not everybody writes.
    fn odd(&mut self, table: &Table) -> Option<Query> {
        let (t, id, row) = (&table.name, &table.key[0], self.row.to_string());
        let column = table.writable(self.random)?;
        let c = &column.name;
        Some(match self.random.below(14) {
            0 => Query::new(format!("SELECT x FROM {t} AS x WHERE x.{id} = $1"), row),
            1 => Query::new(format!("SELECT row_to_json(x) FROM {t} AS x WHERE x.{id} = $1"), row),
            2 => Query::new(format!("SELECT DISTINCT ON ({c}) {id}, {c} FROM {t} ORDER BY {c}, {id} DESC"), ""),
            3 => Query::new(format!("SELECT {id}, row_number() OVER (PARTITION BY {c} ORDER BY {id}) FROM {t}"), ""),
            4 => Query::new(format!("SELECT {id} FROM {t} UNION SELECT {id} FROM {t} WHERE {c} IS NULL"), ""),
            5 => Query::new(format!("SELECT {c} FROM {t} WHERE {id} = $1 FOR NO KEY UPDATE"), row),
            6 => Query::new(
                format!(
                    "SELECT y.{c} FROM {t} AS x JOIN LATERAL (SELECT * FROM {t} AS z WHERE z.{id} = x.{id}) AS y ON true"
                ),
                "",
            ),
            7 => Query::new(format!("SELECT CASE WHEN {c} IS NULL THEN $1 ELSE 'set' END AS state FROM {t}"), "'none'"),
            8 => Query::new(
                format!("UPDATE {t} SET ({c}) = ROW ($1) WHERE {id} = $2"),
                format!("{}, {row}", self.world.value_for(&column, self.row)),
            ),
            9 => Query::new(format!("DELETE FROM {t} USING {t} AS y WHERE y.{id} = {t}.{id} AND {t}.{id} = $1"), row),
            10 => Query::new(format!("SELECT count({c}) FILTER (WHERE {id} > $1), max({id}) FROM {t}"), "0"),
            11 => {
                let value = self.world.value_for(&column, self.row);
                Query::new(
                    format!(
                        "MERGE INTO {t} AS x USING (VALUES ($1::int)) AS n (k) ON x.{id} = n.k WHEN MATCHED THEN UPDATE SET {c} = {value}"
                    ),
                    row,
                )
            }
            12 => Query::new(
                format!("SELECT {t}.* FROM {t} WHERE {id} IN (SELECT {id} FROM {t} WHERE {c} IS NOT NULL)"),
                "",
            ),
            _ => {
                let names: Vec<_> = table.columns.iter().filter(|c| !c.generated).map(|c| c.name.as_str()).collect();
                let number = self.number();
                let list: Vec<_> =
                    names.iter().map(|n| if n == id { number.to_string() } else { (*n).to_owned() }).collect();
                Query::new(
                    format!(
                        "INSERT INTO {t} ({}) SELECT {} FROM {t} WHERE {id} = $1",
                        names.join(", "),
                        list.join(", ")
                    ),
                    row,
                )
            }
        })
    }

    fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// `id = $1`, for as many columns as the key has, and the values.
    fn key(&self, table: &Table, from: usize) -> (String, String) {
        let condition = |(i, k): (usize, &String)| format!("{k} = ${}", from + i);
        let condition: Vec<_> = table.key.iter().enumerate().map(condition).collect();
        let values: Vec<_> = table.key.iter().map(|_| self.row.to_string()).collect();
        (condition.join(" AND "), values.join(", "))
    }

    fn some_columns(&mut self, table: &Table) -> Vec<String> {
        let mut names = table.key.clone();
        for _ in 0..1 + self.random.below(3) {
            names.extend(table.plain(self.random).map(|c| c.name).filter(|c| !names.contains(c)));
        }
        names
    }

    fn select(&mut self, table: &Table) -> Option<Query> {
        let names = self.some_columns(table).join(", ");
        let (condition, values) = self.key(table, 1);
        let lock = self.random.word(&["", "", "", " FOR UPDATE", " FOR SHARE"]);
        let qualified = self.random.chance(30);
        let t = &table.name;
        Some(match self.random.below(3) {
            0 => Query::new(format!("SELECT {names} FROM {t} ORDER BY {}", table.key.join(", ")), ""),
            _ if qualified => {
                let names = names.split(", ").map(|n| format!("x.{n}")).collect::<Vec<_>>().join(", ");
                Query::new(format!("SELECT {names} FROM {t} AS x WHERE {condition}{lock}"), values)
            }
            _ => Query::new(format!("SELECT {names} FROM {t} WHERE {condition}{lock}"), values),
        })
    }

    fn star(&mut self, table: &Table) -> Option<Query> {
        let (condition, values) = self.key(table, 1);
        Some(Query::new(format!("SELECT * FROM {} WHERE {condition}", table.name), values))
    }

    fn join(&mut self, table: &Table) -> Option<Query> {
        let other = self.world.any(self.random)?;
        let (a, b) = (table.plain(self.random)?.name, other.plain(self.random)?.name);
        let linked = table.columns.iter().find(|c| c.references.as_deref() == Some(&other.name));
        let link = linked.map_or(&table.key[0], |c| &c.name);
        let bare = self.random.chance(40) && other.column(&a).is_none();
        let first = if bare { a } else { format!("x.{a}") };
        let kind = self.random.word(&["JOIN", "LEFT JOIN"]);
        let (x, y, key) = (&table.name, &other.name, &other.key[0]);
        Some(Query::new(format!("SELECT {first}, y.{b} FROM {x} AS x {kind} {y} AS y ON y.{key} = x.{link}"), ""))
    }

    fn natural(&mut self, table: &Table) -> Option<Query> {
        let other = self.world.any(self.random).filter(|o| o.name != table.name)?;
        let same = |c: &&Column| other.column(&c.name).is_some_and(|o| o.data_type == c.data_type);
        let shared = table.columns.iter().find(same)?.name.clone();
        let (x, y) = (&table.name, &other.name);
        Some(match self.random.below(2) {
            0 => Query::new(format!("SELECT count(*) FROM {x} NATURAL JOIN {y}"), ""),
            _ => Query::new(format!("SELECT {shared} FROM {x} JOIN {y} USING ({shared})"), ""),
        })
    }

    fn grouped(&mut self, table: &Table) -> Option<Query> {
        let column = table.plain(self.random)?.name;
        let keys = table.key.join(", ");
        Some(match self.random.below(2) {
            0 => Query::new(format!("SELECT {keys}, {column}, count(*) FROM {} GROUP BY {keys}", table.name), ""),
            _ => Query::new(
                format!("SELECT {column}, count(*) AS n FROM {} GROUP BY {column} HAVING count(*) > $1", table.name),
                "0",
            ),
        })
    }

    fn nested(&mut self, table: &Table) -> Option<Query> {
        let other = self.world.any(self.random)?;
        let (a, b) = (table.plain(self.random)?.name, other.plain(self.random)?.name);
        let (x, y, id, key) = (&table.name, &other.name, &table.key[0], &other.key[0]);
        Some(match self.random.below(3) {
            0 => Query::new(
                format!("WITH chosen AS (SELECT {id}, {a} FROM {x}) SELECT {a} FROM chosen WHERE {id} = $1"),
                self.row.to_string(),
            ),
            1 => Query::new(
                format!("SELECT {a} FROM {x} WHERE EXISTS (SELECT {b} FROM {y} WHERE {y}.{key} = {x}.{id})"),
                "",
            ),
            _ => Query::new(
                format!("SELECT {id}, (SELECT max(o.{key}) FROM {y} AS o WHERE o.{b} IS NOT NULL) FROM {x}"),
                "",
            ),
        })
    }

    fn view(&mut self) -> Option<Query> {
        let view = self.random.pick(&self.world.views)?.clone();
        let column = self.random.pick(&view.columns)?.clone();
        Some(match self.random.below(4) {
            0 => Query::new(format!("SELECT * FROM {}", view.name), ""),
            1 => {
                let table = self.world.table(&view.of)?.clone();
                let list: Vec<_> = table.columns.iter().filter(|c| view.columns.contains(&c.name)).cloned().collect();
                let only = Table { name: view.name.clone(), columns: list, key: table.key.clone(), ..Table::default() };
                return self.insert(&only);
            }
            _ => Query::new(format!("SELECT {column} FROM {}", view.name), ""),
        })
    }

    fn function(&mut self) -> Option<Query> {
        let function = self.random.pick(&self.world.functions).filter(|f| !f.trigger)?.clone();
        let call = format!("{}($1)", function.name);
        let text = if function.set { format!("SELECT * FROM {call}") } else { format!("SELECT {call}") };
        Some(Query::new(text, self.row.to_string()))
    }

    fn sequence(&mut self) -> Option<Query> {
        let name = self.random.pick(&self.world.sequences)?;
        Some(Query::new(format!("SELECT nextval('{name}')"), ""))
    }

    /// The columns an INSERT gives, and the values.
    fn row(&mut self, table: &Table) -> (Vec<String>, Vec<String>) {
        let n = self.number();
        let mut given = Vec::new();
        for column in table.columns.iter().filter(|c| !c.generated) {
            let must = column.not_null && !column.default || table.key.contains(&column.name);
            if must && !(column.default && self.random.chance(15)) || self.random.chance(55) {
                let null = !must && !column.not_null && self.random.chance(12);
                let value = if null { "NULL".to_owned() } else { self.value(table, column, n) };
                given.push((column.name.clone(), value));
            }
        }
        given.into_iter().unzip()
    }

    fn value(&self, table: &Table, column: &Column, n: usize) -> String {
        let key = table.key.contains(&column.name) && column.references.is_none();
        if key && column.data_type == "int" { n.to_string() } else { self.world.value_for(column, n) }
    }

    fn insert(&mut self, table: &Table) -> Option<Query> {
        let (names, values) = self.row(table);
        if names.is_empty() {
            return Some(Query::new(format!("INSERT INTO {} DEFAULT VALUES", table.name), ""));
        }
        let tail = match self.random.below(6) {
            0 => " RETURNING *".to_owned(),
            1 => format!(" RETURNING {}", table.plain(self.random)?.name),
            _ => String::new(),
        };
        Some(Query::new(
            format!("INSERT INTO {} ({}) VALUES ({}){tail}", table.name, names.join(", "), places(1, names.len())),
            values.join(", "),
        ))
    }

    fn positional(&mut self, table: &Table) -> Option<Query> {
        if table.columns.iter().any(|c| c.generated) {
            return None;
        }
        let n = self.number();
        let values: Vec<_> = table.columns.iter().map(|c| self.value(table, c, n)).collect();
        Some(Query::new(format!("INSERT INTO {} VALUES ({})", table.name, places(1, values.len())), values.join(", ")))
    }

    fn upsert(&mut self, table: &Table) -> Option<Query> {
        let (mut names, mut values) = self.row(table);
        let unique = self.random.pick(&table.unique).cloned();
        let target = match unique {
            Some((name, _, true)) if self.random.chance(25) => format!("ON CONSTRAINT {name}"),
            Some((_, column, _)) if self.random.chance(70) => {
                if !names.contains(&column) {
                    let n = self.number();
                    values.push(self.value(table, table.column(&column)?, n));
                    names.push(column.clone());
                }
                format!("({column})")
            }
            _ => format!("({})", table.key.join(", ")),
        };
        let column = table.writable(self.random)?;
        let action = match self.random.below(2) {
            0 => "NOTHING".to_owned(),
            _ => format!("UPDATE SET {} = EXCLUDED.{}", column.name, column.name),
        };
        let (list, marks) = (names.join(", "), places(1, names.len()));
        Some(Query::new(
            format!("INSERT INTO {} ({list}) VALUES ({marks}) ON CONFLICT {target} DO {action}", table.name),
            values.join(", "),
        ))
    }

    fn update(&mut self, table: &Table) -> Option<Query> {
        let column = table.writable(self.random)?;
        let (condition, key) = self.key(table, 2);
        let n = self.number();
        let value =
            if !column.not_null && self.random.chance(15) { "NULL".into() } else { self.world.value_for(&column, n) };
        let tail = self.random.word(&["", "", " RETURNING *"]);
        Some(Query::new(
            format!("UPDATE {} SET {} = $1 WHERE {condition}{tail}", table.name, column.name),
            format!("{value}, {key}"),
        ))
    }

    fn delete(&mut self, table: &Table) -> Option<Query> {
        let (condition, values) = self.key(table, 1);
        Some(Query::new(format!("DELETE FROM {} WHERE {condition}", table.name), values))
    }

    fn copy(&mut self, table: &Table) -> Option<Query> {
        let n = self.number();
        let plain = |value: String| value.trim_matches('\'').replace("NULL", "\\N");
        let listed = self.random.chance(60);
        let given: Vec<&Column> = table.columns.iter().filter(|c| !c.generated).collect();
        let row: Vec<_> = given.iter().map(|c| plain(self.value(table, c, n))).collect();
        let names: Vec<_> = given.iter().map(|c| c.name.as_str()).collect();
        let list = if listed { format!(" ({})", names.join(", ")) } else { String::new() };
        Some(Query {
            sql: format!("COPY {}{list} FROM STDIN", table.name),
            values: String::new(),
            rows: Some(format!("{}\n", row.join("\t"))),
        })
    }

    fn with(&mut self, table: &Table) -> Option<Query> {
        let (names, values) = self.row(table);
        if names.is_empty() {
            return None;
        }
        let id = &table.key[0];
        let (list, marks) = (names.join(", "), places(1, names.len()));
        Some(Query::new(
            format!(
                "WITH made AS (INSERT INTO {} ({list}) VALUES ({marks}) RETURNING {id}) SELECT {id} FROM made",
                table.name
            ),
            values.join(", "),
        ))
    }

    fn update_from(&mut self, table: &Table) -> Option<Query> {
        let other = self.world.any(self.random).filter(|o| o.name != table.name)?;
        let column = table.writable(self.random)?;
        let source = other.columns.iter().find(|c| c.data_type == column.data_type)?;
        let (t, c, o, s) = (&table.name, &column.name, &other.name, &source.name);
        let (id, key) = (&table.key[0], &other.key[0]);
        Some(Query::new(
            format!("UPDATE {t} AS x SET {c} = y.{s} FROM {o} AS y WHERE y.{key} = x.{id} AND x.{id} = $1"),
            self.row.to_string(),
        ))
    }
}

fn places(from: usize, count: usize) -> String {
    (from..from + count).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}
