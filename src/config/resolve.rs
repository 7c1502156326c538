//! Raw → resolved: paths start at the file's folder, names must be there, what has a kind must be one.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use toml::Spanned;

use super::document::Document;
use super::raw::{HOOK_TIMEOUT_MS, Raw, RawDatabases, RawRamp, RawTraffic};
use super::{Config, ConfigError, DatabaseList, Inputs, LintConfig};
use crate::lint::settings::Levels;
use crate::release::time::Time;
use crate::release::{
    CheckDefinition, Configured, Hook, HookMoment, NO_LOCK_TIMEOUT, News, Notify, Ramp, ReleaseDefinition,
};
use crate::workload::Location;

/// What a document at `path` says.
pub(super) fn resolve(path: &Utf8Path, document: &Document<'_>) -> Result<Config, ConfigError> {
    let raw: Raw = document.values()?;
    let invalid = |at: usize, message: String| document.error(at, message);
    let mut levels = Levels::default();
    for (name, level) in &raw.lint.rules {
        levels.set(name.get_ref(), *level).map_err(|message| invalid(name.span().start, message))?;
    }
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let below = |path: Utf8PathBuf| folder.join(path);
    let queries = |queries: Spanned<String>| match Location::parse(queries.get_ref()) {
        Ok(location) => Ok(location.below(folder)),
        Err(error) => Err(invalid(queries.span().start, error.to_string())),
    };
    let assume = |word: Spanned<String>| {
        word.get_ref().parse().map_err(|error| invalid(word.span().start, format!("assume: {error}")))
    };
    let ramp = |ramp: Spanned<RawRamp>| {
        ramp.get_ref().read().map_err(|error| invalid(ramp.span().start, format!("ramp: {error}")))
    };
    let two = |at| {
        invalid(at, "blue's sessions are known by `blue-application-name` or by `blue-role`, not by both".to_owned())
    };
    let databases_at_once = raw.databases.as_ref().and_then(|databases| databases.get_ref().at_once);
    let list = |databases: &Spanned<RawDatabases>| {
        databases.get_ref().list().map_err(|why| invalid(databases.span().start, why.to_owned()))
    };
    let databases = match raw.databases.as_ref().map(list).transpose()?.flatten() {
        Some(DatabaseList::File(file)) => Some(DatabaseList::File(below(file))),
        list => list,
    };
    let (guard, limits) = (raw.release.blue().map_err(two)?, raw.release.limits());
    let configured = |name: &str, kind: String, settings| Configured {
        name: name.to_owned(),
        kind,
        folder: folder.to_owned(),
        settings,
    };
    let mut backends = BTreeMap::new();
    for (name, RawTraffic { kind, settings }) in raw.traffic {
        let traffic = configured(name.get_ref(), kind, settings);
        check(&traffic).map_err(|why| document.error_of("traffic", &name, why))?;
        backends.insert(traffic.name.clone(), traffic);
    }
    let chosen = |name: Spanned<String>| match backends.get(name.get_ref()) {
        Some(traffic) => Ok::<_, ConfigError>(traffic.clone()),
        None => {
            let traffic = Configured::named(name.get_ref());
            let unknown = |_| {
                format!("there is neither a section [traffic.{0}] nor a backend that {0} says all of", name.get_ref())
            };
            check(&traffic).map_err(unknown).map_err(|message| invalid(name.span().start, message))?;
            Ok(traffic)
        }
    };
    let some = |time: Option<Time>, what: &str| match time {
        Some(Time(0)) => Err(format!("`{what}` is 0, which is no time")),
        _ => Ok(()),
    };
    let mut checks = Vec::new();
    for (name, raw) in raw.checks {
        let limits = raw.limits();
        let times = some(raw.timeout, "timeout").and(some(raw.interval, "interval"));
        times.map_err(|why| document.error_of("checks", &name, format_args!("check {}: {why}", name.get_ref())))?;
        let check = CheckDefinition { configured: configured(name.get_ref(), raw.kind, raw.settings), limits };
        is_check(&check).map_err(|why| document.error_of("checks", &name, why))?;
        checks.push(check);
    }
    let mut hooks = Vec::new();
    for (name, raw) in raw.hooks {
        let at = name.span().start;
        let moment = HookMoment::ALL.iter().find(|(known, _)| known == name.get_ref()).map(|(_, moment)| *moment);
        let moment = moment.ok_or_else(|| {
            let known = HookMoment::ALL.map(|(known, _)| known).join(", ");
            invalid(at, format!("there is no hook {:?}; there are {known}", name.get_ref()))
        })?;
        some(raw.timeout, "timeout")
            .map_err(|why| document.error_of("hooks", &name, format_args!("hook {}: {why}", name.get_ref())))?;
        let configured = configured(name.get_ref(), raw.kind, raw.settings);
        is_listener(&configured).map_err(|why| document.error_of("hooks", &name, format_args!("hook {why}")))?;
        hooks.push(Hook { moment, timeout_ms: raw.timeout.map_or(HOOK_TIMEOUT_MS, |time| time.0), configured });
    }
    let mut notify = Vec::new();
    for (name, raw) in raw.notify {
        let configured = configured(name.get_ref(), raw.kind, raw.settings);
        is_listener(&configured).map_err(|why| document.error_of("notify", &name, format_args!("notify {why}")))?;
        notify.push(Notify { on: raw.on.unwrap_or_else(|| News::USUAL.to_vec()), configured });
    }
    let known = |name: Spanned<String>| match checks.iter().any(|check| check.configured.name == *name.get_ref()) {
        true => Ok(name.into_inner()),
        false => Err(invalid(name.span().start, format!("there is no section [checks.{}]", name.get_ref()))),
    };
    let smoke = raw.release.smoke.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let backfill = raw.release.backfill;
    if let Some((at, why)) = backfill.as_ref().and_then(|it| Some((it.span().start, it.get_ref().problem()?))) {
        return Err(invalid(at, why.to_owned()));
    }
    let backfill_checks = backfill
        .map(|it| it.into_inner().checks)
        .unwrap_or_default()
        .into_iter()
        .map(known)
        .collect::<Result<Vec<_>, _>>()?;
    let terminate = raw.release.terminate_blockers;
    if let Some((at, why)) = terminate.as_ref().and_then(|it| Some((it.span().start, it.get_ref().problem()?))) {
        return Err(invalid(at, why.to_owned()));
    }
    let watch = raw.release.watch.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let ramp_at = raw.release.ramp.as_ref().map_or(0, |ramp| ramp.span().start);
    let ramp = raw.release.ramp.map(ramp).transpose()?;
    let is_there = |name: &&str| checks.iter().any(|check| check.configured.name == *name);
    if let Some(name) = ramp.iter().flat_map(Ramp::checks).find(|name| !is_there(name)) {
        return Err(invalid(ramp_at, format!("ramp: there is no section [checks.{name}]")));
    }
    if let Some(time) = raw.release.lock_timeout.as_ref().filter(|time| time.get_ref().0 == 0) {
        return Err(invalid(time.span().start, NO_LOCK_TIMEOUT.to_owned()));
    }
    let (blue, source) = raw.apps.blue.map(|blue| (blue.queries, blue.source)).unwrap_or_default();
    Ok(Config {
        migrations: raw.migrations.folder.map(below),
        inputs: Inputs {
            convention: raw.migrations.convention,
            placeholders: raw.migrations.placeholders,
            from: raw.migrations.from,
            base_schema: raw.migrations.base_schema.map(below),
            history_table: raw.migrations.history_table,
            blue: blue.map(queries).transpose()?,
            green: raw.apps.green.map(|green| queries(green.queries)).transpose()?,
            blue_source: source.into_iter().map(below).collect(),
            assume: raw.apps.assume.map(assume).transpose()?,
            pg_version: None,
            stats: raw.stats.file.clone().map(below),
            release: ReleaseDefinition {
                ramp,
                on_failure: raw.release.on_failure,
                traffic: raw.release.traffic.map(chosen).transpose()?,
                blue: guard,
                limits,
                checks,
                smoke,
                watch,
                backfill_checks,
                before: raw.release.before.times(),
                after: raw.release.after.times(),
                terminate_blockers: terminate.map(|it| it.into_inner().blockers()),
                hooks,
                notify,
            },
        },
        lint: LintConfig { levels, fail_on: raw.lint.fail_on, baseline: raw.lint.baseline.map(below) },
        stats: raw.stats.settings(),
        password_command: raw.database.password_command,
        databases,
        databases_at_once,
        folder: folder.to_owned(),
    })
}

/// Whether a backend, a check and a listener can be made of their settings.
#[cfg(feature = "live")]
mod made {
    use crate::outside::Surroundings;
    use crate::release::{CheckDefinition, Configured};

    pub(super) fn check(traffic: &Configured) -> Result<(), String> {
        crate::traffic::open(traffic, &Surroundings::default()).map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) fn is_check(check: &CheckDefinition) -> Result<(), String> {
        crate::checks::open(&check.configured, &Surroundings::default()).map(|_| ())
    }

    pub(super) fn is_listener(listener: &Configured) -> Result<(), String> {
        crate::tell::open(listener, &Surroundings::default()).map(|_| ())
    }
}

/// Without a live database nothing of them is used, and their settings are whoever's who does.
#[cfg(not(feature = "live"))]
#[expect(clippy::unnecessary_wraps, reason = "the same as with live features")]
mod made {
    use crate::release::{CheckDefinition, Configured};

    pub(super) fn check(_: &Configured) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn is_check(_: &CheckDefinition) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn is_listener(_: &Configured) -> Result<(), String> {
        Ok(())
    }
}

use made::{check, is_check, is_listener};
