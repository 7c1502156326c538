//! How a backend asks the services of its account, and what their errors mean for a release.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::outside::aws::{AccountSettings, AwsFailure, AwsService, answer};
use crate::traffic::{Context, TrafficError, TrafficErrorCode};

/// A service as one backend asks it.
pub(super) struct Service<C> {
    /// The backend's name.
    pub(super) name: String,
    service: AwsService<C>,
}

impl<C> Service<C> {
    /// `usual_region`: the region where nobody says one, of a service that is the same in all. `make`: what makes the service's client. Nothing is asked
    /// before it is needed.
    pub(super) fn new(
        name: String,
        account: AccountSettings,
        usual_region: Option<&'static str>,
        make: fn(&SdkConfig) -> C,
    ) -> Self {
        Self { name, service: AwsService::new(account, usual_region, make) }
    }

    pub(super) async fn client(&self, asked: Asked<'_>) -> Result<&C, TrafficError> {
        self.service.client().await.map_err(|why| asked.misconfigured(why))
    }

    /// The region that it is asked in.
    #[cfg(any(feature = "aws-apigateway", feature = "aws-codedeploy"))]
    pub(super) async fn region(&self, asked: Asked<'_>) -> Result<String, TrafficError> {
        self.service.region().await.map_err(|why| asked.misconfigured(why))
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
        answer(self.deadline, call).await.map_err(|failure| self.failed(failure))
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

    fn failed(self, failure: AwsFailure) -> TrafficError {
        match failure {
            AwsFailure::Said { word, message, is_its_own } => match code(&word) {
                TrafficErrorCode::Other(_) if is_its_own => self.unavailable(message),
                code => self.refused(code, message),
            },
            AwsFailure::Unreached(why) => self.unavailable(why),
            AwsFailure::Unsent(why) => self.refused(TrafficErrorCode::Denied, why),
        }
    }
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
            "UnauthorizedException",
            "UnauthorizedOperation",
            "UnrecognizedClientException",
        ],
    ),
    (
        TrafficErrorCode::Throttled,
        &[
            "LimitExceededException",
            "PriorRequestNotComplete",
            "RequestLimitExceeded",
            "ResourceContention",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ],
    ),
    (
        TrafficErrorCode::NotFound,
        &[
            "AccessPointNotFound",
            "ApplicationDoesNotExistException",
            "ClusterNotFoundException",
            "DeploymentConfigDoesNotExistException",
            "DeploymentDoesNotExistException",
            "DeploymentGroupDoesNotExistException",
            "InvalidDeploymentIdException",
            "ListenerNotFound",
            "LoadBalancerNotFound",
            "NoSuchHealthCheck",
            "NoSuchHostedZone",
            "NotFoundException",
            "ResourceNotFoundException",
            "RuleNotFound",
            "ServiceDeploymentNotFoundException",
            "ServiceNotFoundException",
            "TargetGroupNotFound",
        ],
    ),
    (
        TrafficErrorCode::Conflict,
        &[
            "ConflictException",
            "DeploymentLimitExceededException",
            "PreconditionFailedException",
            "ResourceConflictException",
        ],
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
