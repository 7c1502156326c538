//! A release that is rehearsed on a real server.

use camino::Utf8Path;
use cutover::execute::Stop;
use cutover::migrations::{self, Convention, Pending, Reading};
use cutover::plan::saved::{SavedPlan, Verdict};
use cutover::plan::{Request, plan};
use cutover::postgres::throwaway::{Scratch, Throwaway};
use cutover::rehearse::Script;
use cutover::rehearse::rehearsal::{Rehearsal, rehearse};
use cutover::workload::Workload;

/// Queries that are called q1, q2, …
pub(crate) fn numbered<'a>(texts: impl IntoIterator<Item = &'a str>) -> Workload {
    let named = texts.into_iter().enumerate().map(|(i, text)| format!("-- name: q{}\n{text};\n", i + 1));
    let (workload, unread) = Workload::from_text("queries.sql", &named.collect::<String>());
    assert!(unread.is_empty(), "{unread:?}");
    workload
}

/// A release, with what is known of its versions.
#[derive(Default, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) base: &'a str,
    pub(crate) release: &'a str,
    pub(crate) blue: &'a [&'a str],
    pub(crate) green: &'a [&'a str],
}

/// The plan of a release, which must be safe, and its rehearsal. `workload`: what the texts of a version say.
pub(crate) async fn rehearsed(case: Case<'_>, workload: impl Fn(&[&str]) -> Workload) -> (SavedPlan, Rehearsal) {
    let known = |of: &[&str]| (!of.is_empty()).then(|| workload(of));
    let (blue, green) = (known(case.blue), known(case.green));
    let (blue, green) = (blue.as_ref(), green.as_ref());
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("1.sql", case.base), ("2.sql", case.release)] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let reading = Reading { convention: Some(Convention::Plain), ..Reading::default() };
    let folder = migrations::load_with(Utf8Path::from_path(directory.path()).unwrap(), &reading).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    let planned = plan(Request { blue, green, ..Request::new(&folder, &pending) });
    assert_eq!(planned.plan.verdict, Verdict::Safe, "{:#?}", planned.diagnostics);
    let (applied, pending) = (&pending.applied, &pending.pending);
    let script = Script { plan: &planned.plan, folder: &folder, applied, pending, blue, green };
    let server = Throwaway::Scratch(Scratch::start(super::server().await.maintenance()).await.unwrap());
    let (_stopper, stop) = Stop::channel();
    let rehearsal = rehearse(&server, script, &mut |_| {}, stop).await.unwrap();
    server.stop().await.unwrap();
    (planned.plan, rehearsal)
}
