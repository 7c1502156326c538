//! Alarms of Amazon CloudWatch, none of which may be in alarm.

use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::{CheckKind, OpenedCheck};
use crate::outside::Needs;
use crate::outside::aws::AccountSettings;

pub(super) const KIND: CheckKind = CheckKind {
    name: "aws-cloudwatch-alarms",
    about: "Alarms of AWS CloudWatch, none of which may be in alarm",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |check, _| {
        let settings: Settings = check.read()?;
        settings.check()?;
        opened(settings)
    },
};

#[cfg(feature = "aws-cloudwatch")]
fn opened(settings: Settings) -> OpenedCheck {
    Ok(Box::new(asked::Alarms::new(settings)))
}

#[cfg(not(feature = "aws-cloudwatch"))]
fn opened(_: Settings) -> OpenedCheck {
    super::not_built::not_built("aws-cloudwatch")
}

/// As `[checks.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[cfg_attr(not(feature = "aws-cloudwatch"), expect(dead_code, reason = "what reads the rest is no part of this build"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The alarms, by their names: of metrics, of logs, or composite ones.
    alarms: Vec<String>,
    /// What it means that an alarm has too little data to be in a state.
    #[serde(default)]
    insufficient_data: InsufficientData,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// What too little data means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum InsufficientData {
    /// Nothing can be said.
    #[default]
    Inconclusive,
    /// Green does not do well.
    Failed,
    /// Green does well, which the check says each time.
    Successful,
}

/// How many alarms the service describes at once.
const MOST: usize = 100;

impl Settings {
    fn check(&self) -> Result<(), String> {
        if self.alarms.is_empty() || self.alarms.len() > MOST {
            return Err(format!("`alarms` has {} names; it takes 1 to {MOST}", self.alarms.len()));
        }
        if let Some(name) = self.alarms.iter().find(|name| name.is_empty() || name.starts_with("arn:")) {
            return Err(format!("`alarms` {name:?} is no name of an alarm; ARNs are not taken"));
        }
        self.account.check()
    }
}

#[cfg(feature = "aws-cloudwatch")]
mod asked {
    use std::time::Duration;

    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

    use super::super::{Check, CheckContext, Measured, Measuring};
    use super::{InsufficientData, MOST, Settings};
    use crate::outside::aws::{AwsService, answer};

    pub(super) struct Alarms {
        service: AwsService<Client>,
        settings: Settings,
    }

    /// An alarm as it is.
    #[derive(Debug, Clone)]
    struct Alarm {
        name: String,
        state: StateValue,
        /// Why it is in that state.
        why: String,
    }

    impl Alarm {
        fn of(name: Option<&str>, state: Option<&StateValue>, why: Option<&str>) -> Option<Self> {
            let why = why.unwrap_or("no reason is given").to_owned();
            Some(Self { name: name?.to_owned(), state: state?.clone(), why })
        }
    }

    impl Alarms {
        pub(super) fn new(settings: Settings) -> Self {
            Self { service: AwsService::new(settings.account.clone(), None, Client::new), settings }
        }

        async fn ask(&self, deadline: Duration) -> Result<Measured, String> {
            let client = self.service.client().await?;
            let mut found = Vec::new();
            let mut next = None;
            loop {
                // Without their types, only those of metrics are described.
                let types = [AlarmType::CompositeAlarm, AlarmType::LogAlarm, AlarmType::MetricAlarm];
                let call = client.describe_alarms().set_alarm_names(Some(self.settings.alarms.clone()));
                let call = call.set_alarm_types(Some(types.to_vec())).set_max_records(i32::try_from(MOST).ok());
                let page = answer(deadline, call.set_next_token(next).send()).await.map_err(|why| why.to_string())?;
                let of_metrics =
                    page.metric_alarms().iter().map(|a| (a.alarm_name(), a.state_value(), a.state_reason()));
                let of_logs = page.log_alarms().iter().map(|a| (a.alarm_name(), a.state_value(), a.state_reason()));
                let composite =
                    page.composite_alarms().iter().map(|a| (a.alarm_name(), a.state_value(), a.state_reason()));
                let all = of_metrics.chain(of_logs).chain(composite);
                found.extend(all.filter_map(|(name, state, why)| Alarm::of(name, state, why)));
                next = page.next_token;
                if next.is_none() {
                    return Ok(judge(&self.settings, &found));
                }
            }
        }
    }

    /// What the alarms that are there come to: one in alarm fails, whatever the others are; one that is not there is an error.
    fn judge(settings: &Settings, found: &[Alarm]) -> Measured {
        let in_state = |state: &StateValue| -> Vec<&Alarm> { found.iter().filter(|one| one.state == *state).collect() };
        let names = |alarms: &[&Alarm]| alarms.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        if let [first, ..] = in_state(&StateValue::Alarm).as_slice() {
            let all = names(&in_state(&StateValue::Alarm));
            return Measured::failed(format!("in alarm: {all} ({})", first.why));
        }
        let missing = settings.alarms.iter().find(|name| found.iter().all(|one| one.name != **name));
        if let Some(missing) = missing {
            return Measured::error(format!("there is no alarm {missing}"));
        }
        let without_data = in_state(&StateValue::InsufficientData);
        if without_data.is_empty() {
            return match found.iter().find(|one| one.state != StateValue::Ok) {
                Some(other) => Measured::inconclusive(format!("alarm {} is {}", other.name, other.state.as_str())),
                None => Measured::successful(format!("none of {} is in alarm", settings.alarms.join(", "))),
            };
        }
        let said = format!("too little data: {}", names(&without_data));
        match settings.insufficient_data {
            InsufficientData::Inconclusive => Measured::inconclusive(said),
            InsufficientData::Failed => Measured::failed(said),
            InsufficientData::Successful => {
                Measured::successful(format!("{said}, which counts as successful; none is in alarm"))
            }
        }
    }

    impl Check for Alarms {
        fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
            Box::pin(async { self.ask(context.deadline).await.unwrap_or_else(Measured::error) })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::super::super::CheckVerdict;
        use super::*;
        use crate::outside::aws::AccountSettings;

        #[test]
        fn one_in_alarm_fails_whatever_the_others_are() {
            let check = |states: &[(&str, StateValue)], insufficient_data, expected: CheckVerdict, says: &str| {
                let settings = Settings {
                    alarms: vec!["a".to_owned(), "b".to_owned()],
                    insufficient_data,
                    account: AccountSettings::default(),
                };
                let found: Vec<Alarm> =
                    states.iter().filter_map(|(name, state)| Alarm::of(Some(name), Some(state), Some("so"))).collect();
                let measured = judge(&settings, &found);
                assert_eq!((measured.verdict, measured.said.as_str()), (expected, says), "{states:?}");
            };
            use InsufficientData::{Failed, Inconclusive, Successful};
            use StateValue::{Alarm as InAlarm, InsufficientData as Little, Ok as Fine};
            let (good, bad) = (CheckVerdict::Successful, CheckVerdict::Failed);
            check(&[("a", Fine), ("b", Fine)], Inconclusive, good, "none of a, b is in alarm");
            check(&[("a", Fine), ("b", InAlarm)], Successful, bad, "in alarm: b (so)");
            check(&[("a", Little), ("b", InAlarm)], Successful, bad, "in alarm: b (so)");
            check(&[("a", InAlarm)], Inconclusive, bad, "in alarm: a (so)");
            check(&[("a", Fine)], Successful, CheckVerdict::Error, "there is no alarm b");
            check(&[("a", Fine), ("b", Little)], Inconclusive, CheckVerdict::Inconclusive, "too little data: b");
            check(&[("a", Fine), ("b", Little)], Failed, bad, "too little data: b");
            let said = "too little data: b, which counts as successful; none is in alarm";
            check(&[("a", Fine), ("b", Little)], Successful, good, said);
            let new = StateValue::from("ODD");
            check(&[("a", Fine), ("b", new)], Successful, CheckVerdict::Inconclusive, "alarm b is ODD");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |alarms: Vec<String>, expected: &str| {
            let (insufficient_data, account) = (InsufficientData::default(), AccountSettings::default());
            let error = Settings { alarms, insufficient_data, account }.check().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check(Vec::new(), "`alarms` has 0 names; it takes 1 to 100");
        check((0..101).map(|at| format!("a{at}")).collect(), "`alarms` has 101 names; it takes 1 to 100");
        check(vec!["arn:aws:cloudwatch".to_owned()], "`alarms` \"arn:aws:cloudwatch\" is no name of an alarm");
    }
}
