//! Amazon Web Services: what its backends share. The client of each service is a feature of the build, since it is large; the settings are known to every build.

#[cfg(feature = "aws-traffic")]
mod account;
pub(super) mod apigateway;
pub(super) mod autoscaling;
pub(super) mod codedeploy;
pub(super) mod ecs;
pub(super) mod elb;
pub(super) mod lambda;
pub(super) mod route53;
#[cfg(any(feature = "aws-codedeploy", feature = "aws-ecs"))]
mod tasks;

#[cfg(feature = "aws-traffic")]
use serde_json::{Value, json};

use crate::outside::aws::{AccountSettings, Arn, is_name};
#[cfg(any(feature = "aws-apigateway", feature = "aws-codedeploy", feature = "aws-ecs", feature = "aws-lambda"))]
use crate::release::Share;

/// A part of all traffic as a share. What is not nothing has a share, and what is not everything leaves one.
#[cfg(any(feature = "aws-apigateway", feature = "aws-codedeploy", feature = "aws-ecs", feature = "aws-lambda"))]
fn share_of(part: f64) -> Option<Share> {
    let all = f64::from(Share::ALL.as_basis_points());
    match part * all {
        points if points <= 0.0 => Some(Share::NONE),
        points if points >= all => Some(Share::ALL),
        points => {
            let points = points.round().clamp(1.0, all - 1.0);
            (0..=Share::ALL.as_basis_points()).find(|known| f64::from(*known) >= points).and_then(Share::basis_points)
        }
    }
}

/// An IAM policy that allows actions, each on some resources.
#[cfg(feature = "aws-traffic")]
fn policy(allowed: &[(&[&str], Vec<&str>)]) -> Value {
    let statement = |(actions, resources): &(&[&str], Vec<&str>)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    json!({ "Version": "2012-10-17", "Statement": allowed.iter().map(statement).collect::<Vec<_>>() })
}
