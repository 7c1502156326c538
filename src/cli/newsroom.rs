//! Sends news of a release to whoever wants it, beside the release: it never waits for that, nor fails by it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::events::Printer;
use crate::execute::{self, Event, Record, ReleaseRecord, Stop, StopLevel};
use crate::plan::saved::Phase;
use crate::release::News;
use crate::tell::{FORMAT_VERSION, NewsSet, Occasion};

/// How long one of them may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long what is left may take when the command ends.
const AT_THE_END: Duration = Duration::from_secs(15);

/// Where news go.
pub(super) struct Newsroom {
    news: UnboundedSender<(News, Occasion)>,
    database: String,
    /// Whether other databases follow: that this one is expanded is no news then.
    many: bool,
    sending: JoinHandle<()>,
}

impl Newsroom {
    pub(super) fn open(set: NewsSet, database: String, many: bool, printer: Arc<Printer>) -> Self {
        let (news, mut queue) = unbounded_channel::<(News, Occasion)>();
        let sending = tokio::spawn(async move {
            while let Some((news, occasion)) = queue.recv().await {
                for (name, listener) in set.interested(news) {
                    if let Err(why) = listener.tell(&occasion, DEADLINE).await {
                        let what = format!("{name} was not told that the release is {}: {why}", news.name());
                        printer.event(&Event::Warning { what });
                    }
                }
            }
        });
        Self { news, database, many, sending }
    }

    /// Passes an event on, if it is news.
    pub(super) fn hear(&self, event: &Event) {
        let Event::Journaled { release, record, .. } = event else { return };
        let own = matches!(**record, Record::Release(ReleaseRecord::PhaseFinished { phase: Phase::Before }));
        if self.many && own {
            return;
        }
        let Some((news, text)) = execute::news(record) else { return };
        let occasion = Occasion {
            format_version: FORMAT_VERSION.to_owned(),
            occasion: news.name().to_owned(),
            release: release.clone(),
            database: self.database.clone(),
            text,
        };
        // Whoever sends them is there as long as this is.
        let _ = self.news.send((news, occasion));
    }

    /// Waits until all of it is sent, for a while, unless somebody wants to end at once.
    pub(super) async fn close(self, stop: &Stop) {
        drop(self.news);
        tokio::select! {
            _ = tokio::time::timeout(AT_THE_END, self.sending) => {}
            () = stop.asked(StopLevel::Abort) => {}
        }
    }
}
