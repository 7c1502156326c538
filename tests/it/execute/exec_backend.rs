//! A program as traffic backend.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Ran, Shop, until};

/// Answers by operation; remembers the share in a file.
const GOOD: &str = r#"#!/bin/sh
read request
echo "$request" >> "$1/requests"
echo "PGHOST=${PGHOST:-none}" >> "$1/requests"
case "$request" in
*'"op":"capabilities"'*) r='{"kind":"weighted","can_verify":true,"can_prove_drain":true}' ;;
*'"op":"set_share"'*) echo "moving" >&2; r=$(echo "$request" | sed 's/.*"args":\({[^}]*}\).*/\1/'); echo "$r" > "$1/share" ;;
*'"op":"verify"'*) if [ -e "$1/asked" ]; then r='{"verified":"yes"}'; else touch "$1/asked"; r='{"verified":"not-yet","seen":null}'; fi ;;
*'"op":"health"'*) r='{"health":"healthy"}' ;;
*'"op":"drain"'*) r='{"drain":"drained","evidence":"no requests for a minute"}' ;;
*) r='{}' ;;
esac
echo "{\"protocol\":1,\"ok\":true,\"result\":$r}"
"#;

fn script(shop: &Shop, text: &str) -> (String, String) {
    let dir = shop.folder.path().to_str().unwrap().to_owned();
    let path = format!("{dir}/move traffic.sh");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (path, dir)
}

fn execute(shop: &Shop, text: &str, more: &[&str]) -> Ran {
    let (path, dir) = script(shop, text);
    let plan = shop.save(&shop.plan());
    shop.run(&[&["execute", &plan, "--yes"], more, &["--traffic-exec", &path, &dir]].concat())
}

#[test]
fn a_good_program_moves_the_traffic() {
    let shop = Shop::new();
    let ran = execute(&shop, GOOD, &["--shift", "10,100"]).ends(0).says("| moving").says("no requests for a minute");
    ran.says("green has 10 %, verified").says("Waiting   for green's share of 10 %");
    let requests = std::fs::read_to_string(shop.folder.path().join("requests")).unwrap();
    assert!(requests.contains(r#""op":"set_share","args":{"share":1000}"#), "{requests}");
    assert!(requests.contains("PGHOST=none") && !requests.contains("PGHOST=/"), "the way into the database is hidden");
}

/// Whatever it started may live on and keep its output open: the answer is there.
#[test]
fn a_program_that_answered_is_not_waited_for_any_longer() {
    let shop = Shop::new();
    let leaving = GOOD.replace("read request\n", "read request\nsleep 60 &\n");
    execute(&shop, &leaving, &["--traffic-timeout", "10s"]).ends(0).says("is complete");
}

/// What was asked for is not what was set: nothing after it may take it for that.
#[test]
fn a_share_that_was_rounded_is_not_the_one_that_was_asked_for() {
    let shop = Shop::new();
    let rounding = GOOD.replace(r#"echo "$r" > "$1/share""#, r#"r='{"share":5000}'; echo "$r" > "$1/share""#);
    execute(&shop, &rounding, &[]).ends(4).says("was asked to give green 100 %, and gave it 50 %");
    assert!(!shop.journal().contains(&"shifted".to_owned()));
}

#[test]
fn rollback_and_resume_insist_on_the_same_program() {
    let shop = Shop::new();
    let refusing = GOOD.replace(
        "r='{\"drain\":\"drained\",\"evidence\":\"no requests for a minute\"}'",
        "r='{\"drain\":\"unknown\"}'",
    );
    execute(&shop, &refusing, &[]).ends(0).says("nothing proves that blue is drained");
    shop.run(&["rollback", "--yes"]).ends(2).says("was begun with traffic backend exec:move traffic.sh, not manual");
    let (path, dir) = script(&shop, GOOD);
    shop.run(&["rollback", "--yes", "--traffic-exec", &path, &dir]).ends(0).says("blue has all traffic");
    assert_eq!(std::fs::read_to_string(shop.folder.path().join("share")).unwrap().trim(), r#"{"share":0}"#);
    shop.run(&["resume", "--yes", "--traffic-exec", &path, &dir]).ends(0).says("is complete.");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let shop = Shop::new();
    let hangs = "#!/bin/sh\nsleep 600 & echo $! > \"$1/child\"; wait\n";
    execute(&shop, hangs, &["--traffic-timeout", "300ms"])
        .ends(2)
        .says("no answer within 300ms; its process group was killed");
    let child = std::fs::read_to_string(shop.folder.path().join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    until("the grandchild is gone", || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")));
}

#[test]
fn garbage_is_called_garbage() {
    let shop = Shop::new();
    execute(&shop, "#!/bin/sh\necho hello\n", &[]).ends(2).says("not one JSON answer").says("it starts with \"hello\"");
    execute(&shop, "#!/bin/sh\nexit 3\n", &[]).ends(2).says("exit status: 3");
    execute(&shop, "#!/bin/sh\n", &[]).ends(2).says("it wrote nothing to standard output");
    execute(&shop, "#!/bin/sh\nhead -c 2000000 /dev/zero\n", &[]).ends(2).says("more than 1048576 bytes");
    let error = r#"{"protocol":1,"ok":false,"error":{"code":"denied","message":"no such service"}}"#;
    execute(&shop, &format!("#!/bin/sh\necho '{error}'\n"), &[])
        .ends(2)
        .says("preflight failed: no such service (denied)");
    execute(&shop, "#!/bin/sh\necho '{\"protocol\":2,\"ok\":true}'\n", &[]).ends(2).says("it speaks protocol 2");
    shop.run(&["status"]).ends(0).says("No release was begun");
}
