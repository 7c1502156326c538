//! Figures in Prometheus's text format: of the release, and of what was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::looks::Figures;
use crate::report::figures::{alone, escaped, figure, of_release};

/// How many requests were answered, by path and status.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<(String, u16), u64>>);

impl Requests {
    pub(super) fn count(&self, path: &str, status: u16) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry((path.to_owned(), status)).or_default() += 1;
    }
}

/// `found`: how the last release is, if the database answers.
pub(super) fn text(found: Option<&Figures>, requests: &Requests) -> String {
    let mut text = String::new();
    figure(&mut text, "database_up", "gauge", "Whether the database answers.", &alone(u8::from(found.is_some())));
    if let Some(Some(last)) = found {
        let (release, status) = &**last;
        of_release(&mut text, release, status);
    }
    let counted = requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counted: Vec<_> = counted
        .iter()
        .map(|((path, status), count)| {
            (format!("{{path=\"{}\",status=\"{status}\"}}", escaped(path)), count.to_string())
        })
        .collect();
    figure(&mut text, "requests_total", "counter", "Requests that were answered.", &counted);
    text
}
