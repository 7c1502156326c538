//! Amazon Web Services: what its backends share. The client of each service is a feature of the build, since it is large; the settings are known to every build.

#[cfg(feature = "aws-account")]
mod account;
pub(super) mod codedeploy;
pub(super) mod ecs;
pub(super) mod elb;
pub(super) mod lambda;
pub(super) mod route53;
#[cfg(any(feature = "aws-codedeploy", feature = "aws-ecs"))]
mod tasks;

use schemars::JsonSchema;
use serde::Deserialize;
#[cfg(feature = "aws-account")]
use serde_json::{Value, json};

use crate::outside::is_url;
#[cfg(any(feature = "aws-codedeploy", feature = "aws-ecs", feature = "aws-lambda"))]
use crate::release::Share;

/// As `account` in `[traffic.NAME]` has it. Credentials come from where every tool of AWS finds them: the environment, the shared files, a
/// web identity, the container or the instance.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct AccountSettings {
    /// The region; otherwise that of the environment or of the profile.
    region: Option<String>,
    /// The profile of the shared configuration files.
    profile: Option<String>,
    /// The ARN of a role that is taken on for every call.
    role: Option<String>,
    /// What that role asks for as external id.
    external_id: Option<String>,
    /// Another address for all calls, such as that of an emulator.
    endpoint: Option<String>,
}

impl AccountSettings {
    /// The partition of its region: ordinary ones, China's, or those of the government of the USA.
    #[cfg(feature = "aws-account")]
    fn partition(&self) -> &'static str {
        match self.region.as_deref() {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(endpoint) = &self.endpoint {
            is_url("account.endpoint", endpoint)?;
        }
        if let Some(role) = &self.role {
            Arn::read("account.role", role, "iam")?;
        }
        if self.external_id.is_some() && self.role.is_none() {
            return Err("`account.external-id` goes with `account.role`".to_owned());
        }
        Ok(())
    }
}

/// Refuses what is no name of a service's, and ARNs with it. `setting`: where the settings have it.
fn is_name(setting: &str, text: &str, service: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match !text.is_empty() && text.chars().all(is_part) {
        true => Ok(()),
        false => Err(format!("`{setting}` {text:?} is no name that {service} has; ARNs are not taken")),
    }
}

/// The parts of an Amazon Resource Name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arn {
    region: String,
    account: String,
    resource: String,
}

impl Arn {
    /// `setting`: where the settings name it, for the error.
    fn read(setting: &str, text: &str, service: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, of, region, account, resource] if of == service && !resource.is_empty() => {
                Ok(Self { region: region.to_owned(), account: account.to_owned(), resource: resource.to_owned() })
            }
            _ => Err(format!("`{setting}` {text:?} is no ARN of the service {service}")),
        }
    }
}

/// A part of all traffic as a share. What is not nothing has a share, and what is not everything leaves one.
#[cfg(any(feature = "aws-codedeploy", feature = "aws-ecs", feature = "aws-lambda"))]
fn share_of(part: f64) -> Option<Share> {
    let all = f64::from(Share::ALL.as_basis_points());
    match part * all {
        points if points <= 0.0 => Some(Share::NONE),
        points if points >= all => Some(Share::ALL),
        points => {
            let points = points.round().clamp(1.0, all - 1.0);
            (0..=Share::ALL.as_basis_points()).find(|known| f64::from(*known) >= points).and_then(Share::basis_points)
        }
    }
}

/// An IAM policy that allows actions, each on some resources.
#[cfg(feature = "aws-account")]
fn policy(allowed: &[(&[&str], Vec<&str>)]) -> Value {
    let statement = |(actions, resources): &(&[&str], Vec<&str>)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    json!({ "Version": "2012-10-17", "Statement": allowed.iter().map(statement).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read() {
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/edge/50dc6c495c0c9188/f2f7dc8efc522ab2";
        let read = Arn::read("rules", arn, "elasticloadbalancing").unwrap();
        assert_eq!((read.region.as_str(), read.account.as_str()), ("eu-central-1", "123456789012"));
        assert!(read.resource.starts_with("listener/"));
        assert_eq!(Arn::read("rules", "app", "iam").unwrap_err(), "`rules` \"app\" is no ARN of the service iam");
        assert!(Arn::read("rules", arn, "iam").is_err());
    }
}
