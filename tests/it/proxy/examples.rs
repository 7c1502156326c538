//! The files that the manual shows: each proxy takes its own, and `cutover.toml` is read.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fronts::find;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(kind)
}

/// The proxy's own check takes the files, which lie where `moved` puts them.
fn check(kind: &str, args: &[&str]) {
    let toml = std::fs::read_to_string(folder(kind).join("cutover.toml")).unwrap();
    let config = cutover::config::parse("cutover.toml".into(), &toml).unwrap();
    let traffic = config.inputs.release.traffic.unwrap();
    assert_eq!((traffic.name.as_str(), traffic.kind.as_str()), ("edge", kind));
    let (Some(program), false) = (find(kind), args.is_empty()) else { return };
    let temporary = tempfile::tempdir().unwrap();
    let here = temporary.path().display().to_string();
    for entry in std::fs::read_dir(folder(kind)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let text = ["/etc/nginx", "/etc/envoy", "/run/"].iter().fold(text, |t, from| {
                t.replace(from, &if from.ends_with('/') { format!("{here}/") } else { here.clone() })
            });
            std::fs::write(temporary.path().join(entry.file_name()), text).unwrap();
        }
    }
    let output = Command::new(program).args(args).current_dir(&temporary).env("HOME", &here).output().unwrap();
    assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_proxy_takes_its_own() {
    check("haproxy", &["-c", "-f", "haproxy.cfg"]);
    check("nginx", &["-t", "-p", ".", "-c", "nginx.conf", "-e", "stderr"]);
    check("envoy", &["--mode", "validate", "-c", "envoy.yaml"]);
    check("caddy", &["validate", "--config", "caddy.json"]);
    // Traefik has no check of its own; its files are those that the live tests make, with other addresses.
    check("traefik", &[]);
}
