//! Migrations → plan. Pure: a folder and two workloads in, a plan and its findings out.

use super::collect;
use super::node::Node;
use super::said::Said;
use super::save;
use super::stages::{Ends, Proved, Watches};
use super::{Checked, Planned, Request};
use crate::shared::Shared;
use crate::sql::ReadFile;

/// Makes a plan.
pub fn plan(request: Request<'_>) -> Planned {
    let (ends, nodes) = Ends::read(request);
    let watches = Watches::of(&ends);
    let proved = Proved::of(nodes, &ends, &watches);
    let said = Said::of(&ends, &watches, &proved);
    let plan = save::plan(&save::Input { ends: &ends, watches: &watches, proved: &proved, said: &said });
    let diagnostics = save::grouped(&said.diagnostics, request.weighing.is_some());
    let (Said { allowed, sources, .. }, Proved { overlap, .. }) = (said, proved);
    drop(watches);
    let Ends { base, last, statements, .. } = ends;
    Planned { plan, diagnostics, allowed, statements, sources, base, overlap, last }
}

/// Finds what is to be said about a release, without the plan that could be saved.
pub fn check(request: Request<'_>) -> Checked {
    checked(Ends::read(request))
}

/// The same of a release whose files were read, on a schema that is given.
pub(crate) fn check_read(request: Request<'_>, pending: Vec<ReadFile>) -> Checked {
    let base = collect::read(request.folder, request.files_of_base().iter());
    checked(Ends::of(request, base, pending))
}

fn checked((ends, nodes): (Ends<'_>, Vec<Shared<Node>>)) -> Checked {
    let watches = Watches::of(&ends);
    let proved = Proved::of(nodes, &ends, &watches);
    let Said { diagnostics, allowed, sources, .. } = Said::of(&ends, &watches, &proved);
    let Proved { overlap, .. } = proved;
    drop(watches);
    let Ends { base, last, last_is_certain, statements, .. } = ends;
    Checked { diagnostics, allowed, statements, sources, base, overlap, last, last_is_certain }
}
