//! Where queries come from: one file a source.

mod bad;
mod log;
mod models;
mod record;
mod saved;
mod sqlx;
mod stat;

use camino::Utf8PathBuf;
use cutover::workload::{self, Location, Workload};

/// A folder with these files, gone when it is dropped.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.0.path().to_owned()).unwrap()
    }

    /// A message without the folder's own path.
    pub(crate) fn without(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.path()), "").replace(self.path().as_str(), ".")
    }
}

/// Each query as `name: text`, then what was said.
pub(crate) fn load(files: &[(&str, &str)], location: &str) -> String {
    let folder = Folder::new(files);
    match workload::load_from(&Location::parse(location).unwrap().below(&folder.path())) {
        Ok((workload, diagnostics)) => {
            let mut lines: Vec<_> = workload.queries.iter().map(|q| shown(&workload, q)).collect();
            lines.extend(diagnostics.iter().map(|d| format!("{}: {}", d.code.name, d.message)));
            folder.without(&lines.join("\n"))
        }
        Err(error) => folder.without(&format!("error: {error}")),
    }
}

fn shown(workload: &Workload, query: &workload::Query) -> String {
    let calls = query.calls.map_or(String::new(), |calls| format!(" ({calls}×)"));
    let text = workload.text(query).split_whitespace().collect::<Vec<_>>().join(" ");
    let place = workload.sources.line_column(query.span);
    format!("{}:{} {}{calls}: {text}", place.line, place.column, query.name)
}
