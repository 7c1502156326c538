//! Deployments of the service begun, followed, let through their hooks and taken back.

use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    DeploymentConfiguration, DeploymentControllerType, DeploymentLifecycleHook, DeploymentLifecycleHookAction,
    DeploymentLifecycleHookStage, DeploymentLifecycleHookTargetType, DeploymentStrategy, Service as EcsService,
    ServiceDeployment, ServiceDeploymentStatus, StopServiceDeploymentStopType, Task,
};
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::tasks::tasks_left;
use super::super::{Arn, policy};
use super::seen::{is_ended, is_over, pause, progress};
use super::{Settings, family};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Handle, Kind, ManagedDeployment, Progress, Share, ShareSeen, ShareSet,
    TrafficBackend, TrafficError, TrafficErrorCode,
};

/// A service as traffic backend.
pub(super) struct Ecs {
    service: Service<Client>,
    settings: Settings,
}

/// How long the service may take to show the deployment that it has just begun.
const SHOWN_WITHIN: Duration = Duration::from_secs(15);

impl Ecs {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        let account = settings.account.clone();
        Self { service: Service::new(name, account, None, Client::new), settings }
    }

    async fn describe(&self, asked: Asked<'_>) -> Result<EcsService, TrafficError> {
        let Settings { cluster, service, .. } = &self.settings;
        let call = self.service.client(asked).await?.describe_services().cluster(cluster).services(service);
        let found = asked.answer(call.send()).await?.services.unwrap_or_default();
        let is_there = |found: &EcsService| found.status() == Some("ACTIVE");
        found.into_iter().find(is_there).ok_or_else(|| {
            let message = format!("there is no active service {service} in cluster {cluster}");
            asked.refused(TrafficErrorCode::NotFound, message)
        })
    }

    async fn deployment(&self, asked: Asked<'_>, arn: &str) -> Result<ServiceDeployment, TrafficError> {
        let call = self.service.client(asked).await?.describe_service_deployments().service_deployment_arns(arn);
        let found = asked.answer(call.send()).await?.service_deployments.unwrap_or_default();
        let Settings { cluster, service, .. } = &self.settings;
        let of_the_service = format!(":service/{cluster}/{service}");
        let is_ours = |one: &ServiceDeployment| one.service_arn().is_some_and(|arn| arn.ends_with(&of_the_service));
        found.into_iter().find(is_ours).ok_or_else(|| {
            let message = format!("{arn} is no deployment of service {service} in cluster {cluster}");
            asked.refused(TrafficErrorCode::NotFound, message)
        })
    }

    /// Whether a deployment is one of green's task definition.
    async fn is_green(&self, asked: Asked<'_>, deployment: &ServiceDeployment) -> Result<bool, TrafficError> {
        let Some(target) = deployment.target_service_revision().and_then(|target| target.arn()) else {
            return Ok(false);
        };
        let call = self.service.client(asked).await?.describe_service_revisions().service_revision_arns(target);
        let found = asked.answer(call.send()).await?.service_revisions.unwrap_or_default();
        let green = family(&self.settings.task_definition);
        Ok(found.first().and_then(|revision| revision.task_definition()).is_some_and(|of| family(of) == green))
    }

    /// The deployment that the service had last, and whether it is one of green.
    async fn last(&self, asked: Asked<'_>) -> Result<Option<(ServiceDeployment, bool)>, TrafficError> {
        let Some(arn) = self.describe(asked).await?.current_service_deployment else { return Ok(None) };
        let last = self.deployment(asked, &arn).await?;
        let is_green = self.is_green(asked, &last).await?;
        Ok(Some((last, is_green)))
    }

    fn handle(asked: Asked<'_>, deployment: &ServiceDeployment) -> Result<Handle, TrafficError> {
        let arn = deployment.service_deployment_arn().ok_or_else(|| asked.broken("serviceDeploymentArn"))?;
        Ok(Handle(arn.to_owned()))
    }

    /// Begins a deployment. The service takes no word by which it would know the same one again: it has one at a time, and which is green's its task definition
    /// says. One that was taken back is over.
    async fn begin(&self, context: &Context) -> Result<Handle, TrafficError> {
        let asked = self.service.asked(context, "start");
        match self.last(asked).await? {
            Some((last, true)) if !is_ended(&last) || last.status() == Some(&ServiceDeploymentStatus::Successful) => {
                return Self::handle(asked, &last);
            }
            Some((last, _)) if !is_over(&last) => {
                let Handle(arn) = Self::handle(asked, &last)?;
                let message = format!("the service is being deployed by somebody else: {arn}");
                return Err(asked.refused(TrafficErrorCode::Conflict, message));
            }
            _ => {}
        }
        let Settings { cluster, service, task_definition, .. } = &self.settings;
        let call = self.service.client(asked).await?.update_service().cluster(cluster).service(service);
        asked.answer(call.task_definition(task_definition).send()).await?;
        let limit = tokio::time::Instant::now() + SHOWN_WITHIN;
        loop {
            if let Some((last, true)) = self.last(asked).await?
                && !is_over(&last)
            {
                return Self::handle(asked, &last);
            }
            if tokio::time::Instant::now() > limit {
                // Asked again, it is looked for first.
                return Err(asked.unavailable("it was told to deploy, and shows no deployment yet".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn pass(&self, context: &Context, arn: &str, gate: &str) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "answer");
        let Some(hook) = self.stands_at(asked, arn, gate).await? else { return Ok(()) };
        let call = self.service.client(asked).await?.continue_service_deployment().service_deployment_arn(arn);
        let call = call.hook_id(hook).action(DeploymentLifecycleHookAction::Continue);
        match asked.answer(call.send()).await {
            Ok(_) => Ok(()),
            // Somebody else let it go on.
            Err(error) if !error.may_pass() && self.stands_at(asked, arn, gate).await?.is_none() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The hook at which a deployment stands, if that is this gate.
    async fn stands_at(&self, asked: Asked<'_>, arn: &str, gate: &str) -> Result<Option<String>, TrafficError> {
        let deployment = self.deployment(asked, arn).await?;
        let is_it = progress(&deployment).gate().is_some_and(|(at, _)| at == gate);
        Ok(pause(&deployment).filter(|_| is_it).and_then(|hook| hook.hook_id()).map(str::to_owned))
    }

    async fn end(&self, context: &Context, arn: &str) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "abort");
        let has_ended = |deployment: &ServiceDeployment| match deployment.status() {
            Some(ServiceDeploymentStatus::Successful) => Err(asked.misconfigured(format!(
                "deployment {arn} has succeeded, and there is nothing left to stop; deploy what blue was"
            ))),
            _ => Ok(is_ended(deployment)),
        };
        if has_ended(&self.deployment(asked, arn).await?)? {
            return Ok(());
        }
        let call = self.service.client(asked).await?.stop_service_deployment().service_deployment_arn(arn);
        match asked.answer(call.stop_type(StopServiceDeploymentStopType::Rollback).send()).await {
            Ok(_) => Ok(()),
            // It has come to its end in between.
            Err(error) if !error.may_pass() && has_ended(&self.deployment(asked, arn).await?)? => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let found = self.describe(asked).await?;
        let controller = found.deployment_controller().map(|controller| controller.r#type());
        if controller.is_some_and(|controller| *controller != DeploymentControllerType::Ecs) {
            return Err(asked
                .misconfigured("its deployments are not ECS's own; of those by CodeDeploy, `aws-codedeploy` knows"));
        }
        let none = DeploymentConfiguration::builder().build();
        let configuration = found.deployment_configuration().unwrap_or(&none);
        match configuration.strategy() {
            Some(DeploymentStrategy::BlueGreen | DeploymentStrategy::Linear | DeploymentStrategy::Canary) => {}
            other => {
                let other = other.map_or("ROLLING", |strategy| strategy.as_str());
                let message = format!(
                    "its deployment strategy is {other}, by which blue goes task by task; set BLUE_GREEN, LINEAR or CANARY"
                );
                return Err(asked.misconfigured(message));
            }
        }
        let pauses = |stages: &[DeploymentLifecycleHookStage]| {
            configuration.lifecycle_hooks().iter().any(|hook| {
                hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause)
                    && hook.lifecycle_stages().iter().any(|stage| stages.contains(stage))
            })
        };
        use DeploymentLifecycleHookStage as Stage;
        if !pauses(&[Stage::PostScaleUp, Stage::PostTestTrafficShift, Stage::PreProductionTrafficShift]) {
            context.log.line(
                "the service has no pause hook before green gets traffic (PRE_PRODUCTION_TRAFFIC_SHIFT): green's smoke checks may come too late",
            );
        }
        if !pauses(&[Stage::PostProductionTrafficShift]) && configuration.bake_time_in_minutes().unwrap_or(0) == 0 {
            context.log.line(
                "the service has neither a pause hook at POST_PRODUCTION_TRAFFIC_SHIFT nor a bake time: it ends blue as soon as green has everything, and there is no way back from then on",
            );
        }
        let goes_on = |hook: &DeploymentLifecycleHook| {
            let timeout = hook.timeout_configuration().and_then(|timeout| timeout.action());
            timeout == Some(&DeploymentLifecycleHookAction::Continue)
        };
        if configuration.lifecycle_hooks().iter().any(goes_on) {
            context.log.line(
                "the service has a hook that goes on by itself when its time is up (timeoutConfiguration): the release may stand still there, and blue may be ended meanwhile",
            );
        }
        Ok(())
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let asked = self.service.asked(context, "drain");
        let (arn, sources) = match self.last(asked).await? {
            Some((last, true)) if last.status() == Some(&ServiceDeploymentStatus::Successful) => {
                (Self::handle(asked, &last)?, last.source_service_revisions.unwrap_or_default())
            }
            _ => return Ok(if side == Side::Blue { Drain::Active { count: None } } else { Drain::Unknown }),
        };
        if side == Side::Green {
            return Ok(Drain::Active { count: None });
        }
        // Which revision was blue, nobody says.
        if sources.is_empty() {
            return Ok(Drain::Unknown);
        }
        let counted: i32 = sources.iter().map(|source| source.running_task_count() + source.pending_task_count()).sum();
        // A task that is to stop is not counted there, and still answers.
        let Settings { cluster, service, task_definition, .. } = &self.settings;
        let green = family(task_definition);
        let is_blue = |task: &Task| task.task_definition_arn().is_none_or(|of| family(of) != green);
        let left = tasks_left(self.service.client(asked).await?, asked, cluster, service, is_blue).await?;
        Ok(match left.max(u64::try_from(counted).unwrap_or_default()) {
            0 => Drain::Drained {
                evidence: format!(
                    "deployment {arn} is successful, and no task of another task definition than {green} is left"
                ),
            },
            left => Drain::Active { count: Some(left) },
        })
    }
}

impl TrafficBackend for Ecs {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn permissions(&self) -> Option<Value> {
        let Settings { cluster, service, account, .. } = &self.settings;
        let (partition, region) = (account.partition(), account.region.as_deref().unwrap_or("*"));
        let of = |kind: &str, rest: &str| format!("arn:{partition}:ecs:{region}:*:{kind}/{cluster}/{service}{rest}");
        let (service, deployments, revisions) =
            (of("service", ""), of("service-deployment", "/*"), of("service-revision", "/*"));
        let tasks = format!("arn:{partition}:ecs:{region}:*:task/{cluster}/*");
        let of_deployments =
            ["ecs:ContinueServiceDeployment", "ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"];
        Some(policy(&[
            (&["ecs:DescribeServices", "ecs:UpdateService"], vec![&service]),
            (&of_deployments, vec![&deployments]),
            (&["ecs:DescribeServiceRevisions"], vec![&revisions]),
            (&["ecs:DescribeTasks"], vec![&tasks]),
            (&["ecs:ListTasks"], vec!["*"]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.service.asked(context, "capabilities");
            let arn = self.describe(asked).await?.service_arn.unwrap_or_default();
            let place = Arn::read("serviceArn", &arn, "ecs").map_err(|_| asked.broken("serviceArn"))?;
            let at = format!("AWS account {} in {}", place.account, place.region);
            let green = family(&self.settings.task_definition);
            let can = Capabilities::seeing(Kind::Managed, true);
            Ok(can.moving(at, format!("{} (to {green})", place.resource)))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            let share = match self.last(self.service.asked(context, "observe")).await? {
                None => Some(Share::NONE),
                Some((last, true)) => match progress(&last) {
                    Progress::RolledBack { .. } => Some(Share::NONE),
                    progress => progress.share(),
                },
                // Of one that is over, what was green then is blue now. What is going on is somebody else's.
                Some((last, false)) => {
                    (last.status() == Some(&ServiceDeploymentStatus::Successful)).then_some(Share::NONE)
                }
            };
            Ok(ShareSeen { share })
        })
    }

    fn set_share<'a>(&'a self, context: &'a Context, _: Share) -> Answer<'a, ShareSet> {
        let asked = self.service.asked(context, "set_share");
        Box::pin(
            async move { Err(asked.misconfigured("ECS shifts traffic by the service's deployment configuration")) },
        )
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }

    fn managed(&self) -> Option<&dyn ManagedDeployment> {
        Some(self)
    }
}

impl ManagedDeployment for Ecs {
    fn start<'a>(&'a self, context: &'a Context) -> Answer<'a, Handle> {
        Box::pin(self.begin(context))
    }

    fn poll<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, Progress> {
        Box::pin(async move { Ok(progress(&self.deployment(self.service.asked(context, "poll"), &handle.0).await?)) })
    }

    fn answer<'a>(&'a self, context: &'a Context, handle: Handle, gate: String) -> Answer<'a, ()> {
        Box::pin(async move { self.pass(context, &handle.0, &gate).await })
    }

    fn abort<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, ()> {
        Box::pin(async move { self.end(context, &handle.0).await })
    }
}
