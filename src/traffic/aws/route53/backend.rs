//! The records, read and changed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, HealthCheckType, ResourceRecordSet, RrType, StatusReport,
};
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::policy;
use super::Settings;
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified, weights,
};

/// The greatest weight of a record.
const MOST: u32 = 255;

/// The time to live of an alias, which takes that of what it stands for: a minute for the services of AWS. An alias of a record of the same zone is refused.
const ALIAS: Duration = Duration::from_secs(60);

/// A version counts as healthy for Route 53 when more than so many of a hundred of its checkers say so.
const HEALTHY_PERCENT: usize = 18;

/// A name as Route 53 lists it: in lower case, with a dot at the end, and characters beyond letters, digits, `-` and `_` by their octal codes.
fn listed(name: &str) -> String {
    let mut listed = String::with_capacity(name.len() + 1);
    for c in name.trim_end_matches('.').to_ascii_lowercase().chars() {
        match c {
            '*' => listed.push_str("\\052"),
            c => listed.push(c),
        }
    }
    listed.push('.');
    listed
}

/// Route 53 as traffic backend.
pub(super) struct Dns {
    service: Service<Client>,
    settings: Settings,
    /// What was changed last and is not known to be everywhere.
    change: Mutex<Option<String>>,
}

/// The records of both versions.
struct Records {
    blue: ResourceRecordSet,
    green: ResourceRecordSet,
}

impl Records {
    fn share(&self) -> Option<Share> {
        let weight = |record: &ResourceRecordSet| u64::try_from(record.weight.unwrap_or_default()).unwrap_or_default();
        weights::share(weight(&self.blue), weight(&self.green))
    }

    /// How long resolvers may keep what they were told.
    fn time_to_live(&self) -> Duration {
        let of = |record: &ResourceRecordSet| match record.ttl {
            Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
            None => ALIAS,
        };
        of(&self.blue).max(of(&self.green))
    }
}

impl Dns {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        let account = settings.account.clone();
        Self {
            service: Service::new(name, account, Some("us-east-1"), Client::new),
            settings,
            change: Mutex::default(),
        }
    }

    /// All records of the name.
    async fn all(&self, asked: Asked<'_>) -> Result<Vec<ResourceRecordSet>, TrafficError> {
        let Settings { zone, record, .. } = &self.settings;
        let name = listed(record);
        let (mut found, mut from) = (Vec::new(), (Some(record.clone()), None, None));
        loop {
            let call = self.service.client(asked).await?.list_resource_record_sets().hosted_zone_id(zone);
            let (next_name, next_type, next_identifier) = from;
            let call = call.set_start_record_name(next_name).set_start_record_type(next_type);
            let answer = asked.answer(call.set_start_record_identifier(next_identifier).send()).await?;
            let before = found.len();
            found.extend(answer.resource_record_sets().iter().filter(|set| listed(set.name()) == name).cloned());
            // They are listed in the order of their names: behind the last one come others.
            let all_are = found.len() - before == answer.resource_record_sets().len();
            if !answer.is_truncated() || !all_are {
                return Ok(found);
            }
            let next_name = answer.next_record_name().map(str::to_owned);
            let next_identifier = answer.next_record_identifier().map(str::to_owned);
            from = (next_name, answer.next_record_type().cloned(), next_identifier);
        }
    }

    async fn records(&self, asked: Asked<'_>) -> Result<Records, TrafficError> {
        let Settings { record, kind, zone, .. } = &self.settings;
        let mut all = self.all(asked).await?;
        let kind_of = RrType::from(kind.as_str());
        // Who asks for another type is answered by the weights of that.
        if let Some(other) = all.iter().find(|set| *set.r#type() != kind_of && set.weight.is_some()) {
            let other = other.r#type().as_str();
            return Err(asked.misconfigured(format!(
                "{record} has weighted {other} records as well, whose traffic would stay where it is; one release moves one type"
            )));
        }
        all.retain(|set| *set.r#type() == kind_of);
        let of = |side: Side| {
            let identifier = self.settings.identifier(side);
            let found = all.iter().find(|set| set.set_identifier() == Some(identifier)).cloned();
            let found = found.ok_or_else(|| {
                let why =
                    format!("hosted zone {zone} has no {kind} record {record} with the set identifier {identifier}");
                asked.refused(TrafficErrorCode::NotFound, why)
            })?;
            match found.weight {
                Some(_) => Ok(found),
                None => Err(asked
                    .misconfigured(format!("record {record} ({identifier}) is routed by something else than weights"))),
            }
        };
        let records = Records { blue: of(Side::Blue)?, green: of(Side::Green)? };
        let ours = [Some(self.settings.blue.as_str()), Some(self.settings.green.as_str())];
        let is_stranger =
            |set: &&ResourceRecordSet| !ours.contains(&set.set_identifier()) && set.weight.unwrap_or(1) > 0;
        if let Some(stranger) = all.iter().find(is_stranger) {
            let identifier = stranger.set_identifier().unwrap_or_default();
            return Err(asked.misconfigured(format!(
                "record {record} ({identifier}) has a weight as well, and is neither blue's nor green's"
            )));
        }
        Ok(records)
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let records = self.records(asked).await?;
        let Records { blue, green } = &records;
        let record = &self.settings.record;
        if blue.ttl != green.ttl {
            return Err(asked.misconfigured(format!("the records of {record} have different TTLs; give both the same")));
        }
        let in_zone = |set: &ResourceRecordSet| {
            set.alias_target().is_some_and(|target| target.hosted_zone_id() == self.settings.zone)
        };
        if in_zone(blue) || in_zone(green) {
            return Err(asked.misconfigured(format!(
                "a record of {record} is an alias of another record of its zone, whose TTL is not seen here; give the weights to records that are no aliases"
            )));
        }
        let is_checked = |set: &ResourceRecordSet| {
            set.health_check_id.is_some() || set.alias_target().is_some_and(|target| target.evaluate_target_health())
        };
        if is_checked(blue) || is_checked(green) {
            context.log.line(format!(
                "the records of {record} have health checks: when all that have a weight are unhealthy, Route 53 answers with those of weight 0"
            ));
        }
        if green.health_check_id.is_none() {
            context.log.line(format!(
                "green's record of {record} has no health check: it is answered with whether or not green works"
            ));
        }
        Ok(())
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.service.asked(context, "set_share");
        let Some((blue, green)) = weights::readable(want, MOST) else {
            return Err(asked.refused(TrafficErrorCode::Grid, weights::none_make(want, MOST)));
        };
        let Records { blue: mut of_blue, green: mut of_green } = self.records(asked).await?;
        (of_blue.weight, of_green.weight) = (Some(i64::from(blue)), Some(i64::from(green)));
        let changes = [of_blue, of_green]
            .map(|set| Change::builder().action(ChangeAction::Upsert).resource_record_set(set).build());
        let changes: Vec<Change> =
            changes.into_iter().collect::<Result<_, _>>().map_err(|_| asked.broken("complete records"))?;
        let comment = format!("cutover: release {}, {}", context.release, context.step);
        let batch = ChangeBatch::builder().set_changes(Some(changes)).comment(comment).build();
        let batch = batch.map_err(|_| asked.broken("complete records"))?;
        // What is there already is changed once more: only a change of one's own is told to be everywhere.
        let call = self.service.client(asked).await?.change_resource_record_sets().hosted_zone_id(&self.settings.zone);
        let answer = asked.answer(call.change_batch(batch).send()).await?;
        let change = answer.change_info().map(|change| change.id().to_owned());
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = change;
        Ok(ShareSet { share: want })
    }

    /// Whether what this process changed last is on all servers of Route 53.
    async fn is_everywhere(&self, asked: Asked<'_>) -> Result<bool, TrafficError> {
        let change = self.change.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(change) = change else { return Ok(true) };
        let id = change.trim_start_matches("/change/");
        let answer = asked.answer(self.service.client(asked).await?.get_change().id(id).send()).await?;
        let is_everywhere = answer.change_info().is_some_and(|change| *change.status() == ChangeStatus::Insync);
        if is_everywhere {
            let mut known = self.change.lock().unwrap_or_else(PoisonError::into_inner);
            if known.as_deref() == Some(&change) {
                *known = None;
            }
        }
        Ok(is_everywhere)
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let asked = self.service.asked(context, "health");
        let Records { blue, green } = self.records(asked).await?;
        let record = if side == Side::Blue { blue } else { green };
        let Some(check) = record.health_check_id() else { return Ok(Health::Unknown) };
        let client = self.service.client(asked).await?;
        let answer = asked.answer(client.get_health_check().health_check_id(check).send()).await?;
        let config = answer.health_check().and_then(|check| check.health_check_config());
        // Others have no checkers of their own, or mean the opposite of what theirs say.
        let is_plain = config.is_some_and(|config| {
            let derived =
                [HealthCheckType::Calculated, HealthCheckType::CloudwatchMetric, HealthCheckType::RecoveryControl];
            !derived.contains(config.r#type()) && config.inverted() != Some(true)
        });
        if !is_plain {
            return Ok(Health::Unknown);
        }
        let answer = asked.answer(client.get_health_check_status().health_check_id(check).send()).await?;
        let status = |observation: &aws_sdk_route53::types::HealthCheckObservation| {
            observation.status_report().and_then(StatusReport::status).unwrap_or_default().to_owned()
        };
        let said: Vec<String> = answer.health_check_observations().iter().map(status).collect();
        let healthy = said.iter().filter(|status| status.starts_with("Success")).count();
        Ok(match said.first() {
            None => Health::Unknown,
            Some(_) if healthy * 100 > said.len() * HEALTHY_PERCENT => Health::Healthy,
            Some(_) => {
                let failure = said.iter().find(|status| !status.starts_with("Success")).cloned().unwrap_or_default();
                Health::Unhealthy { why: format!("health check {check}: {failure}") }
            }
        })
    }
}

impl TrafficBackend for Dns {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        weights::readable(share, MOST).is_none().then(|| weights::none_make(share, MOST))
    }

    fn permissions(&self) -> Option<Value> {
        let partition = self.settings.account.partition();
        let of = |resource: &str| format!("arn:{partition}:route53:::{resource}");
        let (zone, change, check) =
            (of(&format!("hostedzone/{}", self.settings.zone)), of("change/*"), of("healthcheck/*"));
        Some(policy(&[
            (&["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"], vec![&zone]),
            (&["route53:GetChange"], vec![&change]),
            (&["route53:GetHealthCheck", "route53:GetHealthCheckStatus"], vec![&check]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        let Settings { zone, record, kind, blue, green, .. } = &self.settings;
        Box::pin(async move {
            let records = self.records(self.service.asked(context, "capabilities")).await?;
            let time_to_live = records.time_to_live();
            Ok(Capabilities {
                converges_ms: u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX),
                ..Capabilities::seeing(Kind::Weighted, false)
            }
            .moving(format!("Route 53, hosted zone {zone}"), format!("{record} ({kind}, {blue} to {green})")))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(
            async move { Ok(ShareSeen { share: self.records(self.service.asked(context, "observe")).await?.share() }) },
        )
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(async move {
            let asked = self.service.asked(context, "verify");
            if !self.is_everywhere(asked).await? {
                context.log.line("the change is not on all servers of Route 53 yet");
                return Ok(Verified::NotYet { seen: None });
            }
            Ok(match self.records(asked).await?.share() {
                Some(seen) if seen == want => Verified::Yes,
                seen => Verified::NotYet { seen },
            })
        })
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(async move {
            let none = Share::without(side);
            let seen = self.records(self.service.asked(context, "drain")).await?.share();
            // Who keeps a name longer than it lives is not seen from here.
            Ok(if seen == Some(none) { Drain::Unknown } else { Drain::Active { count: None } })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_they_are_listed() {
        assert_eq!(listed("App.example.com"), "app.example.com.");
        assert_eq!(listed("*.example.com."), "\\052.example.com.");
        assert_eq!(listed("\\052.example.com."), "\\052.example.com.");
    }
}
