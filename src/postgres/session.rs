//! One connection to a server: the client, the task that drives it, and what the server says unasked.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Connection, NoTls, Notification, SimpleQueryMessage, SimpleQueryRow,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect::{PlainConnection, TlsConnection, connector_for};
use super::connect_error::ConnectError;
use super::socket::{Peer, offers_tls, open};
use super::target::Target;
use crate::effect::PgVersion;

/// How many notices and notifications are kept for [`Session::take_notices`]; of more, the latest.
const KEPT: usize = 1000;

/// A connection in use. Dropping it closes the connection.
pub struct Session {
    client: Client,
    task: Task,
    mailbox: Arc<Mailbox>,
    backend_pid: i32,
    server_version_num: i32,
    cancel: Cancel,
}

/// The connection half, before its task is spawned.
pub(super) enum Wire {
    Plain(Box<PlainConnection>),
    Tls(Box<TlsConnection>),
}

/// How the session's server was reached: cancelling a query takes another connection to the very same one.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) peer: Peer,
    pub(super) host: String,
    pub(super) shown: String,
    pub(super) target: Target,
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl Session {
    /// Spawns the task and asks the server who it is.
    pub(super) async fn open(client: Client, wire: Wire, door: Door) -> Result<Self, tokio_postgres::Error> {
        let mailbox = Arc::new(Mailbox::default());
        let task = match wire {
            Wire::Plain(connection) => tokio::spawn(drive(*connection, Arc::clone(&mailbox))),
            Wire::Tls(connection) => tokio::spawn(drive(*connection, Arc::clone(&mailbox))),
        };
        let cancel = Cancel { token: client.cancel_token(), door };
        let mut session = Self { client, task: Task(task), mailbox, backend_pid: 0, server_version_num: 0, cancel };
        // Not prepared: a pooler may have another process of the server's run it, which is told later and better.
        let query = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version_num')";
        let answer = session.client.simple_query(query).await?;
        if let Some(row) = first_row(&answer) {
            let number = |column| row.get(column).and_then(|text| text.parse().ok()).unwrap_or_default();
            (session.backend_pid, session.server_version_num) = (number(0), number(1));
        }
        Ok(session)
    }

    /// The server's version as PostgreSQL counts: 150004 is 15.4.
    pub fn server_version_num(&self) -> i32 {
        self.server_version_num
    }

    /// Which PostgreSQL it is.
    pub fn version(&self) -> PgVersion {
        PgVersion(u32::try_from(self.server_version_num / 10_000).unwrap_or_default())
    }

    /// The server's process that serves this session, as in `pg_stat_activity.pid`.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Whether the connection is under TLS.
    pub fn is_encrypted(&self) -> bool {
        self.cancel.door.tls.is_some()
    }

    /// What the session is connected to.
    pub fn target(&self) -> &Target {
        &self.cancel.door.target
    }

    /// The notices (`RAISE NOTICE`, "relation already exists, skipping", …) since the last call. The notices of a statement are there
    /// when its result is. At most the latest 1000 are kept.
    pub fn take_notices(&self) -> Vec<DbError> {
        self.mailbox.lock().notices.drain(..).collect()
    }

    /// The notifications (`LISTEN`) since the last call; at most the latest 1000.
    pub fn take_notifications(&self) -> Vec<Notification> {
        self.mailbox.lock().notifications.drain(..).collect()
    }

    /// Calls `listener` with each notice as it comes, instead of keeping it. The listener must not use the session.
    pub fn on_notice(&self, listener: impl Fn(&DbError) + Send + 'static) {
        self.mailbox.lock().listener = Some(Box::new(listener));
    }

    /// A handle that cancels the running query, also while the session itself is borrowed.
    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Says goodbye and waits until the server has been told. Dropping is enough where nobody waits for the session's end.
    pub async fn close(self) {
        let Self { client, mut task, .. } = self;
        drop(client);
        let _ = (&mut task.0).await;
    }
}

#[doc(hidden)]
impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

#[doc(hidden)]
impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.cancel.door.shown)
            .field("backend_pid", &self.backend_pid)
            .field("server_version_num", &self.server_version_num)
            .finish_non_exhaustive()
    }
}

/// The first row of an answer over the simple protocol.
pub(crate) fn first_row(answer: &[SimpleQueryMessage]) -> Option<&SimpleQueryRow> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

/// The task that drives a connection; it ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Cancels what a session is doing. Cheap to clone; outlives the session harmlessly.
#[derive(Clone)]
pub struct Cancel {
    token: CancelToken,
    door: Door,
}

impl Cancel {
    /// Asks the server to cancel the running query, over a connection of its own. That the server has read the request does not mean
    /// that there was something to cancel: the query itself tells, by failing with SQLSTATE 57014.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        let Door { peer, host, shown, target, tls } = &self.door;
        let failed = |reason: String| ConnectError::Unreachable { target: shown.clone(), reason };
        let request = async {
            let mut socket = open(peer, &target.keepalive).await.map_err(|error| failed(error.to_string()))?;
            match tls {
                None => self.token.cancel_query_raw(socket, NoTls).await,
                Some(tls) => {
                    if !target.tls.direct
                        && !offers_tls(&mut socket).await.map_err(|error| failed(error.to_string()))?
                    {
                        return Err(failed("the server no longer offers TLS".into()));
                    }
                    self.token.cancel_query_raw(socket, connector_for(tls, host)).await
                }
            }
            .map_err(|error| failed(error.to_string()))
        };
        match target.connect_timeout {
            None => request.await,
            Some(after) => tokio::time::timeout(after, request)
                .await
                .unwrap_or_else(|_| Err(ConnectError::Timeout { target: shown.clone(), after })),
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("target", &self.door.shown).finish_non_exhaustive()
    }
}

type Listener = Box<dyn Fn(&DbError) + Send>;

/// What the server says unasked.
#[derive(Default)]
struct Mailbox(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    notices: VecDeque<DbError>,
    notifications: VecDeque<Notification>,
    listener: Option<Listener>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: AsyncMessage) {
        let mut kept = self.lock();
        match message {
            AsyncMessage::Notice(notice) => match &kept.listener {
                Some(listener) => listener(&notice),
                None => keep(&mut kept.notices, notice),
            },
            AsyncMessage::Notification(notification) => keep(&mut kept.notifications, notification),
            _ => {}
        }
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Drives a connection to its end. An error ends it too: the client then says "connection closed" to whoever waits.
async fn drive<S, T>(mut connection: Connection<S, T>, mailbox: Arc<Mailbox>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        mailbox.put(message);
    }
}
