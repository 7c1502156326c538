//! Route 53: the weights of two records of one name.
//!
//! Both are changed in one batch, which is carried out as a whole or not at all. What resolvers keep is out of sight: the time to live that the records had
//! before a change is waited out, and blue is never said to be drained. Calls and limits are those of the API reference, "Amazon Route 53" version 2013-04-01.

#[cfg(feature = "aws-route53")]
mod backend;

use schemars::JsonSchema;
use serde::Deserialize;

use super::AccountSettings;
use crate::outside::Needs;
#[cfg(feature = "aws-route53")]
use crate::side::Side;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-route53",
    about: "Route 53 answers by the weights of two records",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(&traffic.name, settings)
    },
};

#[cfg(feature = "aws-route53")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Dns::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "aws-route53"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-route53")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The id of the hosted zone.
    zone: String,
    /// The name of the records.
    record: String,
    /// Their type, for example `A` or `CNAME`.
    #[serde(rename = "type")]
    kind: String,
    /// The set identifier of blue's record.
    blue: String,
    /// That of green's.
    green: String,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        if self.zone.is_empty() || !self.zone.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("`zone` {:?} is no id of a hosted zone, such as Z1D633PJN98FT9", self.zone));
        }
        if self.record.trim_end_matches('.').is_empty() {
            return Err("`record` is empty".to_owned());
        }
        if !TYPES.contains(&self.kind.as_str()) {
            let known = TYPES.join(", ");
            return Err(format!("`type` {:?} is no type of records; there are {known}", self.kind));
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same record".to_owned());
        }
        self.account.check()
    }

    #[cfg(feature = "aws-route53")]
    fn identifier(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

/// The types of records that can have weights.
const TYPES: [&str; 13] =
    ["A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "PTR", "SPF", "SRV", "SVCB", "TXT"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |zone: &str, kind: &str, green: &str, expected: &str| {
            let settings = Settings {
                zone: zone.to_owned(),
                record: "app.example.com".to_owned(),
                kind: kind.to_owned(),
                blue: "blue".to_owned(),
                green: green.to_owned(),
                account: AccountSettings::default(),
            };
            let error = settings.check().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check("/hostedzone/Z1", "A", "green", "`zone` \"/hostedzone/Z1\" is no id of a hosted zone");
        check("Z1", "B", "green", "`type` \"B\" is no type of records; there are A, AAAA");
        check("Z1", "A", "blue", "`blue` and `green` are the same record");
    }
}
