//! The groups, asked and attached.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetHealthDescription, TargetHealthStateEnum};
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::{Arn, policy};
use super::Settings;
use super::seen::{Bond, GroupSeen, Next, Seen, Source, State, Target};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified,
};

/// How long it is until all is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// The services that are asked.
struct Clients {
    scaling: aws_sdk_autoscaling::Client,
    targets: aws_sdk_elasticloadbalancingv2::Client,
    classic: aws_sdk_elasticloadbalancing::Client,
}

impl Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            scaling: aws_sdk_autoscaling::Client::new(config),
            targets: aws_sdk_elasticloadbalancingv2::Client::new(config),
            classic: aws_sdk_elasticloadbalancing::Client::new(config),
        }
    }
}

/// What this process knows and the services do not tell.
#[derive(Debug, Default)]
struct Known {
    /// The side that it gives all traffic, until that is seen.
    moving: Option<Side>,
    /// What was waited for when it was last said.
    said: String,
}

/// Two groups as traffic backend.
pub(super) struct Groups {
    service: Service<Clients>,
    settings: Settings,
    known: Mutex<Known>,
}

/// The side that has everything at a share, which no other share has.
fn side_of(share: Share) -> Option<Side> {
    [Side::Blue, Side::Green].into_iter().find(|side| Share::without(side.other()) == share)
}

fn target(described: &TargetHealthDescription) -> Option<Target> {
    let health = described.target_health()?;
    let state = match health.state()? {
        TargetHealthStateEnum::Healthy => State::Healthy,
        TargetHealthStateEnum::Unhealthy | TargetHealthStateEnum::Unavailable => State::Unhealthy,
        TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining => State::Draining,
        _ => State::Unknown,
    };
    let word = health.state()?.as_str();
    let said = health.description().map_or_else(|| word.to_owned(), |why| format!("{word} ({why})"));
    Some(Target { id: described.target()?.id()?.to_owned(), state, said })
}

fn classic_target(described: &aws_sdk_elasticloadbalancing::types::InstanceState) -> Option<Target> {
    let word = described.state()?;
    let state = match word {
        "InService" => State::Healthy,
        // Those that are being registered are so, too, and say so in their reason.
        "OutOfService" if described.reason_code() == Some("Instance") => State::Unhealthy,
        _ => State::Unknown,
    };
    let said = described.description().map_or_else(|| word.to_owned(), |why| format!("{word} ({why})"));
    Some(Target { id: described.instance_id()?.to_owned(), state, said })
}

impl Groups {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        let account = settings.account.clone();
        Self { service: Service::new(name, account, None, Clients::new), settings, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sources(&self) -> Vec<Source> {
        let Settings { target_groups, load_balancers, .. } = &self.settings;
        let groups = target_groups.iter().cloned().map(Source::TargetGroup);
        groups.chain(load_balancers.iter().cloned().map(Source::LoadBalancer)).collect()
    }

    fn name_of(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.settings.blue,
            Side::Green => &self.settings.green,
        }
    }

    async fn groups(&self, asked: Asked<'_>) -> Result<[AutoScalingGroup; 2], TrafficError> {
        let names = [Side::Blue, Side::Green].map(|side| self.name_of(side));
        let call = self.service.client(asked).await?.scaling.describe_auto_scaling_groups();
        let call = names.iter().fold(call, |call, name| call.auto_scaling_group_names(*name));
        let found = asked.answer(call.send()).await?.auto_scaling_groups.unwrap_or_default();
        let named = |name: &str| {
            let group = found.iter().find(|group| group.auto_scaling_group_name() == Some(name)).cloned();
            group.ok_or_else(|| {
                asked.refused(TrafficErrorCode::NotFound, format!("there is no Auto Scaling group {name}"))
            })
        };
        let [blue, green] = names.map(named);
        Ok([blue?, green?])
    }

    /// What is attached to a group, as far as the settings have such a thing: its name, and its state.
    async fn attached(&self, asked: Asked<'_>, group: &str) -> Result<Vec<(Source, Bond)>, TrafficError> {
        let scaling = &self.service.client(asked).await?.scaling;
        let mut found = Vec::new();
        let mut next = None;
        while !self.settings.target_groups.is_empty() {
            let call = scaling.describe_load_balancer_target_groups().auto_scaling_group_name(group);
            let page = asked.answer(call.set_next_token(next).send()).await?;
            let of = |one: &aws_sdk_autoscaling::types::LoadBalancerTargetGroupState| {
                let source = Source::TargetGroup(one.load_balancer_target_group_arn()?.to_owned());
                Some((source, Bond::of(one.state()?)))
            };
            found.extend(page.load_balancer_target_groups().iter().filter_map(of));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        while !self.settings.load_balancers.is_empty() {
            let call = scaling.describe_load_balancers().auto_scaling_group_name(group);
            let page = asked.answer(call.set_next_token(next).send()).await?;
            let of = |one: &aws_sdk_autoscaling::types::LoadBalancerState| {
                Some((Source::LoadBalancer(one.load_balancer_name()?.to_owned()), Bond::of(one.state()?)))
            };
            found.extend(page.load_balancers().iter().filter_map(of));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn targets(&self, asked: Asked<'_>, source: &Source) -> Result<Vec<Target>, TrafficError> {
        let clients = self.service.client(asked).await?;
        Ok(match source {
            Source::TargetGroup(arn) => {
                let call = clients.targets.describe_target_health().target_group_arn(arn);
                asked.answer(call.send()).await?.target_health_descriptions().iter().filter_map(target).collect()
            }
            Source::LoadBalancer(name) => {
                let call = clients.classic.describe_instance_health().load_balancer_name(name);
                asked.answer(call.send()).await?.instance_states().iter().filter_map(classic_target).collect()
            }
        })
    }

    async fn group(&self, asked: Asked<'_>, group: &AutoScalingGroup) -> Result<GroupSeen, TrafficError> {
        let name = group.auto_scaling_group_name().unwrap_or_default().to_owned();
        let attached = self.attached(asked, &name).await?;
        let bond =
            |source: &Source| attached.iter().find(|(one, _)| one == source).map_or(Bond::None, |(_, bond)| *bond);
        let instance = |one: &aws_sdk_autoscaling::types::Instance| {
            let in_service = one.lifecycle_state() == Some(&LifecycleState::InService);
            Some((one.instance_id()?.to_owned(), in_service))
        };
        Ok(GroupSeen {
            bonds: self.sources().iter().map(bond).collect(),
            wanted: usize::try_from(group.desired_capacity().unwrap_or_default()).unwrap_or_default(),
            instances: group.instances().iter().filter_map(instance).collect(),
            name,
        })
    }

    async fn seen(&self, asked: Asked<'_>) -> Result<Seen, TrafficError> {
        let [blue, green] = self.groups(asked).await?;
        let (blue, green) = (self.group(asked, &blue).await?, self.group(asked, &green).await?);
        let mut sources = Vec::new();
        for source in self.sources() {
            let targets = self.targets(asked, &source).await?;
            sources.push((source, targets));
        }
        Ok(Seen { blue, green, sources })
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let seen = self.seen(asked).await?;
        if seen.share().is_none() {
            return Err(asked.misconfigured(seen.why_no_share()));
        }
        let strangers = seen.strangers();
        if !strangers.is_empty() {
            return Err(asked.misconfigured(format!(
                "instances of neither group get traffic: {}; take them out first",
                strangers.join(", ")
            )));
        }
        Ok(())
    }

    async fn attach(&self, asked: Asked<'_>, side: Side, source: &Source) -> Result<(), TrafficError> {
        let (scaling, group) = (&self.service.client(asked).await?.scaling, self.name_of(side));
        match source {
            Source::TargetGroup(arn) => {
                let call = scaling.attach_load_balancer_target_groups().auto_scaling_group_name(group);
                asked.answer(call.target_group_arns(arn).send()).await.map(|_| ())
            }
            Source::LoadBalancer(name) => {
                let call = scaling.attach_load_balancers().auto_scaling_group_name(group);
                asked.answer(call.load_balancer_names(name).send()).await.map(|_| ())
            }
        }
    }

    async fn detach(&self, asked: Asked<'_>, side: Side, source: &Source) -> Result<(), TrafficError> {
        let (scaling, group) = (&self.service.client(asked).await?.scaling, self.name_of(side));
        match source {
            Source::TargetGroup(arn) => {
                let call = scaling.detach_load_balancer_target_groups().auto_scaling_group_name(group);
                asked.answer(call.target_group_arns(arn).send()).await.map(|_| ())
            }
            Source::LoadBalancer(name) => {
                let call = scaling.detach_load_balancers().auto_scaling_group_name(group);
                asked.answer(call.load_balancer_names(name).send()).await.map(|_| ())
            }
        }
    }

    /// Says what is waited for, once.
    fn say(&self, context: &Context, why: &str) {
        let mut known = self.known();
        if known.said != why {
            why.clone_into(&mut known.said);
            context.log.line(why);
        }
    }

    /// Gives a side everything, as far as that comes in time: what is left is done while its share is asked for.
    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.service.asked(context, "set_share");
        let to = side_of(want).ok_or_else(|| asked.refused(TrafficErrorCode::Grid, ALL_OR_NONE))?;
        self.known().moving = Some(to);
        let begun = Instant::now();
        loop {
            match self.seen(asked).await?.next(to) {
                Next::Done => break,
                Next::Detach(sources) => {
                    self.detach_all(asked, to.other(), &sources).await?;
                    break;
                }
                Next::Attach(sources) => {
                    for source in &sources {
                        self.attach(asked, to, source).await?;
                    }
                }
                Next::Wait(why) => self.say(context, &why),
            }
            if begun.elapsed() + AGAIN > context.deadline / 2 {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(ShareSet { share: want })
    }

    async fn detach_all(&self, asked: Asked<'_>, side: Side, sources: &[Source]) -> Result<(), TrafficError> {
        for source in sources {
            if let Err(error) = self.detach(asked, side, source).await {
                // A change whose answer was lost is asked for again by the client, and meets itself.
                if self.seen(asked).await?.is_attached(side, source) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether a side has everything, and on the way to it what [`Self::give`] began: the other one leaves once this one serves.
    async fn is_given(&self, context: &Context, want: Share) -> Result<Verified, TrafficError> {
        let asked = self.service.asked(context, "verify");
        let seen = self.seen(asked).await?;
        let share = seen.share();
        if share == Some(want) {
            self.known().moving = None;
            return Ok(Verified::Yes);
        }
        let moving = self.known().moving.filter(|side| side_of(want) == Some(*side));
        match moving.map(|to| (to, seen.next(to))) {
            Some((to, Next::Detach(sources))) => self.detach_all(asked, to.other(), &sources).await?,
            Some((_, Next::Wait(why))) => self.say(context, &why),
            _ => {}
        }
        Ok(Verified::NotYet { seen: share })
    }

    /// Whether connections may outlive the time that a target group gives its targets: flows of a Network Load Balancer do.
    async fn has_flows(&self, asked: Asked<'_>) -> Result<bool, TrafficError> {
        if self.settings.target_groups.is_empty() {
            return Ok(false);
        }
        let call = self.service.client(asked).await?.targets.describe_target_groups();
        let call = call.set_target_group_arns(Some(self.settings.target_groups.clone()));
        let found = asked.answer(call.send()).await?;
        let is_http =
            |protocol: Option<&ProtocolEnum>| matches!(protocol, Some(ProtocolEnum::Http | ProtocolEnum::Https));
        Ok(found.target_groups().iter().any(|group| !is_http(group.protocol())))
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let asked = self.service.asked(context, "drain");
        let seen = self.seen(asked).await?;
        if seen.share() != Some(Share::without(side)) {
            return Ok(Drain::Active { count: None });
        }
        if !seen.is_gone(side) {
            return Ok(Drain::Active { count: u64::try_from(seen.left(side)).ok().filter(|left| *left > 0) });
        }
        if self.has_flows(asked).await? {
            return Ok(Drain::Unknown);
        }
        let sources = self.sources().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let name = self.name_of(side);
        Ok(Drain::Drained {
            evidence: format!("group {name} is detached from {sources}, and none of its instances is left there"),
        })
    }
}

/// Why any other share is refused.
const ALL_OR_NONE: &str = "groups change places: green gets all traffic or none";

impl TrafficBackend for Groups {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        side_of(share).is_none().then(|| ALL_OR_NONE.to_owned())
    }

    fn permissions(&self) -> Option<Value> {
        let Settings { account, target_groups, load_balancers, .. } = &self.settings;
        let (partition, region) = (account.partition(), account.region.as_deref().unwrap_or("*"));
        let number = target_groups.iter().find_map(|arn| Arn::read("", arn, "elasticloadbalancing").ok());
        let number = number.map_or_else(|| "*".to_owned(), |arn| arn.account);
        let groups = [Side::Blue, Side::Green].map(|side| {
            let name = self.name_of(side);
            format!("arn:{partition}:autoscaling:{region}:{number}:autoScalingGroup:*:autoScalingGroupName/{name}")
        });
        let of_kind: [(bool, &[&str], &[&str]); 2] = [
            (
                target_groups.is_empty(),
                &[
                    "autoscaling:DescribeLoadBalancerTargetGroups",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                ],
                &["autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups"],
            ),
            (
                load_balancers.is_empty(),
                &["autoscaling:DescribeLoadBalancers", "elasticloadbalancing:DescribeInstanceHealth"],
                &["autoscaling:AttachLoadBalancers", "autoscaling:DetachLoadBalancers"],
            ),
        ];
        let mut describe = vec!["autoscaling:DescribeAutoScalingGroups"];
        let mut change = Vec::new();
        for (_, asks, changes) in of_kind.iter().filter(|(is_empty, _, _)| !is_empty) {
            describe.extend(*asks);
            change.extend(*changes);
        }
        Some(policy(&[(&describe, vec!["*"]), (&change, groups.iter().map(String::as_str).collect())]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.service.asked(context, "capabilities");
            let [blue, _] = self.groups(asked).await?;
            let arn = blue.auto_scaling_group_arn().unwrap_or_default();
            let place = Arn::read("AutoScalingGroupARN", arn, "autoscaling")
                .map_err(|_| asked.broken("AutoScalingGroupARN"))?;
            let at = format!("AWS account {} in {}", place.account, place.region);
            let sources = self.sources().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let resource = format!("{sources} ({} to {})", self.settings.blue, self.settings.green);
            Ok(Capabilities::seeing(Kind::Switch, true).moving(at, resource))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            let seen = self.seen(self.service.asked(context, "observe")).await?;
            Ok(ShareSeen { share: seen.share() })
        })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(self.is_given(context, want))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(async move { Ok(self.seen(self.service.asked(context, "health")).await?.health(side)) })
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}
