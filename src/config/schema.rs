//! The JSON Schema of `cutover.toml`: for editors, and for what environment variables may say.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::raw::{Raw, RawCheck, RawHook, RawNotify, RawTraffic};

/// The settings of a kind, by its name and what it is about.
struct OfKind {
    name: &'static str,
    about: &'static str,
    settings: fn(&mut SchemaGenerator) -> Schema,
}

/// The whole schema, in the draft that editors read.
pub fn schema() -> Value {
    WHOLE.clone()
}

/// Made once: each look at the settings needs it, where the environment has a word in them.
pub(super) static WHOLE: LazyLock<Value> = LazyLock::new(whole);

fn whole() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let mut whole = without_null(generator.root_schema_for::<Raw>().to_value());
    let sections = [
        ("traffic", section::<RawTraffic>(&mut generator)),
        ("checks", section::<RawCheck>(&mut generator)),
        ("hooks", section::<RawHook>(&mut generator)),
        ("notify", section::<RawNotify>(&mut generator)),
    ];
    whole["title"] = json!("cutover.toml");
    for (name, common) in sections {
        let kinds: Vec<Value> = kinds(name).iter().map(|kind| of_kind(&common, kind, &mut generator)).collect();
        if !kinds.is_empty() {
            whole["properties"][name]["additionalProperties"] = json!({ "oneOf": kinds });
        }
    }
    whole
}

fn section<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    without_null(T::json_schema(generator).to_value())
}

/// A section of a kind: what all have, and what this one has.
fn of_kind(common: &Value, kind: &OfKind, generator: &mut SchemaGenerator) -> Value {
    let own = without_null((kind.settings)(generator).to_value());
    let mut properties = common["properties"].as_object().cloned().unwrap_or_default();
    properties.insert("kind".to_owned(), json!({ "const": kind.name, "description": kind.about }));
    properties.extend(own["properties"].as_object().cloned().unwrap_or_default());
    let own = own["required"].as_array().cloned().unwrap_or_default();
    let required: Vec<Value> = [json!("kind")].into_iter().chain(own).collect();
    json!({
        "title": kind.name,
        "description": kind.about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// TOML has no null: what need not be there is left out.
fn without_null(schema: Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut map: Map<String, Value> = map.into_iter().map(|(key, one)| (key, without_null(one))).collect();
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|one| one != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(ways)) = map.get_mut("anyOf") {
                ways.retain(|one| one["type"] != "null");
                if let [Value::Object(one)] = ways.as_slice() {
                    let one = one.clone();
                    map.remove("anyOf");
                    for (key, value) in one {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|one| !one.is_null());
            }
            Value::Object(map)
        }
        Value::Array(all) => Value::Array(all.into_iter().map(without_null).collect()),
        other => other,
    }
}

/// Whether a value of this JSON type may stand there.
pub(super) fn allows(schema: &Value, kind: &str) -> bool {
    let named = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(all) => all.iter().any(|one| one == kind),
        _ => kind == "string" && (schema["const"].is_string() || schema["enum"][0].is_string()),
    };
    let ways = ["anyOf", "oneOf"].into_iter().filter_map(|way| schema[way].as_array()).flatten();
    named || ways.into_iter().any(|way| allows(way, kind))
}

/// The kinds of a section.
#[cfg(feature = "live")]
fn kinds(section: &str) -> Vec<OfKind> {
    macro_rules! of {
        ($kinds:expr) => {
            $kinds.iter().map(|k| OfKind { name: k.name, about: k.about, settings: k.settings }).collect()
        };
    }
    match section {
        "traffic" => of!(crate::traffic::KINDS),
        "checks" => of!(crate::checks::KINDS),
        _ => of!(crate::tell::KINDS),
    }
}

/// Without a live database the kinds are not known, and any settings may stand there.
#[cfg(not(feature = "live"))]
fn kinds(_: &str) -> Vec<OfKind> {
    Vec::new()
}
