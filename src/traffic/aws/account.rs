//! The account that a backend works in, and how its services are asked.

use std::error::Error;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use tokio::sync::OnceCell;

use super::AccountSettings;
use crate::traffic::{Context, TrafficError, TrafficErrorCode};

/// The account that a backend works in.
#[derive(Debug)]
pub(super) struct Account {
    settings: AccountSettings,
    /// The region where nobody says one, of a service that is the same in all.
    usual_region: Option<&'static str>,
    loaded: OnceCell<SdkConfig>,
}

impl Account {
    pub(super) fn new(settings: AccountSettings, usual_region: Option<&'static str>) -> Self {
        Self { settings, usual_region, loaded: OnceCell::new() }
    }

    /// How its services are called. Read once, when it is first needed.
    async fn config(&self, asked: Asked<'_>) -> Result<&SdkConfig, TrafficError> {
        let config = self.loaded.get_or_init(|| self.load()).await;
        match config.region() {
            Some(_) => Ok(config),
            None => Err(asked
                .misconfigured("nothing says the region: set `account.region`, AWS_REGION or a profile that has one")),
        }
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
        let own = with_region(loader().load().await, self.usual_region);
        let Some(role) = role else { return own };
        let mut provider = aws_config::sts::AssumeRoleProvider::builder(role).session_name("cutover").configure(&own);
        if let Some(id) = external_id {
            provider = provider.external_id(id);
        }
        let theirs = loader().credentials_provider(provider.build().await).load().await;
        with_region(theirs, self.usual_region)
    }
}

fn with_region(config: SdkConfig, usual: Option<&'static str>) -> SdkConfig {
    match (config.region(), usual) {
        (None, Some(region)) => config.into_builder().region(Region::from_static(region)).build(),
        _ => config,
    }
}

/// A service as one backend asks it.
pub(super) struct Service<C> {
    /// The backend's name.
    pub(super) name: String,
    account: Account,
    make: fn(&SdkConfig) -> C,
    client: OnceCell<C>,
}

impl<C> Service<C> {
    /// `make`: what makes the service's client. Nothing is asked before it is needed.
    pub(super) fn new(name: String, account: Account, make: fn(&SdkConfig) -> C) -> Self {
        Self { name, account, make, client: OnceCell::new() }
    }

    pub(super) async fn client(&self, asked: Asked<'_>) -> Result<&C, TrafficError> {
        let config = self.account.config(asked).await?;
        Ok(self.client.get_or_init(|| async { (self.make)(config) }).await)
    }

    /// The region that it is asked in.
    #[cfg(feature = "aws-codedeploy")]
    pub(super) async fn region(&self, asked: Asked<'_>) -> Result<String, TrafficError> {
        let config = self.account.config(asked).await?;
        Ok(config.region().map(ToString::to_string).unwrap_or_default())
    }

    pub(super) fn asked<'a>(&'a self, context: &Context, op: &'static str) -> Asked<'a> {
        Asked { backend: &self.name, op, deadline: context.deadline }
    }
}

/// What an answer is asked by.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    backend: &'a str,
    op: &'static str,
    deadline: Duration,
}

impl Asked<'_> {
    /// The answer of a call, in time.
    pub(super) async fn answer<T, E>(
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

    pub(super) fn refused(self, code: TrafficErrorCode, message: impl Into<String>) -> TrafficError {
        TrafficError::refused(self.backend, self.op, code, message)
    }

    pub(super) fn misconfigured(self, message: impl Into<String>) -> TrafficError {
        self.refused(TrafficErrorCode::Misconfigured, message)
    }

    pub(super) fn unavailable(self, why: String) -> TrafficError {
        TrafficError::unavailable(self.backend, self.op, why)
    }

    /// The service answered without what it always answers with.
    pub(super) fn broken(self, lacks: &str) -> TrafficError {
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
            "ApplicationDoesNotExistException",
            "ClusterNotFoundException",
            "DeploymentConfigDoesNotExistException",
            "DeploymentDoesNotExistException",
            "DeploymentGroupDoesNotExistException",
            "InvalidDeploymentIdException",
            "ListenerNotFound",
            "NoSuchHealthCheck",
            "NoSuchHostedZone",
            "ResourceNotFoundException",
            "RuleNotFound",
            "ServiceDeploymentNotFoundException",
            "ServiceNotFoundException",
            "TargetGroupNotFound",
        ],
    ),
    (
        TrafficErrorCode::Conflict,
        &["DeploymentLimitExceededException", "PreconditionFailedException", "ResourceConflictException"],
    ),
];

fn code(word: &str) -> TrafficErrorCode {
    let known = CODES.iter().find(|(_, words)| words.contains(&word));
    known.map_or_else(|| TrafficErrorCode::Other(word.to_owned()), |(code, _)| code.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_services_are_told_apart() {
        assert_eq!(code("Throttling"), TrafficErrorCode::Throttled);
        assert_eq!(code("ExpiredToken"), TrafficErrorCode::Denied);
        assert_eq!(code("Whatever"), TrafficErrorCode::Other("Whatever".into()));
    }
}
