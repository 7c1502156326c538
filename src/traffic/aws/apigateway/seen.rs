//! What a stage leads to, and the patches that make it lead elsewhere.

use std::collections::BTreeMap;

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::super::share_of;
use super::Settings;
use crate::traffic::Share;

/// The canary of a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Canary {
    /// The deployment that it leads to.
    pub(super) deployment: String,
    /// What it gets of the stage's requests, in percent. The service has 0 to 100.
    pub(super) percent: f64,
    /// The stage variables that are others for it.
    pub(super) variables: BTreeMap<String, String>,
}

/// A stage as it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageSeen {
    /// The deployment that it leads to.
    pub(super) deployment: String,
    pub(super) canary: Option<Canary>,
}

/// What the end of a release has to do next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    /// Make green's deployment that of the stage.
    Promote(Vec<PatchOperation>),
    /// Take the canary away, whose deployment the stage has by now.
    Remove(Vec<PatchOperation>),
    /// Nothing.
    Done,
}

impl StageSeen {
    /// As the service shows it; none without a deployment, which no stage lacks.
    pub(super) fn of(stage: &GetStageOutput) -> Option<Self> {
        let deployment = stage.deployment_id()?.to_owned();
        let canary = stage.canary_settings().map(|canary| Canary {
            // Where it names none, it leads to that of the stage.
            deployment: canary.deployment_id().unwrap_or(&deployment).to_owned(),
            percent: canary.percent_traffic(),
            variables: canary
                .stage_variable_overrides()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        });
        Some(Self { deployment, canary })
    }

    /// Green's share; an error says what the stage leads to instead.
    pub(super) fn share(&self, settings: &Settings) -> Result<Share, String> {
        let Settings { stage, blue, green, .. } = settings;
        let canary = self.canary.as_ref();
        if let Some(other) = canary.map(|canary| &canary.deployment).filter(|deployment| *deployment != green) {
            return Err(format!(
                "the canary of stage {stage} leads to deployment {other}, which is not green's; remove it first"
            ));
        }
        match canary {
            _ if self.deployment == *green => Ok(Share::ALL),
            _ if self.deployment != *blue => Err(format!(
                "stage {stage} leads to deployment {}, and neither to {blue} nor to {green}; lead it to one of these first",
                self.deployment
            )),
            None => Ok(Share::NONE),
            Some(Canary { percent, .. }) if !(0.0..=100.0).contains(percent) => Err(format!(
                "the canary of stage {stage} has {percent} % of the requests, and API Gateway has 0 to 100; set one of these first"
            )),
            Some(Canary { percent, .. }) => share_of(percent / 100.0).ok_or_else(|| {
                format!("the canary of stage {stage} has {percent} % of the requests, which is no share")
            }),
        }
    }

    /// Why green would not be what the settings say, if it would not.
    pub(super) fn differs(&self, settings: &Settings) -> Option<String> {
        let canary = self.canary.as_ref().filter(|canary| canary.variables != settings.variables)?;
        let names = |variables: &BTreeMap<String, String>| match variables.is_empty() {
            true => "none".to_owned(),
            false => variables.keys().cloned().collect::<Vec<_>>().join(", "),
        };
        Some(format!(
            "the canary of stage {} has other stage variables ({}) than `variables` says ({}); say all of them there, with their values",
            settings.stage,
            names(&canary.variables),
            names(&settings.variables)
        ))
    }

    /// The patches that give green a share. None, if it has it; an error says why there are none.
    pub(super) fn patches(&self, settings: &Settings, want: Share) -> Result<Vec<PatchOperation>, String> {
        let Settings { stage, blue, green, variables, .. } = settings;
        let share = self.share(settings)?;
        if let Some(why) = self.differs(settings).filter(|_| want != Share::NONE) {
            return Err(why);
        }
        if share == want {
            return Ok(Vec::new());
        }
        let mut patches = Vec::new();
        if self.deployment == *green {
            if !variables.is_empty() {
                return Err(format!(
                    "stage {stage} was promoted to green, and blue's stage variables are not known any more; give it blue's deployment {blue} and its variables"
                ));
            }
            patches.push(replace("/deploymentId", blue));
        }
        if want == Share::NONE {
            patches.extend(self.canary.iter().map(|_| remove(CANARY)));
            return Ok(patches);
        }
        if self.canary.is_none() {
            patches.push(replace(&format!("{CANARY}/deploymentId"), green));
            let path = |name: &str| format!("{CANARY}/stageVariableOverrides/{name}");
            patches.extend(variables.iter().map(|(name, value)| replace(&path(name), value)));
        }
        let percent = f64::from(want.as_basis_points()) / 100.0;
        patches.push(replace(&format!("{CANARY}/percentTraffic"), &format!("{percent:?}")));
        Ok(patches)
    }

    /// What is left to do once green is to be the stage's own; an error says why nothing is done.
    pub(super) fn ending(&self, settings: &Settings) -> Result<Ending, String> {
        let share = self.share(settings)?;
        if share != Share::ALL {
            return Err(format!(
                "stage {} gives green {share}, and only what has everything is promoted",
                settings.stage
            ));
        }
        Ok(match &self.canary {
            None => Ending::Done,
            Some(_) if self.deployment == settings.green => Ending::Remove(vec![remove(CANARY)]),
            Some(canary) => {
                let variables = (!canary.variables.is_empty())
                    .then(|| copy(&format!("{CANARY}/stageVariableOverrides"), "/variables"));
                let mut patches = vec![copy(&format!("{CANARY}/deploymentId"), "/deploymentId")];
                patches.extend(variables);
                patches.push(replace(&format!("{CANARY}/percentTraffic"), "0.0"));
                Ending::Promote(patches)
            }
        })
    }
}

const CANARY: &str = "/canarySettings";

fn replace(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}

fn remove(path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Remove).path(path).build()
}

fn copy(from: &str, path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Copy).from(from).path(path).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::aws::AccountSettings;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings {
            api: "a".to_owned(),
            stage: "live".to_owned(),
            blue: "b".to_owned(),
            green: "g".to_owned(),
            variables: owned(variables),
            account: AccountSettings::default(),
        }
    }

    fn owned(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The deployment of a canary, its percentage and its variables.
    type Written<'a> = (&'a str, f64, &'a [(&'a str, &'a str)]);

    fn stage(deployment: &str, canary: Option<Written<'_>>) -> StageSeen {
        let canary = canary.map(|(deployment, percent, variables)| Canary {
            deployment: deployment.to_owned(),
            percent,
            variables: owned(variables),
        });
        StageSeen { deployment: deployment.to_owned(), canary }
    }

    fn shown(patches: &[PatchOperation]) -> String {
        let one = |patch: &PatchOperation| {
            let parts = [patch.op().map(Op::as_str), patch.from(), patch.path(), patch.value()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ").replace("/canarySettings", "/c")
        };
        patches.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_stage_shows_greens_share() {
        let check = |stage: StageSeen, expected: Result<u16, &str>| {
            let seen = stage.share(&settings(&[]));
            match expected {
                Ok(points) => assert_eq!(seen, Ok(Share::basis_points(points).unwrap()), "{stage:?}"),
                Err(says) => assert!(seen.as_ref().is_err_and(|why| why.contains(says)), "{seen:?}"),
            }
        };
        check(stage("b", None), Ok(0));
        check(stage("b", Some(("g", 0.0, &[]))), Ok(0));
        check(stage("b", Some(("g", 12.5, &[]))), Ok(1250));
        check(stage("b", Some(("g", 100.0, &[]))), Ok(10_000));
        check(stage("g", Some(("g", 0.0, &[]))), Ok(10_000));
        check(stage("g", None), Ok(10_000));
        check(stage("b", Some(("x", 0.0, &[]))), Err("leads to deployment x, which is not green's"));
        check(stage("g", Some(("b", 5.0, &[]))), Err("leads to deployment b, which is not green's"));
        check(stage("x", None), Err("neither to b nor to g"));
        check(stage("b", Some(("g", 150.0, &[]))), Err("has 150 % of the requests"));
        check(stage("b", Some(("g", -1.0, &[]))), Err("has -1 % of the requests"));
        check(stage("b", Some(("g", f64::NAN, &[]))), Err("has NaN % of the requests"));
    }

    #[test]
    fn patches_make_exactly_the_difference() {
        let check = |stage: StageSeen, variables: &[(&str, &str)], want: u16, expected: &str| {
            let patches = stage.patches(&settings(variables), Share::basis_points(want).unwrap());
            assert_eq!(patches.map_or_else(|why| why, |patches| shown(&patches)), expected, "{stage:?} {want}");
        };
        let alias: &[(&str, &str)] = &[("alias", "green")];
        let first = "replace /c/deploymentId g, replace /c/percentTraffic 10.0";
        check(stage("b", None), &[], 1000, first);
        let first =
            "replace /c/deploymentId g, replace /c/stageVariableOverrides/alias green, replace /c/percentTraffic 0.5";
        check(stage("b", None), alias, 50, first);
        check(stage("b", Some(("g", 10.0, alias))), alias, 10_000, "replace /c/percentTraffic 100.0");
        check(stage("b", Some(("g", 10.0, alias))), alias, 1000, "");
        let other = "the canary of stage live has other stage variables (alias) than `variables` says (none); say all of them there, with their values";
        check(stage("b", Some(("g", 10.0, alias))), &[], 1000, other);
        check(stage("b", Some(("g", 10.0, alias))), &[], 2000, other);
        check(stage("b", Some(("g", 10.0, alias))), &[], 0, "remove /c");
        check(stage("b", Some(("g", 10.0, &[]))), &[], 0, "remove /c");
        check(stage("b", Some(("g", 0.0, &[]))), &[], 0, "");
        check(stage("b", None), &[], 0, "");
        check(stage("g", None), &[], 10_000, "");
        check(stage("g", Some(("g", 0.0, &[]))), &[], 0, "replace /deploymentId b, remove /c");
        check(stage("g", None), &[], 0, "replace /deploymentId b");
        let why = "stage live was promoted to green, and blue's stage variables are not known any more; give it blue's deployment b and its variables";
        check(stage("g", None), alias, 0, why);
    }

    #[test]
    fn the_end_promotes_and_takes_the_canary_away() {
        let check = |stage: StageSeen, expected: &str| {
            let ending = match stage.ending(&settings(&[])) {
                Ok(Ending::Promote(patches)) => format!("promote: {}", shown(&patches)),
                Ok(Ending::Remove(patches)) => format!("remove: {}", shown(&patches)),
                Ok(Ending::Done) => "done".to_owned(),
                Err(why) => why,
            };
            assert_eq!(ending, expected, "{stage:?}");
        };
        let three = "promote: copy /c/deploymentId /deploymentId, copy /c/stageVariableOverrides /variables, replace /c/percentTraffic 0.0";
        check(stage("b", Some(("g", 100.0, &[("alias", "green")]))), three);
        let two = "promote: copy /c/deploymentId /deploymentId, replace /c/percentTraffic 0.0";
        check(stage("b", Some(("g", 100.0, &[]))), two);
        check(stage("g", Some(("g", 0.0, &[]))), "remove: remove /c");
        check(stage("g", None), "done");
        let not_all = "stage live gives green 50 %, and only what has everything is promoted";
        check(stage("b", Some(("g", 50.0, &[]))), not_all);
    }
}
