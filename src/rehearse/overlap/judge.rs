//! What a row of the overlap lacks, and why: from the plays of one query, with all rows after each step.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Changing, Lacking, Wanted, gone, lacking, made, taken};
use super::content::{Content, Row, Rows};
use super::stage::{Played, is_of_rows};
use super::{Loss, LossKind};
use crate::plan::saved::{Phase, SavedPlan, Step};
use crate::rehearse::replay::Refused;
use crate::rehearse::synthetic::{Ends, Value, Writer, shown};
use crate::schema::resolve::WriteKind;
use crate::side::Side;
use crate::sql::lex::words_of;
use crate::workload::Workload;

/// One query, written at home and in the overlap.
pub(super) struct Judge<'a> {
    pub(super) version: Side,
    pub(super) plan: &'a SavedPlan,
    pub(super) ends: &'a Ends,
    /// Green's queries, if they are known.
    pub(super) green: Option<&'a Workload>,
    pub(super) writer: &'a Writer,
    /// The values of its parameters.
    pub(super) values: &'a [Value],
    pub(super) home: &'a Played,
    pub(super) overlap: &'a Played,
}

/// A step that fails on what the query writes in the overlap, and only there.
pub(super) fn stops(judge: &Judge<'_>, step: u32, refused: &Refused) -> Option<Loss> {
    if !is_of_rows(refused) {
        return None;
    }
    let table = refused.table.clone().unwrap_or_default();
    let mut loss = judge.loss(LossKind::Stops, &table, Some(step));
    loss.columns = refused.column.iter().cloned().collect();
    loss.message = Some(refused.message.clone());
    Some(loss)
}

impl Judge<'_> {
    fn loss(&self, kind: LossKind, table: &str, step: Option<u32>) -> Loss {
        Loss {
            kind,
            query: self.writer.query.clone(),
            place: self.writer.place.clone(),
            also: Vec::new(),
            values: shown(self.values),
            table: table.to_owned(),
            columns: Vec::new(),
            step,
            gone: None,
            instead: None,
            message: None,
            told: None,
        }
    }

    /// What its rows lose.
    pub(super) fn losses(&self, changing: &Changing) -> Vec<Loss> {
        let written = self.overlap.written.since(&self.overlap.before);
        let after: BTreeSet<u32> = self.plan.phase(Phase::After).map(|step| step.id).collect();
        let later: Vec<(u32, Content)> =
            self.overlap.steps.iter().filter(|(step, _)| after.contains(step)).cloned().collect();
        let gone = gone(&written, &later);
        let scene = Scene { judge: self, written, later, gone };
        let lacking = lacking(&self.home.end, &self.overlap.end, changing);
        let mut found: Vec<Loss> = Vec::new();
        for loss in lacking.iter().flat_map(|lacking| scene.of(lacking, changing)) {
            // Columns of one row that one step did not fill belong together.
            let same = |known: &&mut Loss| {
                (known.kind, &known.table, known.step, known.columns.is_empty())
                    == (loss.kind, &loss.table, loss.step, loss.columns.is_empty())
            };
            match found.iter_mut().find(same) {
                Some(known) => {
                    let more = loss.columns.into_iter().filter(|column| !known.columns.contains(column));
                    let more: Vec<String> = more.collect();
                    known.columns.extend(more);
                }
                None => found.push(loss),
            }
        }
        found
    }

    /// Whether the query itself writes into a table of one of these names, or into a column of it of one of these.
    fn writes(&self, tables: &BTreeSet<&str>, names: Option<&BTreeSet<&str>>) -> bool {
        self.writer.writes.iter().any(|write| {
            let columns = match &write.kind {
                WriteKind::Insert { columns, updates, .. } => columns.iter().chain(updates).collect::<Vec<_>>(),
                WriteKind::Update { columns, .. } => columns.iter().collect(),
                WriteKind::Delete => return false,
            };
            let is_column = |names: &BTreeSet<&str>| columns.iter().any(|column| names.contains(&***column));
            tables.contains(&*write.relation.name) && names.is_none_or(is_column)
        })
    }

    fn texts(&self, step: u32) -> impl Iterator<Item = &str> {
        let step = self.plan.step(step);
        step.into_iter().flat_map(Step::statements).map(|statement| statement.sql.as_str())
    }

    /// Whether the text of a step names something.
    fn names(&self, step: u32, names: &BTreeSet<&str>) -> bool {
        self.texts(step).any(|sql| mentions(sql, names))
    }
}

/// Whether a text has one of these names in it.
fn mentions(sql: &str, names: &BTreeSet<&str>) -> bool {
    let sql = sql.to_lowercase();
    names.iter().map(|name| name.to_lowercase()).any(|name| match words_of(&name).next() {
        Some(word) if word.len() == name.len() => words_of(&sql).any(|word| word == name),
        _ => sql.contains(&name),
    })
}

/// Whether a column is NULL in all rows.
fn is_null(content: &Content, oid: u32, column: i16) -> bool {
    content.0.get(&oid).is_some_and(|rows| rows.rows.iter().all(|row| !row.contains_key(&column)))
}

/// The same, unless it is certain: told, and no more.
fn doubted(loss: Loss, certain: bool) -> Loss {
    let doubt = "whether it takes them depends on their values, and these were made up";
    Loss { told: (!certain).then(|| doubt.to_owned()), ..loss }
}

/// The overlap's play of one query.
struct Scene<'a> {
    judge: &'a Judge<'a>,
    /// The rows that the query wrote there.
    written: BTreeMap<u32, Vec<Row>>,
    /// What was there after each step behind the cutover.
    later: Vec<(u32, Content)>,
    /// The columns it wrote that go, and by which step.
    gone: BTreeMap<(u32, i16), u32>,
}

impl Scene<'_> {
    /// What one row loses.
    fn of(&self, lacking: &Lacking, changing: &Changing) -> Vec<Loss> {
        let home = self.judge.home;
        let Some((oid, rows)) = home.end.named(&lacking.table) else { return Vec::new() };
        // Of green's, only what it writes itself; what a step makes of it at home is nothing, for it comes after all of them.
        let own = home.written.since(&home.before);
        let is_own = own.get(&oid).is_some_and(|rows| rows.contains(&lacking.home));
        if self.judge.version == Side::Green && !is_own {
            return Vec::new();
        }
        let holding: Vec<&Row> = std::iter::once(&lacking.home).chain(&lacking.instead).collect();
        let key = self.key(&lacking.table, Some(rows), &holding);
        let wanted = Wanted { oid, row: &lacking.home, key: &key };
        match &lacking.instead {
            None => self.row(lacking, &wanted, changing).into_iter().collect(),
            Some(instead) => {
                lacking.columns.iter().filter_map(|column| self.column(lacking, &wanted, instead, *column)).collect()
            }
        }
    }

    /// A row that is not there.
    fn row(&self, lacking: &Lacking, wanted: &Wanted<'_>, changing: &Changing) -> Option<Loss> {
        let Judge { version, home, overlap, .. } = *self.judge;
        let kept: Row = lacking
            .home
            .iter()
            .filter(|(n, _)| !changing.contains(&(lacking.table.clone(), **n)))
            .map(|(n, v)| (*n, v.clone()))
            .collect();
        // The table of this name, or what gets it.
        let ids = [overlap.written.named(&lacking.table), overlap.end.named(&lacking.table)];
        for oid in ids.into_iter().flatten().map(|(oid, _)| oid) {
            let own = Wanted { oid, row: &kept, key: &[] };
            let written = self.written.get(&oid).cloned().unwrap_or_default();
            let columns = overlap.written.0.get(&oid).map(|rows| rows.columns.clone()).unwrap_or_default();
            let only = Content([(oid, Rows { name: String::new(), columns, rows: written })].into());
            let Some(row) = own.at(&only, None).cloned() else { continue };
            let key = self.key(&lacking.table, overlap.written.0.get(&oid), &[&row]);
            let still = Wanted { oid, row: &row, key: &key };
            let is_named = |content: &Content| content.named(&lacking.table).is_some_and(|(now, _)| now == oid);
            let named_then = is_named(&overlap.written);
            let step =
                taken(self.later.iter(), |content| still.is_there(content, None) && (!named_then || is_named(content)));
            let step = step?;
            let certain = version == Side::Blue || self.takes_whatever(oid, &row, None, step);
            return Some(doubted(self.judge.loss(LossKind::Taken, &lacking.table, Some(step)), certain));
        }
        if version == Side::Blue
            && let Some(step) = made(&home.written, &home.steps, |content| wanted.is_there(content, None))
        {
            let names = self.names_of(wanted.oid, None);
            let loss = self.judge.loss(LossKind::LeftOut, &lacking.table, Some(step));
            return self.judge.names(step, &names).then(|| self.left_out(loss, wanted.oid, &names));
        }
        let own = self.judge.writes(&self.names_of(wanted.oid, None), None);
        own.then(|| self.judge.loss(LossKind::Taken, &lacking.table, None))
    }

    /// A column that holds something else, or nothing.
    fn column(&self, lacking: &Lacking, wanted: &Wanted<'_>, instead: &Row, column: i16) -> Option<Loss> {
        let Judge { version, home, overlap, .. } = *self.judge;
        let value = lacking.home.get(&column)?;
        let (tables, names) = (self.names_of(wanted.oid, None), self.names_of(wanted.oid, Some(column)));
        let own = self.judge.writes(&tables, Some(&names));
        if version == Side::Green && !own {
            return None;
        }
        let name = home.end.0.get(&wanted.oid)?.columns.get(&column)?.clone();
        let told = |kind, step| Loss {
            columns: vec![name.clone()],
            instead: Some((value.clone(), instead.get(&column).cloned())),
            ..self.judge.loss(kind, &lacking.table, Some(step))
        };
        let (theirs, _) = overlap.end.named(&lacking.table)?;
        let then = Wanted { oid: theirs, row: instead, key: wanted.key };
        let holds = |content: &Content| then.at(content, Some(column)).and_then(|row| row.get(&column)) == Some(value);
        if holds(&overlap.written) {
            let step = taken(self.later.iter(), holds)?;
            let row = then.at(&overlap.written, Some(column))?;
            // At home the same step, and the same values.
            let certain = version == Side::Blue || self.takes_whatever(theirs, row, Some(column), step);
            return self.judge.names(step, &names).then(|| doubted(told(LossKind::Taken, step), certain));
        }
        if version == Side::Green {
            return None;
        }
        let row_made = made(&home.written, &home.steps, |content| wanted.is_there(content, None));
        let step = made(&home.written, &home.steps, |content| wanted.is_there(content, Some(column)))?;
        let copied = row_made == Some(step) && self.judge.names(step, &tables);
        if !copied && !self.judge.names(step, &names) {
            return None;
        }
        // Another default, or what the version itself writes there, is what it is meant to be.
        let added = self.column_came_with(step, wanted.oid, column);
        let stands = instead.contains_key(&column) && (added || own);
        (!stands).then(|| self.left_out(told(LossKind::LeftOut, step), wanted.oid, &names))
    }

    /// What a step that came too early did not fill: with the later one that takes away what it was made from, and whether anybody misses it.
    fn left_out(&self, loss: Loss, oid: u32, names: &BTreeSet<&str>) -> Loss {
        let Some(step) = loss.step else { return loss };
        let Judge { home, overlap, green, .. } = *self.judge;
        let whole = self.judge.texts(step).any(|sql| sql.contains('*'));
        let is_its_own = |(oid, number): &(u32, i16)| {
            let Some(rows) = overlap.written.0.get(oid) else { return false };
            let named = |name: &str| self.judge.names(step, &BTreeSet::from([name]));
            let table = rows.name.rsplit('.').next().unwrap_or_default();
            let goes_whole = !overlap.end.0.contains_key(oid);
            rows.columns.get(number).is_some_and(|name| named(name)) || named(table) && (whole || goes_whole)
        };
        let gone = self.gone.iter().find(|(column, _)| is_its_own(column)).map(|(_, step)| *step);
        let reads: BTreeSet<&str> = ["from", "join", "rename", "merge"].into();
        let mut later = self.judge.plan.steps.iter().map(|other| other.id).filter(|other| *other > step);
        let is_used =
            later.any(|other| self.judge.texts(other).any(|sql| mentions(sql, names) && mentions(sql, &reads)));
        let is_new_table = loss.columns.is_empty() && !home.before.0.contains_key(&oid);
        let doubt = match green {
            _ if gone.is_some() || is_used => None,
            Some(green) => {
                let mut texts = green.queries.iter().map(|query| green.text(query));
                let uses = |sql: &str| sql.contains('*') || mentions(sql, names);
                (!texts.any(uses)).then_some("green is not seen to use what it lacks")
            }
            None if is_new_table => Some("whether green uses what it lacks is not known"),
            None => None,
        };
        Loss { gone, told: doubt.map(str::to_owned), ..loss }
    }

    /// Whether a step takes a row that the query wrote, or what it holds in a column, whatever the values are that were made up for it: a row that
    /// was there before with the same of them is spared, or none is.
    fn takes_whatever(&self, oid: u32, row: &Row, column: Option<i16>, step: u32) -> bool {
        let overlap = self.judge.overlap;
        let (Some(then), Some(before)) = (overlap.written.0.get(&oid), overlap.before.0.get(&oid)) else {
            return false;
        };
        let now = self.later.iter().find(|(id, _)| *id == step).map(|(_, content)| content);
        let Some(now) = now.filter(|now| now.0.get(&oid).is_some_and(|rows| rows.name == then.name)) else {
            // The table goes, or another takes its name.
            return true;
        };
        let spared = |other: &Row| {
            let key = self.key(&then.name, Some(then), &[other]);
            let wanted = Wanted { oid, row: other, key: &key };
            wanted.is_there(now, column)
        };
        let keys = self.judge.ends.keys(&then.name);
        let table = BTreeSet::from([then.name.rsplit('.').next().unwrap_or_default()]);
        let is_given = |number: &i16| {
            let name = then.columns.get(number).map(String::as_str).unwrap_or_default();
            self.judge.writes(&table, Some(&BTreeSet::from([name]))) && !keys.iter().flatten().any(|key| key == name)
        };
        let given: Vec<i16> = row.keys().copied().filter(is_given).collect();
        let alike = |other: &Row| given.iter().all(|number| other.get(number) == row.get(number));
        let others: Vec<&Row> =
            before.rows.iter().filter(|other| column.is_none_or(|c| other.contains_key(&c))).collect();
        let depends_on_none = self.judge.values.is_empty();
        let none_is_spared = !others.iter().any(|other| spared(other));
        let says = |verbs: &[&str]| self.judge.names(step, &verbs.iter().copied().collect());
        match column {
            _ if depends_on_none || others.iter().any(|other| alike(other) && spared(other)) => true,
            _ if others.is_empty() => false,
            // What it computes may be what an application writes there itself.
            Some(column) => none_is_spared && (is_null(now, oid, column) || !says(&["update", "merge"])),
            // What it looks for may be what no row of an application is like.
            None => none_is_spared && !says(&["delete", "merge"]),
        }
    }

    /// A unique key that the table has at the end, if all these rows hold it.
    fn key(&self, table: &str, rows: Option<&Rows>, holding: &[&Row]) -> Vec<i16> {
        let number = |name: &String| rows?.columns.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
        let keys = self.judge.ends.keys(table).iter();
        let mut keys = keys.filter_map(|key| key.iter().map(number).collect::<Option<Vec<i16>>>());
        let is_held = |key: &Vec<i16>| holding.iter().all(|row| key.iter().all(|number| row.contains_key(number)));
        keys.find(|key| !key.is_empty() && is_held(key)).unwrap_or_default()
    }

    /// What a table, or a column, is called at any time.
    fn names_of(&self, oid: u32, column: Option<i16>) -> BTreeSet<&str> {
        let home = self.judge.home;
        let contents = [&home.before, &home.written, &home.end].into_iter().chain(home.steps.iter().map(|(_, c)| c));
        contents
            .filter_map(|content| {
                let rows = content.0.get(&oid)?;
                match column {
                    Some(column) => rows.columns.get(&column).map(String::as_str),
                    None => rows.name.split_once('.').map(|(_, name)| name),
                }
            })
            .collect()
    }

    /// Whether a step is the one that adds a column.
    fn column_came_with(&self, step: u32, oid: u32, column: i16) -> bool {
        let home = self.judge.home;
        let has = |content: &Content| content.0.get(&oid).is_some_and(|rows| rows.columns.contains_key(&column));
        made(&home.written, &home.steps, has) == Some(step)
    }
}
