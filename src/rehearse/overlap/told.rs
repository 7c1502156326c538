//! Whether a loss was known before: the plan has a finding on it, or its author has taken it upon themselves.

use super::{Loss, LossKind};
use crate::diagnostic::{Code, codes};
use crate::plan::saved::{Direction, Origin};
use crate::rehearse::Script;
use crate::sql::lex::words_of;

/// The findings that tell of rows of the overlap.
const TELLING: [Code; 3] = [codes::ROWS_WRITTEN_IN_OVERLAP, codes::ROWS_GONE_IN_OVERLAP, codes::GREEN_MAY_WAIT];

/// What the plan and its author say.
pub(super) struct Author<'a> {
    pub(super) script: Script<'a>,
}

impl Author<'_> {
    /// Who has told of a loss.
    pub(super) fn told(&self, loss: &Loss) -> Option<String> {
        let step = loss.step.and_then(|id| self.script.plan.step(id))?;
        let origins: Vec<&Origin> =
            step.statements().iter().filter_map(|statement| statement.origin.as_ref()).collect();
        let table = loss.table.rsplit('.').next().unwrap_or_default().to_lowercase();
        let of_plan = self.script.plan.findings.iter().find(|finding| {
            let is_telling = TELLING.iter().any(|code| code.id == finding.code);
            let is_there = finding
                .places
                .iter()
                .any(|place| origins.iter().any(|origin| (&origin.path, origin.line) == (&place.path, place.line)));
            // That rows lack something may be told at another step; it does not say that one fails.
            let is_named = || words_of(&finding.message.to_lowercase()).any(|word| word == table);
            is_telling && (is_there || loss.kind != LossKind::Stops && is_named())
        });
        if let Some(finding) = of_plan {
            return Some(format!("the plan tells of it: {} ({})", finding.name, finding.code));
        }
        if let Some(reason) = origins.iter().find_map(|origin| self.allowed(origin)) {
            return Some(format!("its author allows it: {reason}"));
        }
        // Of a statement that can be read, its author knows that what comes later does not have it.
        let reason = step.reason.strip_prefix("the author: ")?;
        let is_meant = loss.kind == LossKind::LeftOut && loss.gone.is_none() && step.direction == Direction::Data;
        is_meant.then(|| format!("its author placed it there: {reason}"))
    }

    /// What its author says who allows what a statement does.
    fn allowed(&self, origin: &Origin) -> Option<String> {
        let folder = self.script.folder;
        let statements = self.script.pending.iter().flat_map(|migration| folder.statements(migration).0);
        let is_it = |place: &str| place == format!("{}:{}:{}", origin.path, origin.line, origin.column);
        let mut allows = statements
            .filter(|statement| is_it(&folder.sources.place(statement.span)))
            .flat_map(|statement| statement.allows);
        let is_telling = |name: &String| TELLING.iter().any(|code| [code.id, code.name].contains(&name.as_str()));
        allows.find(|allow| allow.names.iter().any(is_telling)).map(|allow| allow.reason)
    }
}
