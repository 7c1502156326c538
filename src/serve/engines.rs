//! What engines send with a question.

use serde::Deserialize;
use serde_json::Value;

use super::looks::Question;

/// What Flagger's webhooks carry, as far as it matters here; <https://docs.flagger.app/usage/webhooks>.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Payload {
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// What the canary's own `metadata` says.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    /// The release that goes with it.
    release: Option<String>,
    /// The gate to ask for, instead of `expanded`.
    gate: Option<String>,
}

impl Payload {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let no_payload = |error: &dyn std::fmt::Display| format!("the body is no payload of Flagger: {error}");
        let value: Value = serde_json::from_slice(body).map_err(|error| no_payload(&error))?;
        if !value.is_object() {
            return Err(no_payload(&"it is no JSON object"));
        }
        // `event` webhooks have more, and may have none of it.
        serde_json::from_value(value).map_err(|error| no_payload(&error))
    }
}

/// What a webhook asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// Whether the canary may go on.
    MayGoOn(Question),
    /// Whether the canary is to be taken back: yes, once the release has gone back.
    IsBack(Question),
    /// Nothing: it tells.
    Noted,
}

/// The gate behind which both versions work.
const EXPANDED: &str = "expanded";

impl Hook {
    /// `None`: there is no such webhook.
    pub(super) fn of(name: &str, payload: Payload) -> Option<Result<Self, String>> {
        let Metadata { release, gate } = payload.metadata.unwrap_or_default();
        let expanded = |release| Question::Gate { gate: EXPANDED.to_owned(), release };
        Some(match (name, release) {
            (
                "confirm-rollout" | "pre-rollout" | "rollout" | "confirm-traffic-increase" | "confirm-promotion",
                release,
            ) => Ok(Self::MayGoOn(Question::Gate { gate: gate.unwrap_or_else(|| EXPANDED.to_owned()), release })),
            ("rollback", Some(release)) => Ok(Self::IsBack(expanded(Some(release)))),
            // One that was taken back before must not take this one back.
            ("rollback", None) => {
                Err("`metadata.release` is missing: the release that goes with the canary".to_owned())
            }
            ("post-rollout" | "event", _) => Ok(Self::Noted),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(hook: &str, body: &str) -> Option<Result<Hook, String>> {
        Hook::of(hook, Payload::read(body.as_bytes()).unwrap())
    }

    fn gate(gate: &str, release: Option<&str>) -> Question {
        Question::Gate { gate: gate.to_owned(), release: release.map(str::to_owned) }
    }

    #[test]
    fn each_webhook_asks_what_it_is_for() {
        let payload = r#"{"name": "shop", "namespace": "prod", "phase": "Progressing", "checksum": "85d557f47b"}"#;
        assert_eq!(ask("confirm-rollout", payload), Some(Ok(Hook::MayGoOn(gate("expanded", None)))));
        let known = r#"{"name": "shop", "metadata": {"release": "8e7a", "gate": "qa", "else": "1"}}"#;
        assert_eq!(ask("confirm-promotion", known), Some(Ok(Hook::MayGoOn(gate("qa", Some("8e7a"))))));
        assert_eq!(ask("rollback", known), Some(Ok(Hook::IsBack(gate("expanded", Some("8e7a"))))));
        assert!(ask("rollback", payload).is_some_and(|asked| asked.is_err()));
        assert_eq!(ask("event", "{}"), Some(Ok(Hook::Noted)));
        assert_eq!(ask("confirm-lunch", payload), None);
    }

    #[test]
    fn what_is_no_payload_is_an_error() {
        for body in ["", "{", "[]", "1", "\"x\"", r#"{"metadata": 1}"#, r#"{"metadata": {"release": 1}}"#, "\u{0}"] {
            assert!(Payload::read(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(Payload::read(&[0xff, 0xfe]).is_err());
        let deep = "[".repeat(100_000);
        assert!(Payload::read(deep.as_bytes()).is_err());
    }
}
