//! What CodeDeploy shows of a deployment, in the words of a release.

use aws_sdk_codedeploy::types::{
    ComputePlatform, DeploymentInfo, DeploymentStatus, DeploymentTarget, LifecycleEvent, LifecycleEventStatus,
    TargetLabel, TargetStatus,
};

use super::super::share_of;
use crate::traffic::{Progress, Share};

/// The gate before green gets traffic: the deployment group's ready option.
pub(super) const READY: &str = "ready";

/// The gate before blue's tasks are ended: the deployment group's termination wait.
pub(super) const TERMINATION: &str = "termination";

/// What a deployment deploys to, as it shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TargetSeen {
    /// Green's share, as far as it can be told.
    pub(super) share: Option<Share>,
    /// Whether traffic has begun to be shifted.
    pub(super) has_begun: bool,
    /// What is being done.
    pub(super) doing: Option<String>,
    /// Whether green has everything and every hook has passed: what is left is blue's end.
    pub(super) is_shifted: bool,
    /// Blue's task set, as its tasks name it.
    pub(super) blue_tasks: Option<String>,
}

impl TargetSeen {
    pub(super) fn of(target: &DeploymentTarget) -> Self {
        if let Some(ecs) = target.ecs_target() {
            let sets = ecs.task_sets_info();
            let labelled = |label: &TargetLabel| sets.iter().find(|set| set.task_set_label() == Some(label));
            let weight = labelled(&TargetLabel::Green).and_then(|set| share_of(set.traffic_weight() / 100.0));
            let told = Self::told(ecs.status(), ecs.lifecycle_events(), weight);
            // Where they have no labels, that which is not the first any more was blue's.
            let others = || {
                let mut others = sets.iter().filter(|set| set.status() != Some("PRIMARY"));
                others.next().filter(|_| told.is_shifted && others.next().is_none())
            };
            let blue = labelled(&TargetLabel::Blue).or_else(others);
            // So the API spells it.
            let blue_tasks = blue.and_then(|set| set.identifer()).map(str::to_owned);
            return Self { blue_tasks, ..told };
        }
        let Some(lambda) = target.lambda_target() else { return Self::default() };
        let weight = lambda.lambda_function_info().and_then(|info| match info.target_version_weight() {
            // "A percentage", and a part of 1 elsewhere in Lambda: of 1 nobody knows which.
            one if (one - 1.0).abs() < f64::EPSILON => None,
            part if part < 1.0 => share_of(part),
            percent => share_of(percent / 100.0),
        });
        Self::told(lambda.status(), lambda.lifecycle_events(), weight)
    }

    /// `weight`: green's, while traffic is shifted.
    fn told(status: Option<&TargetStatus>, events: &[LifecycleEvent], weight: Option<Share>) -> Self {
        let of = |name: &str| events.iter().find(|event| event.lifecycle_event_name() == Some(name));
        let shifting = of("AllowTraffic").and_then(LifecycleEvent::status);
        let is_shifted = status == Some(&TargetStatus::Succeeded);
        // What comes behind a hook that failed is skipped.
        let has_begun = !matches!(shifting, None | Some(LifecycleEventStatus::Pending | LifecycleEventStatus::Skipped));
        let share = match has_begun {
            _ if is_shifted => Some(Share::ALL),
            false => Some(Share::NONE),
            true => weight,
        };
        let doing = events.iter().find(|event| event.status() == Some(&LifecycleEventStatus::InProgress));
        let doing = doing.and_then(LifecycleEvent::lifecycle_event_name).map(str::to_owned);
        Self { share, has_begun, doing, is_shifted, ..Self::default() }
    }
}

/// Whether a deployment has come to its end, whichever.
pub(super) fn is_over(info: &DeploymentInfo) -> bool {
    matches!(info.status(), Some(DeploymentStatus::Succeeded | DeploymentStatus::Failed | DeploymentStatus::Stopped))
}

/// The deployment by which one is taken back.
pub(super) fn taken_back_by(info: &DeploymentInfo) -> Option<&str> {
    info.rollback_info()?.rollback_deployment_id().filter(|id| !id.is_empty())
}

/// Why one has stopped.
fn why(info: &DeploymentInfo) -> String {
    let told = info.error_information().map(|error| {
        let code = error.code().map_or("it", |code| code.as_str());
        format!("{code}: {}", error.message().unwrap_or("no reason is given"))
    });
    let status = info.status().map_or("it has ended", DeploymentStatus::as_str);
    told.unwrap_or_else(|| format!("{status}, and no reason is given"))
}

/// How far a deployment is. `back`: the deployment by which it is taken back.
pub(super) fn progress(info: &DeploymentInfo, target: &TargetSeen, back: Option<&DeploymentInfo>) -> Progress {
    let status = info.status();
    let running = |share, stage: &str| {
        let stage = target.doing.as_deref().unwrap_or(stage).to_owned();
        Progress::Running { share, stage: Some(stage) }
    };
    match status {
        Some(DeploymentStatus::Succeeded) => Progress::Succeeded,
        Some(DeploymentStatus::Failed | DeploymentStatus::Stopped) => match back.map(|back| (back, back.status())) {
            Some((_, Some(DeploymentStatus::Succeeded))) => Progress::RolledBack { why: why(info) },
            Some((back, Some(DeploymentStatus::Failed | DeploymentStatus::Stopped))) => {
                Progress::Failed { why: format!("{}; and it was not taken back: {}", why(info), why(back)) }
            }
            // Whose the traffic is meanwhile, it does not say.
            Some(_) => Progress::Running { share: None, stage: Some("it is taken back".to_owned()) },
            // A weight may be told too early, or not at all.
            None if !target.has_begun && !target.is_shifted => Progress::RolledBack { why: why(info) },
            None => Progress::Failed { why: why(info) },
        },
        // It says so as long as blue is kept, whatever else it says by then.
        _ if target.is_shifted && info.compute_platform() != Some(&ComputePlatform::Lambda) => {
            Progress::AtGate { gate: TERMINATION.to_owned(), share: Some(Share::ALL), approval: false }
        }
        Some(DeploymentStatus::Ready) => {
            Progress::AtGate { gate: READY.to_owned(), share: target.share, approval: false }
        }
        Some(DeploymentStatus::Created | DeploymentStatus::Queued) => running(Some(Share::NONE), "it begins"),
        status => running(target.share, status.map_or("it goes on", DeploymentStatus::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codedeploy::types::{
        DeploymentTargetType, EcsTarget, EcsTaskSet, ErrorCode, ErrorInformation, LambdaFunctionInfo, LambdaTarget,
    };

    use super::*;

    fn event(name: &str, status: LifecycleEventStatus) -> LifecycleEvent {
        LifecycleEvent::builder().lifecycle_event_name(name).status(status).build()
    }

    fn service(status: TargetStatus, events: Vec<LifecycleEvent>, sets: Vec<EcsTaskSet>) -> TargetSeen {
        let target =
            EcsTarget::builder().status(status).set_lifecycle_events(Some(events)).set_task_sets_info(Some(sets));
        let of = DeploymentTargetType::EcsTarget;
        TargetSeen::of(&DeploymentTarget::builder().deployment_target_type(of).ecs_target(target.build()).build())
    }

    fn set(id: &str, status: &str, weight: f64, label: Option<TargetLabel>) -> EcsTaskSet {
        EcsTaskSet::builder().identifer(id).status(status).traffic_weight(weight).set_task_set_label(label).build()
    }

    fn deployment(status: DeploymentStatus) -> DeploymentInfo {
        DeploymentInfo::builder().status(status).build()
    }

    #[test]
    fn a_service_goes_from_gate_to_gate() {
        use LifecycleEventStatus::{InProgress, Pending, Succeeded};
        let blue = || set("ecs-svc/1", "PRIMARY", 90.0, Some(TargetLabel::Blue));
        let green = || set("ecs-svc/2", "ACTIVE", 10.0, Some(TargetLabel::Green));
        let before = service(TargetStatus::InProgress, vec![event("AllowTraffic", Pending)], vec![blue()]);
        let gate = |gate: &str, share| Progress::AtGate { gate: gate.into(), share, approval: false };
        let is = |status, target: &TargetSeen| progress(&deployment(status), target, None);
        assert_eq!(is(DeploymentStatus::Ready, &before), gate(READY, Some(Share::NONE)));
        let shifting =
            service(TargetStatus::InProgress, vec![event("AllowTraffic", InProgress)], vec![blue(), green()]);
        let share = Share::basis_points(1000);
        let stage = Some("AllowTraffic".to_owned());
        assert_eq!(is(DeploymentStatus::InProgress, &shifting), Progress::Running { share, stage });
        // Behind a hook that failed.
        let skipped = vec![
            event("AfterInstall", LifecycleEventStatus::Failed),
            event("AllowTraffic", LifecycleEventStatus::Skipped),
        ];
        let skipped = service(TargetStatus::Failed, skipped, Vec::new());
        assert_eq!((skipped.has_begun, skipped.share), (false, Some(Share::NONE)));
        // As it is printed in the tutorial of ECS: without labels, and blue's tasks still run.
        let sets = vec![set("ecs-svc/1", "ACTIVE", 0.0, None), set("ecs-svc/2", "PRIMARY", 100.0, None)];
        let kept = service(TargetStatus::Succeeded, vec![event("AfterAllowTraffic", Succeeded)], sets);
        assert_eq!(kept.blue_tasks.as_deref(), Some("ecs-svc/1"));
        assert_eq!(is(DeploymentStatus::InProgress, &kept), gate(TERMINATION, Some(Share::ALL)));
        assert_eq!(is(DeploymentStatus::Succeeded, &kept), Progress::Succeeded);
    }

    #[test]
    fn what_has_stopped_is_followed_to_who_has_the_traffic() {
        let stopped = |by: Option<&DeploymentInfo>, has_begun| {
            let error = ErrorInformation::builder().code(ErrorCode::AlarmActive).message("p99").build();
            let info = DeploymentInfo::builder().status(DeploymentStatus::Stopped).error_information(error).build();
            // Whatever weight is told.
            progress(&info, &TargetSeen { share: Some(Share::NONE), has_begun, ..TargetSeen::default() }, by)
        };
        let why = || "ALARM_ACTIVE: p99".to_owned();
        assert_eq!(stopped(None, false), Progress::RolledBack { why: why() });
        assert_eq!(stopped(None, true), Progress::Failed { why: why() });
        let back = |status| stopped(Some(&deployment(status)), true);
        assert_eq!(back(DeploymentStatus::Succeeded), Progress::RolledBack { why: why() });
        assert!(matches!(back(DeploymentStatus::InProgress), Progress::Running { share: None, .. }));
        assert!(matches!(back(DeploymentStatus::Failed), Progress::Failed { .. }));
    }

    #[test]
    fn a_function_has_no_tasks_to_end() {
        let seen = |weight: f64, status, event_status| {
            let info = LambdaFunctionInfo::builder().target_version_weight(weight).build();
            let events = vec![event("AllowTraffic", event_status)];
            let target =
                LambdaTarget::builder().status(status).set_lifecycle_events(Some(events)).lambda_function_info(info);
            TargetSeen::of(&DeploymentTarget::builder().lambda_target(target.build()).build())
        };
        use LifecycleEventStatus::{InProgress, Succeeded};
        let shifting = |weight| seen(weight, TargetStatus::InProgress, InProgress).share;
        assert_eq!(shifting(0.1), Share::basis_points(1000));
        assert_eq!(shifting(10.0), Share::basis_points(1000));
        assert_eq!(shifting(1.0), None);
        let shifted = seen(1.0, TargetStatus::Succeeded, Succeeded);
        assert_eq!(shifted.share, Some(Share::ALL));
        let info = DeploymentInfo::builder().compute_platform(ComputePlatform::Lambda);
        let last = progress(&info.status(DeploymentStatus::InProgress).build(), &shifted, None);
        assert!(matches!(last, Progress::Running { share: Some(Share::ALL), .. }), "{last:?}");
    }
}
