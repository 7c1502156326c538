//! AWS Lambda: the weights of two versions of a function behind an alias.
//!
//! A change names the revision of the alias that it was made from, so that what somebody else changes at the same moment is never overwritten. Calls and limits
//! are those of the API reference, "AWS Lambda" version 2015-03-31, and of its page on weighted aliases.

#[cfg(feature = "aws-lambda")]
mod backend;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AccountSettings, is_name};
use crate::outside::Needs;
#[cfg(feature = "aws-lambda")]
use crate::side::Side;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-lambda",
    about: "an alias of an AWS Lambda function gives two of its versions weights",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(&traffic.name, settings)
    },
};

#[cfg(feature = "aws-lambda")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Alias::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "aws-lambda"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-lambda")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The function, by its name.
    function: String,
    /// The alias that it is called by.
    alias: String,
    /// Blue's published version, a number.
    blue: String,
    /// Green's.
    green: String,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        is_name("function", &self.function, "Lambda")?;
        is_name("alias", &self.alias, "Lambda")?;
        for (setting, text) in [("blue", &self.blue), ("green", &self.green)] {
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit()) {
                return Err(format!(
                    "`{setting}` {text:?} is no published version, such as \"7\"; an alias splits between those only"
                ));
            }
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same version".to_owned());
        }
        self.account.check()
    }

    #[cfg(feature = "aws-lambda")]
    fn version(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |function: &str, blue: &str, green: &str, expected: &str| {
            let settings = Settings {
                function: function.to_owned(),
                alias: "live".to_owned(),
                blue: blue.to_owned(),
                green: green.to_owned(),
                account: AccountSettings::default(),
            };
            let error = settings.check().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check("arn:aws:lambda:::f", "7", "8", "`function` \"arn:aws:lambda:::f\" is no name that Lambda has");
        check("orders", "$LATEST", "8", "`blue` \"$LATEST\" is no published version");
        check("orders", "7", "7", "`blue` and `green` are the same version");
    }
}
