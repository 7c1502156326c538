//! The traffic of a database that follows another: it is where the leading one has it.

use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified,
};

/// Moves nothing: the database that leads has moved it, or has not yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follows {
    /// Whether green has all traffic there, and blue is drained.
    pub(super) is_over: bool,
}

/// As the journals of those databases have it.
const NAME: &str = "follows";

impl TrafficBackend for Follows {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async { Ok(Capabilities::seeing(Kind::Switch, true)) })
    }

    fn preflight<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn observe<'a>(&'a self, _: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async { Ok(ShareSeen { share: None }) })
    }

    fn set_share<'a>(&'a self, _: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(async move {
            if self.is_over || want == Share::NONE {
                return Ok(ShareSet { share: want });
            }
            let why = "the database that leads the release has not given all traffic to green";
            Err(TrafficError::refused(NAME, "set-share", TrafficErrorCode::Misconfigured, why))
        })
    }

    fn verify<'a>(&'a self, _: &'a Context, _: Share) -> Answer<'a, Verified> {
        Box::pin(async { Ok(Verified::Yes) })
    }

    fn drain<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Drain> {
        Box::pin(async move {
            Ok(match self.is_over {
                true => Drain::Drained { evidence: "the database that leads the release has blue drained".to_owned() },
                false => Drain::Active { count: None },
            })
        })
    }
}
