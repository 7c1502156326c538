//! The alias, read and changed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, State};
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::{Arn, policy, share_of};
use super::Settings;
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode,
};

/// An alias as traffic backend.
pub(super) struct Alias {
    service: Service<Client>,
    settings: Settings,
    /// Since when a side is seen to get nothing.
    none_since: Mutex<Option<NoneSince>>,
}

/// What a side is seen to get nothing by.
#[derive(Debug, Clone)]
struct NoneSince {
    side: Side,
    /// The state of the alias: another one may have given it something in between.
    revision: Option<String>,
    at: Instant,
}

/// The alias as it is.
struct Routed {
    /// Names this very state of it.
    revision: Option<String>,
    share: Share,
}

impl Alias {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        let account = settings.account.clone();
        Self { service: Service::new(name, account, None, Client::new), settings, none_since: Mutex::default() }
    }

    async fn routed(&self, asked: Asked<'_>) -> Result<Routed, TrafficError> {
        let Settings { function, alias, blue, green, .. } = &self.settings;
        let answer = asked
            .answer(self.service.client(asked).await?.get_alias().function_name(function).name(alias).send())
            .await?;
        let main = answer.function_version().ok_or_else(|| asked.broken("FunctionVersion"))?;
        let more = answer.routing_config().and_then(AliasRoutingConfiguration::additional_version_weights);
        let more: Vec<(&String, &f64)> = more.into_iter().flatten().filter(|(_, weight)| **weight > 0.0).collect();
        let share = match (main, more.as_slice()) {
            (main, []) if main == blue => Some(Share::NONE),
            (main, []) if main == green => Some(Share::ALL),
            (main, [(other, weight)]) if main == blue && *other == green => share_of(**weight),
            (main, [(other, weight)]) if main == green && *other == blue => share_of(1.0 - **weight),
            _ => None,
        };
        let share = share.ok_or_else(|| {
            let others: Vec<&str> = more.iter().map(|(version, _)| version.as_str()).collect();
            let versions = [&[main], others.as_slice()].concat().join(" and ");
            asked.misconfigured(format!(
                "alias {alias} of {function} leads to version {versions}, and not only to {blue} and {green}; point it at one of these first"
            ))
        })?;
        Ok(Routed { revision: answer.revision_id().map(str::to_owned), share })
    }

    async fn function(&self, asked: Asked<'_>, side: Side) -> Result<GetFunctionConfigurationOutput, TrafficError> {
        let call =
            self.service.client(asked).await?.get_function_configuration().function_name(&self.settings.function);
        asked.answer(call.qualifier(self.settings.version(side)).send()).await
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        self.routed(asked).await?;
        let (blue, green) = (self.function(asked, Side::Blue).await?, self.function(asked, Side::Green).await?);
        let dead_letters = |function: &GetFunctionConfigurationOutput| {
            function.dead_letter_config().and_then(|config| config.target_arn().map(str::to_owned))
        };
        // Of versions that differ in these, the service refuses to split an alias.
        if blue.role() != green.role() {
            return Err(asked.misconfigured(
                "blue and green have different execution roles, and an alias cannot be split between them",
            ));
        }
        if dead_letters(&blue) != dead_letters(&green) {
            return Err(asked.misconfigured(
                "blue and green have different dead-letter queues, and an alias cannot be split between them",
            ));
        }
        Ok(())
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.service.asked(context, "set_share");
        let Routed { revision, share, .. } = self.routed(asked).await?;
        if share == want {
            return Ok(ShareSet { share });
        }
        let Settings { function, alias, blue, green, .. } = &self.settings;
        // Green is the additional version until it has everything.
        let main = if want == Share::ALL { green } else { blue };
        let part = f64::from(want.as_basis_points()) / f64::from(Share::ALL.as_basis_points());
        let more = match want {
            Share::NONE | Share::ALL => HashMap::new(),
            _ => HashMap::from([(green.clone(), part)]),
        };
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(more)).build();
        let call =
            self.service.client(asked).await?.update_alias().function_name(function).name(alias).function_version(main);
        let answered = asked.answer(call.routing_config(routing).set_revision_id(revision).send()).await;
        if let Err(error) = answered {
            // A change whose answer was lost is asked for again by the client, and meets itself.
            let is_there = error.code() == Some(&TrafficErrorCode::Conflict) && self.routed(asked).await?.share == want;
            return if is_there { Ok(ShareSet { share: want }) } else { Err(error) };
        }
        Ok(ShareSet { share: want })
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let function = self.function(self.service.asked(context, "health"), side).await?;
        let version = self.settings.version(side);
        let why = function.state_reason().unwrap_or("no reason is given");
        Ok(match function.state() {
            Some(State::Failed) => Health::Unhealthy { why: format!("version {version} has failed: {why}") },
            // Whether its answers are good is for checks to say.
            _ => Health::Unknown,
        })
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let asked = self.service.asked(context, "drain");
        let none = Share::without(side);
        let Routed { share, revision } = self.routed(asked).await?;
        if share != none {
            *self.none_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Ok(Drain::Active { count: None });
        }
        let since = {
            let mut known = self.none_since.lock().unwrap_or_else(PoisonError::into_inner);
            let same = known.take().filter(|known| known.side == side && known.revision == revision);
            known.insert(same.unwrap_or(NoneSince { side, revision, at: Instant::now() })).at
        };
        let function = self.function(asked, side).await?;
        // An execution that is resumed goes on with the version that it began on, for as long as a year.
        if function.durable_config().is_some() {
            return Ok(Drain::Unknown);
        }
        let timeout = function.timeout().unwrap_or(LONGEST);
        let timeout = Duration::from_secs(u64::try_from(timeout).unwrap_or_default());
        let left = (timeout + SETTLES).saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(Drain::WaitUntil { ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) });
        }
        let (version, alias) = (self.settings.version(side), &self.settings.alias);
        Ok(Drain::Drained {
            evidence: format!(
                "alias {alias} has given nothing to version {version} for longer than the {} s that an invocation may take; \
                 whoever names the version itself is not seen, nor are retries of asynchronous events that began on it",
                timeout.as_secs()
            ),
        })
    }
}

/// How long a change of an alias may take until every invocation goes by it.
const SETTLES: Duration = Duration::from_secs(5);

/// The longest time in seconds that an invocation may take.
const LONGEST: i32 = 900;

impl TrafficBackend for Alias {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn permissions(&self) -> Option<Value> {
        let Settings { function, account, .. } = &self.settings;
        let partition = account.partition();
        let region = account.region.as_deref().unwrap_or("*");
        let of = format!("arn:{partition}:lambda:{region}:*:function:{function}");
        let versions = format!("{of}:*");
        Some(policy(&[
            (&["lambda:GetAlias", "lambda:UpdateAlias"], vec![&of]),
            (&["lambda:GetFunctionConfiguration"], vec![&of, &versions]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.service.asked(context, "capabilities");
            let Settings { function, alias, blue, green, .. } = &self.settings;
            // Whatever it leads to: somebody may have to go back from there.
            let call = self.service.client(asked).await?.get_alias().function_name(function).name(alias);
            let arn = asked.answer(call.send()).await?.alias_arn().unwrap_or_default().to_owned();
            let place = Arn::read("AliasArn", &arn, "lambda").map_err(|_| asked.broken("AliasArn"))?;
            let at = format!("AWS account {} in {}", place.account, place.region);
            let can = Capabilities { compares_and_swaps: true, ..Capabilities::seeing(Kind::Weighted, true) };
            Ok(can.moving(at, format!("{} (version {blue} to {green})", place.resource)))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            Ok(ShareSeen { share: Some(self.routed(self.service.asked(context, "observe")).await?.share) })
        })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}
