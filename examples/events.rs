//! What a window or a web page would do: follow a rehearsal by its events, each a value, and draw progress of them.
//!
//! ```console
//! $ cargo run --no-default-features --features live --example events
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use camino::Utf8Path;
use cutover::execute::{Event, Stop};
use cutover::postgres::throwaway::{Local, LocalOptions, Throwaway};
use cutover::project::{Definition, Inputs};
use cutover::rehearse::rehearsal::rehearse;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let example = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-examples/02-rename-column");
    let project = Definition::find(&example, &Inputs::default())?.open()?;
    let (pending, _) = project.pending()?;
    let planned = project.plan(&pending);

    let search_path = std::env::var_os("PATH");
    let server = Throwaway::Local(Local::start(&LocalOptions { search_path, ..LocalOptions::default() }).await?);
    let mut draw = |event: &Event| {
        if let Event::StepRunning { step, of, object, action, .. } = event {
            let done = 20 * *step as usize / of;
            println!("[{:<20}] {action} of {object}", "#".repeat(done));
        }
    };
    // A button that cancels would hold the stopper.
    let (_stopper, stop) = Stop::channel();
    let rehearsal = rehearse(&server, project.script(&planned.plan, &pending), &mut draw, stop).await?;
    println!("{}", if rehearsal.is_safe() { "Both versions work everywhere" } else { "Something breaks" });
    server.stop().await?;
    Ok(())
}
