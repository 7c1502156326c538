//! A traffic backend of your own, and a release with it on a throwaway server: the weights stand in a file that a proxy could read.
//!
//! ```console
//! $ cargo run --no-default-features --features live --example custom_backend
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::PathBuf;

use cutover::execute::{Doors, Event, Options, execute};
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::postgres::connect;
use cutover::postgres::throwaway::{Local, LocalOptions};
use cutover::side::Side;
use cutover::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    Verified,
};

/// Green's weight in a file, of ten thousand.
struct WeightFile {
    path: PathBuf,
}

impl WeightFile {
    fn broken(op: &'static str, error: &std::io::Error) -> TrafficError {
        TrafficError::Broken { backend: "weight-file".into(), op, why: error.to_string() }
    }

    fn read(&self, op: &'static str) -> Result<Option<Share>, TrafficError> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| Self::broken(op, &error))?;
        Ok(text.trim().parse().ok().and_then(Share::basis_points))
    }
}

impl TrafficBackend for WeightFile {
    fn name(&self) -> &'static str {
        "weight-file"
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async { Ok(Capabilities::seeing(Kind::Weighted, true)) })
    }

    fn preflight<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { self.read("preflight").map(|_| ()) })
    }

    fn observe<'a>(&'a self, _: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async { Ok(ShareSeen { share: self.read("observe")? }) })
    }

    // The same call may come again after a crash: writing the same weight twice does no harm.
    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(async move {
            let weight = want.as_basis_points().to_string();
            std::fs::write(&self.path, weight).map_err(|error| Self::broken("set_share", &error))?;
            context.log.line(format!("green's weight is {} of 10000", want.as_basis_points()));
            Ok(ShareSet { share: want })
        })
    }

    fn verify<'a>(&'a self, _: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(async move {
            let seen = self.read("verify")?;
            Ok(if seen == Some(want) { Verified::Yes } else { Verified::NotYet { seen } })
        })
    }

    fn health<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Health> {
        Box::pin(async { Ok(Health::Unknown) })
    }

    fn drain<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Drain> {
        Box::pin(async { Ok(Drain::Drained { evidence: "nobody is served from this file".into() }) })
    }

    fn finalize<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let traffic = WeightFile { path: directory.path().join("weight") };
    std::fs::write(&traffic.path, "0")?;

    let migrations = directory.path().join("migrations");
    std::fs::create_dir(&migrations)?;
    std::fs::write(migrations.join("V1__users.sql"), "CREATE TABLE users (id int PRIMARY KEY);\n")?;
    let root = camino::Utf8PathBuf::from_path_buf(migrations).map_err(|_| "the folder's name is not UTF-8")?;
    let folder: Folder = cutover::migrations::load(&root, Some(Convention::Refinery))?;
    let pending = folder.pending_after(None)?;
    let planned = plan(Request::new(&folder, &pending));

    let search_path = std::env::var_os("PATH");
    let server = Local::start(&LocalOptions { search_path, ..LocalOptions::default() }).await?;
    let mut session = connect(&server.create_database().await?).await?;
    let mut tell = |event: &Event| {
        for line in cutover::report::render_event(event) {
            println!("{line}");
        }
    };
    let outcome =
        execute(&mut session, &planned.plan, &Options::default(), &mut Doors::new(&traffic, &mut tell)).await?;
    println!("{}", cutover::report::render_outcome(&outcome));
    session.close().await;
    server.stop();
    Ok(())
}
