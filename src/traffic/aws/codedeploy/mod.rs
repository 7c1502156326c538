//! AWS CodeDeploy: its blue/green deployments of ECS services and of Lambda functions, which move the traffic by themselves.
//!
//! A deployment waits at two gates: before green gets traffic (the deployment group's ready option) and, of ECS, before blue's tasks are ended (its
//! termination wait). Calls, states and limits are those of the API reference, "AWS CodeDeploy" version 2014-10-06, and of "Amazon ECS" version 2014-11-13,
//! which is asked whether blue's tasks have ended.

#[cfg(feature = "aws-codedeploy")]
mod backend;
#[cfg(feature = "aws-codedeploy")]
mod seen;

use schemars::JsonSchema;
use serde::Deserialize;

use super::AccountSettings;
use crate::outside::Needs;
use crate::release::Configured;
use crate::release::time::Time;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-codedeploy",
    about: "AWS CodeDeploy deploys an ECS service or a Lambda function blue/green",
    needs: Needs::ThisMachine,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(traffic, settings)
    },
};

#[cfg(feature = "aws-codedeploy")]
fn opened(traffic: &Configured, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::CodeDeploy::new(traffic, settings)))
}

#[cfg(not(feature = "aws-codedeploy"))]
fn opened(traffic: &Configured, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(&traffic.name, "aws-codedeploy")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The application.
    application: String,
    /// Its deployment group.
    deployment_group: String,
    /// The file with the AppSpec of green: a task definition, or a version of a function.
    #[cfg_attr(not(feature = "aws-codedeploy"), expect(dead_code, reason = "what reads it is no part of this build"))]
    app_spec: String,
    /// How traffic is shifted, where it is not as the deployment group says: the name of a deployment configuration.
    deployment_config: Option<String>,
    /// The longest time that an invocation of a Lambda function may take, as its timeout says; blue is waited for that long.
    #[serde(default = "Settings::longest_invocation")]
    longest_invocation: Time,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// The longest time in milliseconds that Lambda lets an invocation take.
const LONGEST_MS: u64 = 900_000;

impl Settings {
    fn longest_invocation() -> Time {
        Time(LONGEST_MS)
    }

    fn check(&self) -> Result<(), String> {
        let names = [("application", Some(&self.application)), ("deployment-group", Some(&self.deployment_group))];
        for (setting, name) in names.into_iter().chain([("deployment-config", self.deployment_config.as_ref())]) {
            if name.is_some_and(|name| name.is_empty() || name.chars().count() > 100) {
                return Err(format!("`{setting}` is a name of 1 to 100 characters"));
            }
        }
        if !(1..=LONGEST_MS).contains(&self.longest_invocation.0) {
            return Err(
                "`longest-invocation` is more than nothing, and no more than the 15m that Lambda allows".to_owned()
            );
        }
        self.account.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |more: &str, expected: &str| {
            let text = format!("deployment-group = \"blue-green\"\napp-spec = \"appspec.yaml\"\n{more}");
            let settings: Settings = toml::from_str(&text).unwrap();
            assert_eq!(settings.check().err().unwrap_or_default(), expected, "{more}");
        };
        check("application = \"shop\"", "");
        check("application = \"shop\"\nlongest-invocation = \"30s\"", "");
        check("application = \"\"", "`application` is a name of 1 to 100 characters");
        let too_long = "`longest-invocation` is more than nothing, and no more than the 15m that Lambda allows";
        check("application = \"shop\"\nlongest-invocation = \"16m\"", too_long);
    }
}
