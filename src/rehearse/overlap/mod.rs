//! What the steps make of rows that a version writes in the overlap: rows and values that are lost, that a backfill or a copy misses, or that
//! a later step fails on.
//!
//! The release is played on a database of its own, in transactions that are taken back, with synthetic rows and the plan's steps in their order:
//! once with the writes of a version where nobody is there while it runs (blue's before the first step, green's after the last one), and once
//! with the same writes between the phases. Nothing but the moment differs, so that what the rows of the overlap lack is what the overlap
//! costs. What another play at home holds otherwise, too, shows nothing. Where anything is lacking, each query is played alone, with a look at all rows
//! after each step: that tells which query it is, which step, and that no other query has a part in it.

mod compare;
mod content;
mod judge;
mod stage;
mod told;

use std::collections::BTreeMap;
use std::time::Instant;

use tokio_postgres::Error;

use self::compare::{Changing, lacking};
use self::content::Content;
use self::judge::{Judge, stops};
use self::stage::{Look, Moment, Played, Stage, Writing};
use self::told::Author;
use super::error::RehearsalError;
use super::replay::Refused;
use super::synthetic::{Ends, Improviser, Writer, time};
use super::terms::Script;
use super::terms::Terms;
use super::trial::{Met, Trial};
use crate::plan::saved::Phase;
use crate::postgres::throwaway::ThrowawayError;
use crate::postgres::{Target, connect, server_message};
use crate::side::Side;

/// What became of the rows that a version writes in the overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Whose.
    pub version: Side,
    /// How many of its queries write rows, and succeed on the schema of their own version.
    pub queries: usize,
    /// How many of them were compared.
    pub compared: usize,
    /// How many show nothing, by the reason.
    pub nothing: BTreeMap<String, usize>,
    /// How many were not played: there was no time.
    pub cut: usize,
    /// What is lost.
    pub losses: Vec<Loss>,
}

/// What rows of the overlap lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What it is.
    pub kind: LossKind,
    /// The query that writes them; with other queries that lose the same.
    pub query: String,
    /// `path:line:column` of it.
    pub place: String,
    /// Other queries with the same loss.
    pub also: Vec<String>,
    /// The values of its parameters: `$1 = 101, $2 = NULL`.
    pub values: String,
    /// The table, with its schema.
    pub table: String,
    /// The columns that are not filled; none: the row is not there.
    pub columns: Vec<String>,
    /// The step that fails, takes them, or ran before they came.
    pub step: Option<u32>,
    /// The step that then takes away what they were written with.
    pub gone: Option<u32>,
    /// What the first of the columns holds where nobody is there while the release runs, and what it holds here.
    pub instead: Option<(String, Option<String>)>,
    /// What the server said of a step that fails.
    pub message: Option<String>,
    /// Why it does not make the rehearsal fail: the plan or its author has told of it, or values of production may fare better. Nothing: it does.
    pub told: Option<String>,
}

/// How rows of the overlap lose something.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// A step fails on them, and the release stops half way.
    Stops,
    /// They are taken away.
    Taken,
    /// A step that fills or copies rows ran before they came.
    LeftOut,
}

impl Overlap {
    /// What makes the rehearsal fail.
    pub fn untold(&self) -> impl Iterator<Item = &Loss> {
        self.losses.iter().filter(|loss| loss.told.is_none())
    }

    fn new(version: Side, queries: usize) -> Self {
        Self { version, queries, compared: 0, nothing: BTreeMap::new(), cut: 0, losses: Vec::new() }
    }

    fn shows_nothing(&mut self, why: &str, queries: usize) {
        if queries > 0 {
            *self.nothing.entry(why.to_owned()).or_default() += queries;
        }
    }

    /// Adds a loss, with others of its kind.
    fn add(&mut self, loss: Loss) {
        let same = |known: &&mut Loss| {
            (known.kind, &known.table, &known.columns, known.step, known.gone)
                == (loss.kind, &loss.table, &loss.columns, loss.step, loss.gone)
        };
        match self.losses.iter_mut().find(same) {
            Some(known) if known.query == loss.query || known.also.contains(&loss.query) => {}
            Some(known) => known.also.push(loss.query),
            None => self.losses.push(loss),
        }
    }
}

/// Plays the release for each version that writes without a recording. Rows of blue can only lose something by a step before the cutover that they come
/// too late for, and rows of green by one after it.
pub(super) async fn look(
    target: &Target,
    script: Script<'_>,
    terms: Terms<'_>,
    ends: &Ends,
    improvisers: &[Improviser<'_>],
    met: &mut Met,
) -> Result<Vec<Overlap>, RehearsalError> {
    let session = connect(target).await.map_err(ThrowawayError::from)?;
    Trial::new(&session, script.folder, terms, met).production(script.applied).await?;
    let limit = time(terms.limit);
    let mut found = Vec::new();
    let work = async {
        let filled = match improvisers.first() {
            Some(improviser) => ends.furnish(&session, improviser.rows(), limit).await?,
            None => Vec::new(),
        };
        let mut stage = Stage::new(&session, script.plan, filled).await?;
        for improviser in improvisers.iter().filter(|of| matters(of.version(), script)) {
            let writers = improviser.writers();
            let until = Instant::now() + limit;
            let mut playing = Playing {
                stage: &mut stage,
                script,
                ends,
                writers: &writers,
                until,
                found: Overlap::new(improviser.version(), writers.len()),
            };
            playing.all().await?;
            found.push(playing.found);
        }
        Ok::<(), Error>(())
    };
    // Twice the time of each version, and that of the rows.
    let done = tokio::time::timeout(limit.saturating_mul(5), work).await;
    let why = match done {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(server_message(&error)),
        Err(_) => Some("there was no time".to_owned()),
    };
    for improviser in improvisers.iter().filter(|of| matters(of.version(), script)) {
        if let Some(why) = &why
            && found.iter().all(|of| of.version != improviser.version())
        {
            let queries = improviser.writers().len();
            let mut overlap = Overlap::new(improviser.version(), queries);
            overlap.shows_nothing(why, queries);
            found.push(overlap);
        }
    }
    match why {
        None => session.close().await,
        // A session that still runs something would not end.
        Some(_) => drop(session),
    }
    Ok(found)
}

/// Whether the moment when a version writes makes a difference.
pub(super) fn matters(version: Side, script: Script<'_>) -> bool {
    let phase = match version {
        Side::Blue => Phase::Before,
        Side::Green => Phase::After,
    };
    script.plan.phase(phase).next().is_some()
}

/// The plays of one version.
struct Playing<'a, 's> {
    stage: &'a mut Stage<'s>,
    script: Script<'a>,
    ends: &'a Ends,
    writers: &'a [Writer],
    until: Instant,
    found: Overlap,
}

impl<'a> Playing<'a, '_> {
    async fn play(&self, moment: Moment, writes: &[Writing<'_>], look: Look) -> Result<Played, Error> {
        self.stage.play(self.found.version, moment, writes, look).await
    }

    fn is_late(&self) -> bool {
        Instant::now() > self.until
    }

    /// Together, as many as do not hinder each other; and those that are left over.
    async fn all(&mut self) -> Result<(), Error> {
        let mut open: Vec<Writing<'a>> =
            self.writers.iter().enumerate().map(|(query, of)| Writing { query, lists: &of.lists }).collect();
        while !open.is_empty() {
            if self.is_late() {
                self.found.cut += open.len();
                return Ok(());
            }
            let mut home = self.play(Moment::Home, &open, Look::End).await?;
            if home.failed.is_some() {
                // Rows that production need not have, either.
                let bare = self.play(Moment::Home, &[], Look::End).await?;
                if let Some((step, refused)) = &bare.failed {
                    if self.stage.clear(*step, refused.table.as_deref()).await? {
                        continue;
                    }
                    self.found
                        .shows_nothing("the release does not run in a transaction that is taken back", open.len());
                    return Ok(());
                }
                open = self.fitting(&open).await?;
                home = self.play(Moment::Home, &open, Look::End).await?;
                if home.failed.is_some() {
                    self.found.shows_nothing(UNFIT, open.len());
                    return Ok(());
                }
            }
            let (together, rest) = wrote(&open, &home);
            if together.is_empty() {
                self.found.shows_nothing(
                    "it writes no row where the release has run, with the values that were tried",
                    rest.len(),
                );
                return Ok(());
            }
            // What fails in the overlap is another finding.
            let overlap = self.play(Moment::Overlap, &together, Look::End).await?;
            let (both, _) = wrote(&together, &overlap);
            if both.len() < together.len() && overlap.failed.is_none() {
                self.found.shows_nothing(
                    "it does not write in the overlap what it writes elsewhere",
                    together.len() - both.len(),
                );
                open = both
                    .into_iter()
                    .map(|of| Writing { lists: &self.writers[of.query].lists, ..of })
                    .chain(rest)
                    .collect();
                continue;
            }
            self.found.compared += together.len();
            self.compare(&together, &home, &overlap).await?;
            open = rest;
        }
        Ok(())
    }

    /// Those with which the release runs where nobody is there; production's rows may be others.
    async fn fitting(&mut self, writes: &[Writing<'a>]) -> Result<Vec<Writing<'a>>, Error> {
        let mut fitting = Vec::new();
        for (at, writing) in writes.iter().enumerate() {
            if self.is_late() {
                self.found.cut += writes.len() - at;
                break;
            }
            match self.play(Moment::Home, &[*writing], Look::End).await?.failed {
                None => fitting.push(*writing),
                Some(_) => self.found.shows_nothing(UNFIT, 1),
            }
        }
        Ok(fitting)
    }

    /// Whether rows lack something, and of which query.
    async fn compare(&mut self, writes: &[Writing<'a>], home: &Played, overlap: &Played) -> Result<(), Error> {
        let mut changing = self.numbered(&home.end);
        let differs =
            |changing: &Changing| overlap.failed.is_some() || !lacking(&home.end, &overlap.end, changing).is_empty();
        if !differs(&changing) {
            return Ok(());
        }
        let mut again = self.play(Moment::Home, writes, Look::OtherKeys).await?;
        if again.failed.is_some() || again.wrote != home.wrote {
            // Other keys meet rows that are there.
            again = self.play(Moment::Home, writes, Look::End).await?;
        }
        changing.extend(home.end.changing(&again.end));
        if !differs(&changing) {
            return Ok(());
        }
        let known = self.found.losses.len();
        for writing in writes {
            if self.is_late() {
                self.found.cut += 1;
                continue;
            }
            let home = self.play(Moment::Home, &[*writing], Look::Steps).await?;
            let overlap = self.play(Moment::Overlap, &[*writing], Look::Steps).await?;
            if home.failed.is_some() || home.wrote != overlap.wrote {
                continue;
            }
            let judge = self.judge(writing, &home, &overlap);
            let losses = match &overlap.failed {
                Some((step, refused)) => stops(&judge, *step, refused).into_iter().collect(),
                None => judge.losses(&changing),
            };
            for mut loss in losses {
                loss.told = self.told(&loss).or(loss.told);
                self.found.add(loss);
            }
        }
        if let Some((step, refused)) = overlap.failed.as_ref().filter(|_| self.found.losses.len() == known) {
            self.together(writes, home, overlap, *step, refused);
        }
        Ok(())
    }

    /// What the rows of several queries bring about that none of them does alone.
    fn together(&mut self, writes: &[Writing<'a>], home: &Played, overlap: &Played, step: u32, refused: &Refused) {
        let Some(first) = writes.first() else { return };
        let judge = self.judge(first, home, overlap);
        match stops(&judge, step, refused) {
            Some(loss) => {
                let also = writes[1..].iter().map(|writing| self.writers[writing.query].query.clone()).collect();
                let doubt = "only what several queries write together brings it about, and their values were made up";
                let told = self.told(&loss).or_else(|| Some(doubt.to_owned()));
                self.found.add(Loss { also, told, values: String::new(), ..loss });
            }
            None => {
                self.found.compared -= writes.len();
                self.found.shows_nothing("a step does not run where they write together", writes.len());
            }
        }
    }

    /// Who has told of a loss; or why it shows little.
    fn told(&self, loss: &Loss) -> Option<String> {
        let anyway = loss.kind == LossKind::Stops && loss.step.is_some_and(|step| self.stage.fails_anyway(step));
        let doubt = || anyway.then(|| "it fails on synthetic rows that are there before, too".to_owned());
        Author { script: self.script }.told(loss).or_else(doubt)
    }

    fn judge<'b>(&'b self, writing: &Writing<'b>, home: &'b Played, overlap: &'b Played) -> Judge<'b> {
        let writer = &self.writers[writing.query];
        let values = &writing.lists[0].parameters;
        let (version, plan, green) = (self.found.version, self.script.plan, self.script.green);
        Judge { version, plan, ends: self.ends, green, writer, values, home, overlap }
    }

    /// The columns that sequences of the release fill.
    fn numbered(&self, end: &Content) -> Changing {
        let numbered = self.ends.numbered();
        let of = |rows: &content::Rows| {
            let is_one = |(_, name): &(&i16, &String)| numbered.contains(&(rows.name.clone(), (*name).clone()));
            rows.columns.iter().filter(is_one).map(|(number, _)| (rows.name.clone(), *number)).collect::<Vec<_>>()
        };
        end.0.values().flat_map(of).collect()
    }
}

const UNFIT: &str = "a step fails on what it writes, also where nobody is there while the release runs";

/// Those that wrote, with the list of values that did, and the others.
fn wrote<'a>(writes: &[Writing<'a>], played: &Played) -> (Vec<Writing<'a>>, Vec<Writing<'a>>) {
    let (mut together, mut rest) = (Vec::new(), Vec::new());
    for (writing, wrote) in writes.iter().zip(&played.wrote) {
        match wrote {
            Some(list) => together.push(Writing { lists: &writing.lists[*list..=*list], ..*writing }),
            None => rest.push(*writing),
        }
    }
    (together, rest)
}
