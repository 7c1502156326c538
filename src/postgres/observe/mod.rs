//! What a statement does, seen from outside: run on a throwaway server, with the catalog read before and after it. The difference becomes
//! the same [`Effect`] that the simulation derives from the text, so that each can stand for the other and be held against it.
//!
//! Beside the effect, what running it costs: the locks it holds when it has run (they stay until the end of the transaction), the tables
//! with new files, the rows read sequentially. Statements outside a transaction keep no locks to look at; their cost is not observed.

mod behaviour;
mod cost;
mod image;

use std::collections::BTreeSet;

use tokio_postgres::Error;

use self::image::{Image, Questions};
use super::message::server_message;
use super::{IntrospectError, Introspector, Session};
use crate::effect::Effect;
use crate::few::Few;
use crate::schema::{Object, Schema};

pub(crate) use self::cost::lock_mode;
pub use self::cost::{Cost, Scan};

/// Why something could not be observed. That a statement fails is not an error, it is an [`Observation`].
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Reading the schema.
    #[error(transparent)]
    Catalog(#[from] IntrospectError),
    /// Anything else that is asked between the statements.
    #[error("observing a statement failed ({what}): {}", server_message(source))]
    Server {
        /// What was asked.
        what: &'static str,
        /// The server's answer.
        #[source]
        source: Error,
    },
}

/// What a statement was seen to do.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What it took from clients and gave to them.
    pub effect: Effect,
    /// What differs in the catalog.
    pub touched: Few<Object>,
    /// Catalogs that differ and that no capability stands for: rules, publications, casts, …. Where this is not empty, the effect is not
    /// all of it.
    pub elsewhere: BTreeSet<String>,
    /// What running it cost; `None` where it ran outside a transaction, or failed.
    pub cost: Option<Cost>,
    /// What the server said, if it failed. The database is then as it was before (outside a transaction: perhaps not quite).
    pub error: Option<String>,
}

/// Watches one session's database from statement to statement.
pub struct StatementObserver<'a> {
    session: &'a Session,
    eyes: Eyes,
    schema: Schema,
    image: Image,
}

impl<'a> StatementObserver<'a> {
    /// Looks at the database as it is.
    pub async fn start(session: &'a Session) -> Result<Self, ObserveError> {
        run(session, "opening a transaction", "BEGIN").await?;
        let eyes = Eyes { catalog: Introspector::prepare(session).await?, image: image::prepare(session).await? };
        let (schema, image) = eyes.look(session).await?;
        run(session, "ending the transaction", "COMMIT").await?;
        Ok(Self { session, eyes, schema, image })
    }

    /// The catalog as of the last statement.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Runs a statement, in a transaction of its own if it bears one, and says what it did.
    pub async fn observe(&mut self, sql: &str, transactional: bool) -> Result<Observation, ObserveError> {
        if transactional {
            match self.inside(sql).await? {
                // `CALL` and `DO` may commit on their way, which a transaction around them forbids (2D000).
                Err(error) if commits_itself(&error) => {}
                Err(error) => return Ok(failed(&error)),
                Ok(observation) => return Ok(observation),
            }
        }
        let outcome = self.session.batch_execute(sql).await;
        run(self.session, "opening a transaction", "BEGIN").await?;
        let seen = self.eyes.look(self.session).await?;
        run(self.session, "ending the transaction", "COMMIT").await?;
        let observation = self.compare(seen, None);
        Ok(Observation { error: outcome.err().map(|e| server_message(&e)), ..observation })
    }

    async fn inside(&mut self, sql: &str) -> Result<Result<Observation, Error>, ObserveError> {
        let session = self.session;
        run(session, "opening a transaction", "BEGIN").await?;
        let rows = cost::rows(session, &self.image).await?;
        if let Err(error) = session.batch_execute(sql).await {
            run(session, "giving up the transaction", "ROLLBACK").await?;
            return Ok(Err(error));
        }
        // The locks first: reading the catalog takes some of its own.
        let cost = cost::read(session, &self.image, &rows).await?;
        let seen = self.eyes.look(session).await?;
        if let Err(error) = session.batch_execute("COMMIT").await {
            // Deferred constraints are checked here.
            return Ok(Err(error));
        }
        let shared = cost.shared.clone();
        let mut observation = self.compare(seen, Some(cost));
        observation.elsewhere.extend(shared);
        Ok(Ok(observation))
    }

    fn compare(&mut self, (schema, image): (Schema, Image), cost: Option<Cost>) -> Observation {
        let before = std::mem::replace(&mut self.schema, schema);
        let was = std::mem::replace(&mut self.image, image);
        let touched = before.differing(&self.schema);
        let mut effect = Effect::between(&before, &self.schema, &touched);
        let changed = |(catalog, digest): &(&String, &String)| was.elsewhere.get(*catalog) != Some(*digest);
        let elsewhere = self.image.elsewhere.iter().filter(changed).map(|(catalog, _)| catalog.clone()).collect();
        let behaviour = behaviour::difference(&was, &self.image, &self.schema);
        effect.removes.extend(behaviour.removes);
        effect.adds.extend(behaviour.adds);
        Observation { effect, touched, elsewhere, cost, error: None }
    }
}

fn failed(error: &Error) -> Observation {
    Observation {
        effect: Effect::default(),
        touched: Few::new(),
        elsewhere: BTreeSet::new(),
        cost: None,
        error: Some(server_message(error)),
    }
}

fn commits_itself(error: &Error) -> bool {
    use tokio_postgres::error::SqlState;
    let code = error.code();
    code == Some(&SqlState::INVALID_TRANSACTION_TERMINATION) || code == Some(&SqlState::ACTIVE_SQL_TRANSACTION)
}

/// What is asked after every statement.
struct Eyes {
    catalog: Introspector,
    image: Questions,
}

impl Eyes {
    /// Schema and image, read under a search path of their own, because names are printed as the path allows, and not in a role that the
    /// statements have put on.
    async fn look(&self, session: &Session) -> Result<(Schema, Image), ObserveError> {
        run(session, "setting the search path", "SET LOCAL search_path = public; SET LOCAL ROLE NONE").await?;
        Ok((self.catalog.read(session).await?, image::read(session, &self.image).await?))
    }
}

async fn run(session: &Session, what: &'static str, sql: &str) -> Result<(), ObserveError> {
    session.batch_execute(sql).await.map_err(|source| ObserveError::Server { what, source })
}
