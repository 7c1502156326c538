//! Findings as text, drawn by miette. It shows one file a report; places in other files become related reports.

use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters, ThemeStyles,
};

use super::style::Style;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::parallel;
use crate::source::{FileId, Sources};

/// Draws findings one after the other.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(style.width);
    let shares: Vec<&[Diagnostic]> = diagnostics.chunks(share(diagnostics.len())).collect();
    let render = |share: &&[Diagnostic]| {
        let mut out = String::new();
        for diagnostic in *share {
            // Writing to a String does not fail.
            let _ = handler.render_report(&mut out, &Report::new(diagnostic, sources));
        }
        out
    };
    parallel::each(&shares, render).concat()
}

/// How many findings a processor draws.
fn share(count: usize) -> usize {
    const FEW: usize = 16;
    count.div_ceil(parallel::processors(count, FEW)).max(1)
}

#[derive(Debug)]
struct Report {
    message: String,
    code: Option<String>,
    severity: miette::Severity,
    help: Option<String>,
    source: Option<NamedSource<Arc<str>>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Self>,
}

impl Report {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        };
        let mut files: Vec<(FileId, Vec<&Label>)> = Vec::new();
        for label in &diagnostic.labels {
            match files.iter_mut().find(|(file, _)| *file == label.span.file) {
                Some((_, labels)) => labels.push(label),
                None => files.push((label.span.file, vec![label])),
            }
        }
        let mut files = files.into_iter();
        let mut report = Self {
            message: diagnostic.message.clone(),
            code: Some(format!("{} {}", diagnostic.code.id, diagnostic.code.name)),
            severity,
            help: diagnostic.help.clone(),
            source: None,
            labels: Vec::new(),
            related: Vec::new(),
        };
        if let Some((file, labels)) = files.next() {
            report.place(file, &labels, sources);
        }
        for (file, labels) in files {
            let message = labels.iter().map(|l| l.text.clone()).find(|t| !t.is_empty()).unwrap_or_default();
            let mut related = Self {
                message,
                code: None,
                severity: miette::Severity::Advice,
                help: None,
                source: None,
                labels: Vec::new(),
                related: Vec::new(),
            };
            related.place(file, &labels, sources);
            report.related.push(related);
        }
        report
    }

    fn place(&mut self, file: FileId, labels: &[&Label], sources: &Sources) {
        let source = sources.file(file);
        self.source = Some(NamedSource::new(source.path.as_str(), Arc::clone(&source.text)));
        self.labels = labels
            .iter()
            .map(|label| {
                // One line is enough to point at; miette would draw a bracket around the whole statement.
                let text = &source.text[label.span.range()];
                let length = text.find('\n').unwrap_or(text.len());
                let label_text = (!label.text.is_empty()).then(|| label.text.clone());
                LabeledSpan::new(label_text, label.span.start as usize, length)
            })
            .collect();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.related.iter().map(|r| r as &dyn miette::Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<dyn Iterator<Item = &dyn miette::Diagnostic>>)
    }
}
