//! Application and Network Load Balancers: the weights of two target groups in the forward action of a listener or a rule.
//!
//! A change replaces the whole list of actions, so it is read, changed and written back; nothing compares it with what somebody else does at the same
//! moment. Calls and limits are those of the API reference, "Elastic Load Balancing" version 2015-12-01.

#[cfg(feature = "aws-elb")]
mod backend;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AccountSettings, Arn};
use crate::outside::Needs;
#[cfg(feature = "aws-elb")]
use crate::side::Side;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "aws-elb",
    about: "an AWS load balancer (ALB, NLB) forwards by the weights of two target groups",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        let place = settings.place()?;
        opened(&traffic.name, settings, place)
    },
};

#[cfg(feature = "aws-elb")]
fn opened(name: &str, settings: Settings, place: Arn) -> OpenedBackend {
    Ok(Box::new(backend::LoadBalancer::new(name.to_owned(), settings, place)))
}

#[cfg(not(feature = "aws-elb"))]
fn opened(name: &str, _: Settings, _: Arn) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "aws-elb")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[cfg_attr(not(feature = "aws-elb"), expect(dead_code, reason = "what reads the rest is no part of this build"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The ARNs of the rules that forward to both target groups; that of a listener stands for its default action.
    rules: Vec<String>,
    /// The ARN of blue's target group.
    blue: String,
    /// Green's.
    green: String,
    /// When blue counts as drained.
    #[serde(default)]
    drain: DrainBy,
    /// The account, where it is not that of the environment.
    #[serde(default)]
    account: AccountSettings,
}

/// What tells that blue serves nobody: a weight of 0 keeps new requests away, and no connection that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum DrainBy {
    /// Somebody says so, or blue's target group has no targets any more.
    #[default]
    Word,
    /// Blue's target group has no targets any more, which is waited for.
    TargetsGone,
}

impl Settings {
    /// Where all of it is: one region of one account.
    fn place(&self) -> Result<Arn, String> {
        let kinds: &[(&str, &[String], &[&str])] = &[
            ("rules", &self.rules, &["listener/", "listener-rule/"]),
            ("blue", std::slice::from_ref(&self.blue), &["targetgroup/"]),
            ("green", std::slice::from_ref(&self.green), &["targetgroup/"]),
        ];
        let mut place: Option<Arn> = None;
        for (setting, arns, resources) in kinds {
            for text in *arns {
                let arn = Arn::read(setting, text, "elasticloadbalancing")?;
                if !resources.iter().any(|start| arn.resource.starts_with(start)) {
                    return Err(format!("`{setting}` {text:?} is the ARN of something else"));
                }
                match &place {
                    Some(one) if (&one.region, &one.account) != (&arn.region, &arn.account) => {
                        return Err("`rules`, `blue` and `green` are not of one region and account".to_owned());
                    }
                    Some(_) => {}
                    None => place = Some(arn),
                }
            }
        }
        if self.rules.is_empty() {
            return Err("`rules` names at least one rule or listener".to_owned());
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same target group".to_owned());
        }
        self.account.check()?;
        if self.account.region.is_some() {
            return Err("`account.region` is that of the ARNs, and need not be said".to_owned());
        }
        place.ok_or_else(|| "`rules` names at least one rule or listener".to_owned())
    }

    #[cfg(feature = "aws-elb")]
    fn group(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/edge/1/2/3";
    const BLUE: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/1";
    const GREEN: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/1";

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |rules: &[&str], blue: &str, green: &str, expected: &str| {
            let settings = Settings {
                rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
                blue: blue.to_owned(),
                green: green.to_owned(),
                drain: DrainBy::Word,
                account: AccountSettings::default(),
            };
            assert_eq!(settings.place().unwrap_err(), expected);
        };
        check(&[], BLUE, GREEN, "`rules` names at least one rule or listener");
        check(&[RULE], BLUE, BLUE, "`blue` and `green` are the same target group");
        check(&[BLUE], BLUE, GREEN, &format!("`rules` {BLUE:?} is the ARN of something else"));
        check(&["edge"], BLUE, GREEN, "`rules` \"edge\" is no ARN of the service elasticloadbalancing");
        let elsewhere = GREEN.replace("eu-central-1", "eu-west-1");
        check(&[RULE], BLUE, &elsewhere, "`rules`, `blue` and `green` are not of one region and account");
    }
}
