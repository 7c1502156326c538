//! The application: accounts in a database, over HTTP. Blue and green are the same program with other queries, those of
//! `migrations-examples/02-rename-column`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, Config, NoTls};

/// One version of it.
pub(crate) struct App {
    name: &'static str,
    create: String,
    rename: String,
    read: String,
    database: Config,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Client>>,
    accounts: AtomicU64,
}

impl App {
    /// `queries` is the file that `cutover plan` reads as well. The address is where it answers.
    pub(crate) async fn start(
        name: &'static str,
        queries: &str,
        database: &Config,
    ) -> Result<SocketAddr, Box<dyn Error>> {
        let query = |wanted: &str| {
            let found = queries.split("-- name: ").find_map(|query| query.strip_prefix(wanted)?.strip_prefix('\n'));
            found.map(str::to_owned).ok_or_else(|| format!("{name} has no query {wanted}"))
        };
        let mut database = database.clone();
        database.application_name(name);
        let app = Arc::new(Self {
            name,
            create: query("create_account")?,
            rename: query("rename_account")?,
            read: query("account")?,
            database,
            idle: Mutex::default(),
            accounts: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let app = Arc::clone(&app);
                tokio::spawn(async move { app.serve(client).await });
            }
        });
        Ok(address)
    }

    /// Answers one request with the name of the version. `/health` asks only whether it is there.
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if client.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let done = if head.starts_with(b"GET /health") { Ok(()) } else { self.work().await };
        let (status, body) = match done {
            Ok(()) => ("200 OK", self.name.to_owned()),
            Err(error) => ("500 Internal Server Error", format!("{}: {error}", self.name)),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        client.write_all(answer.as_bytes()).await
    }

    /// Somebody opens an account, corrects the name and looks at it.
    async fn work(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let taken = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let database = match taken {
            Some(database) => database,
            None => {
                let (database, connection) = self.database.connect(NoTls).await?;
                tokio::spawn(connection);
                database
            }
        };
        let email = format!("{}@{}.example", self.accounts.fetch_add(1, Ordering::Relaxed), self.name);
        let id: i64 = database.query_one(&self.create, &[&email, &"Ada"]).await?.get(0);
        database.execute(&self.rename, &[&id, &"Ada Lovelace"]).await?;
        let name: String = database.query_one(&self.read, &[&id]).await?.get(2);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(database);
        if name == "Ada Lovelace" { Ok(()) } else { Err(format!("account {id} has the name {name}").into()) }
    }
}
