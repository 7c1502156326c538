//! Amazon ECS by itself: its blue/green, linear and canary deployments of a service, which move the traffic by themselves.
//!
//! A deployment is let through its pause hooks; each is a gate of the release. Calls, stages and limits are those of the API reference, "Amazon Elastic Container
//! Service" version 2014-11-13, and of the developer guide's pages on service deployments.

#[cfg(feature = "aws-ecs")]
mod backend;
#[cfg(feature = "aws-ecs")]
mod seen;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AccountSettings, is_name};
use crate::outside::Needs;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-ecs",
    about: "an ECS service deploys a task definition blue/green, linear or as a canary",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(&traffic.name, settings)
    },
};

#[cfg(feature = "aws-ecs")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Ecs::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "aws-ecs"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-ecs")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The cluster, by its name.
    cluster: String,
    /// The service, by its name.
    service: String,
    /// Green's task definition: its family and revision, for example `shop:8`, or its ARN.
    task_definition: String,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// The family and revision of a task definition, without what stands before them in an ARN.
fn family(task_definition: &str) -> &str {
    task_definition.split_once("task-definition/").map_or(task_definition, |(_, family)| family)
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        is_name("cluster", &self.cluster, "ECS")?;
        is_name("service", &self.service, "ECS")?;
        let is_revision = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        match family(&self.task_definition).split_once(':') {
            Some((name, revision)) if is_name("task-definition", name, "ECS").is_ok() && is_revision(revision) => {}
            _ => {
                let text = &self.task_definition;
                return Err(format!("`task-definition` {text:?} is no family with its revision, such as \"shop:8\""));
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
        let check = |service: &str, task_definition: &str, expected: &str| {
            let (cluster, account) = ("edge".to_owned(), AccountSettings::default());
            let (service, task_definition) = (service.to_owned(), task_definition.to_owned());
            let settings = Settings { cluster, service, task_definition, account };
            assert_eq!(settings.check().err().unwrap_or_default(), expected);
        };
        check("shop", "shop:8", "");
        check("shop", "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:8", "");
        let no_revision = "`task-definition` \"shop\" is no family with its revision, such as \"shop:8\"";
        check("shop", "shop", no_revision);
        check(
            "arn:aws:ecs:::service/shop",
            "shop:8",
            "`service` \"arn:aws:ecs:::service/shop\" is no name that ECS has; ARNs are not taken",
        );
    }
}
