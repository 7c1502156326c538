//! The load balancer, asked and changed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, TargetGroupTuple, TargetHealth, TargetHealthStateEnum,
};
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::{AccountSettings, Arn, policy};
use super::{DrainBy, Settings};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified, weights,
};

/// The greatest weight of a target group.
const MOST: u32 = 999;

/// What this process knows and the load balancer does not tell.
#[derive(Debug, Default)]
struct Known {
    /// The share that all rules have, since this process gave it to them.
    set: Option<Share>,
    /// Since when a side is seen to get nothing.
    none_since: Option<(Side, Instant)>,
}

/// A load balancer as traffic backend.
pub(super) struct LoadBalancer {
    service: Service<Client>,
    place: Arn,
    settings: Settings,
    known: Mutex<Known>,
}

/// The forward action of a rule.
struct Forward {
    rule: String,
    /// All actions of the rule.
    actions: Vec<Action>,
    /// Which of them forwards to blue and green.
    at: usize,
    share: Option<Share>,
    /// For how long a client stays with the target group that it had.
    sticky: Option<Duration>,
}

/// The target groups of an action with their weights. One alone may be written without a weight.
fn groups(action: &Action) -> Vec<TargetGroupTuple> {
    let listed = action.forward_config().map(ForwardActionConfig::target_groups).unwrap_or_default();
    match (listed, &action.target_group_arn) {
        ([], Some(only)) => vec![TargetGroupTuple::builder().target_group_arn(only).weight(1).build()],
        (listed, _) => listed.to_vec(),
    }
}

/// The weight of a target group; one that none is written for has 1.
fn weight(group: &TargetGroupTuple) -> u64 {
    u64::try_from(group.weight.unwrap_or(1)).unwrap_or_default()
}

impl LoadBalancer {
    /// `place`: the region and account of all that the settings name.
    pub(super) fn new(name: String, settings: Settings, place: Arn) -> Self {
        let account = AccountSettings { region: Some(place.region.clone()), ..settings.account.clone() };
        Self { service: Service::new(name, account, None, Client::new), place, settings, known: Mutex::default() }
    }

    fn is_listener(rule: &str) -> bool {
        rule.contains(":listener/")
    }

    async fn actions(&self, asked: Asked<'_>, rule: &str) -> Result<Vec<Action>, TrafficError> {
        let client = self.service.client(asked).await?;
        let found = if Self::is_listener(rule) {
            let answer = asked.answer(client.describe_listeners().listener_arns(rule).send()).await?;
            answer.listeners().first().map(|listener| listener.default_actions().to_vec())
        } else {
            let answer = asked.answer(client.describe_rules().rule_arns(rule).send()).await?;
            answer.rules().first().map(|rule| rule.actions().to_vec())
        };
        found.ok_or_else(|| asked.refused(TrafficErrorCode::NotFound, format!("there is no {rule}")))
    }

    async fn forward(&self, asked: Asked<'_>, rule: &str) -> Result<Forward, TrafficError> {
        let actions = self.actions(asked, rule).await?;
        let Settings { blue, green, .. } = &self.settings;
        let is = |group: &TargetGroupTuple, arn: &str| group.target_group_arn() == Some(arn);
        let forwards = |action: &Action| {
            action.r#type == Some(ActionTypeEnum::Forward)
                && groups(action).iter().any(|group| is(group, blue) || is(group, green))
        };
        let Some(at) = actions.iter().position(forwards) else {
            return Err(asked.misconfigured(format!("{rule} forwards to neither of the target groups")));
        };
        let all = groups(&actions[at]);
        let of = |arn: &str| all.iter().filter(|group| is(group, arn)).map(weight).sum::<u64>();
        let (of_blue, of_green) = (of(blue), of(green));
        let stranger = all.iter().find(|group| !is(group, blue) && !is(group, green) && weight(group) > 0);
        if let Some(stranger) = stranger {
            let other = stranger.target_group_arn().unwrap_or_default();
            return Err(asked.misconfigured(format!(
                "{rule} forwards to {other} as well, which is neither blue's nor green's target group; take it out first"
            )));
        }
        let sticky = actions[at].forward_config().and_then(ForwardActionConfig::target_group_stickiness_config);
        let sticky = sticky.filter(|config| config.enabled() == Some(true));
        let sticky = sticky.map(|config| {
            Duration::from_secs(u64::try_from(config.duration_seconds().unwrap_or_default()).unwrap_or_default())
        });
        Ok(Forward { rule: rule.to_owned(), share: weights::share(of_blue, of_green), actions, at, sticky })
    }

    async fn forwards(&self, asked: Asked<'_>) -> Result<Vec<Forward>, TrafficError> {
        let mut found = Vec::with_capacity(self.settings.rules.len());
        for rule in &self.settings.rules {
            found.push(self.forward(asked, rule).await?);
        }
        Ok(found)
    }

    /// The share of all rules. They are set one after the other: what is not like the last one has been set, unless somebody else did it, which only
    /// whoever has set all of them can tell.
    fn share_of(&self, forwards: &[Forward]) -> Option<Share> {
        let set = self.known.lock().unwrap_or_else(PoisonError::into_inner).set;
        let other = forwards.iter().find(|forward| set.is_some() && forward.share != set);
        other.or(forwards.last()).and_then(|forward| forward.share)
    }

    async fn targets(&self, asked: Asked<'_>, side: Side) -> Result<Vec<(String, TargetHealth)>, TrafficError> {
        let group = self.settings.group(side);
        let answer = asked
            .answer(self.service.client(asked).await?.describe_target_health().target_group_arn(group).send())
            .await?;
        let target = |described: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            let id = described.target().and_then(|target| target.id()).unwrap_or_default().to_owned();
            Some((id, described.target_health()?.clone()))
        };
        Ok(answer.target_health_descriptions().iter().filter_map(target).collect())
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let Settings { blue, green, .. } = &self.settings;
        let client = self.service.client(asked).await?;
        for group in [blue, green] {
            asked.answer(client.describe_target_groups().target_group_arns(group).send()).await?;
        }
        let forwards = self.forwards(asked).await?;
        if let [first, others @ ..] = forwards.as_slice()
            && let Some(other) = others.iter().find(|forward| forward.share != first.share)
        {
            let (one, two) = (&first.rule, &other.rule);
            return Err(
                asked.misconfigured(format!("{one} and {two} give green different shares; give them the same first"))
            );
        }
        for forward in forwards {
            let all = groups(&forward.actions[forward.at]);
            let lacks =
                [blue, green].into_iter().find(|arn| all.iter().all(|g| g.target_group_arn() != Some(arn.as_str())));
            if let Some(lacks) = lacks {
                return Err(asked.misconfigured(format!(
                    "{} does not forward to {lacks}; add it with weight 0, so that its targets are checked before they get traffic",
                    forward.rule
                )));
            }
            if let Some(time) = forward.sticky {
                context.log.line(format!(
                    "{} keeps clients with their target group for {} s: blue has some until then, whatever its weight is",
                    forward.rule,
                    time.as_secs()
                ));
            }
        }
        Ok(())
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.service.asked(context, "set_share");
        let Some((blue, green)) = weights::readable(want, MOST) else {
            return Err(asked.refused(TrafficErrorCode::Grid, weights::none_make(want, MOST)));
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).set = None;
        for rule in &self.settings.rules {
            let forward = self.forward(asked, rule).await?;
            if forward.share != Some(want) {
                let actions = self.weighted(forward, (blue, green));
                self.replace(asked, rule, actions).await?;
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).set = Some(want);
        Ok(ShareSet { share: want })
    }

    /// The actions of a rule with these weights, and otherwise as they are.
    fn weighted(&self, forward: Forward, (blue, green): (u32, u32)) -> Vec<Action> {
        let Forward { mut actions, at, .. } = forward;
        let Settings { blue: blue_arn, green: green_arn, .. } = &self.settings;
        let mut all = groups(&actions[at]);
        for (arn, weight) in [(blue_arn, blue), (green_arn, green)] {
            let weight = i32::try_from(weight).ok();
            match all.iter_mut().find(|group| group.target_group_arn() == Some(arn.as_str())) {
                Some(group) => group.weight = weight,
                None => all.push(TargetGroupTuple::builder().target_group_arn(arn).set_weight(weight).build()),
            }
        }
        let action = &mut actions[at];
        let known = action.forward_config.take();
        let sticky = known.and_then(|config| config.target_group_stickiness_config);
        action.forward_config = Some(
            ForwardActionConfig::builder()
                .set_target_groups(Some(all))
                .set_target_group_stickiness_config(sticky)
                .build(),
        );
        // It stands for a single group, and is refused beside several.
        action.target_group_arn = None;
        for action in &mut actions {
            // The secret is not told to whoever reads the action; written back without it, the known one has to be named.
            if let Some(oidc) = &mut action.authenticate_oidc_config {
                oidc.use_existing_client_secret = Some(true);
            }
        }
        actions
    }

    async fn replace(&self, asked: Asked<'_>, rule: &str, actions: Vec<Action>) -> Result<(), TrafficError> {
        let client = self.service.client(asked).await?;
        if Self::is_listener(rule) {
            let call = client.modify_listener().listener_arn(rule).set_default_actions(Some(actions));
            asked.answer(call.send()).await?;
        } else {
            asked.answer(client.modify_rule().rule_arn(rule).set_actions(Some(actions)).send()).await?;
        }
        Ok(())
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let targets = self.targets(self.service.asked(context, "health"), side).await?;
        let is = |state: TargetHealthStateEnum| {
            move |(_, health): &(String, TargetHealth)| health.state == Some(state.clone())
        };
        if targets.iter().any(is(TargetHealthStateEnum::Healthy)) {
            return Ok(Health::Healthy);
        }
        if targets.is_empty() {
            return Ok(Health::Unhealthy { why: format!("{} has no targets", self.settings.group(side)) });
        }
        // New ones, and those of a group that nothing forwards to, are not known yet.
        if !targets.iter().any(is(TargetHealthStateEnum::Unhealthy)) {
            return Ok(Health::Unknown);
        }
        let why = targets.iter().map(|(id, health)| {
            let state = health.state().map_or("unknown", TargetHealthStateEnum::as_str);
            format!("{id} is {state} ({})", health.description().unwrap_or("no reason is given"))
        });
        Ok(Health::Unhealthy { why: why.collect::<Vec<_>>().join(", ") })
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let asked = self.service.asked(context, "drain");
        let none = Share::without(side);
        let forwards = self.forwards(asked).await?;
        if forwards.iter().any(|forward| forward.share != Some(none)) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).none_since = None;
            return Ok(Drain::Active { count: None });
        }
        let since = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let same = known.none_since.filter(|(of, _)| *of == side);
            known.none_since.insert(same.unwrap_or((side, Instant::now()))).1
        };
        let targets = self.targets(asked, side).await?;
        let group = self.settings.group(side);
        if targets.is_empty() {
            return Ok(Drain::Drained { evidence: format!("{group} has weight 0 and no targets") });
        }
        let sticky = forwards.iter().filter_map(|forward| forward.sticky).max().unwrap_or_default();
        let left = sticky.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(Drain::WaitUntil { ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) });
        }
        let draining = targets.iter().all(|(_, health)| health.state == Some(TargetHealthStateEnum::Draining));
        match self.settings.drain {
            DrainBy::Word if !draining => Ok(Drain::Unknown),
            DrainBy::Word | DrainBy::TargetsGone => Ok(Drain::Active { count: u64::try_from(targets.len()).ok() }),
        }
    }
}

impl TrafficBackend for LoadBalancer {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        weights::readable(share, MOST).is_none().then(|| weights::none_make(share, MOST))
    }

    fn permissions(&self) -> Option<Value> {
        let rules = |is_listener: bool| -> Vec<&str> {
            let of = self.settings.rules.iter().filter(|rule| Self::is_listener(rule) == is_listener);
            of.map(String::as_str).collect()
        };
        let describe: &[&str] = &[
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ];
        let mut allowed: Vec<(&[&str], Vec<&str>)> = vec![(describe, vec!["*"])];
        allowed.push((&["elasticloadbalancing:ModifyListener"], rules(true)));
        allowed.push((&["elasticloadbalancing:ModifyRule"], rules(false)));
        allowed.retain(|(_, resources)| !resources.is_empty());
        Some(policy(&allowed))
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let Arn { region, account, .. } = &self.place;
        let at = format!("AWS account {account} in {region}");
        let group = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        let (blue, green) = (group(&self.settings.blue), group(&self.settings.green));
        let resource = format!("{} ({blue} to {green})", self.settings.rules.join(", "));
        let can_prove_drain = self.settings.drain == DrainBy::TargetsGone;
        Box::pin(async move { Ok(Capabilities::seeing(Kind::Weighted, can_prove_drain).moving(at, resource)) })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            let forwards = self.forwards(self.service.asked(context, "observe")).await?;
            Ok(ShareSeen { share: self.share_of(&forwards) })
        })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(async move {
            let forwards = self.forwards(self.service.asked(context, "verify")).await?;
            let other = forwards.iter().find(|forward| forward.share != Some(want));
            Ok(other.map_or(Verified::Yes, |other| Verified::NotYet { seen: other.share }))
        })
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}
