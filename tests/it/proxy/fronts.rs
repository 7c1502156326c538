//! The five proxies, each as a real process before two versions of an application.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::app::App;
use super::clients::{Patience, get};
use crate::execute::support::until;

/// How a proxy is started.
pub(super) struct Maker {
    /// As `kind` says.
    pub(super) kind: &'static str,
    program: &'static str,
    /// Writes its files and says how it is run, and its settings.
    make: fn(&Place) -> Made,
    /// Whether it can say that blue is drained.
    pub(super) proves_drain: bool,
    /// Whether it draws lots for each request. The others keep to the shares all the time.
    pub(super) draws_lots: bool,
    /// What its clients must bear. Each change of Caddy's configuration is a reload, in which it may reset a connection that it has just accepted.
    pub(super) patience: Patience,
}

/// Where a proxy lives.
struct Place {
    program: PathBuf,
    folder: PathBuf,
    /// For clients, and for its own API.
    port: u16,
    admin: u16,
    blue: String,
    green: String,
}

struct Made {
    args: Vec<String>,
    settings: Value,
}

pub(super) const ALL: [Maker; 5] = [HAPROXY, NGINX, ENVOY, TRAEFIK, CADDY];

pub(super) const HAPROXY: Maker = Maker {
    kind: "haproxy",
    program: "haproxy",
    make: haproxy,
    draws_lots: false,
    proves_drain: true,
    patience: Patience::None,
};
pub(super) const NGINX: Maker = Maker {
    kind: "nginx",
    program: "nginx",
    make: nginx,
    draws_lots: true,
    proves_drain: true,
    patience: Patience::None,
};
pub(super) const ENVOY: Maker = Maker {
    kind: "envoy",
    program: "envoy",
    make: envoy,
    draws_lots: true,
    proves_drain: true,
    patience: Patience::None,
};
pub(super) const TRAEFIK: Maker = Maker {
    kind: "traefik",
    program: "traefik",
    make: traefik,
    draws_lots: false,
    proves_drain: false,
    patience: Patience::None,
};
pub(super) const CADDY: Maker = Maker {
    kind: "caddy",
    program: "caddy",
    make: caddy,
    draws_lots: false,
    proves_drain: true,
    patience: Patience::Resets,
};

/// A proxy that runs, with blue and green behind it.
pub(super) struct Front {
    child: Child,
    program: PathBuf,
    args: Vec<String>,
    pub(super) port: u16,
    pub(super) admin: u16,
    pub(super) folder: tempfile::TempDir,
    pub(super) blue: App,
    pub(super) green: App,
    kind: &'static str,
    pub(super) settings: Value,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of the search path, of the usual places, or of `tests/proxies`.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/proxies/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([fetched, "/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed: run tests/proxies");
        eprintln!("{program} is not installed: nothing is tested");
    }
    found
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Maker {
    /// Before two that only say who they are.
    pub(super) fn start(&self) -> Option<Front> {
        self.before(App::start("blue"), App::start("green"))
    }

    pub(super) fn before(&self, blue: App, green: App) -> Option<Front> {
        let program = find(self.program)?;
        let folder = tempfile::Builder::new().prefix("cutover-").tempdir().unwrap();
        // Somebody may take a port before the proxy does.
        let started = (0..5).find_map(|_| {
            let place = Place {
                program: program.clone(),
                folder: folder.path().to_owned(),
                port: free_port(),
                admin: free_port(),
                blue: blue.address.to_string(),
                green: green.address.to_string(),
            };
            let made = (self.make)(&place);
            let mut child = run(&program, &made.args, folder.path());
            let (mut answers, mut gone) = (false, false);
            until("it answers, or is gone", || {
                answers = get(place.port, "/").is_some();
                gone = child.try_wait().unwrap().is_some();
                answers || gone
            });
            (!gone).then_some((child, place, made))
        });
        let said = std::fs::read_to_string(folder.path().join("said")).unwrap_or_default();
        let (child, place, made) = started.unwrap_or_else(|| panic!("{} does not start: {said}", self.program));
        let Made { args, settings } = made;
        let (port, admin) = (place.port, place.admin);
        Some(Front { child, program, args, port, admin, folder, blue, green, kind: self.kind, settings })
    }
}

fn run(program: &Path, args: &[String], folder: &Path) -> Child {
    let said = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("said")).unwrap();
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap()
}

impl Front {
    pub(super) fn stop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.child.id().cast_signed()),
            // nginx takes its workers with it.
            nix::sys::signal::Signal::SIGTERM,
        );
        let gone = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while self.child.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > gone {
                let _ = self.child.kill();
            }
            std::thread::yield_now();
        }
    }

    pub(super) fn start_again(&mut self) {
        self.child = run(&self.program, &self.args, self.folder.path());
        until("it answers again", || get(self.port, "/").is_some());
    }

    /// As `[traffic.edge]` of a `cutover.toml`.
    pub(super) fn toml(&self) -> String {
        let settings: toml::Table = serde_json::from_value(self.settings.clone()).unwrap();
        format!("[traffic.edge]\nkind = \"{}\"\n{}", self.kind, toml::to_string(&settings).unwrap())
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

fn write(place: &Place, file: &str, text: &str) {
    std::fs::write(place.folder.join(file), text).unwrap();
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

fn haproxy(place: &Place) -> Made {
    let Place { folder, port, blue, green, .. } = place;
    let socket = folder.join("admin.sock");
    let text = format!(
        "global\n  stats socket {socket} level admin\n\
         defaults\n  mode http\n  option http-server-close\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n\
         frontend web\n  bind 127.0.0.1:{port}\n  use_backend test if {{ req.hdr(X-Release) -m str green }}\n  default_backend app\n\
         backend app\n  balance roundrobin\n  option httpchk GET /health\n  default-server check inter 200ms fall 2 rise 1\n\
         \x20 server blue {blue} weight 1\n  server green {green} weight 0\n\
         backend test\n  server green {green}\n",
        socket = socket.display(),
    );
    write(place, "haproxy.cfg", &text);
    Made {
        args: words(&["-db", "-f", "haproxy.cfg"]),
        settings: json!({ "socket": socket, "backend": "app", "blue": ["blue"], "green": ["green"] }),
    }
}

/// How a file of the tool's begins.
const WRITTEN: &str = "# Written by cutover, as a whole, with each share that it sets.";

fn nginx(place: &Place) -> Made {
    let Place { program, folder, port, admin, blue, green } = place;
    let here = folder.display();
    let text = format!(
        "daemon off;\npid {here}/nginx.pid;\nerror_log stderr;\nworker_processes 2;\nevents {{}}\n\
         http {{\n  access_log off;\n  client_body_temp_path {here}/a;\n  proxy_temp_path {here}/b;\n  fastcgi_temp_path {here}/c;\n\
         \x20 uwsgi_temp_path {here}/d;\n  scgi_temp_path {here}/e;\n  include {here}/shares.conf;\n\
         \x20 upstream blue {{ server {blue}; }}\n  upstream green {{ server {green}; }}\n\
         \x20 map $http_x_release $to {{ green green; default $app; }}\n\
         \x20 server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://$to; proxy_next_upstream off; }} }}\n\
         \x20 server {{ listen 127.0.0.1:{admin}; location = /shares {{ return 200 $app_shares; }} }}\n}}\n"
    );
    write(place, "nginx.conf", &text);
    let shares = "split_clients \"$request_id\" $app {\n    * blue;\n}\nmap $pid $app_shares {\n    default \"blue=10000 green=0\";\n}\n";
    write(place, "shares.conf", &format!("{WRITTEN}\n{shares}"));
    let config = folder.join("nginx.conf").display().to_string();
    let program = program.display().to_string();
    // As root it gives its workers to a user who exists everywhere.
    let who = format!("user {};", if nix::unistd::Uid::effective().is_root() { "root" } else { "nobody" });
    let args = vec!["-p".to_owned(), here.to_string(), "-c".to_owned(), config, "-g".to_owned(), who];
    let with = |more: &[&str]| {
        let all = [program.as_str()].into_iter().chain(args.iter().map(String::as_str)).chain(more.iter().copied());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let settings = json!({
        "file": folder.join("shares.conf"), "variable": "app", "blue": "blue", "green": "green",
        "shares-url": format!("http://127.0.0.1:{admin}/shares"), "pid-file": folder.join("nginx.pid"),
        "test": with(&["-t"]), "reload": with(&["-s", "reload"]),
    });
    Made { args, settings }
}

fn envoy(place: &Place) -> Made {
    let Place { folder, port, admin, blue, green, .. } = place;
    let socket = |address: &str| {
        let (host, port) = address.rsplit_once(':').unwrap();
        json!({ "socket_address": { "address": host, "port_value": port.parse::<u16>().unwrap() } })
    };
    let cluster = |name: &str, address: &str| {
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "health_checks": [{
                "timeout": "2s", "interval": "0.2s", "unhealthy_threshold": 2, "healthy_threshold": 1,
                "no_traffic_interval": "0.2s", "http_health_check": { "path": "/health" },
            }],
            "load_assignment": {
                "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(address) } }] }],
            },
        })
    };
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    let manager =
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let source = json!({
        "path_config_source": { "path": folder.join("routes.json"), "watched_directory": { "path": folder } },
        "resource_api_version": "V3",
    });
    let config = json!({
        "admin": { "address": socket(&format!("127.0.0.1:{admin}")) },
        "node": { "id": "edge", "cluster": "edge" },
        "static_resources": {
            "listeners": [{
                "name": "web", "address": socket(&format!("127.0.0.1:{port}")),
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": {
                        "@type": manager, "stat_prefix": "web",
                        "rds": { "route_config_name": "app", "config_source": source },
                        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": { "@type": router } }],
                    },
                }] }],
            }],
            "clusters": [cluster("blue", blue), cluster("green", green)],
        },
    });
    write(place, "envoy.json", &config.to_string());
    let split = json!({ "clusters": [{ "name": "blue", "weight": 1 }, { "name": "green", "weight": 0 }] });
    let to_green = json!({ "name": "x-release", "string_match": { "exact": "green" } });
    let routes = json!({ "resources": [{
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "app",
        "virtual_hosts": [{ "name": "app", "domains": ["*"], "routes": [
            { "match": { "prefix": "/", "headers": [to_green] }, "route": { "cluster": "green" } },
            { "match": { "prefix": "/" }, "route": { "weighted_clusters": split } },
        ] }],
    }] });
    write(place, "routes.json", &routes.to_string());
    Made {
        args: words(&["-c", "envoy.json", "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]),
        settings: json!({
            "admin": format!("http://127.0.0.1:{admin}"), "file": folder.join("routes.json"), "blue": "blue", "green": "green",
        }),
    }
}

fn traefik(place: &Place) -> Made {
    let Place { folder, port, admin, blue, green, .. } = place;
    std::fs::create_dir_all(folder.join("dynamic")).unwrap();
    let config = json!({
        "global": { "checkNewVersion": false, "sendAnonymousUsage": false },
        "entryPoints": {
            "web": { "address": format!("127.0.0.1:{port}") }, "traefik": { "address": format!("127.0.0.1:{admin}") },
        },
        "api": { "insecure": true },
        "providers": { "file": { "directory": folder.join("dynamic"), "watch": true }, "providersThrottleDuration": "100ms" },
    });
    write(place, "traefik.yml", &config.to_string());
    let service = |address: &str| {
        let check = json!({ "path": "/health", "interval": "200ms", "timeout": "2s" });
        json!({ "loadBalancer": { "servers": [{ "url": format!("http://{address}") }], "healthCheck": check } })
    };
    let routes = json!({ "http": {
        "routers": {
            "web": { "rule": "PathPrefix(`/`)", "service": "app", "entryPoints": ["web"] },
            "test": { "rule": "Header(`X-Release`, `green`)", "service": "green", "entryPoints": ["web"] },
        },
        "services": { "blue": service(blue), "green": service(green) },
    } });
    write(place, "dynamic/routes.yml", &routes.to_string());
    let one = |name: &str, weight: u32| format!("          - name: \"{name}\"\n            weight: {weight}\n");
    let shares = format!(
        "{WRITTEN}\nhttp:\n  services:\n    \"app\":\n      weighted:\n        services:\n{}{}",
        one("blue", 1),
        one("green", 0)
    );
    write(place, "dynamic/shares.yml", &shares);
    Made {
        args: words(&["--configFile=traefik.yml"]),
        settings: json!({
            "api": format!("http://127.0.0.1:{admin}"), "file": folder.join("dynamic/shares.yml"), "service": "app",
            "blue": "blue", "green": "green",
        }),
    }
}

fn caddy(place: &Place) -> Made {
    let Place { port, admin, blue, green, .. } = place;
    let handler = json!({
        "@id": "app", "handler": "reverse_proxy",
        "upstreams": [{ "dial": blue }, { "dial": green }],
        "health_checks": { "active": { "uri": "/health", "interval": "200ms", "timeout": "2s", "fails": 2 } },
        "load_balancing": { "selection_policy": { "policy": "weighted_round_robin", "weights": [1, 0] } },
    });
    let to_green = json!({
        "match": [{ "header": { "X-Release": ["green"] } }], "terminal": true,
        "handle": [{ "handler": "reverse_proxy", "upstreams": [{ "dial": green }] }],
    });
    let config = json!({
        "admin": { "listen": format!("127.0.0.1:{admin}") },
        "apps": { "http": { "servers": { "web": {
            "listen": [format!("127.0.0.1:{port}")], "automatic_https": { "disable": true },
            "routes": [to_green, { "handle": [handler] }],
        } } } },
    });
    write(place, "caddy.json", &config.to_string());
    Made {
        args: words(&["run", "--config", "caddy.json"]),
        settings: json!({
            "admin": format!("http://127.0.0.1:{admin}"), "id": "app", "blue": [blue], "green": [green],
        }),
    }
}
