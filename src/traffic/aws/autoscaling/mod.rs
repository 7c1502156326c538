//! Amazon EC2 Auto Scaling: two groups of instances change places behind target groups and Classic Load Balancers.
//!
//! Green's group is attached, its instances are waited for until they work, and then blue's group is detached: both serve in between, and never none. Calls
//! and states are those of the API references "Auto Scaling" version 2011-01-01 and "Elastic Load Balancing" versions 2015-12-01 and 2012-06-01.

#[cfg(feature = "aws-autoscaling")]
mod backend;
#[cfg(feature = "aws-autoscaling")]
mod seen;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AccountSettings, Arn, is_name};
use crate::outside::Needs;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-autoscaling",
    about: "two Auto Scaling groups of AWS change places behind target groups and Classic Load Balancers",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        let settings = settings.checked()?;
        opened(&traffic.name, settings)
    },
};

#[cfg(feature = "aws-autoscaling")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Groups::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "aws-autoscaling"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-autoscaling")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Blue's Auto Scaling group, by its name.
    blue: String,
    /// Green's.
    green: String,
    /// The ARNs of the target groups that the groups change places behind.
    #[serde(default)]
    target_groups: Vec<String>,
    /// The names of the Classic Load Balancers that they change places behind.
    #[serde(default)]
    load_balancers: Vec<String>,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// How many the service attaches to a group.
const MOST: usize = 10;

impl Settings {
    /// The same, with the region of its target groups.
    fn checked(self) -> Result<Self, String> {
        self.account.check()?;
        for (setting, name) in [("blue", &self.blue), ("green", &self.green)] {
            if name.is_empty() || name.starts_with("arn:") {
                return Err(format!("`{setting}` {name:?} is no name of an Auto Scaling group; ARNs are not taken"));
            }
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same group".to_owned());
        }
        if self.target_groups.is_empty() && self.load_balancers.is_empty() {
            return Err("`target-groups`, `load-balancers` or both say what the groups change places behind".to_owned());
        }
        for (setting, names) in [("target-groups", &self.target_groups), ("load-balancers", &self.load_balancers)] {
            if names.len() > MOST {
                return Err(format!(
                    "`{setting}` has {} of them, and at most {MOST} are attached at once",
                    names.len()
                ));
            }
            if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                return Err(format!("`{setting}` has {twice:?} twice"));
            }
        }
        for name in &self.load_balancers {
            is_name("load-balancers", name, "Elastic Load Balancing")?;
        }
        let mut place: Option<Arn> = None;
        for text in &self.target_groups {
            let arn = Arn::read("target-groups", text, "elasticloadbalancing")?;
            if !arn.resource.starts_with("targetgroup/") {
                return Err(format!("`target-groups` {text:?} is the ARN of something else"));
            }
            if place.as_ref().is_some_and(|one| (&one.region, &one.account) != (&arn.region, &arn.account)) {
                return Err("`target-groups` are not of one region and account".to_owned());
            }
            place = Some(arn);
        }
        let Some(Arn { region, .. }) = place else { return Ok(self) };
        if self.account.region.is_some() {
            return Err("`account.region` is that of `target-groups`, and need not be said".to_owned());
        }
        Ok(Self { account: AccountSettings { region: Some(region), ..self.account }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRONT: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/front/1";

    fn settings(green: &str, target_groups: &[String], load_balancers: &[&str]) -> Settings {
        Settings {
            blue: "shop-blue".to_owned(),
            green: green.to_owned(),
            target_groups: target_groups.to_vec(),
            load_balancers: load_balancers.iter().map(|name| (*name).to_owned()).collect(),
            account: AccountSettings::default(),
        }
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |green: &str, target_groups: &[String], load_balancers: &[&str], expected: &str| {
            let error = settings(green, target_groups, load_balancers).checked().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        let front = &[FRONT.to_owned()];
        check("shop-blue", front, &[], "`blue` and `green` are the same group");
        check("arn:aws:autoscaling", front, &[], "`green` \"arn:aws:autoscaling\" is no name of an Auto Scaling group");
        check("shop-green", &[], &[], "`target-groups`, `load-balancers` or both say");
        check("shop-green", &[], &["edge", "edge"], "`load-balancers` has \"edge\" twice");
        check("shop-green", &[], &["arn:aws:elb"], "`load-balancers` \"arn:aws:elb\" is no name that Elastic");
        check("shop-green", &[FRONT.replace("targetgroup", "loadbalancer")], &[], "`target-groups` \"arn:aws:el");
        let two = [FRONT.to_owned(), FRONT.replace("eu-central-1", "eu-west-1")];
        check("shop-green", &two, &[], "`target-groups` are not of one region and account");
        let many: Vec<String> = (0..11).map(|at| format!("{FRONT}{at}")).collect();
        check("shop-green", &many, &[], "`target-groups` has 11 of them, and at most 10");
    }

    #[test]
    fn the_region_is_that_of_the_target_groups() {
        let checked = settings("shop-green", &[FRONT.to_owned()], &[]).checked().unwrap();
        assert_eq!(checked.account.region.as_deref(), Some("eu-central-1"));
        let said = AccountSettings { region: Some("eu-west-1".to_owned()), ..AccountSettings::default() };
        let error =
            Settings { account: said, ..settings("shop-green", &[FRONT.to_owned()], &[]) }.checked().unwrap_err();
        assert_eq!(error, "`account.region` is that of `target-groups`, and need not be said");
    }
}
