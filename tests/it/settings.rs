//! `cutover.toml` with what the environment says instead of it, and its schema.

use std::path::Path;

use insta::assert_snapshot;

use crate::support::{cutover, transcript};

const SETTINGS: &str = r#"[release]
ramp = "10,hold=5m,100"
traffic = "edge"

[traffic.edge]
kind = "haproxy"
socket = "/run/haproxy.sock"
backend = "app"
blue = ["app-1"]
green = ["app-2"]

[notify.team]
kind = "slack"
url = { command = ["pass", "show", "slack"] }
"#;

/// One with these settings.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cutover.toml"), SETTINGS).unwrap();
    folder
}

fn show(args: &[&str], variables: &[(&str, &str)]) -> String {
    let folder = folder();
    let mut command = cutover(folder.path());
    command.args(["config", "show"]).args(args).envs(variables.iter().copied());
    transcript(&command.output().unwrap())
}

#[test]
fn where_each_comes_from() {
    let variables = [
        ("CUTOVER_RELEASE_LOCK_TIMEOUT", "500ms"),
        ("CUTOVER_TRAFFIC_EDGE_SOCKET", "ops:9999"),
        ("CUTOVER_PG_BIN", "x"),
    ];
    assert_snapshot!(show(&["--origin"], &variables), @r#"
    exit 0
    --- stdout
    notify.team.kind = "slack"                                 # cutover.toml:13:8
    notify.team.url = { command = ["pass", "show", "slack"] }  # cutover.toml:14:7
    release.lock-timeout = "500ms"                             # CUTOVER_RELEASE_LOCK_TIMEOUT
    release.ramp = "10,hold=5m,100"                            # cutover.toml:2:8
    release.traffic = "edge"                                   # cutover.toml:3:11
    release.on-failure = "rollback"                            # default
    release.statement-timeout = "0s"                           # default
    release.lock-retries = 10                                  # default
    release.traffic-timeout = "30s"                            # default
    release.verify-timeout = "5m"                              # default
    release.drain-timeout = "15m"                              # default
    release.backfill.target = "250ms"                          # default
    release.backfill.most-rows = 100000                        # default
    release.backfill.pause = "0s"                              # default
    release.backfill.replica-lag = "10s"                       # default
    release.backfill.patience = "1h"                           # default
    release.after.delay = "0s"                                 # default
    traffic.edge.backend = "app"                               # cutover.toml:8:11
    traffic.edge.blue = ["app-1"]                              # cutover.toml:9:8
    traffic.edge.green = ["app-2"]                             # cutover.toml:10:9
    traffic.edge.kind = "haproxy"                              # cutover.toml:6:8
    traffic.edge.socket = "ops:9999"                           # CUTOVER_TRAFFIC_EDGE_SOCKET
    stats.max-age-days = 7                                     # default
    stats.warning-seconds = 1                                  # default
    databases.at-once = 8                                      # default
    "#);
    assert_snapshot!(show(&[], &[("CUTOVER_RELEASE_RAMPS", "100")]), @"
    exit 2
    --- stderr
    error: CUTOVER_RELEASE_RAMPS: it stands for no setting; there are ramp, on-failure, traffic, smoke, watch, blue-application-name, blue-role, lock-timeout, statement-timeout, lock-retries, traffic-timeout, verify-timeout, drain-timeout, backfill, before, after, terminate-blockers at that place
    ");
}

#[test]
fn what_is_shown_says_the_same() {
    let folder = folder();
    let shown = cutover(folder.path()).args(["config", "show"]).output().unwrap().stdout;
    let read = |text: &str| cutover::config::parse("a/cutover.toml".into(), text).unwrap().inputs.release.traffic;
    assert_eq!(read(&String::from_utf8(shown).unwrap()), read(SETTINGS));
}

#[test]
fn machines_get_them_too() {
    let schema = cutover::config::schema();
    assert!(jsonschema::validator_for(&schema).is_ok());
    let folder = folder();
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&cutover(folder.path()).args(args).output().unwrap().stdout).unwrap()
    };
    let validator = jsonschema::validator_for(&json(&["schema", "settings"])).unwrap();
    let shown = json(&["config", "show", "--format", "json"]);
    validator.validate(&shown).unwrap();
    let kind = shown["settings"].as_array().unwrap().iter().find(|one| one["path"][2] == "kind").unwrap();
    assert_snapshot!(kind, @r#"{"path":["notify","team","kind"],"value":"slack","origin":{"from":"file","path":"cutover.toml","line":13,"column":8}}"#);
}

/// What an editor would say of a file.
fn complaints(text: &str) -> Vec<String> {
    let document: toml::Value = toml::from_str(text).unwrap();
    let validator = jsonschema::validator_for(&cutover::config::schema()).unwrap();
    let document = serde_json::to_value(document).unwrap();
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn an_editor_takes_what_this_takes() {
    let mut files = vec![SETTINGS.to_owned(), "[lint.rules]\ntable-rewrite = \"warn\"\n".to_owned()];
    let mut folders: Vec<_> =
        ["examples", "migrations-examples"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "cutover.toml") {
                files.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(files.len() > 20);
    for text in files {
        assert_eq!(complaints(&text), Vec::<String>::new(), "{text}");
    }
    for wrong in
        ["[release]\nspeed = 1\n", "[traffic.a]\nkind = \"haproxy\"\n", "[checks.a]\nkind = \"sql\"\nurl = \"x\"\n"]
    {
        assert!(cutover::config::parse("cutover.toml".into(), wrong).is_err(), "{wrong}");
        assert!(!complaints(wrong).is_empty(), "{wrong}");
    }
}
