//! The targets of a target group of Elastic Load Balancing, which must be healthy.

use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::{CheckKind, OpenedCheck};
use crate::outside::Needs;
use crate::outside::aws::{AccountSettings, Arn};

pub(super) const KIND: CheckKind = CheckKind {
    name: "aws-target-health",
    about: "The targets of a target group of an AWS load balancer, all of which must be healthy",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |check, _| {
        let settings: Settings = check.read()?;
        opened(settings.checked()?)
    },
};

#[cfg(feature = "aws-elb")]
fn opened(settings: Settings) -> OpenedCheck {
    Ok(Box::new(asked::TargetHealth::new(settings)))
}

#[cfg(not(feature = "aws-elb"))]
fn opened(_: Settings) -> OpenedCheck {
    super::not_built::not_built("aws-elb")
}

/// As `[checks.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The ARN of the target group.
    target_group: String,
    /// How many targets it must have at least.
    #[serde(default = "one")]
    at_least: usize,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

fn one() -> usize {
    1
}

impl Settings {
    /// The same, with the region of the target group.
    fn checked(self) -> Result<Self, String> {
        self.account.check()?;
        let arn = Arn::read("target-group", &self.target_group, "elasticloadbalancing")?;
        if !arn.resource.starts_with("targetgroup/") {
            return Err(format!("`target-group` {:?} is the ARN of something else", self.target_group));
        }
        if self.account.region.is_some() {
            return Err("`account.region` is that of `target-group`, and need not be said".to_owned());
        }
        if self.at_least == 0 {
            return Err("`at-least` is 1 or more: a group without targets serves nobody".to_owned());
        }
        Ok(Self { account: AccountSettings { region: Some(arn.region), ..self.account }, ..self })
    }
}

#[cfg(feature = "aws-elb")]
mod asked {
    use std::time::Duration;

    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::types::{TargetHealthDescription, TargetHealthStateEnum};

    use super::super::{Check, CheckContext, Measured, Measuring};
    use super::Settings;
    use crate::outside::aws::{AwsService, answer};

    pub(super) struct TargetHealth {
        service: AwsService<Client>,
        settings: Settings,
    }

    impl TargetHealth {
        pub(super) fn new(settings: Settings) -> Self {
            Self { service: AwsService::new(settings.account.clone(), None, Client::new), settings }
        }

        async fn ask(&self, deadline: Duration) -> Result<Measured, String> {
            let call = self.service.client().await?.describe_target_health();
            let call = call.target_group_arn(&self.settings.target_group);
            let found = answer(deadline, call.send()).await.map_err(|why| why.to_string())?;
            let known = |described: &TargetHealthDescription| {
                let health = described.target_health()?;
                let id = described.target()?.id()?.to_owned();
                Some((id, health.state()?.clone(), health.description().unwrap_or("no reason is given").to_owned()))
            };
            let targets: Vec<_> = found.target_health_descriptions().iter().filter_map(known).collect();
            Ok(judge(&targets, self.settings.at_least))
        }
    }

    /// What targets come to, each with its id, its state and why. Those that are taken away do not count.
    fn judge(targets: &[(String, TargetHealthStateEnum, String)], at_least: usize) -> Measured {
        use TargetHealthStateEnum::{Draining, Healthy, Initial, Unavailable, Unhealthy, UnhealthyDraining};
        let staying: Vec<_> =
            targets.iter().filter(|(_, state, _)| !matches!(state, Draining | UnhealthyDraining)).collect();
        let shown =
            |(id, state, why): &(String, TargetHealthStateEnum, String)| format!("{id} is {} ({why})", state.as_str());
        if let Some(bad) = staying.iter().find(|(_, state, _)| matches!(state, Unhealthy | Unavailable)) {
            return Measured::failed(shown(bad));
        }
        if let Some(new) = staying.iter().find(|(_, state, _)| *state == Initial) {
            return Measured::inconclusive(shown(new));
        }
        if let Some(other) = staying.iter().find(|(_, state, _)| *state != Healthy) {
            return Measured::inconclusive(format!("{}: nothing forwards to it", shown(other)));
        }
        match staying.len() {
            few if few < at_least => Measured::failed(format!("{few} targets are healthy, and {at_least} are to be")),
            all => Measured::successful(format!("all {all} targets are healthy")),
        }
    }

    impl Check for TargetHealth {
        fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
            Box::pin(async { self.ask(context.deadline).await.unwrap_or_else(Measured::error) })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::super::super::CheckVerdict;
        use super::*;

        #[test]
        fn every_target_that_stays_must_be_healthy() {
            let check = |states: &[&str], at_least: usize, expected: CheckVerdict, says: &str| {
                let target = |(at, state): (usize, &&str)| (format!("i-{at}"), (*state).into(), "so".to_owned());
                let targets: Vec<_> = states.iter().enumerate().map(target).collect();
                let measured = judge(&targets, at_least);
                assert_eq!((measured.verdict, measured.said.as_str()), (expected, says), "{states:?}");
            };
            let (good, bad, nothing) = (CheckVerdict::Successful, CheckVerdict::Failed, CheckVerdict::Inconclusive);
            check(&["healthy", "healthy"], 2, good, "all 2 targets are healthy");
            check(&["healthy", "draining"], 1, good, "all 1 targets are healthy");
            check(&["healthy", "unhealthy.draining"], 1, good, "all 1 targets are healthy");
            check(&["healthy", "unhealthy"], 1, bad, "i-1 is unhealthy (so)");
            check(&["initial", "unavailable"], 1, bad, "i-1 is unavailable (so)");
            check(&["healthy", "initial"], 1, nothing, "i-1 is initial (so)");
            check(&["unused"], 1, nothing, "i-0 is unused (so): nothing forwards to it");
            check(&["healthy"], 2, bad, "1 targets are healthy, and 2 are to be");
            check(&[], 1, bad, "0 targets are healthy, and 1 are to be");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |target_group: &str, at_least: usize, region: Option<&str>, expected: &str| {
            let account = AccountSettings { region: region.map(str::to_owned), ..AccountSettings::default() };
            let settings = Settings { target_group: target_group.to_owned(), at_least, account };
            assert!(settings.checked().unwrap_err().starts_with(expected));
        };
        let group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/1";
        check("green", 1, None, "`target-group` \"green\" is no ARN");
        check(&group.replace("targetgroup", "listener"), 1, None, "`target-group` \"arn:");
        check(group, 0, None, "`at-least` is 1 or more");
        check(group, 1, Some("eu-west-1"), "`account.region` is that of `target-group`");
    }
}
