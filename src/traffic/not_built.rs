//! A backend whose client is no part of this build: its settings are read, so that such a build can lint and plan, and it moves nothing.

use super::registry::OpenedBackend;
use super::{
    Answer, Capabilities, Context, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError, TrafficErrorCode,
};

/// What stands for a backend that this build does not have.
#[derive(Debug)]
struct NotBuilt {
    name: String,
    feature: &'static str,
}

/// `feature`: the one that brings the client.
pub(super) fn not_built(name: &str, feature: &'static str) -> OpenedBackend {
    Ok(Box::new(NotBuilt { name: name.to_owned(), feature }))
}

impl NotBuilt {
    fn refuse<T: Send>(&self, op: &'static str) -> Answer<'_, T> {
        let why = crate::outside::not_built(self.feature);
        Box::pin(async move { Err(TrafficError::refused(&self.name, op, TrafficErrorCode::Misconfigured, why)) })
    }
}

impl TrafficBackend for NotBuilt {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        self.refuse("capabilities")
    }

    fn preflight<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        self.refuse("preflight")
    }

    fn observe<'a>(&'a self, _: &'a Context) -> Answer<'a, ShareSeen> {
        self.refuse("observe")
    }

    fn set_share<'a>(&'a self, _: &'a Context, _: Share) -> Answer<'a, ShareSet> {
        self.refuse("set_share")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Log;
    use super::*;

    #[test]
    fn what_is_not_built_says_what_brings_it() {
        let backend = not_built("edge", "aws-elb").unwrap();
        let (release, step, deadline, log) = ("r".to_owned(), "s".to_owned(), Duration::ZERO, Log::channel().0);
        let context = Context { release, step, fence: 0, deadline, log };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(backend.preflight(&context)).unwrap_err().to_string();
        assert!(error.contains("`--features aws-elb`"), "{error}");
    }
}
