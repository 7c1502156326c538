//! Amazon Web Services: what its backends share. Each service is a feature of the build, since its client is large.

#[cfg(feature = "aws-elb")]
pub(super) mod elb;
#[cfg(feature = "aws-lambda")]
pub(super) mod lambda;
#[cfg(feature = "aws-route53")]
pub(super) mod route53;

use std::error::Error;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Context, TrafficError, TrafficErrorCode};
use crate::outside::is_url;

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

/// The account that a backend works in.
#[derive(Debug)]
struct Account {
    settings: AccountSettings,
    loaded: OnceCell<SdkConfig>,
}

impl Account {
    fn new(settings: AccountSettings) -> Result<Self, String> {
        if let Some(endpoint) = &settings.endpoint {
            is_url("account.endpoint", endpoint)?;
        }
        if let Some(role) = &settings.role {
            Arn::read("account.role", role, "iam")?;
        }
        if settings.external_id.is_some() && settings.role.is_none() {
            return Err("`account.external-id` goes with `account.role`".to_owned());
        }
        Ok(Self { settings, loaded: OnceCell::new() })
    }

    /// How its services are called. Read once, when it is first needed.
    async fn config(&self) -> &SdkConfig {
        self.loaded.get_or_init(|| self.load()).await
    }

    async fn load(&self) -> SdkConfig {
        let AccountSettings { region, profile, role, external_id, endpoint } = self.settings.clone();
        let loader = || {
            let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            let client = aws_smithy_http_client::Builder::new().tls_provider(ring).build_https();
            // What may pass is asked again by the release, which says so meanwhile; what a client asks again by itself is short.
            let mut loader = aws_config::defaults(BehaviorVersion::latest())
                .http_client(client)
                .retry_config(RetryConfig::standard().with_max_attempts(2));
            if let Some(region) = region.clone() {
                loader = loader.region(Region::new(region));
            }
            if let Some(profile) = &profile {
                loader = loader.profile_name(profile);
            }
            if let Some(endpoint) = &endpoint {
                loader = loader.endpoint_url(endpoint);
            }
            loader
        };
        let own = loader().load().await;
        let Some(role) = role else { return own };
        let mut provider = aws_config::sts::AssumeRoleProvider::builder(role).session_name("cutover").configure(&own);
        if let Some(id) = external_id {
            provider = provider.external_id(id);
        }
        loader().credentials_provider(provider.build().await).load().await
    }
}

/// What an answer is asked by.
#[derive(Clone, Copy)]
struct Asked<'a> {
    backend: &'a str,
    op: &'static str,
    deadline: Duration,
}

impl<'a> Asked<'a> {
    fn new(backend: &'a str, context: &Context, op: &'static str) -> Self {
        Self { backend, op, deadline: context.deadline }
    }

    /// The answer of a call, in time.
    async fn answer<T, E>(
        self,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, TrafficError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answered) => answered.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.unavailable(format!("no answer within {:?}", self.deadline))),
        }
    }

    fn refused(self, code: TrafficErrorCode, message: impl Into<String>) -> TrafficError {
        TrafficError::refused(self.backend, self.op, code, message)
    }

    fn misconfigured(self, message: impl Into<String>) -> TrafficError {
        self.refused(TrafficErrorCode::Misconfigured, message)
    }

    fn unavailable(self, why: String) -> TrafficError {
        TrafficError::unavailable(self.backend, self.op, why)
    }

    /// The service answered without what it always answers with.
    fn broken(self, lacks: &str) -> TrafficError {
        let why = format!("the answer has no {lacks}");
        TrafficError::Broken { backend: self.backend.to_owned(), op: self.op, why }
    }

    fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> TrafficError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let SdkError::ServiceError(answered) = error else {
            let why = chain(error);
            let may_pass = match error {
                SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
                SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
                _ => false,
            };
            // Neither sent nor lost on the way: there is nothing to sign it with.
            return if may_pass { self.unavailable(why) } else { self.refused(TrafficErrorCode::Denied, why) };
        };
        let said = answered.err().meta();
        let word = said.code().unwrap_or("an error without a name");
        let message = match said.message() {
            Some(message) => format!("{word}: {message}"),
            None => word.to_owned(),
        };
        match code(word) {
            TrafficErrorCode::Other(_) if answered.raw().status().is_server_error() => self.unavailable(message),
            code => self.refused(code, message),
        }
    }
}

/// An error with what it comes from.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = source.source();
    }
    text
}

/// The words of the services for what a release has to tell apart.
const CODES: &[(TrafficErrorCode, &[&str])] = &[
    (
        TrafficErrorCode::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "SignatureDoesNotMatch",
            "UnauthorizedOperation",
            "UnrecognizedClientException",
        ],
    ),
    (
        TrafficErrorCode::Throttled,
        &[
            "PriorRequestNotComplete",
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ],
    ),
    (
        TrafficErrorCode::NotFound,
        &[
            "ListenerNotFound",
            "NoSuchHealthCheck",
            "NoSuchHostedZone",
            "ResourceNotFoundException",
            "RuleNotFound",
            "TargetGroupNotFound",
        ],
    ),
    (TrafficErrorCode::Conflict, &["PreconditionFailedException", "ResourceConflictException"]),
];

fn code(word: &str) -> TrafficErrorCode {
    let known = CODES.iter().find(|(_, words)| words.contains(&word));
    known.map_or_else(|| TrafficErrorCode::Other(word.to_owned()), |(code, _)| code.clone())
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

/// An IAM policy that allows actions, each on some resources.
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

    #[test]
    fn the_words_of_services_are_told_apart() {
        assert_eq!(code("Throttling"), TrafficErrorCode::Throttled);
        assert_eq!(code("ExpiredToken"), TrafficErrorCode::Denied);
        assert_eq!(code("Whatever"), TrafficErrorCode::Other("Whatever".into()));
    }
}
