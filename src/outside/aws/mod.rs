//! An account of Amazon Web Services: its settings, which every build reads, and how services are asked in it, which a feature brings.

#[cfg(feature = "aws-account")]
mod account;

use schemars::JsonSchema;
use serde::Deserialize;

#[cfg(feature = "aws-traffic")]
pub(crate) use account::AwsFailure;
#[cfg(feature = "aws-account")]
pub(crate) use account::{AwsService, answer};

use super::is_url;

/// As `account` in `[traffic.NAME]` and `[checks.NAME]` has it. Credentials come from where every tool of AWS finds them: the environment, the shared files, a
/// web identity, the container or the instance.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct AccountSettings {
    /// The region; otherwise that of the environment or of the profile.
    pub(crate) region: Option<String>,
    /// The profile of the shared configuration files.
    pub(crate) profile: Option<String>,
    /// The ARN of a role that is taken on for every call.
    pub(crate) role: Option<String>,
    /// What that role asks for as external id.
    pub(crate) external_id: Option<String>,
    /// Another address for all calls, such as that of an emulator.
    pub(crate) endpoint: Option<String>,
}

impl AccountSettings {
    /// The partition of its region: ordinary ones, China's, or those of the government of the USA.
    #[cfg(feature = "aws-account")]
    pub(crate) fn partition(&self) -> &'static str {
        match self.region.as_deref() {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
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
pub(crate) fn is_name(setting: &str, text: &str, service: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match !text.is_empty() && text.chars().all(is_part) {
        true => Ok(()),
        false => Err(format!("`{setting}` {text:?} is no name that {service} has; ARNs are not taken")),
    }
}

/// The parts of an Amazon Resource Name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arn {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) resource: String,
}

impl Arn {
    /// `setting`: where the settings name it, for the error.
    pub(crate) fn read(setting: &str, text: &str, service: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, of, region, account, resource] if of == service && !resource.is_empty() => {
                Ok(Self { region: region.to_owned(), account: account.to_owned(), resource: resource.to_owned() })
            }
            _ => Err(format!("`{setting}` {text:?} is no ARN of the service {service}")),
        }
    }
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
