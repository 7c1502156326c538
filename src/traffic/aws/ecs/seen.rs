//! What ECS shows of a deployment of a service, in the words of a release.

use aws_sdk_ecs::types::{
    DeploymentLifecycleHookDetail, DeploymentLifecycleHookStatus, DeploymentLifecycleHookTargetType,
    DeploymentStrategy, ServiceDeployment, ServiceDeploymentStatus,
};

use super::super::share_of;
use crate::traffic::{Progress, Share};

/// Stages in which green has no traffic, in the order that they come in.
const BEFORE: &[&str] = &[
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
];

/// Stages in which green is not there yet, so that nothing can be said of it.
const WITHOUT_GREEN: &[&str] = &["RECONCILE_SERVICE", "PRE_SCALE_UP"];

/// The stage before each step of the traffic; a blue/green deployment has one.
const PRE_PRODUCTION: &str = "PRE_PRODUCTION_TRAFFIC_SHIFT";

/// Stages in which green has everything.
const BEHIND: &[&str] = &["POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"];

/// Whether a deployment has come to its end, whichever.
pub(super) fn is_over(deployment: &ServiceDeployment) -> bool {
    use ServiceDeploymentStatus::{RollbackFailed, RollbackSuccessful, Stopped, Successful};
    matches!(deployment.status(), Some(Successful | Stopped | RollbackSuccessful | RollbackFailed))
}

/// Whether it was told to end, or has ended otherwise than well.
pub(super) fn is_ended(deployment: &ServiceDeployment) -> bool {
    use ServiceDeploymentStatus::{RollbackInProgress, RollbackRequested, StopRequested};
    is_over(deployment) || matches!(deployment.status(), Some(StopRequested | RollbackRequested | RollbackInProgress))
}

/// Green's share, as far as it can be told.
fn share(deployment: &ServiceDeployment, stage: &str) -> Option<Share> {
    // A weight is what was so a moment ago; what a stage says by itself counts first.
    if BEFORE.contains(&stage) {
        return Some(Share::NONE);
    }
    if BEHIND.contains(&stage) {
        return Some(Share::ALL);
    }
    let strategy = deployment.deployment_configuration().and_then(|configuration| configuration.strategy());
    if stage == PRE_PRODUCTION && strategy == Some(&DeploymentStrategy::BlueGreen) {
        return Some(Share::NONE);
    }
    let weight = deployment.target_service_revision().and_then(|green| green.requested_production_traffic_weight());
    weight.and_then(|percent| share_of(percent / 100.0))
}

/// The hook at which it stands still until somebody says that it goes on.
pub(super) fn pause(deployment: &ServiceDeployment) -> Option<&DeploymentLifecycleHookDetail> {
    deployment.lifecycle_hook_details().iter().find(|hook| {
        hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause)
            && hook.status() == Some(&DeploymentLifecycleHookStatus::AwaitingAction)
    })
}

/// What a gate is called: a stage comes before each step of the traffic, and may have several hooks.
fn gate(stage: &str, share: Option<Share>, hook: &DeploymentLifecycleHookDetail) -> String {
    let name = stage.to_ascii_lowercase().replace('_', "-");
    let points = share.map_or(0, Share::as_basis_points);
    format!("{name}-{points}-{}", hook.hook_id().unwrap_or_default())
}

/// How far a deployment is.
pub(super) fn progress(deployment: &ServiceDeployment) -> Progress {
    use ServiceDeploymentStatus::{
        Pending, RollbackFailed, RollbackInProgress, RollbackRequested, RollbackSuccessful, StopRequested, Stopped,
        Successful,
    };
    let stage = deployment.lifecycle_stage().map_or("", |stage| stage.as_str());
    let why = || {
        let reason = deployment.rollback().and_then(|rollback| rollback.reason()).or(deployment.status_reason());
        reason.unwrap_or("no reason is given").to_owned()
    };
    let running = |share, stage: String| Progress::Running { share, stage: Some(stage) };
    match deployment.status() {
        Some(Successful) => Progress::Succeeded,
        Some(RollbackSuccessful) => Progress::RolledBack { why: why() },
        Some(RollbackFailed | Stopped) => Progress::Failed { why: why() },
        Some(status @ (StopRequested | RollbackRequested | RollbackInProgress)) => {
            // Who has how much meanwhile, it does not say.
            running(None, status.as_str().to_owned())
        }
        Some(Pending) => running(Some(Share::NONE), "it begins".to_owned()),
        _ => match (pause(deployment), share(deployment, stage)) {
            (Some(_), share) if WITHOUT_GREEN.contains(&stage) => {
                running(share, format!("{stage}: somebody has to let it go on"))
            }
            (Some(hook), share) => Progress::AtGate { gate: gate(stage, share, hook), share, approval: false },
            (None, share) => running(share, stage.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{Rollback, ServiceDeploymentLifecycleStage, ServiceRevisionSummary};

    use super::*;

    fn deployment(status: &str, stage: &str, weight: Option<f64>, paused: bool) -> ServiceDeployment {
        let green = ServiceRevisionSummary::builder().set_requested_production_traffic_weight(weight).build();
        let hook = DeploymentLifecycleHookDetail::builder()
            .hook_id("h")
            .target_type(DeploymentLifecycleHookTargetType::Pause)
            .status(DeploymentLifecycleHookStatus::AwaitingAction);
        let one = ServiceDeployment::builder().status(status.into()).target_service_revision(green);
        let one = one.lifecycle_stage(ServiceDeploymentLifecycleStage::from(stage));
        let one = if paused { one.lifecycle_hook_details(hook.build()) } else { one };
        one.rollback(Rollback::builder().reason("an alarm").build()).build()
    }

    #[test]
    fn a_service_goes_from_hook_to_hook() {
        let gate = |status, stage, weight| match progress(&deployment(status, stage, weight, true)) {
            Progress::AtGate { gate, share, .. } => (gate, share.map(Share::as_basis_points)),
            other => panic!("{other:?}"),
        };
        let before = "PRE_PRODUCTION_TRAFFIC_SHIFT";
        assert_eq!(gate("IN_PROGRESS", "POST_SCALE_UP", None), ("post-scale-up-0-h".into(), Some(0)));
        assert_eq!(gate("IN_PROGRESS", before, Some(0.0)), ("pre-production-traffic-shift-0-h".into(), Some(0)));
        assert_eq!(gate("IN_PROGRESS", before, Some(10.0)), ("pre-production-traffic-shift-1000-h".into(), Some(1000)));
        let behind = "POST_PRODUCTION_TRAFFIC_SHIFT";
        let all = || ("post-production-traffic-shift-10000-h".to_owned(), Some(10000));
        assert_eq!(gate("IN_PROGRESS", behind, None), all());
        assert_eq!(gate("IN_PROGRESS", behind, Some(100.0)), all());
        // The weight is what was so a moment ago.
        assert_eq!(gate("IN_PROGRESS", behind, Some(90.0)), all());
        // It is not for a release to answer what comes before green is there.
        let early = progress(&deployment("IN_PROGRESS", "PRE_SCALE_UP", None, true));
        assert!(matches!(early, Progress::Running { share: Some(Share::NONE), .. }), "{early:?}");
    }

    #[test]
    fn its_end_says_who_has_the_traffic() {
        let end = |status| progress(&deployment(status, "CLEAN_UP", Some(100.0), false));
        let why = || "an alarm".to_owned();
        assert_eq!(end("SUCCESSFUL"), Progress::Succeeded);
        assert_eq!(end("ROLLBACK_SUCCESSFUL"), Progress::RolledBack { why: why() });
        assert_eq!(end("ROLLBACK_FAILED"), Progress::Failed { why: why() });
        assert_eq!(end("STOPPED"), Progress::Failed { why: why() });
        assert!(matches!(end("ROLLBACK_IN_PROGRESS"), Progress::Running { share: None, .. }));
        let bakes = progress(&deployment("IN_PROGRESS", "BAKE_TIME", None, false));
        assert_eq!(bakes.share(), Some(Share::ALL));
    }
}
