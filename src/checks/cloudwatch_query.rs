//! Metrics of Amazon CloudWatch, and what their values may be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds::Bounds;
use super::registry::{CheckKind, OpenedCheck};
use crate::outside::Needs;
use crate::outside::aws::AccountSettings;
use crate::release::time::Time;

pub(super) const KIND: CheckKind = CheckKind {
    name: "aws-cloudwatch-query",
    about: "A metric of AWS CloudWatch, or an expression over several, whose values must lie within bounds",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |check, _| {
        let settings: Settings = check.read()?;
        let bounds = settings.check()?;
        opened(settings, bounds)
    },
};

#[cfg(feature = "aws-cloudwatch")]
fn opened(settings: Settings, bounds: Bounds) -> OpenedCheck {
    Ok(Box::new(asked::Query::new(settings, bounds)))
}

#[cfg(not(feature = "aws-cloudwatch"))]
fn opened(_: Settings, _: Bounds) -> OpenedCheck {
    super::not_built::not_built("aws-cloudwatch")
}

/// As `[checks.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The metrics, each under the name that `expression` has for it.
    #[serde(default)]
    metrics: BTreeMap<String, Metric>,
    /// Metric math over them, or a query of Metrics Insights. Without it there is one metric, whose values count.
    expression: Option<String>,
    /// How far back values count.
    #[serde(default = "five_minutes")]
    over: Time,
    /// For how long each value stands: 1, 5, 10, 20 or 30 seconds, or whole minutes.
    #[serde(default = "one_minute")]
    period: Time,
    /// No value may be less.
    at_least: Option<f64>,
    /// No value may be more.
    at_most: Option<f64>,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// A metric.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[cfg_attr(not(feature = "aws-cloudwatch"), expect(dead_code, reason = "what reads it is no part of this build"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Metric {
    /// Its namespace, for example `AWS/ApplicationELB`.
    namespace: String,
    /// Its name there, for example `HTTPCode_Target_5XX_Count`.
    metric: String,
    /// What its dimensions are, all of them.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    /// What is made of the values of a period, for example `Sum`, `Average` or `p99`.
    statistic: String,
}

fn five_minutes() -> Time {
    Time(300_000)
}

fn one_minute() -> Time {
    Time(60_000)
}

/// How many values the service gives at once.
const MOST_VALUES: u64 = 100_800;

/// How many dimensions a metric has.
const MOST_DIMENSIONS: usize = 30;

impl Settings {
    /// What the values may be.
    fn check(&self) -> Result<Bounds, String> {
        let Self { metrics, expression, over, period, .. } = self;
        match (metrics.len(), expression) {
            (1, _) | (_, Some(_)) => {}
            (0, None) => return Err("`metrics`, `expression` or both say what is asked for".to_owned()),
            (several, None) => {
                return Err(format!("`expression` says what is made of the {several} metrics"));
            }
        }
        let is_id = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if let Some(name) = metrics.keys().find(|name| !is_id(name)) {
            return Err(format!(
                "`metrics` has {name:?}, and names there begin with a small letter and have letters, digits and _"
            ));
        }
        if let Some((name, metric)) = metrics.iter().find(|(_, metric)| metric.dimensions.len() > MOST_DIMENSIONS) {
            return Err(format!(
                "`metrics.{name}` has {} dimensions, and a metric has at most {MOST_DIMENSIONS}",
                metric.dimensions.len()
            ));
        }
        let is_period = matches!(period.0, 1_000 | 5_000 | 10_000 | 20_000 | 30_000)
            || (period.0 > 0 && period.0.is_multiple_of(60_000));
        if !is_period {
            return Err("`period` is 1s, 5s, 10s, 20s, 30s, or whole minutes".to_owned());
        }
        if over.0 == 0 || !over.0.is_multiple_of(period.0) {
            return Err("`over` is one `period` or several".to_owned());
        }
        if over.0 / period.0 > MOST_VALUES {
            return Err(format!("`over` has more than the {MOST_VALUES} periods that CloudWatch gives at once"));
        }
        self.account.check()?;
        Bounds::new(self.at_least, self.at_most)
    }
}

#[cfg(feature = "aws-cloudwatch")]
mod asked {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::primitives::DateTime;
    use aws_sdk_cloudwatch::types::{self, Dimension, MetricDataQuery, MetricDataResult, MetricStat, StatusCode};

    use super::super::bounds::Bounds;
    use super::super::{Check, CheckContext, Measured, Measuring};
    use super::{Metric, Settings};
    use crate::outside::aws::{AwsService, answer};

    pub(super) struct Query {
        service: AwsService<Client>,
        settings: Settings,
        bounds: Bounds,
    }

    impl Query {
        pub(super) fn new(settings: Settings, bounds: Bounds) -> Self {
            Self { service: AwsService::new(settings.account.clone(), None, Client::new), settings, bounds }
        }

        async fn ask(&self, deadline: Duration) -> Result<Measured, String> {
            let client = self.service.client().await?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
            let (from, to) = window(&self.settings, now.as_secs());
            let mut values = Vec::new();
            let mut next = None;
            loop {
                let call = client.get_metric_data().set_metric_data_queries(Some(queries(&self.settings)));
                let call = call.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
                let page = answer(deadline, call.set_next_token(next).send()).await.map_err(|why| why.to_string())?;
                next = page.next_token.clone();
                for result in page.metric_data_results() {
                    whole(result, next.is_some())?;
                    values.extend_from_slice(result.values());
                }
                if next.is_none() {
                    return Ok(self.bounds.judge(&values));
                }
            }
        }
    }

    /// Whether a series has all of its values, as far as these pages have come; an error says why not.
    fn whole(result: &MetricDataResult, has_more: bool) -> Result<(), String> {
        let status = match result.status_code() {
            None | Some(StatusCode::Complete) => return Ok(()),
            Some(StatusCode::PartialData) if has_more => return Ok(()),
            Some(status) => status.as_str(),
        };
        let said = result.messages().iter().filter_map(|message| message.value()).collect::<Vec<_>>().join(", ");
        let label = result.label().or(result.id()).unwrap_or("a series");
        Err(format!(
            "CloudWatch gave {label} with {status}: {}",
            if said.is_empty() { "no reason is given" } else { &said }
        ))
    }

    /// From when to when values count, in seconds since 1970: periods that are over, as one that goes on has too little in it.
    fn window(settings: &Settings, now: u64) -> (i64, i64) {
        let (over, period) = (settings.over.0 / 1000, settings.period.0 / 1000);
        let to = now - now % period.max(1);
        let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        (seconds(to.saturating_sub(over)), seconds(to))
    }

    /// The id of the expression: no metric's, which have small letters first and are named by people.
    const EXPRESSION: &str = "cutover_expression";

    fn queries(settings: &Settings) -> Vec<MetricDataQuery> {
        let period = i32::try_from(settings.period.0 / 1000).unwrap_or(i32::MAX);
        let of_metric = |(id, metric): (&String, &Metric)| {
            let dimension = |(name, value): (&String, &String)| Dimension::builder().name(name).value(value).build();
            let dimensions = metric.dimensions.iter().map(dimension).collect();
            let named = types::Metric::builder().namespace(&metric.namespace).metric_name(&metric.metric);
            let asked = MetricStat::builder()
                .metric(named.set_dimensions(Some(dimensions)).build())
                .period(period)
                .stat(&metric.statistic);
            let counts = settings.expression.is_none();
            MetricDataQuery::builder().id(id).metric_stat(asked.build()).return_data(counts).build()
        };
        let expression = settings.expression.iter().map(|text| {
            MetricDataQuery::builder().id(EXPRESSION).expression(text).period(period).return_data(true).build()
        });
        settings.metrics.iter().map(of_metric).chain(expression).collect()
    }

    impl Check for Query {
        fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
            Box::pin(async { self.ask(context.deadline).await.unwrap_or_else(Measured::error) })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::super::tests::settings;
        use super::*;

        #[test]
        fn periods_that_are_over_count() {
            assert_eq!(window(&settings("5m", "1m"), 1_000_059), (999_720, 1_000_020));
            assert_eq!(window(&settings("30s", "10s"), 1_000_009), (999_970, 1_000_000));
        }

        #[test]
        fn what_is_asked_for_counts_and_what_it_is_made_of_does_not() {
            let shown = |settings: &Settings| -> Vec<(String, Option<bool>)> {
                queries(settings).iter().map(|one| (one.id().unwrap().to_owned(), one.return_data())).collect()
            };
            let one = settings("5m", "1m");
            assert_eq!(shown(&one), [("errors".to_owned(), Some(true))]);
            let both = Settings { expression: Some("errors / 2".to_owned()), ..one };
            assert_eq!(shown(&both), [("errors".to_owned(), Some(false)), (EXPRESSION.to_owned(), Some(true))]);
        }

        #[test]
        fn a_series_that_is_not_whole_is_an_error() {
            let check = |status: StatusCode, has_more: bool, expected: Result<(), &str>| {
                let message = types::MessageData::builder().code("c").value("no permission").build();
                let result = MetricDataResult::builder().id("errors").status_code(status).messages(message).build();
                assert_eq!(whole(&result, has_more), expected.map_err(str::to_owned));
            };
            check(StatusCode::Complete, false, Ok(()));
            check(StatusCode::PartialData, true, Ok(()));
            let said = "CloudWatch gave errors with PartialData: no permission";
            check(StatusCode::PartialData, false, Err(said));
            check(StatusCode::Forbidden, true, Err("CloudWatch gave errors with Forbidden: no permission"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn settings(over: &str, period: &str) -> Settings {
        let metric = Metric {
            namespace: "Shop".to_owned(),
            metric: "Errors".to_owned(),
            dimensions: BTreeMap::new(),
            statistic: "Sum".to_owned(),
        };
        let time = |text: &str| Time::try_from(text.to_owned()).unwrap();
        Settings {
            metrics: BTreeMap::from([("errors".to_owned(), metric)]),
            expression: None,
            over: time(over),
            period: time(period),
            at_least: None,
            at_most: Some(1.0),
            account: AccountSettings::default(),
        }
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |settings: Settings, expected: &str| {
            let error = settings.check().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check(settings("5m", "15s"), "`period` is 1s, 5s, 10s, 20s, 30s, or whole minutes");
        check(settings("5m", "90s"), "`period` is 1s");
        check(settings("5m", "2m"), "`over` is one `period` or several");
        check(settings("2d", "1s"), "`over` has more than the 100800 periods");
        let unbounded = Settings { at_most: None, ..settings("5m", "1m") };
        check(unbounded, "`at-least`, `at-most` or both");
        let with = |names: &[&str]| {
            let known = settings("5m", "1m");
            let metric = known.metrics["errors"].clone();
            let metrics = names.iter().map(|name| ((*name).to_owned(), metric.clone())).collect();
            Settings { metrics, ..known }
        };
        check(with(&[]), "`metrics`, `expression` or both say what is asked for");
        check(with(&["a", "b"]), "`expression` says what is made of the 2 metrics");
        check(with(&["Errors"]), "`metrics` has \"Errors\", and names there begin with a small letter");
        let mut many = settings("5m", "1m");
        let dimensions = (0..31).map(|at| (format!("d{at}"), "v".to_owned())).collect();
        many.metrics.entry("errors".to_owned()).and_modify(|metric| metric.dimensions = dimensions);
        check(many, "`metrics.errors` has 31 dimensions, and a metric has at most 30");
    }
}
