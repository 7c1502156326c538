//! Queries prepared on a server, state after state: all of them at first, and then those that a change can touch.

use futures_util::future::join_all;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Error};

use crate::compat::QueryWords;
use crate::compat::matrix::{Cell, Failure};
use crate::postgres::{Catalog, Touched, server_message};
use crate::sql::lex::{Lexeme, lex};
use crate::workload::Workload;

/// The queries of one version, or of several, on one session.
#[derive(Debug)]
pub struct Preparer<'a> {
    texts: Vec<&'a str>,
    words: QueryWords,
    catalog: Option<Catalog>,
}

impl<'a> Preparer<'a> {
    /// The queries of these workloads, numbered through in their order.
    pub fn new(workloads: impl IntoIterator<Item = &'a Workload>) -> Self {
        let texts = workloads.into_iter().flat_map(|w| w.queries.iter().map(|query| w.text(query)));
        let texts: Vec<&str> = texts.collect();
        Self { words: QueryWords::new(texts.iter().copied()), texts, catalog: None }
    }

    /// The queries that may be others than when this was asked last, with what they are now; all of them the first time.
    pub async fn look(&mut self, client: &Client) -> Result<Vec<(usize, Cell)>, Error> {
        let queries = match &mut self.catalog {
            Some(catalog) => match catalog.touched(client).await? {
                Touched::Everything => self.words.all(),
                Touched::Names(names) => self.words.naming(names.iter().map(String::as_str)),
            },
            None => {
                self.catalog = Some(Catalog::start(client).await?);
                self.words.all()
            }
        };
        Ok(self.prepare(client, queries).await)
    }

    /// All queries as they are now, whatever is known of them.
    pub async fn look_at_all(&self, client: &Client) -> Vec<(usize, Cell)> {
        self.prepare(client, self.words.all()).await
    }

    /// Sent at once, answered in order.
    async fn prepare(&self, client: &Client, queries: Vec<usize>) -> Vec<(usize, Cell)> {
        if queries.is_empty() {
            return Vec::new();
        }
        // The names of types are among what may have changed.
        client.clear_type_cache();
        let cells = join_all(queries.iter().map(|query| prepare(client, self.texts[*query]))).await;
        // The arbiter of ON CONFLICT is looked for when a plan is made, which PREPARE does not do.
        let planned = queries.iter().zip(cells).map(async |(query, (cell, parameters))| {
            let text = self.texts[*query];
            let error = match &cell {
                Cell::Works(_) if mentions_conflict(text) => plan_error(client, *query, text, parameters).await,
                Cell::Works(_) | Cell::Fails(_) | Cell::Unknown(_) => None,
            };
            (*query, error.unwrap_or(cell))
        });
        join_all(planned).await
    }
}

fn mentions_conflict(text: &str) -> bool {
    let words: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    words.windows(2).any(|pair| pair[0].is("on") && pair[1].is("conflict"))
}

/// What planning a query that prepares fails with. `EXPLAIN` plans and does not run; the values do not matter to the search for an arbiter.
async fn plan_error(client: &Client, query: usize, text: &str, parameters: usize) -> Option<Cell> {
    let nulls = vec!["NULL"; parameters].join(", ");
    let arguments = if parameters > 0 { format!("({nulls})") } else { String::new() };
    let text = text.trim_end().trim_end_matches(';');
    let name = format!("cutover_probe_{query}");
    let run = async {
        client.batch_execute(&format!("PREPARE {name} AS {text}")).await?;
        let planned = client.simple_query(&format!("EXPLAIN EXECUTE {name}{arguments}")).await;
        client.batch_execute(&format!("DEALLOCATE {name}")).await?;
        planned.map(|_| ())
    };
    // The place is one in the statement around the query.
    run.await.err().map(|error| Cell::Fails(Failure::new(server_message(&error))))
}

async fn prepare(client: &Client, text: &str) -> (Cell, usize) {
    match client.prepare(text).await {
        Ok(statement) => {
            let parameters = statement.params().iter().map(|t| t.name().to_owned());
            let columns = statement.columns().iter().map(|c| format!("{} {}", c.name(), c.type_().name()));
            let (parameters, columns): (Vec<_>, Vec<_>) = (parameters.collect(), columns.collect());
            let works = Cell::Works(format!("({}) → ({})", parameters.join(", "), columns.join(", ")));
            (works, parameters.len())
        }
        Err(error) => {
            let at = error.as_db_error().and_then(|error| place(text, error.position()?));
            (Cell::Fails(Failure { at, ..Failure::new(server_message(&error)) }), 0)
        }
    }
}

/// The word that PostgreSQL points to: it counts characters from 1.
fn place(text: &str, position: &ErrorPosition) -> Option<(u32, u32)> {
    let ErrorPosition::Original(at) = position else { return None };
    let (start, first) = text.char_indices().nth(usize::try_from(*at).ok()?.checked_sub(1)?)?;
    let rest = &text[start..];
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = match first {
        '"' => rest[1..].find('"').map_or(rest.len(), |quote| quote + 2),
        _ => rest.find(|c| !name(c)).unwrap_or(rest.len()).max(first.len_utf8()),
    };
    Some((u32::try_from(start).ok()?, u32::try_from(start + end).ok()?))
}
