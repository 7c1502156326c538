//! Every setting that is in force, with where it comes from.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::document::{Document, SettingOrigin};
use super::schema::WHOLE;
use super::variables::of_kind;
use super::{ConfigError, Variables, resolve};

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Setting {
    /// Section by section, and its name.
    pub path: Vec<String>,
    /// What it says.
    pub value: Value,
    /// Where that comes from.
    pub origin: SettingOrigin,
}

/// The settings of a text at `path` and of the environment, and what holds where they say nothing, as far as that is one value.
pub fn settings(path: &Utf8Path, text: &str, variables: &Variables) -> Result<Vec<Setting>, ConfigError> {
    let document = Document::read(path, text, variables)?;
    resolve::resolve(path, &document)?;
    let mut all = Vec::new();
    collect(&document, document.table(), &WHOLE, &mut Vec::new(), &mut all)?;
    Ok(all)
}

fn collect(
    document: &Document<'_>,
    table: &DeTable<'_>,
    schema: &Value,
    path: &mut Vec<String>,
    all: &mut Vec<Setting>,
) -> Result<(), ConfigError> {
    let known = |name: &str, section: Option<&DeTable<'_>>| {
        let own = &schema["properties"][name];
        if own.is_object() { own } else { of_kind(&schema["additionalProperties"], section) }
    };
    // Which order a table has by itself depends on what else is built.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by(|(one, _), (other, _)| one.get_ref().cmp(other.get_ref()));
    for (name, value) in entries {
        path.push(name.get_ref().to_string());
        let section = value.get_ref().as_table();
        let below = known(name.get_ref(), section);
        match section {
            Some(section) if below["properties"].is_object() || below["additionalProperties"].is_object() => {
                collect(document, section, below, path, all)?;
            }
            _ => {
                let origin = document.origin(value.span().start);
                all.push(Setting { path: path.clone(), value: json(value.get_ref()), origin });
            }
        }
        path.pop();
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if table.get(name.as_str()).is_some() {
            continue;
        }
        path.push(name.clone());
        match property.get("default") {
            // Nothing is no value: that of a whole section, or of a list.
            Some(value)
                if value.as_array().is_none_or(|list| !list.is_empty())
                    && !property["properties"].is_object()
                    && !property["additionalProperties"].is_object() =>
            {
                all.push(Setting { path: path.clone(), value: value.clone(), origin: SettingOrigin::Default });
            }
            _ if property["properties"].is_object() => collect(document, &DeTable::new(), property, path, all)?,
            _ => {}
        }
        path.pop();
    }
    Ok(())
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(list) => list.iter().map(|one| json(one.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(name, one)| (name.get_ref().to_string(), json(one.get_ref()))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = Variables::of(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        match settings("a/cutover.toml".into(), text, &variables) {
            Ok(all) => {
                let said = all.iter().filter(|setting| setting.origin != SettingOrigin::Default);
                said.map(|one| format!("{} = {} ({})\n", one.path.join("."), one.value, one.origin)).collect()
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let check =
            |text: &str, variables: &[(&str, &str)], expected: &str| assert_eq!(shown(text, variables), expected);
        let ramp = "[release]\nramp = \"50,100\"\n";
        check(ramp, &[], "release.ramp = \"50,100\" (a/cutover.toml:2:8)\n");
        check(
            ramp,
            &[("CUTOVER_RELEASE_RAMP", "10,100"), ("CUTOVER_RELEASE_LOCK_RETRIES", "3"), ("CUTOVER_DATABASE", "db")],
            "release.lock-retries = 3 (CUTOVER_RELEASE_LOCK_RETRIES)\nrelease.ramp = \"10,100\" (CUTOVER_RELEASE_RAMP)\n",
        );
        check(
            "",
            &[("CUTOVER_MIGRATIONS_FROM", "41"), ("CUTOVER_APPS_BLUE_SOURCE", "src")],
            "apps.blue.source = [\"src\"] (CUTOVER_APPS_BLUE_SOURCE)\nmigrations.from = \"41\" (CUTOVER_MIGRATIONS_FROM)\n",
        );
        check(
            "[lint.rules]\ntable-rewrite = \"error\"\n",
            &[("CUTOVER_LINT_RULES_TABLE_REWRITE", "info")],
            "lint.rules.table-rewrite = \"info\" (CUTOVER_LINT_RULES_TABLE_REWRITE)\n",
        );
    }

    #[test]
    fn a_whole_section_is_a_table() {
        let rules = "{ table-rewrite = \"error\" }";
        let expected = "lint.rules.table-rewrite = \"error\" (CUTOVER_LINT_RULES)\n";
        assert_eq!(shown("", &[("CUTOVER_LINT_RULES", rules)]), expected);
        let wrong = "CUTOVER_LINT_RULES: it stands for a whole section: write it as a table of TOML, { … }";
        assert_eq!(shown("", &[("CUTOVER_LINT_RULES", "error")]), wrong);
    }

    #[test]
    fn a_variable_that_is_wrong_is_named() {
        let check = |name: &str, text: &str, expected: &str| assert_eq!(shown("", &[(name, text)]), expected);
        check("CUTOVER_RELEASE_RAMP", "50,10", "CUTOVER_RELEASE_RAMP: ramp: the shares must rise, and 10 % does not");
        check(
            "CUTOVER_RELEASE_LOCK_RETRIES",
            "many",
            "CUTOVER_RELEASE_LOCK_RETRIES: invalid type: string \"many\", expected u32",
        );
        check(
            "CUTOVER_LINT_FAIL",
            "x",
            "CUTOVER_LINT_FAIL: it stands for no setting; there are fail-on, baseline, rules at that place",
        );
        check(
            "CUTOVER_TRAFFIC_EDGE_SOCKET",
            "x",
            "CUTOVER_TRAFFIC_EDGE_SOCKET: the file has nothing of that name there (it has none); a variable changes what is there",
        );
    }

    #[cfg(feature = "live")]
    #[test]
    fn sections_that_people_name() {
        let text = "[traffic.the-edge]\nkind = \"haproxy\"\nsocket = \"s\"\nbackend = \"app\"\nblue = [\"a\"]\ngreen = [\"b\"]\n";
        let at = |line: u32, name: &str, value: &str, column: u32| {
            format!("traffic.the-edge.{name} = {value} (a/cutover.toml:{line}:{column})\n")
        };
        let variables =
            [("CUTOVER_TRAFFIC_THE_EDGE_SOCKET", "/run/s"), ("CUTOVER_TRAFFIC_THE_EDGE_GREEN", "[\"b\", \"c\"]")];
        let expected = [
            at(4, "backend", "\"app\"", 11),
            at(5, "blue", "[\"a\"]", 8),
            "traffic.the-edge.green = [\"b\",\"c\"] (CUTOVER_TRAFFIC_THE_EDGE_GREEN)\n".to_owned(),
            at(2, "kind", "\"haproxy\"", 8),
            "traffic.the-edge.socket = \"/run/s\" (CUTOVER_TRAFFIC_THE_EDGE_SOCKET)\n".to_owned(),
        ];
        assert_eq!(shown(text, &variables), expected.concat());
        let wrong = shown(text, &[("CUTOVER_TRAFFIC_THE_EDGE_SOKCET", "/run/s")]);
        assert!(
            wrong.starts_with("CUTOVER_TRAFFIC_THE_EDGE_SOKCET: it stands for no setting; there are kind, socket,"),
            "{wrong}"
        );
    }

    #[test]
    fn what_the_schema_calls_default_is_what_holds() {
        use crate::release::{CheckLimits, Limits, OnFailure, Throttle};
        let parse = |text: &str| crate::config::parse("cutover.toml".into(), text).unwrap();
        let all = settings("cutover.toml".into(), "", &Variables::default()).unwrap();
        let own = |section: &str| -> String {
            let own = all.iter().filter(|one| one.path.len() == 2 && one.path[0] == section);
            own.map(|one| format!("{} = {}\n", one.path[1], one.value)).collect()
        };
        let (said, unsaid) = (parse(&format!("[release]\n{}", own("release"))).inputs.release, Limits::default());
        assert_eq!(said.limits.lock_timeout(), unsaid.lock_timeout());
        assert_eq!(said.limits.statement_timeout(), unsaid.statement_timeout());
        assert_eq!(said.limits.lock_retries(), unsaid.lock_retries());
        assert_eq!(said.limits.traffic_timeout(), unsaid.traffic_timeout());
        assert_eq!(said.limits.verify_timeout(), unsaid.verify_timeout());
        assert_eq!(said.limits.drain_timeout(), unsaid.drain_timeout());
        let of_backfills = all.iter().filter(|one| one.path.len() == 3 && one.path[1] == "backfill");
        let of_backfills: String = of_backfills.map(|one| format!("{} = {}\n", one.path[2], one.value)).collect();
        let backfill = parse(&format!("[release.backfill]\n{of_backfills}")).inputs.release.limits.backfill;
        assert_eq!(backfill, Throttle::default().in_full());
        assert_eq!(said.on_failure, Some(OnFailure::default()));
        assert_eq!(said.ramp.map(|ramp| ramp.to_string()).as_deref(), Some("100 %"));
        assert_eq!(parse(&format!("[stats]\n{}", own("stats"))).stats, parse("").stats);
        let check = "[checks.a]\nkind = \"sql\"\nquery = \"SELECT true\"\n";
        let of_a_check = settings("cutover.toml".into(), check, &Variables::default()).unwrap();
        let of_a_check: String = of_a_check
            .iter()
            .filter(|one| one.path[0] == "checks" && one.origin == SettingOrigin::Default)
            .map(|one| format!("{} = {}\n", one.path[2], one.value))
            .collect();
        let checks = parse(&format!("{check}{of_a_check}")).inputs.release.checks;
        #[cfg(feature = "live")]
        assert!(of_a_check.contains("interval"), "{of_a_check}");
        assert_eq!(checks[0].limits, CheckLimits::default());
    }
}
