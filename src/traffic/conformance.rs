//! What every backend must keep to, asked of one that runs: it moves real traffic for that, and gives all of it back to blue.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Context, Drain, Handle, Kind, Log, ManagedDeployment, Progress, Share, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified,
};
use crate::side::Side;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContractRule {
    /// As it is printed.
    pub name: &'static str,
    /// What it asks for.
    pub about: &'static str,
    /// Of whom.
    pub of: AskedOf,
}

/// Of which backends a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOf {
    /// Of all.
    All,
    /// Of those that are given shares.
    Shares,
    /// Of platforms with deployments of their own.
    Deployments,
}

/// Every rule, in the order in which they are asked for.
pub const RULES: [ContractRule; 16] = {
    use AskedOf::{All, Deployments, Shares};
    const fn rule(of: AskedOf, name: &'static str, about: &'static str) -> ContractRule {
        ContractRule { name, about, of }
    }
    [
        rule(All, "answers", "every answer is one that fits what was asked"),
        rule(All, "deadline", "every answer comes before its deadline"),
        rule(All, "ready", "it could work now, and green has no traffic"),
        rule(Shares, "read-after-set", "a share that was set is seen"),
        rule(Shares, "idempotency", "setting it again changes nothing"),
        rule(Shares, "verify", "it confirms the share that is there, and no other"),
        rule(Shares, "rounding", "a share that cannot be set exactly is refused, or what was set is told"),
        rule(Shares, "foreign-change", "what somebody else moved is seen"),
        rule(
            Shares,
            "fence",
            "a later executor may act, and an earlier one is refused without a trace, if it looks at the fence",
        ),
        rule(All, "health", "it says of both versions how they are, or that it does not know"),
        rule(Deployments, "one-deployment", "asked twice for a deployment of the same step, it begins one"),
        rule(Deployments, "progress", "it says how far a deployment is, and knows of none that was not begun"),
        rule(Deployments, "abort", "a deployment that is ended gives blue everything, and may be ended twice"),
        rule(Deployments, "another", "the next step begins another deployment"),
        rule(Shares, "drain", "blue is not drained while it has traffic"),
        rule(Shares, "back", "blue gets everything again"),
    ]
};

/// How a rule came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", content = "why", rename_all = "kebab-case")]
pub enum ContractOutcome {
    /// It is kept.
    Kept,
    /// It is not, and this was seen.
    Broken(String),
    /// It cannot be asked of this backend.
    Skipped(String),
}

/// A rule with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractFinding {
    /// The rule.
    pub rule: &'static str,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: ContractOutcome,
}

/// How it is asked.
#[derive(Debug, Clone)]
pub struct ContractSettings {
    /// The shares that are set on the way. None beyond it is.
    pub shares: Vec<Share>,
    /// For one call.
    pub deadline: Duration,
    /// For a share to be seen.
    pub converge: Duration,
}

/// Asks a backend for every rule. `other` is the same backend once more, for somebody else who moves the traffic.
pub async fn conformance(
    backend: &dyn TrafficBackend,
    other: &dyn TrafficBackend,
    settings: &ContractSettings,
    log: &Log,
) -> Vec<ContractFinding> {
    // Whoever remembers the fence of a release must not take this for one that comes.
    let release = format!("conformance-{}", jiff::Timestamp::now().as_millisecond());
    let mut suite = Suite {
        release,
        backend,
        other,
        settings,
        log,
        asked: AskedOf::Shares,
        begun: Vec::new(),
        late: None,
        garbage: None,
        findings: Vec::new(),
    };
    suite.run().await;
    let Suite { late, garbage, findings, .. } = suite;
    let everywhere = [("answers", garbage), ("deadline", late)].map(|(rule, why)| ContractFinding {
        rule,
        outcome: why.map_or(ContractOutcome::Kept, ContractOutcome::Broken),
    });
    everywhere.into_iter().chain(findings).collect()
}

/// Gives blue everything, where the suite was left in between.
pub async fn give_back(
    backend: &dyn TrafficBackend,
    settings: &ContractSettings,
    log: &Log,
) -> Result<(), TrafficError> {
    let release = format!("conformance-{}-back", jiff::Timestamp::now().as_millisecond());
    let (step, deadline) = ("back".to_owned(), settings.deadline);
    let context = Context { release, step, fence: FENCE + 1, deadline, log: log.clone() };
    if backend.capabilities(&context).await?.kind == Kind::Managed {
        let why = "a deployment may have been begun: end it on the platform".to_owned();
        return Err(TrafficError::refused(backend.name(), "abort", TrafficErrorCode::Conflict, why));
    }
    backend.set_share(&context, Share::NONE).await?;
    let begun = Instant::now();
    while let Verified::NotYet { seen } = backend.verify(&context, Share::NONE).await? {
        if begun.elapsed() > settings.converge {
            let why = format!("blue was given everything, and it shows that green has {}", shown(seen));
            return Err(TrafficError::unavailable(backend.name(), "verify", why));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

struct Suite<'a> {
    release: String,
    backend: &'a dyn TrafficBackend,
    other: &'a dyn TrafficBackend,
    settings: &'a ContractSettings,
    log: &'a Log,
    /// What is asked of it beside what is asked of all.
    asked: AskedOf,
    /// Deployments that were begun.
    begun: Vec<Handle>,
    /// The first answer that came too late, or made no sense.
    late: Option<String>,
    garbage: Option<String>,
    findings: Vec<ContractFinding>,
}

/// Whether a rule is kept; an error says why not.
type Kept = Result<ContractOutcome, String>;

impl Suite<'_> {
    async fn run(&mut self) {
        let ready = self.ready().await;
        let is_ready = ready == Ok(ContractOutcome::Kept);
        self.found("ready", ready);
        if !is_ready {
            let why = "it is not ready".to_owned();
            let asked = self.asked;
            for rule in RULES.iter().skip(3).filter(|rule| [AskedOf::All, asked].contains(&rule.of)) {
                self.findings.push(ContractFinding { rule: rule.name, outcome: ContractOutcome::Skipped(why.clone()) });
            }
            return;
        }
        if self.asked == AskedOf::Deployments {
            let health = self.health().await;
            self.found("health", health);
            self.deployments().await;
            return;
        }
        let read = self.read_after_set().await;
        self.found("read-after-set", read);
        let idempotent = self.idempotency().await;
        self.found("idempotency", idempotent);
        let verified = self.verify().await;
        self.found("verify", verified);
        let rounded = self.rounding().await;
        self.found("rounding", rounded);
        let foreign = self.foreign_change().await;
        self.found("foreign-change", foreign);
        let fenced = self.fence().await;
        self.found("fence", fenced);
        let health = self.health().await;
        self.found("health", health);
        let drained = self.drain().await;
        self.found("drain", drained);
        let back = self.back().await;
        self.found("back", back);
    }

    /// What is asked of a platform: no gate is passed, so that green gets no traffic but what the platform gives it before its first one.
    async fn deployments(&mut self) {
        let Some(managed) = self.backend.managed() else {
            self.garbage =
                self.garbage.take().or(Some("it says that it is `managed`, and has no deployments".to_owned()));
            return;
        };
        let begun = self.one_deployment(managed).await;
        let handle = begun.as_ref().ok().cloned();
        self.found("one-deployment", begun.map(|_| ContractOutcome::Kept));
        if let Some(handle) = handle {
            let told = self.progress(managed, &handle).await;
            self.found("progress", told);
            let ended = self.abort(managed, &handle).await;
            self.found("abort", ended);
            let another = self.another(managed, &handle).await;
            self.found("another", another);
        } else {
            for rule in ["progress", "abort", "another"] {
                self.found(rule, Ok(ContractOutcome::Skipped("no deployment is known".to_owned())));
            }
        }
        // Whatever came out: none goes on.
        let context = self.context("abort", FENCE);
        for handle in std::mem::take(&mut self.begun) {
            if let Err(error) = managed.abort(&context, handle.clone()).await {
                self.log.line(format!("deployment {handle} was not ended: {error}"));
            }
        }
    }

    /// Begins a deployment, and keeps its name to end it.
    async fn start(&mut self, managed: &dyn ManagedDeployment, context: &Context) -> Result<Handle, String> {
        let handle = self.answer(managed.start(context)).await.map_err(text)?;
        if !self.begun.contains(&handle) {
            self.log.line(format!("began deployment {handle}"));
            self.begun.push(handle.clone());
        }
        Ok(handle)
    }

    async fn one_deployment(&mut self, managed: &dyn ManagedDeployment) -> Result<Handle, String> {
        let context = self.context("deploy-1", FENCE);
        let first = self.start(managed, &context).await?;
        let second = self.start(managed, &context).await?;
        if first == second { Ok(first) } else { Err(format!("it began {first}, and asked again, {second}")) }
    }

    async fn progress(&mut self, managed: &dyn ManagedDeployment, handle: &Handle) -> Kept {
        let context = self.context("poll", FENCE);
        match self.answer(managed.poll(&context, handle.clone())).await.map_err(text)? {
            Progress::Failed { why } => return Err(format!("it failed at once: {why}")),
            Progress::RolledBack { why } => return Err(format!("it was rolled back at once: {why}")),
            Progress::Running { .. } | Progress::AtGate { .. } | Progress::Succeeded => {}
        }
        let none = Handle(format!("{handle}-that-was-not-begun"));
        match self.answer(managed.poll(&context, none)).await {
            Ok(progress) => Err(format!("of a deployment that was not begun it says {progress:?}")),
            Err(TrafficError::Refused { .. }) => Ok(ContractOutcome::Kept),
            Err(error) => Err(text(error)),
        }
    }

    async fn abort(&mut self, managed: &dyn ManagedDeployment, handle: &Handle) -> Kept {
        let (backend, context) = (self.backend, self.context("abort", FENCE));
        for _ in 0..2 {
            self.answer(managed.abort(&context, handle.clone())).await.map_err(text)?;
        }
        let begun = Instant::now();
        loop {
            match self.answer(managed.poll(&context, handle.clone())).await.map_err(text)? {
                Progress::RolledBack { .. } => break,
                other if begun.elapsed() > self.settings.converge => {
                    return Err(format!("{:?} after it was ended it says {other:?}", self.settings.converge));
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        match self.answer(backend.observe(&context)).await.map_err(text)?.share {
            Some(seen) if seen != Share::NONE => Err(format!("it is rolled back, and green still has {seen}")),
            _ => Ok(ContractOutcome::Kept),
        }
    }

    async fn another(&mut self, managed: &dyn ManagedDeployment, before: &Handle) -> Kept {
        let context = self.context("deploy-2", FENCE);
        let next = self.start(managed, &context).await?;
        if next == *before {
            return Err(format!("it gives {next} for another step, too"));
        }
        self.abort(managed, &next).await
    }

    fn found(&mut self, rule: &'static str, kept: Kept) {
        self.findings.push(ContractFinding { rule, outcome: kept.unwrap_or_else(ContractOutcome::Broken) });
    }

    fn context(&self, step: &str, fence: i64) -> Context {
        let (release, step) = (self.release.clone(), step.to_owned());
        Context { release, step, fence, deadline: self.settings.deadline, log: self.log.clone() }
    }

    /// An answer, and what is wrong with the way it came.
    async fn answer<T>(&mut self, asked: impl Future<Output = Result<T, TrafficError>>) -> Result<T, TrafficError> {
        let begun = Instant::now();
        let answered = asked.await;
        let took = begun.elapsed();
        match &answered {
            Err(error @ TrafficError::Late { .. }) => self.late = self.late.take().or(Some(error.to_string())),
            Err(error @ TrafficError::Broken { .. }) => self.garbage = self.garbage.take().or(Some(error.to_string())),
            _ if took > self.settings.deadline => {
                self.late = self.late.take().or(Some(format!("an answer took {took:?}")));
            }
            _ => {}
        }
        answered
    }

    async fn ready(&mut self) -> Kept {
        let (backend, context) = (self.backend, self.context("ready", FENCE));
        let can = self.answer(backend.capabilities(&context)).await.map_err(text)?;
        if can.kind == Kind::Manual {
            return Ok(ContractOutcome::Skipped("people move the traffic".to_owned()));
        }
        if can.kind == Kind::Managed {
            self.asked = AskedOf::Deployments;
        }
        let again = self.answer(backend.capabilities(&context)).await.map_err(text)?;
        if again != can {
            return Err("what it can do changes from one call to the next".to_owned());
        }
        self.answer(backend.preflight(&context)).await.map_err(text)?;
        match self.answer(backend.observe(&context)).await.map_err(text)?.share {
            Some(seen) if seen != Share::NONE => Err(format!("green has {seen} of the traffic")),
            _ => Ok(ContractOutcome::Kept),
        }
    }

    async fn seen(&mut self, step: &str) -> Result<Option<Share>, String> {
        let (backend, context) = (self.backend, self.context(step, FENCE));
        Ok(self.answer(backend.observe(&context)).await.map_err(text)?.share)
    }

    async fn set(&mut self, step: &str, share: Share) -> Result<ShareSet, String> {
        let (backend, context) = (self.backend, self.context(step, FENCE));
        self.answer(backend.set_share(&context, share)).await.map_err(text)
    }

    /// Sets a share and sees it; what is seen if nobody can tell is none.
    async fn move_to(&mut self, share: Share) -> Result<Option<Share>, String> {
        let step = format!("shift-{}", share.as_basis_points());
        let set = self.set(&step, share).await?.share;
        if set != share {
            return Err(format!("asked for {share}, it set {set}, although it does not refuse that share"));
        }
        self.settle(&step, share).await
    }

    /// Waits until it is seen.
    async fn settle(&mut self, step: &str, share: Share) -> Result<Option<Share>, String> {
        let begun = Instant::now();
        loop {
            let (backend, context) = (self.backend, self.context(step, FENCE));
            let verified = self.answer(backend.verify(&context, share)).await.map_err(text)?;
            let seen = self.seen(step).await?;
            match verified {
                Verified::Unsupported => return Ok(seen),
                Verified::Yes if seen.is_none_or(|seen| seen == share) => return Ok(seen),
                Verified::Yes => {
                    return Err(format!("it confirms {share}, and shows {}", shown(seen)));
                }
                Verified::NotYet { .. } if begun.elapsed() > self.settings.converge => {
                    return Err(format!(
                        "{share} was set, and after {:?} it shows {}",
                        self.settings.converge,
                        shown(seen)
                    ));
                }
                Verified::NotYet { .. } => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Those that can be set.
    fn shares(&self) -> Vec<Share> {
        self.settings.shares.iter().copied().filter(|share| self.backend.refuses(*share).is_none()).collect()
    }

    fn last_share(&self) -> Share {
        self.shares().last().copied().unwrap_or(Share::ALL)
    }

    async fn read_after_set(&mut self) -> Kept {
        let mut unseen = true;
        for share in self.shares() {
            let seen = self.move_to(share).await?;
            if seen.is_some_and(|seen| seen != share) {
                return Err(format!("{share} was set, and it shows {}", shown(seen)));
            }
            unseen &= seen.is_none();
        }
        match unseen {
            true => Ok(ContractOutcome::Skipped("it cannot see a share".to_owned())),
            false => Ok(ContractOutcome::Kept),
        }
    }

    async fn idempotency(&mut self) -> Kept {
        let share = self.last_share();
        let step = format!("shift-{}", share.as_basis_points());
        let before = self.seen(&step).await?;
        for _ in 0..2 {
            let set = self.set(&step, share).await?.share;
            if set != share {
                return Err(format!("asked again for {share}, it set {set}"));
            }
        }
        let after = self.settle(&step, share).await?;
        if before == after {
            Ok(ContractOutcome::Kept)
        } else {
            Err(format!("it showed {} before, and {} after", shown(before), shown(after)))
        }
    }

    async fn verify(&mut self) -> Kept {
        let share = self.last_share();
        let points = share.as_basis_points();
        let beside =
            Share::basis_points(if points > 5000 { points - 1000 } else { points + 1000 }).unwrap_or(Share::NONE);
        let (backend, context) = (self.backend, self.context("verify", FENCE));
        match self.answer(backend.verify(&context, beside)).await.map_err(text)? {
            Verified::Yes => Err(format!("green has {share}, and it confirms {beside}")),
            Verified::NotYet { .. } => Ok(ContractOutcome::Kept),
            Verified::Unsupported => Ok(ContractOutcome::Skipped("it cannot confirm a share".to_owned())),
        }
    }

    /// An odd share, as small as there can be.
    async fn rounding(&mut self) -> Kept {
        let Some(odd) = Share::basis_points(1) else { return Ok(ContractOutcome::Kept) };
        if let Some(why) = self.backend.refuses(odd) {
            return Ok(ContractOutcome::Skipped(format!("it refuses {odd} before: {why}")));
        }
        let (backend, context) = (self.backend, self.context("rounding", FENCE));
        let set = match self.answer(backend.set_share(&context, odd)).await {
            Ok(set) => set.share,
            Err(TrafficError::Refused { .. }) => return Ok(ContractOutcome::Kept),
            Err(error) => return Err(text(error)),
        };
        let seen = self.settle("rounding", set).await?;
        match seen {
            Some(seen) if seen != set => Err(format!("asked for {odd}, it says that it set {set}, and shows {seen}")),
            _ => Ok(ContractOutcome::Kept),
        }
    }

    async fn foreign_change(&mut self) -> Kept {
        let share = self.last_share();
        self.move_to(share).await?;
        let (other, context) =
            (self.other, Context { release: format!("{}-another", self.release), ..self.context("foreign", FENCE) });
        self.answer(other.set_share(&context, Share::NONE)).await.map_err(text)?;
        let begun = Instant::now();
        loop {
            match self.seen("foreign").await? {
                None => return Ok(ContractOutcome::Skipped("it cannot see a share".to_owned())),
                Some(Share::NONE) => break,
                Some(seen) if begun.elapsed() > self.settings.converge => {
                    return Err(format!("somebody else gave blue everything, and it still shows {seen}"));
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        let (backend, context) = (self.backend, self.context("foreign", FENCE));
        match self.answer(backend.verify(&context, share)).await.map_err(text)? {
            Verified::Yes => Err(format!("somebody else gave blue everything, and it confirms {share}")),
            _ => Ok(ContractOutcome::Kept),
        }
    }

    async fn fence(&mut self) -> Kept {
        let share = self.last_share();
        let (backend, later) = (self.backend, self.context("fence", FENCE + 1));
        let set = self.answer(backend.set_share(&later, share)).await;
        set.map_err(|error| format!("a later executor is refused: {error}"))?;
        self.settle_as(&later, share).await?;
        let earlier = self.context("fence", FENCE);
        match self.answer(backend.set_share(&earlier, Share::NONE)).await {
            Ok(_) => Ok(ContractOutcome::Skipped("it does not look at the fence".to_owned())),
            Err(TrafficError::Refused { code: TrafficErrorCode::Fenced, .. }) => {
                let seen = self.answer(backend.observe(&later)).await.map_err(text)?.share;
                match seen {
                    Some(seen) if seen != share => Err(format!(
                        "an earlier executor is refused, and green has {seen} instead of {share} all the same"
                    )),
                    _ => Ok(ContractOutcome::Kept),
                }
            }
            Err(error) => Err(format!("an earlier executor is refused otherwise than as `fenced`: {error}")),
        }
    }

    async fn settle_as(&mut self, context: &Context, share: Share) -> Result<(), String> {
        let (backend, begun) = (self.backend, Instant::now());
        while let Verified::NotYet { seen } = self.answer(backend.verify(context, share)).await.map_err(text)? {
            if begun.elapsed() > self.settings.converge {
                return Err(format!("{share} was set, and it shows {}", shown(seen)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn health(&mut self) -> Kept {
        for side in [Side::Blue, Side::Green] {
            let (backend, context) = (self.backend, self.context("health", FENCE + 1));
            self.answer(backend.health(&context, side)).await.map_err(|error| format!("of {side}: {error}"))?;
        }
        Ok(ContractOutcome::Kept)
    }

    async fn drain(&mut self) -> Kept {
        let (backend, context) = (self.backend, self.context("drain", FENCE + 1));
        self.answer(backend.set_share(&context, Share::NONE)).await.map_err(text)?;
        self.settle_as(&context, Share::NONE).await?;
        match self.answer(backend.drain(&context, Side::Blue)).await.map_err(text)? {
            Drain::Drained { evidence } => Err(format!("blue has all traffic, and it calls it drained: {evidence}")),
            Drain::Active { .. } | Drain::Unknown | Drain::WaitUntil { .. } => Ok(ContractOutcome::Kept),
        }
    }

    async fn back(&mut self) -> Kept {
        let (backend, context) = (self.backend, self.context("back", FENCE + 1));
        self.answer(backend.set_share(&context, Share::NONE)).await.map_err(text)?;
        self.settle_as(&context, Share::NONE).await?;
        match self.answer(backend.observe(&context)).await.map_err(text)?.share {
            Some(seen) if seen != Share::NONE => Err(format!("green still has {seen}")),
            _ => Ok(ContractOutcome::Kept),
        }
    }
}

/// Of the executor that asks; one later and one earlier there may be.
const FENCE: i64 = 2;

fn text(error: TrafficError) -> String {
    error.to_string()
}

fn shown(share: Option<Share>) -> String {
    share.map_or_else(|| "nothing".to_owned(), |share| share.to_string())
}
