//! How services are asked in an account.

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
use crate::outside::chain;

/// An account, and how its services are called.
#[derive(Debug)]
struct Account {
    settings: AccountSettings,
    /// The region where nobody says one, of a service that is the same in all.
    usual_region: Option<&'static str>,
    loaded: OnceCell<SdkConfig>,
}

impl Account {
    fn new(settings: AccountSettings, usual_region: Option<&'static str>) -> Self {
        Self { settings, usual_region, loaded: OnceCell::new() }
    }

    /// How its services are called. Read once, when it is first needed.
    async fn config(&self) -> Result<&SdkConfig, String> {
        let config = self.loaded.get_or_init(|| self.load()).await;
        match config.region() {
            Some(_) => Ok(config),
            None => {
                Err("nothing says the region: set `account.region`, AWS_REGION or a profile that has one".to_owned())
            }
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

/// A service, asked in an account.
pub(crate) struct AwsService<C> {
    account: Account,
    make: fn(&SdkConfig) -> C,
    client: OnceCell<C>,
}

impl<C> AwsService<C> {
    /// `usual_region`: the region where nobody says one, of a service that is the same in all. `make`: what makes the service's client. Nothing is asked
    /// before it is needed.
    pub(crate) fn new(
        settings: AccountSettings,
        usual_region: Option<&'static str>,
        make: fn(&SdkConfig) -> C,
    ) -> Self {
        Self { account: Account::new(settings, usual_region), make, client: OnceCell::new() }
    }

    /// The client; an error says that nothing says the region.
    pub(crate) async fn client(&self) -> Result<&C, String> {
        let config = self.account.config().await?;
        Ok(self.client.get_or_init(|| async { (self.make)(config) }).await)
    }

    /// The region that it is asked in.
    #[cfg(any(feature = "aws-apigateway", feature = "aws-codedeploy"))]
    pub(crate) async fn region(&self) -> Result<String, String> {
        let config = self.account.config().await?;
        Ok(config.region().map(ToString::to_string).unwrap_or_default())
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AwsFailure {
    /// The service said so.
    #[error("{message}")]
    Said {
        /// Its word for it.
        word: String,
        /// That word, and what else it said.
        message: String,
        /// Whether it is the service's own trouble.
        is_its_own: bool,
    },
    /// It was not reached, or its answer was lost, which may pass.
    #[error("{0}")]
    Unreached(String),
    /// Neither sent nor lost on the way: there is nothing to sign it with.
    #[error("{0}")]
    Unsent(String),
}

/// The answer of a call, in time.
pub(crate) async fn answer<T, E>(
    deadline: Duration,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, AwsFailure>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match tokio::time::timeout(deadline, call).await {
        Ok(answered) => answered.map_err(|error| failure(&error)),
        Err(_) => Err(AwsFailure::Unreached(format!("no answer within {deadline:?}"))),
    }
}

fn failure<E>(error: &SdkError<E, HttpResponse>) -> AwsFailure
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
        return if may_pass { AwsFailure::Unreached(why) } else { AwsFailure::Unsent(why) };
    };
    let said = answered.err().meta();
    let word = said.code().unwrap_or("an error without a name").to_owned();
    let message = match said.message() {
        Some(message) => format!("{word}: {message}"),
        None => word.clone(),
    };
    AwsFailure::Said { word, message, is_its_own: answered.raw().status().is_server_error() }
}
