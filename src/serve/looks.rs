//! One session that looks at the database for all who ask.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::execute::{self, Admission, AwaitedRelease, BuiltWith, ExecuteError, Status};
use crate::postgres::Session;
use crate::report::AdmissionDocument;

/// How to come to a session; an error says why there is none. It is called on a thread of its own.
pub type Connect = Box<dyn Fn() -> Connecting + Send>;

/// A session that is being made.
type Connecting = std::pin::Pin<Box<dyn Future<Output = Result<Session, String>>>>;

/// How long a look, or coming to a session, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many questions may wait.
const MOST: usize = 4096;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// Whether a gate is open: of the release that is meant, or of the one that is under way.
    Gate { gate: String, release: Option<String> },
    /// Whether a version may start.
    Ready { version: String },
    /// How the last release is.
    Figures,
}

/// An answer, with the document that it is told by.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) admission: Admission,
    pub(super) document: Value,
}

/// How the last release is; `None`: there is none.
pub(super) type Figures = Option<Box<(String, Status)>>;

#[derive(Debug, Clone)]
enum Found {
    Told(Told),
    Figures(Figures),
}

type Answer = Result<Found, String>;

struct Waiting {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

/// Asks the database, for many at a time.
#[derive(Debug, Clone)]
pub struct Looker(mpsc::Sender<Waiting>);

impl Looker {
    /// Begins a thread that has the session. It ends once nobody can ask any more.
    pub fn new(connect: Connect) -> std::io::Result<Self> {
        let (asks, waiting) = mpsc::channel(MOST);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("cutover-looks".to_owned())
            .spawn(move || runtime.block_on(look_for_all(waiting, &connect)))?;
        Ok(Self(asks))
    }

    /// The answer to a question, of a look that began after it was asked.
    pub(super) async fn ask(&self, question: Question) -> Result<Told, String> {
        match self.find(question).await? {
            Found::Told(told) => Ok(told),
            Found::Figures(_) => Err("the answer is of another question".to_owned()),
        }
    }

    pub(super) async fn figures(&self) -> Result<Figures, String> {
        match self.find(Question::Figures).await? {
            Found::Figures(figures) => Ok(figures),
            Found::Told(_) => Err("the answer is of another question".to_owned()),
        }
    }

    async fn find(&self, question: Question) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.0.try_send(Waiting { question, answer }).is_err() {
            return Err("too many ask at once".to_owned());
        }
        // One look may be under way, and a connection has to be made for it.
        match tokio::time::timeout(PATIENCE * 4, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err("the database did not answer in time".to_owned()),
        }
    }
}

async fn look_for_all(mut waiting: mpsc::Receiver<Waiting>, connect: &Connect) {
    let mut session: Option<Session> = None;
    while let Some(first) = waiting.recv().await {
        let mut asked: BTreeMap<Question, Vec<oneshot::Sender<Answer>>> = BTreeMap::new();
        let mut next = Some(first);
        while let Some(Waiting { question, answer }) = next {
            asked.entry(question).or_default().push(answer);
            next = waiting.try_recv().ok();
        }
        for (question, answers) in asked {
            // Whoever has gone does not wait for an answer.
            if answers.iter().all(oneshot::Sender::is_closed) {
                continue;
            }
            let found = look(&mut session, &question, connect).await;
            for answer in answers {
                let _ = answer.send(found.clone());
            }
        }
    }
}

/// Looks once; over a new session, where the one before was lost meanwhile.
async fn look(session: &mut Option<Session>, question: &Question, connect: &Connect) -> Answer {
    let is_new = session.is_none();
    match look_once(session, question, connect).await {
        Err(_) if session.is_none() && !is_new => look_once(session, question, connect).await,
        answer => answer,
    }
}

async fn look_once(session: &mut Option<Session>, question: &Question, connect: &Connect) -> Answer {
    let own = match session.take().filter(|session| !session.is_closed()) {
        Some(own) => own,
        None => match tokio::time::timeout(PATIENCE, connect()).await {
            Ok(made) => made.map_err(|why| format!("cannot connect: {why}"))?,
            Err(_) => return Err("cannot connect: the server does not answer".to_owned()),
        },
    };
    let looked = tokio::time::timeout(PATIENCE, found(&own, question)).await;
    let Ok(looked) = looked else { return Err("the database did not answer in time".to_owned()) };
    match looked {
        Err(error) if own.is_closed() || error.is_connection_lost() => Err(error.to_string()),
        looked => {
            *session = Some(own);
            looked.map_err(|error| error.to_string())
        }
    }
}

async fn found(session: &Session, question: &Question) -> Result<Found, ExecuteError> {
    let written = |document: AdmissionDocument<'_>| serde_json::to_value(document).unwrap_or_default();
    Ok(match question {
        Question::Gate { gate, release } => {
            let awaited = release.clone().map_or(AwaitedRelease::UnderWay, AwaitedRelease::Id);
            let passage = execute::gate(session, gate, &awaited).await?;
            Found::Told(Told { document: written((&passage).into()), admission: passage.admission })
        }
        Question::Ready { version } => {
            let readiness = execute::ready(session, BuiltWith::Version(version), None).await?;
            Found::Told(Told { document: written((&readiness).into()), admission: readiness.admission })
        }
        Question::Figures => {
            let last = execute::status(session).await?;
            Found::Figures(last.map(|(release, status)| Box::new((release.id, status))))
        }
    })
}
