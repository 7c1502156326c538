//! Tasks of a service of ECS, which outlive what is said of their deployment.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{DesiredStatus, Task};

use super::account::Asked;
use crate::traffic::TrafficError;

/// How many tasks the service describes at once.
const AT_ONCE: usize = 100;

/// How many of some tasks of a service are not over, whether or not they are to stop: until then they answer what they have begun to.
pub(super) async fn tasks_left(
    client: &Client,
    asked: Asked<'_>,
    cluster: &str,
    service: &str,
    is_meant: impl Fn(&Task) -> bool,
) -> Result<u64, TrafficError> {
    let mut left = 0;
    for wanted in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let mut next = None;
        loop {
            let call = client.list_tasks().cluster(cluster).service_name(service).desired_status(wanted.clone());
            let page = asked.answer(call.set_next_token(next).send()).await?;
            for arns in page.task_arns().chunks(AT_ONCE) {
                let call = client.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
                let found = asked.answer(call.send()).await?;
                let is_left = |task: &&Task| is_meant(task) && task.last_status() != Some("STOPPED");
                left += found.tasks().iter().filter(is_left).count();
            }
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(u64::try_from(left).unwrap_or(u64::MAX))
}
