//! What moves the traffic: `--traffic` and `--traffic-exec`.

use super::{database, format};
use crate::traffic::{BUILT_IN, BuiltIn, Exec, Program, TrafficBackend};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct TrafficArgs {
    /// What moves the traffic
    #[arg(long, value_parser = format::named(BUILT_IN, |kind| (kind.name, kind.about)), default_value = "manual")]
    traffic: &'static BuiltIn,
    /// A program moves the traffic: its path and arguments, up to the end of the line or a lone `;`
    #[arg(long, value_names = ["PROGRAM", "ARGS"], num_args = 1.., value_terminator = ";", allow_hyphen_values = true, conflicts_with = "traffic")]
    traffic_exec: Vec<String>,
}

impl TrafficArgs {
    /// The backend. A program inherits the environment but for whatever leads into the database.
    pub(super) fn backend(&self) -> Box<dyn TrafficBackend> {
        let Some((path, args)) = self.traffic_exec.split_first() else {
            return (self.traffic.open)();
        };
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let hidden_environment = names.filter(|name| name.starts_with("PG") || name == database::VARIABLE).collect();
        Box::new(Exec::new(Program { path: path.into(), args: args.to_vec(), hidden_environment }))
    }
}
