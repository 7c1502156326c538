//! Deployments begun, followed, let through their gates and taken back.

use std::time::{Duration, SystemTime};

use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types::{
    AppSpecContent, AutoRollbackConfiguration, AutoRollbackEvent, ComputePlatform, DeploymentGroupInfo, DeploymentInfo,
    DeploymentReadyAction, DeploymentStatus, DeploymentTarget, DeploymentWaitType, RevisionLocation,
    RevisionLocationType, TimeRange,
};
use aws_sdk_ecs::types::Task;
use camino::Utf8PathBuf;
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::tasks::tasks_left;
use super::super::{Arn, policy};
use super::Settings;
use super::seen::{READY, TERMINATION, TargetSeen, is_over, progress, taken_back_by};
use crate::release::Configured;
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Handle, Kind, ManagedDeployment, Progress, Share, ShareSeen, ShareSet,
    TrafficBackend, TrafficError, TrafficErrorCode,
};

/// A deployment group as traffic backend.
pub(super) struct CodeDeploy {
    service: Service<Client>,
    containers: Service<aws_sdk_ecs::Client>,
    settings: Settings,
    app_spec: Utf8PathBuf,
}

/// How far back a deployment is looked for that was begun and whose name nobody heard.
const LOOK_BACK: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many deployments the service describes at once.
const AT_ONCE: usize = 25;

/// How long a change of an alias may take until every invocation goes by it.
const SETTLES: Duration = Duration::from_secs(5);

/// How long the service may take to list what it has just begun.
const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// What says that a deployment does not stand where it was answered.
const PASSED: &[&str] = &[
    "DeploymentAlreadyCompletedException",
    "DeploymentIsNotInReadyStateException",
    "InvalidDeploymentStatusException",
];

/// How a deployment says for which release it is, and for which step of it.
fn description(release: &str, step: &str) -> String {
    format!("{}{step}", of_release(release))
}

fn of_release(release: &str) -> String {
    format!("cutover {release} ")
}

/// Whether an error is one of these words of the service.
fn says(error: &TrafficError, words: &[&str]) -> bool {
    matches!(error.code(), Some(TrafficErrorCode::Other(word)) if words.contains(&word.as_str()))
}

impl CodeDeploy {
    pub(super) fn new(traffic: &Configured, settings: Settings) -> Self {
        let account = || settings.account.clone();
        Self {
            service: Service::new(traffic.name.clone(), account(), None, Client::new),
            containers: Service::new(traffic.name.clone(), account(), None, aws_sdk_ecs::Client::new),
            app_spec: traffic.file(&settings.app_spec),
            settings,
        }
    }

    async fn group(&self, asked: Asked<'_>) -> Result<DeploymentGroupInfo, TrafficError> {
        let Settings { application, deployment_group, .. } = &self.settings;
        let call = self.service.client(asked).await?.get_deployment_group();
        let answer =
            asked.answer(call.application_name(application).deployment_group_name(deployment_group).send()).await?;
        answer.deployment_group_info.ok_or_else(|| asked.broken("deploymentGroupInfo"))
    }

    async fn deployment(&self, asked: Asked<'_>, id: &str) -> Result<DeploymentInfo, TrafficError> {
        let call = self.service.client(asked).await?.get_deployment().deployment_id(id);
        let info = asked.answer(call.send()).await?.deployment_info.ok_or_else(|| asked.broken("deploymentInfo"))?;
        let Settings { application, deployment_group, .. } = &self.settings;
        let is_ours =
            info.application_name() == Some(application) && info.deployment_group_name() == Some(deployment_group);
        if !is_ours {
            let message = format!("{id} is no deployment of group {deployment_group} of application {application}");
            return Err(asked.refused(TrafficErrorCode::NotFound, message));
        }
        Ok(info)
    }

    /// What a deployment deploys to: one service, or one function.
    async fn target(&self, asked: Asked<'_>, id: &str) -> Result<TargetSeen, TrafficError> {
        // Nothing has begun yet.
        let none = TargetSeen { share: Some(Share::NONE), ..TargetSeen::default() };
        let client = self.service.client(asked).await?;
        let ids = match asked.answer(client.list_deployment_targets().deployment_id(id).send()).await {
            Ok(answer) => answer.target_ids.unwrap_or_default(),
            Err(error) if says(&error, &["DeploymentNotStartedException"]) => return Ok(none),
            Err(error) => return Err(error),
        };
        if ids.is_empty() {
            return Ok(none);
        }
        let call = client.batch_get_deployment_targets().deployment_id(id).set_target_ids(Some(ids));
        let found: Vec<DeploymentTarget> = asked.answer(call.send()).await?.deployment_targets.unwrap_or_default();
        match found.as_slice() {
            [] => Ok(none),
            [target] => Ok(TargetSeen::of(target)),
            more => {
                Err(asked.misconfigured(format!("deployment {id} deploys to {} targets, and not to one", more.len())))
            }
        }
    }

    async fn seen(&self, asked: Asked<'_>, id: &str) -> Result<(DeploymentInfo, TargetSeen, Progress), TrafficError> {
        let info = self.deployment(asked, id).await?;
        let target = match info.status() {
            Some(DeploymentStatus::Succeeded) => TargetSeen::default(),
            _ => self.target(asked, id).await?,
        };
        let back = match taken_back_by(&info) {
            Some(id) => Some(self.deployment(asked, id).await?),
            None => None,
        };
        let progress = progress(&info, &target, back.as_ref());
        Ok((info, target, progress))
    }

    /// The deployment that was begun for a step of a release, if any was.
    async fn begun(&self, asked: Asked<'_>, description: &str) -> Result<Option<String>, TrafficError> {
        let client = self.service.client(asked).await?;
        let Settings { application, deployment_group, .. } = &self.settings;
        let since = DateTime::from(SystemTime::now().checked_sub(LOOK_BACK).unwrap_or(SystemTime::UNIX_EPOCH));
        let mut next = None;
        loop {
            let call = client.list_deployments().application_name(application).deployment_group_name(deployment_group);
            let call = call.create_time_range(TimeRange::builder().start(since).build()).set_next_token(next);
            let page = asked.answer(call.send()).await?;
            for ids in page.deployments().chunks(AT_ONCE) {
                let call = client.batch_get_deployments().set_deployment_ids(Some(ids.to_vec()));
                let found = asked.answer(call.send()).await?;
                let is_it = |info: &&DeploymentInfo| info.description() == Some(description);
                if let Some(id) = found.deployments_info().iter().find(is_it).and_then(|info| info.deployment_id()) {
                    return Ok(Some(id.to_owned()));
                }
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(None);
            }
        }
    }

    /// What is deployed, as the AppSpec says.
    async fn revision(&self, asked: Asked<'_>) -> Result<RevisionLocation, TrafficError> {
        let read = tokio::fs::read_to_string(&self.app_spec).await;
        let text = read.map_err(|error| asked.misconfigured(format!("the AppSpec {}: {error}", self.app_spec)))?;
        let content = AppSpecContent::builder().sha256(crate::digest::sha256(&text)).content(text).build();
        let revision = RevisionLocation::builder().revision_type(RevisionLocationType::AppSpecContent);
        Ok(revision.app_spec_content(content).build())
    }

    /// Begins a deployment. The service takes no word by which it would know the same one again, so that it is looked for first; and it has one at a time only.
    async fn begin(&self, context: &Context) -> Result<Handle, TrafficError> {
        let asked = self.service.asked(context, "start");
        let description = description(&context.release, &context.step);
        if let Some(id) = self.begun(asked, &description).await? {
            return Ok(Handle(id));
        }
        let Settings { application, deployment_group, deployment_config, .. } = &self.settings;
        let revision = self.revision(asked).await?;
        let back = AutoRollbackConfiguration::builder()
            .enabled(true)
            .events(AutoRollbackEvent::DeploymentFailure)
            .events(AutoRollbackEvent::DeploymentStopOnAlarm)
            .events(AutoRollbackEvent::DeploymentStopOnRequest)
            .build();
        let call = self.service.client(asked).await?.create_deployment();
        let call = call.application_name(application).deployment_group_name(deployment_group);
        let call = call.set_deployment_config_name(deployment_config.clone()).description(&description);
        let error = match asked.answer(call.revision(revision).auto_rollback_configuration(back).send()).await {
            Ok(answer) => {
                let id = answer.deployment_id.ok_or_else(|| asked.broken("deploymentId"))?;
                return Ok(Handle(id));
            }
            Err(error) => error,
        };
        // What is running may be this one: begun a moment ago, and not listed yet.
        let limit = tokio::time::Instant::now() + LISTED_WITHIN;
        while error.code() == Some(&TrafficErrorCode::Conflict) && tokio::time::Instant::now() < limit {
            if let Some(id) = self.begun(asked, &description).await? {
                return Ok(Handle(id));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(error)
    }

    async fn pass(&self, context: &Context, id: &str, gate: &str) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "answer");
        let wait = match gate {
            READY => DeploymentWaitType::ReadyWait,
            TERMINATION => DeploymentWaitType::TerminationWait,
            _ => return Err(asked.misconfigured(format!("CodeDeploy has no gate {gate}"))),
        };
        if !self.stands_at(asked, id, gate).await? {
            return Ok(());
        }
        let call = self.service.client(asked).await?.continue_deployment().deployment_id(id).deployment_wait_type(wait);
        match asked.answer(call.send()).await {
            Err(error) if says(&error, PASSED) && !self.stands_at(asked, id, gate).await? => Ok(()),
            answered => answered.map(|_| ()),
        }
    }

    async fn stands_at(&self, asked: Asked<'_>, id: &str, gate: &str) -> Result<bool, TrafficError> {
        let (_, _, progress) = self.seen(asked, id).await?;
        Ok(progress.gate().is_some_and(|(at, _)| at == gate))
    }

    async fn end(&self, context: &Context, id: &str) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "abort");
        let has_ended = |info: &DeploymentInfo| match info.status() {
            Some(DeploymentStatus::Succeeded) => Err(asked.misconfigured(format!(
                "deployment {id} has succeeded, and there is nothing left to stop; deploy what blue was"
            ))),
            _ => Ok(is_over(info)),
        };
        if has_ended(&self.deployment(asked, id).await?)? {
            return Ok(());
        }
        let call = self.service.client(asked).await?.stop_deployment().deployment_id(id).auto_rollback_enabled(true);
        match asked.answer(call.send()).await {
            // It has come to its end in between.
            Err(error) if says(&error, PASSED) && has_ended(&self.deployment(asked, id).await?)? => Ok(()),
            answered => answered.map(|_| ()),
        }
    }

    /// Green's share: of this release's deployment, if it was the group's last one; nothing, if that was somebody else's and is over.
    async fn share(&self, context: &Context) -> Result<Option<Share>, TrafficError> {
        let asked = self.service.asked(context, "observe");
        let group = self.group(asked).await?;
        let last = group.last_attempted_deployment().and_then(|last| last.deployment_id());
        let Some(last) = last else { return Ok(Some(Share::NONE)) };
        let (info, _, progress) = self.seen(asked, last).await?;
        let is_ours = |info: &DeploymentInfo| {
            info.description().is_some_and(|text| text.starts_with(&of_release(&context.release)))
        };
        if is_ours(&info) {
            return Ok(match progress {
                Progress::RolledBack { .. } => Some(Share::NONE),
                progress => progress.share(),
            });
        }
        // Of one that is over, what was green then is blue now; one that takes another back gives everything to blue, too.
        Ok((info.status() == Some(&DeploymentStatus::Succeeded)).then_some(Share::NONE))
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let group = self.group(asked).await?;
        match group.compute_platform() {
            Some(ComputePlatform::Ecs) => {}
            Some(ComputePlatform::Lambda) => {
                let longest = self.settings.longest_invocation.duration();
                context.log.line(format!(
                    "blue is waited for {longest:?} after the deployment (longest-invocation): --drain-timeout must be longer"
                ));
                return self.revision(asked).await.map(|_| ());
            }
            other => {
                let other = other.map_or("another platform", |platform| platform.as_str());
                return Err(asked.misconfigured(format!("it deploys to {other}, and not to ECS or Lambda")));
            }
        }
        let blue_green = group.blue_green_deployment_configuration();
        let ready = blue_green.and_then(|of| of.deployment_ready_option()).and_then(|of| of.action_on_timeout());
        if ready != Some(&DeploymentReadyAction::StopDeployment) {
            context.log.line(
                "the deployment group does not wait before it gives green traffic (deploymentReadyOption): green's smoke checks may come too late",
            );
        }
        let wait = blue_green.and_then(|of| of.terminate_blue_instances_on_deployment_success());
        if wait.is_none_or(|wait| wait.termination_wait_time_in_minutes() == 0) {
            context.log.line(
                "the deployment group ends blue as soon as green has everything (terminationWaitTimeInMinutes): there is no way back from then on",
            );
        }
        self.revision(asked).await.map(|_| ())
    }

    /// The deployment of this release that has succeeded, if it is the group's last one.
    async fn succeeded(&self, asked: Asked<'_>, release: &str) -> Result<Option<DeploymentInfo>, TrafficError> {
        let group = self.group(asked).await?;
        let Some(last) = group.last_successful_deployment().and_then(|last| last.deployment_id()) else {
            return Ok(None);
        };
        let info = self.deployment(asked, last).await?;
        let is_ours = info.description().is_some_and(|text| text.starts_with(&of_release(release)));
        Ok(Some(info).filter(|info| is_ours && info.status() == Some(&DeploymentStatus::Succeeded)))
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let asked = self.service.asked(context, "drain");
        let Some(info) = self.succeeded(asked, &context.release).await? else {
            // Who has the traffic is for the deployment to say.
            return Ok(if side == Side::Blue { Drain::Active { count: None } } else { Drain::Unknown });
        };
        if side == Side::Green {
            return Ok(Drain::Active { count: None });
        }
        if info.compute_platform() == Some(&ComputePlatform::Lambda) {
            return Ok(self.invocations_have_ended(&info));
        }
        let id = info.deployment_id().unwrap_or_default();
        let target = self.target(asked, id).await?;
        let (Some(tasks), group) = (target.blue_tasks.as_deref(), self.group(asked).await?) else {
            return Ok(Drain::Unknown);
        };
        let [service] = group.ecs_services() else { return Ok(Drain::Unknown) };
        let (Some(cluster), Some(service)) = (service.cluster_name(), service.service_name()) else {
            return Ok(Drain::Unknown);
        };
        let asked = self.containers.asked(context, "drain");
        let client = self.containers.client(asked).await?;
        let is_blue = |task: &Task| task.started_by() == Some(tasks);
        Ok(match tasks_left(client, asked, cluster, service, is_blue).await? {
            0 => Drain::Drained {
                evidence: format!(
                    "deployment {id} has succeeded, and no task of task set {tasks} is left of service {service} in {cluster}"
                ),
            },
            left => Drain::Active { count: Some(left) },
        })
    }

    /// Of a function: what was begun on blue before green had everything may take as long as it may.
    fn invocations_have_ended(&self, info: &DeploymentInfo) -> Drain {
        let longest = self.settings.longest_invocation.duration();
        let ended = info.complete_time().and_then(|time| SystemTime::try_from(*time).ok());
        let Some(past) = ended.map(|ended| SystemTime::now().duration_since(ended).unwrap_or_default()) else {
            return Drain::Unknown;
        };
        match (longest + SETTLES).saturating_sub(past) {
            Duration::ZERO => Drain::Drained {
                evidence: format!(
                    "deployment {} succeeded longer ago than the {longest:?} that an invocation may take; whoever names the version \
                     itself is not seen, nor are retries of asynchronous events that began on it",
                    info.deployment_id().unwrap_or_default()
                ),
            },
            left => Drain::WaitUntil { ms: crate::release::time::milliseconds(left) },
        }
    }
}

impl TrafficBackend for CodeDeploy {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn permissions(&self) -> Option<Value> {
        let Settings { application, deployment_group, deployment_config, account, .. } = &self.settings;
        let (partition, region) = (account.partition(), account.region.as_deref().unwrap_or("*"));
        let of = |resource: String| format!("arn:{partition}:codedeploy:{region}:*:{resource}");
        let group = of(format!("deploymentgroup:{application}/{deployment_group}"));
        let config = of(format!("deploymentconfig:{}", deployment_config.as_deref().unwrap_or("*")));
        let application = of(format!("application:{application}"));
        let tasks = format!("arn:{partition}:ecs:{region}:*:task/*");
        let of_the_group = [
            "codedeploy:BatchGetDeployments",
            "codedeploy:ContinueDeployment",
            "codedeploy:CreateDeployment",
            "codedeploy:GetDeployment",
            "codedeploy:GetDeploymentGroup",
            "codedeploy:ListDeployments",
            "codedeploy:StopDeployment",
        ];
        let of_any = ["codedeploy:BatchGetDeploymentTargets", "codedeploy:ListDeploymentTargets", "ecs:ListTasks"];
        Some(policy(&[
            (&of_the_group, vec![&group]),
            (&["codedeploy:GetDeploymentConfig"], vec![&config]),
            (&["codedeploy:GetApplicationRevision", "codedeploy:RegisterApplicationRevision"], vec![&application]),
            (&["ecs:DescribeTasks"], vec![&tasks]),
            (&of_any, vec!["*"]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.service.asked(context, "capabilities");
            let group = self.group(asked).await?;
            let role = group.service_role_arn().unwrap_or_default();
            let account = Arn::read("serviceRoleArn", role, "iam").map_err(|_| asked.broken("serviceRoleArn"))?.account;
            let region = self.service.region(asked).await?;
            let Settings { application, deployment_group, .. } = &self.settings;
            let can = Capabilities::seeing(Kind::Managed, true);
            let resource = format!("deployment group {deployment_group} of application {application}");
            Ok(can.moving(format!("AWS account {account} in {region}"), resource))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move { Ok(ShareSeen { share: self.share(context).await? }) })
    }

    fn set_share<'a>(&'a self, context: &'a Context, _: Share) -> Answer<'a, ShareSet> {
        let asked = self.service.asked(context, "set_share");
        Box::pin(async move { Err(asked.misconfigured("CodeDeploy shifts traffic by its deployment configuration")) })
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }

    fn managed(&self) -> Option<&dyn ManagedDeployment> {
        Some(self)
    }
}

impl ManagedDeployment for CodeDeploy {
    fn start<'a>(&'a self, context: &'a Context) -> Answer<'a, Handle> {
        Box::pin(self.begin(context))
    }

    fn poll<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, Progress> {
        Box::pin(async move { Ok(self.seen(self.service.asked(context, "poll"), &handle.0).await?.2) })
    }

    fn answer<'a>(&'a self, context: &'a Context, handle: Handle, gate: String) -> Answer<'a, ()> {
        Box::pin(async move { self.pass(context, &handle.0, &gate).await })
    }

    fn abort<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, ()> {
        Box::pin(async move { self.end(context, &handle.0).await })
    }
}
