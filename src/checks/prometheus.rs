//! A query of Prometheus, and what its values may be.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::registry::CheckKind;
use super::{Check, CheckContext, Measured, Measuring};
use crate::outside::http::{HttpRequest, send};
use crate::outside::{ConfiguredText, Needs, Surroundings, are_headers, is_url, with_headers};
use crate::release::Configured;

pub(super) const KIND: CheckKind = CheckKind {
    name: "prometheus",
    about: "A query of Prometheus whose values must lie within bounds",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |check, surroundings| Ok(Box::new(Prometheus::new(check, surroundings)?)),
};

/// As `[checks.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The server, without `/api`.
    url: String,
    /// Headers; a secret is named by `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = ["PROGRAM"] }`.
    #[serde(default)]
    headers: BTreeMap<String, ConfiguredText>,
    /// The query, an instant vector or a scalar.
    query: String,
    /// No value may be less.
    at_least: Option<f64>,
    /// No value may be more.
    at_most: Option<f64>,
}

struct Prometheus {
    settings: Settings,
    bounds: Bounds,
    folder: Utf8PathBuf,
    surroundings: Surroundings,
}

impl Prometheus {
    fn new(check: &Configured, surroundings: &Surroundings) -> Result<Self, String> {
        let settings: Settings = check.read()?;
        is_url("url", &settings.url)?;
        are_headers(&settings.headers)?;
        let bounds = Bounds::new(settings.at_least, settings.at_most)?;
        Ok(Self { settings, bounds, folder: check.folder.clone(), surroundings: surroundings.clone() })
    }

    async fn ask(&self, context: &CheckContext) -> Measured {
        let Settings { url, headers, query, .. } = &self.settings;
        let url = format!("{}/api/v1/query", url.trim_end_matches('/'));
        let body = format!("query={}", encoded(query));
        let request = HttpRequest { method: "POST", body: body.into_bytes(), ..HttpRequest::get(&url) }
            .header("Content-Type", "application/x-www-form-urlencoded");
        let request = match with_headers(request, headers, &self.folder, &self.surroundings).await {
            Ok(request) => request,
            Err(why) => return Measured::error(why),
        };
        let response = match send(request, context.deadline).await {
            Ok(response) => response,
            Err(error) => return Measured::error(format!("{url}: {error}")),
        };
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if answer["status"] != "success" {
            let why = answer["error"].as_str().map_or_else(|| response.excerpt(), str::to_owned);
            return Measured::error(format!("{url} answered {}: {why}", response.status));
        }
        self.judge(&answer["data"])
    }

    fn judge(&self, data: &Value) -> Measured {
        let values: Vec<Option<f64>> = match data["resultType"].as_str() {
            Some("scalar") => vec![number(&data["result"][1])],
            Some("vector") => {
                data["result"].as_array().into_iter().flatten().map(|series| number(&series["value"][1])).collect()
            }
            other => {
                let kind = other.unwrap_or("nothing");
                return Measured::error(format!("the query gives {kind}; a vector or a scalar is asked for"));
            }
        };
        let values: Vec<f64> = values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        self.bounds.judge(&values)
    }
}

/// Prometheus writes numbers as text, so that `NaN` and `+Inf` can be there.
fn number(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

/// For a form: every byte that is no letter or digit as `%XX`.
fn encoded(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

impl Check for Prometheus {
    fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
        Box::pin(self.ask(context))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::CheckVerdict;

    #[test]
    fn values_are_judged_by_their_bounds() {
        let check = |data: Value, expected: CheckVerdict| {
            let settings = json!({ "url": "http://p", "query": "q", "at-least": 0.5, "at-most": 2 });
            let settings = settings.as_object().unwrap().clone();
            let configured = Configured { settings, ..Configured::named("p") };
            let prometheus = Prometheus::new(&configured, &Surroundings::default()).unwrap();
            assert_eq!(prometheus.judge(&data).verdict, expected, "{data}");
        };
        let vector = |values: &[&str]| {
            let series: Vec<Value> = values.iter().map(|v| json!({ "metric": {}, "value": [1, v] })).collect();
            json!({ "resultType": "vector", "result": series })
        };
        check(vector(&["1"]), CheckVerdict::Successful);
        check(vector(&["1", "0.4"]), CheckVerdict::Failed);
        check(vector(&["2", "+Inf"]), CheckVerdict::Failed);
        check(vector(&[]), CheckVerdict::Inconclusive);
        check(vector(&["1", "NaN"]), CheckVerdict::Inconclusive);
        check(json!({ "resultType": "scalar", "result": [1, "0.5"] }), CheckVerdict::Successful);
        check(json!({ "resultType": "matrix", "result": [] }), CheckVerdict::Error);
    }
}
