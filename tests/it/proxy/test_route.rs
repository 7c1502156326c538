//! Green is asked through the proxy before anybody else gets to it: by requests with a header.

use super::clients::Clients;
use super::fronts::{ALL, Front, Maker};
use crate::execute::support::{Ran, Shop};

/// A release whose smoke check asks the proxy for a version, and must be answered by green.
fn execute(front: &Front, version: &str) -> Ran {
    let shop = Shop::new();
    let folder = shop.folder.path();
    let settings = format!(
        "[release]\ntraffic = \"edge\"\nsmoke = [\"green\"]\n{}\n\
         [checks.green]\nkind = \"http\"\nurl = \"http://127.0.0.1:{}/\"\nheaders = {{ X-Release = \"{version}\" }}\ncontains = \"green\"\n",
        front.toml(),
        front.port
    );
    std::fs::write(folder.join("cutover.toml"), settings).unwrap();
    let mut plan = shop.plan();
    plan.release = cutover::config::find(folder.try_into().unwrap()).unwrap().unwrap().inputs.release;
    shop.save(&plan.sealed());
    Ran::from(shop.cutover(&["execute", "release.plan", "--yes"]).current_dir(folder).output().unwrap())
}

fn leads_to_green(maker: &Maker) {
    let Some(front) = maker.start() else { return };
    let clients = Clients::several(front.port, 1, maker.patience);
    assert!(clients.green_of(50) == 0.0, "{}", maker.kind);
    execute(&front, "blue").ends(8).says("check green (smoke) failed");
    assert!(clients.green_of(50) == 0.0, "{}", maker.kind);
    let ran = execute(&front, "green").ends(0).says("Check     green (smoke): successful");
    let (checked, moved) =
        (ran.err.find("Check     green").unwrap(), ran.err.find("Cutover   green -> 100 %").unwrap());
    assert!(checked < moved, "{}: {ran:?}", maker.kind);
    clients.end();
}

#[test]
fn of_haproxy_leads_to_green() {
    leads_to_green(&ALL[0]);
}

#[test]
fn of_nginx_leads_to_green() {
    leads_to_green(&ALL[1]);
}

#[test]
fn of_envoy_leads_to_green() {
    leads_to_green(&ALL[2]);
}

#[test]
fn of_traefik_leads_to_green() {
    leads_to_green(&ALL[3]);
}

#[test]
fn of_caddy_leads_to_green() {
    leads_to_green(&ALL[4]);
}
