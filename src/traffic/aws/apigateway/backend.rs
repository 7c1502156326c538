//! The stage, read and patched.

use std::time::{Duration, Instant};

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::types::PatchOperation;
use serde_json::Value;

use super::super::account::{Asked, Service};
use super::super::policy;
use super::Settings;
use super::seen::{Ending, StageSeen};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode,
};

/// How long it is until a stage is read again that does not show its change yet.
const AGAIN: Duration = Duration::from_millis(500);

/// A stage with its canary as traffic backend.
pub(super) struct Gateway {
    service: Service<Client>,
    settings: Settings,
}

impl Gateway {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        let account = settings.account.clone();
        Self { service: Service::new(name, account, None, Client::new), settings }
    }

    async fn stage(&self, asked: Asked<'_>) -> Result<StageSeen, TrafficError> {
        let Settings { api, stage, .. } = &self.settings;
        let call = self.service.client(asked).await?.get_stage().rest_api_id(api).stage_name(stage);
        let answer = asked.answer(call.send()).await?;
        StageSeen::of(&answer).ok_or_else(|| asked.broken("deploymentId"))
    }

    /// Green's share, and that green is what the settings say.
    async fn share(&self, asked: Asked<'_>) -> Result<Share, TrafficError> {
        let stage = self.stage(asked).await?;
        let share = stage.share(&self.settings).map_err(|why| asked.misconfigured(why))?;
        match stage.differs(&self.settings) {
            Some(why) => Err(asked.misconfigured(why)),
            None => Ok(share),
        }
    }

    async fn patch(&self, asked: Asked<'_>, patches: Vec<PatchOperation>) -> Result<(), TrafficError> {
        let Settings { api, stage, .. } = &self.settings;
        let call = self.service.client(asked).await?.update_stage().rest_api_id(api).stage_name(stage);
        asked.answer(call.set_patch_operations(Some(patches)).send()).await.map(|_| ())
    }

    /// The same, and the stage once it shows it: what is read may be older than what was written.
    async fn patch_and_see(
        &self,
        context: &Context,
        asked: Asked<'_>,
        patches: Vec<PatchOperation>,
        is_done: impl Fn(&StageSeen) -> bool,
    ) -> Result<(), TrafficError> {
        let begun = Instant::now();
        self.patch(asked, patches).await?;
        while !is_done(&self.stage(asked).await?) {
            if begun.elapsed() + AGAIN > context.deadline / 2 {
                let stage = &self.settings.stage;
                return Err(asked.unavailable(format!("stage {stage} does not show yet what it was changed to")));
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "preflight");
        let Settings { api, blue, green, .. } = &self.settings;
        let client = self.service.client(asked).await?;
        for deployment in [blue, green] {
            asked.answer(client.get_deployment().rest_api_id(api).deployment_id(deployment).send()).await?;
        }
        self.share(asked).await.map(|_| ())
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.service.asked(context, "set_share");
        let stage = self.stage(asked).await?;
        let patches = stage.patches(&self.settings, want).map_err(|why| asked.misconfigured(why))?;
        if !patches.is_empty() {
            self.patch(asked, patches).await?;
        }
        Ok(ShareSet { share: want })
    }

    async fn end(&self, context: &Context) -> Result<(), TrafficError> {
        let asked = self.service.asked(context, "finalize");
        let green = &self.settings.green;
        loop {
            let stage = self.stage(asked).await?;
            let ending = stage.ending(&self.settings);
            match ending.map_err(|why| asked.refused(TrafficErrorCode::Conflict, why))? {
                Ending::Done => return Ok(()),
                Ending::Promote(patches) => {
                    self.patch_and_see(context, asked, patches, |stage| stage.deployment == *green).await?;
                }
                Ending::Remove(patches) => {
                    self.patch_and_see(context, asked, patches, |stage| stage.canary.is_none()).await?;
                }
            }
        }
    }
}

impl TrafficBackend for Gateway {
    fn name(&self) -> &str {
        &self.service.name
    }

    fn permissions(&self) -> Option<Value> {
        let Settings { api, stage, blue, green, account, .. } = &self.settings;
        let (partition, region) = (account.partition(), account.region.as_deref().unwrap_or("*"));
        let of = |what: String| format!("arn:{partition}:apigateway:{region}::/restapis/{api}/{what}");
        let stage = of(format!("stages/{stage}"));
        let deployments = [blue, green].map(|deployment| of(format!("deployments/{deployment}")));
        Some(policy(&[
            (&["apigateway:GET", "apigateway:PATCH"], vec![&stage]),
            (&["apigateway:GET"], deployments.iter().map(String::as_str).collect()),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let region = self.service.region(self.service.asked(context, "capabilities")).await?;
            let Settings { api, stage, blue, green, .. } = &self.settings;
            let resource = format!("stage {stage} of REST API {api} (deployment {blue} to {green})");
            Ok(Capabilities::seeing(Kind::Weighted, false).moving(format!("AWS region {region}"), resource))
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(
            async move { Ok(ShareSeen { share: Some(self.share(self.service.asked(context, "observe")).await?) }) },
        )
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(async move {
            let share = self.share(self.service.asked(context, "drain")).await?;
            // What a deployment leads to may be asked by others as well, and nothing says when all of a stage goes by a change.
            Ok(if share == Share::without(side) { Drain::Unknown } else { Drain::Active { count: None } })
        })
    }

    fn finalize<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.end(context))
    }
}
