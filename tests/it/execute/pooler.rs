//! PgBouncer between the executor and the server. Without it on this machine there is nothing to see here.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::support::{Ran, Shop, cluster, until};

struct Bouncer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bouncer {
    fn start(shop: &Shop, mode: &str, more: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let Some(program) = program.iter().find(|path| std::path::Path::new(path).is_file()) else {
            assert!(std::env::var_os("CI").is_none(), "pgbouncer is not installed");
            eprintln!("pgbouncer is not installed: nothing is tested");
            return None;
        };
        shop.sql(
            "DO $$ BEGIN CREATE ROLE pooled LOGIN SUPERUSER PASSWORD 'right'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        );
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().join("pgbouncer.ini");
        let user = if nix::unistd::geteuid().is_root() { "user = nobody\n" } else { "" };
        let text = format!(
            "[databases]\n{database} = host=127.0.0.1 port={server} dbname={database} user=pooled password=right\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{user}{more}\n",
            database = shop.database,
            server = cluster().port,
        );
        std::fs::write(&path, text).unwrap();
        for path in [folder.path(), &path] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let child =
            Command::new(program).arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
        let bouncer = Self { child: child.unwrap(), port, _folder: folder };
        until("pgbouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(bouncer)
    }

    fn run(&self, shop: &Shop, args: &[&str]) -> Ran {
        let mut command = shop.cutover(args);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "pooled");
        Ran::from(command.output().unwrap())
    }
}

#[test]
fn a_pooler_that_keeps_no_session_is_named_before_anything_is_written() {
    for (mode, more) in
        [("transaction", ""), ("statement", ""), ("transaction", "server_round_robin = 1\nmin_pool_size = 3")]
    {
        let shop = Shop::new();
        let Some(bouncer) = Bouncer::start(&shop, mode, more) else { return };
        let path = shop.save(&shop.plan());
        for _ in 0..2 {
            let ran = bouncer.run(&shop, &["execute", &path, "--yes", "--traffic", "simulated"]).ends(2);
            ran.says("a pooler in transaction or statement mode is between cutover and the server")
                .says("connect to PostgreSQL itself");
        }
        assert_eq!(shop.rows("SELECT (to_regnamespace('cutover') IS NULL)::text"), ["true"], "{mode}");
        let locks = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(shop.rows(locks), ["0"], "{mode}");
    }
}

#[test]
fn a_pooler_that_keeps_sessions_is_none_that_matters() {
    let shop = Shop::new();
    let Some(bouncer) = Bouncer::start(&shop, "session", "") else { return };
    let path = shop.save(&shop.plan());
    bouncer.run(&shop, &["execute", &path, "--yes", "--traffic", "simulated"]).ends(0);
    // With no more than one connection there is no answer, which is no refusal.
    let shop = Shop::new();
    let Some(bouncer) = Bouncer::start(&shop, "session", "default_pool_size = 1") else { return };
    let path = shop.save(&shop.plan());
    bouncer.run(&shop, &["execute", &path, "--yes", "--traffic", "simulated"]).ends(0);
}
