//! What rows lack that were written in the overlap, against the same rows written where nobody is there while the release runs.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Content, Row, Rows, without};

/// Columns that hold another value each time, by table.
pub(super) type Changing = BTreeSet<(String, i16)>;

/// A row of the home play, and what became of it in the overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lacking {
    /// The table's name at the end.
    pub(super) table: String,
    /// The row at home, with all it holds.
    pub(super) home: Row,
    /// The row that is there instead; nothing: it is not there.
    pub(super) instead: Option<Row>,
    /// The columns in which it is another one. What is NULL at home lacks nothing.
    pub(super) columns: Vec<i16>,
}

/// The rows at the end of a play at home that are not there, or hold something else, at the end of one with the same writes in the overlap.
/// Rows that are there besides are no harm.
pub(super) fn lacking(home: &Content, overlap: &Content, changing: &Changing) -> Vec<Lacking> {
    let mut found = Vec::new();
    for rows in home.0.values() {
        let Some((_, others)) = overlap.named(&rows.name) else { continue };
        let stable = |number: &i16| {
            rows.columns.contains_key(number)
                && others.columns.contains_key(number)
                && !changing.contains(&(rows.name.clone(), *number))
        };
        let cut = |row: &Row| -> Row {
            row.iter().filter(|(number, _)| stable(number)).map(|(number, value)| (*number, value.clone())).collect()
        };
        let (ours, theirs): (Vec<Row>, Vec<Row>) =
            (rows.rows.iter().map(cut).collect(), others.rows.iter().map(cut).collect());
        let missing = without(&ours, &theirs);
        let mut added = without(&theirs, &ours);
        // The most alike first.
        let mut open: Vec<(usize, Row)> = missing.into_iter().map(|row| (0, row)).collect();
        while !open.is_empty() {
            for (likeness, row) in &mut open {
                *likeness = added.iter().map(|other| alike(row, other)).max().unwrap_or(0);
            }
            open.sort_by_key(|(likeness, _)| *likeness);
            let Some((likeness, row)) = open.pop() else { break };
            let instead = match likeness {
                0 if added.len() <= open.len() => None,
                _ => added.iter().position(|other| alike(&row, other) == likeness).map(|at| added.swap_remove(at)),
            };
            let columns: Vec<i16> = match &instead {
                Some(instead) => {
                    row.iter().filter(|(number, value)| instead.get(number) != Some(value)).map(|(n, _)| *n).collect()
                }
                None => Vec::new(),
            };
            if instead.is_some() && columns.is_empty() {
                continue;
            }
            let whole = |rows: &Rows, part: &Row| rows.rows.iter().find(|whole| cut(whole) == *part).cloned();
            found.push(Lacking {
                table: rows.name.clone(),
                home: whole(rows, &row).unwrap_or(row),
                instead: instead.map(|part| whole(others, &part).unwrap_or(part)),
                columns,
            });
        }
    }
    found
}

/// In how many columns two rows hold the same.
fn alike(row: &Row, other: &Row) -> usize {
    row.iter().filter(|(number, value)| other.get(number) == Some(value)).count()
}

/// A row that is looked for at other moments of the same play.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The table.
    pub(super) oid: u32,
    /// What the row holds at the end.
    pub(super) row: &'a Row,
    /// A unique key of the table at the end.
    pub(super) key: &'a [i16],
}

impl Wanted<'_> {
    /// The row as it is at a moment: the one with its key, or one that is the same but for a column.
    pub(super) fn at<'c>(&self, content: &'c Content, but: Option<i16>) -> Option<&'c Row> {
        let rows = content.0.get(&self.oid)?;
        let is_known = |number: &i16| rows.columns.contains_key(number);
        let keyed = !self.key.is_empty() && self.key.iter().all(|n| is_known(n) && self.row.contains_key(n));
        let compared: Vec<i16> = match keyed {
            true => self.key.to_vec(),
            false => self.row.keys().copied().filter(|number| is_known(number) && Some(*number) != but).collect(),
        };
        let same = |row: &&Row| compared.iter().all(|number| row.get(number) == self.row.get(number));
        rows.rows.iter().find(|row| !compared.is_empty() && same(row))
    }

    /// Whether it is there, with what it holds in a column at the end, if one is asked for.
    pub(super) fn is_there(&self, content: &Content, column: Option<i16>) -> bool {
        let row = self.at(content, column);
        row.is_some_and(|row| column.is_none_or(|column| row.get(&column) == self.row.get(&column)))
    }
}

/// The step that made something: the first one from which on it is there; nothing: it was there before.
pub(super) fn made(before: &Content, steps: &[(u32, Content)], is_there: impl Fn(&Content) -> bool) -> Option<u32> {
    let first = steps.iter().rposition(|(_, content)| !is_there(content)).map_or(0, |last| last + 1);
    match first {
        0 if is_there(before) => None,
        first => steps.get(first).map(|(step, _)| *step),
    }
}

/// The first of these steps after which something is not there any more.
pub(super) fn taken<'c>(
    mut steps: impl Iterator<Item = &'c (u32, Content)>,
    is_there: impl Fn(&Content) -> bool,
) -> Option<u32> {
    steps.find(|(_, content)| !is_there(content)).map(|(step, _)| *step)
}

/// The columns that were written in the overlap and are not there at the end, and the step that takes each away.
pub(super) fn gone(written: &BTreeMap<u32, Vec<Row>>, steps: &[(u32, Content)]) -> BTreeMap<(u32, i16), u32> {
    let columns = written.iter().flat_map(|(oid, rows)| rows.iter().flat_map(|row| row.keys().map(|n| (*oid, *n))));
    let columns: BTreeSet<(u32, i16)> = columns.collect();
    let has = |(oid, number): &(u32, i16), content: &Content| {
        content.0.get(oid).is_some_and(|rows| rows.columns.contains_key(number))
    };
    let step = |column: (u32, i16)| Some((column, taken(steps.iter(), |content| has(&column, content))?));
    let at_the_end = |column: &(u32, i16)| steps.last().is_none_or(|(_, content)| has(column, content));
    columns.into_iter().filter(|column| !at_the_end(column)).filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        let numbered = (1..).zip(values).filter(|(_, value)| **value != "-");
        numbered.map(|(number, value)| (number, (*value).to_owned())).collect()
    }

    fn content(rows: &[&[&str]]) -> Content {
        let columns = [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())];
        let rows = rows.iter().map(|values| row(values)).collect();
        Content([(7, Rows { name: "public.t".to_owned(), columns: columns.into(), rows })].into())
    }

    fn check(home: &[&[&str]], overlap: &[&[&str]], expected: &[&str]) {
        let changing = Changing::from([("public.t".to_owned(), 3)]);
        let found = lacking(&content(home), &content(overlap), &changing);
        let shown = |lacking: &Lacking| {
            let home: Vec<&str> = lacking.home.values().map(String::as_str).collect();
            match lacking.instead {
                Some(_) => format!("{} in {:?}", home.join(" "), lacking.columns),
                None => home.join(" "),
            }
        };
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rows_that_lack_something() {
        check(&[&["1", "x", "now"]], &[&["1", "x", "later"]], &[]);
        check(&[&["1", "x", "now"]], &[&["1", "-", "later"]], &["1 x now in [2]"]);
        check(&[&["1", "-", "now"]], &[&["1", "x", "later"]], &[]);
        check(&[&["1", "x", "now"]], &[], &["1 x now"]);
        check(&[&["1", "x", "-"], &["1", "x", "-"]], &[&["1", "x", "-"]], &["1 x"]);
        check(&[&["1", "x", "-"]], &[&["1", "x", "-"], &["2", "y", "-"]], &[]);
        check(&[&["1", "x", "-"], &["2", "y", "-"]], &[&["2", "-", "-"]], &["2 y in [2]", "1 x"]);
        // Where there are as many, each is another one's.
        check(&[&["1", "x", "-"]], &[&["2", "y", "-"]], &["1 x in [1, 2]"]);
    }

    #[test]
    fn who_made_it_and_who_took_it() {
        let (with, lacks) = (content(&[&["1", "x", "-"]]), content(&[&["1", "-", "-"]]));
        let wanted = Wanted { oid: 7, row: &row(&["1", "x", "-"]), key: &[1] };
        let there = |content: &Content| wanted.is_there(content, Some(2));
        let steps = |list: &[&Content]| -> Vec<(u32, Content)> { (1..).zip(list.iter().copied().cloned()).collect() };
        assert_eq!(made(&lacks, &steps(&[&lacks, &with, &with]), there), Some(2));
        assert_eq!(made(&with, &steps(&[&with]), there), None);
        assert_eq!(made(&with, &steps(&[&lacks, &with]), there), Some(2));
        assert_eq!(taken(steps(&[&with, &lacks]).iter(), there), Some(2));
        let mut narrow = with.clone();
        narrow.0.get_mut(&7).unwrap().columns.remove(&2);
        let gone = gone(&with.since(&Content::default()), &steps(&[&with, &narrow]));
        assert_eq!(gone, BTreeMap::from([((7, 2), 2)]));
    }
}
