//! Amazon API Gateway: the canary of a stage of a REST API, which gets a part of the stage's requests.
//!
//! Green is a deployment of the API. It is the stage's canary while traffic moves, and the stage's own deployment once blue will not come back. Nothing
//! compares a change with what somebody else does at the same moment. Calls and limits are those of the API reference, "Amazon API Gateway" version
//! 2015-07-09, and of its page on patch operations.

#[cfg(feature = "aws-apigateway")]
mod backend;
#[cfg(feature = "aws-apigateway")]
mod seen;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AccountSettings, is_name};
use crate::outside::Needs;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-apigateway",
    about: "a stage of a REST API in Amazon API Gateway gives its canary a part of its requests",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(&traffic.name, settings)
    },
};

#[cfg(feature = "aws-apigateway")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Gateway::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "aws-apigateway"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-apigateway")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The REST API, by its id.
    api: String,
    /// The stage of it.
    stage: String,
    /// Blue's deployment of the API, by its id.
    blue: String,
    /// Green's.
    green: String,
    /// The stage variables that are others for green, all of them. Its other ones are those of the stage.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        for (setting, text) in
            [("api", &self.api), ("stage", &self.stage), ("blue", &self.blue), ("green", &self.green)]
        {
            is_name(setting, text, "API Gateway")?;
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same deployment".to_owned());
        }
        let is_word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let may_be = |value: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c));
        for (name, value) in &self.variables {
            if !is_word(name) {
                return Err(format!(
                    "`variables` has {name:?}, and names of stage variables have letters, digits and _"
                ));
            }
            if !may_be(value) {
                return Err(format!(
                    "`variables` gives {name} the value {value:?}, and those of stage variables have letters, digits and -._~:/?#&=,"
                ));
            }
        }
        self.account.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |stage: &str, green: &str, variable: (&str, &str), expected: &str| {
            let settings = Settings {
                api: "a1b2c3".to_owned(),
                stage: stage.to_owned(),
                blue: "d1".to_owned(),
                green: green.to_owned(),
                variables: BTreeMap::from([(variable.0.to_owned(), variable.1.to_owned())]),
                account: AccountSettings::default(),
            };
            let error = settings.check().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check("a/b", "d2", ("alias", "green"), "`stage` \"a/b\" is no name that API Gateway has");
        check("live", "d1", ("alias", "green"), "`blue` and `green` are the same deployment");
        check("live", "d2", ("a-b", "green"), "`variables` has \"a-b\", and names");
        check("live", "d2", ("alias", "a b"), "`variables` gives alias the value \"a b\"");
    }
}
