//! What goes over the pipe, as types; `schemars` makes the JSON Schemas from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::side::Side;
use crate::traffic::{Handle, Share};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// One call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PluginRequest {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The release's id.
    pub release: String,
    /// What the call is for, for example `shift-1000`.
    pub step: String,
    /// Rises with every executor that takes over.
    pub fence: i64,
    /// How long the program may take.
    pub deadline_ms: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", content = "args", rename_all = "snake_case")]
pub enum Op {
    /// Say what you can do.
    Capabilities,
    /// Say whether you could work now.
    Preflight,
    /// Say what you see.
    Observe,
    /// Give green a share.
    SetShare {
        /// In basis points.
        share: Share,
    },
    /// Say whether green has that share.
    Verify {
        /// In basis points.
        share: Share,
    },
    /// Say whether a version works.
    Health {
        /// Which.
        side: Side,
    },
    /// Say whether a version still serves somebody.
    Drain {
        /// Which.
        side: Side,
    },
    /// Blue will not come back: clear up.
    Finalize,
    /// Begin a deployment of your own, or say which was begun for this release and step. This and what follows is asked of the kind `managed`.
    Start,
    /// Say how far a deployment is.
    Poll {
        /// Which.
        handle: Handle,
    },
    /// Let it pass a gate.
    Answer {
        /// Which.
        handle: Handle,
        /// The gate.
        gate: String,
    },
    /// End it, and give blue everything.
    Abort {
        /// Which.
        handle: Handle,
    },
}

impl Op {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Preflight => "preflight",
            Self::Observe => "observe",
            Self::SetShare { .. } => "set_share",
            Self::Verify { .. } => "verify",
            Self::Health { .. } => "health",
            Self::Drain { .. } => "drain",
            Self::Finalize => "finalize",
            Self::Start => "start",
            Self::Poll { .. } => "poll",
            Self::Answer { .. } => "answer",
            Self::Abort { .. } => "abort",
        }
    }
}

/// One answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PluginResponse {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Whether it worked.
    pub ok: bool,
    /// With `ok`: the operation's result.
    #[serde(default)]
    pub result: Option<Value>,
    /// Without `ok`: why.
    #[serde(default)]
    pub error: Option<PluginFailure>,
}

/// Why an operation did not work.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PluginFailure {
    /// A short code of the program's own.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Whether the same call may work later.
    #[serde(default)]
    pub retryable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_documented() {
        let op = Op::SetShare { share: Share::basis_points(1000).unwrap() };
        let request = PluginRequest {
            protocol: PROTOCOL,
            release: "r".into(),
            step: "shift-1000".into(),
            fence: 7,
            deadline_ms: 30_000,
            op,
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"protocol":1,"release":"r","step":"shift-1000","fence":7,"deadline_ms":30000,"op":"set_share","args":{"share":1000}}"#
        );
        let bare = serde_json::to_string(&Op::Observe).unwrap();
        assert_eq!(bare, r#"{"op":"observe"}"#);
    }

    #[test]
    fn schemas_exist() {
        let schema = schemars::schema_for!(PluginRequest);
        assert!(serde_json::to_string(&schema).unwrap().contains("deadline_ms"));
    }
}
