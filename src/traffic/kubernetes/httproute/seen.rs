//! What an HTTPRoute says, in the words of a release.

use serde_json::{Value, json};

use super::super::ready::list;
use crate::traffic::{Share, weights};

/// Why a route cannot be moved, as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// No rule leads to either.
    Neither,
    /// A rule leads to one of them only.
    Lacks { rule: usize, service: String },
    /// A rule leads to somebody else as well.
    Stranger { rule: usize, name: String },
    /// Two rules give green different shares.
    Differ { one: usize, other: usize },
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Neither => f.write_str("no rule of it leads to either Service"),
            Self::Lacks { rule, service } => write!(
                f,
                "rule {rule} does not lead to Service {service}; add it with weight 0, so that the gateway knows it before it gets traffic"
            ),
            Self::Stranger { rule, name } => {
                write!(f, "rule {rule} leads to {name} as well, which is neither blue's nor green's; take it out first")
            }
            Self::Differ { one, other } => {
                write!(f, "rules {one} and {other} give green different shares; give them the same first")
            }
        }
    }
}

/// What a route says, and the namespace that it is in.
#[derive(Clone, Copy)]
pub(super) struct Routed<'r> {
    pub(super) spec: &'r Value,
    pub(super) namespace: &'r str,
}

/// Whether a reference is to a Service of that name in the route's own namespace.
fn leads_to(reference: &Value, namespace: &str, service: &str) -> bool {
    let is_service = matches!(reference["kind"].as_str(), None | Some("Service"));
    let is_core = matches!(reference["group"].as_str(), None | Some(""));
    is_service && is_core && is_in(reference, namespace) && reference["name"] == service
}

/// Whether what a reference names is in a namespace; one that names none is in the route's own.
fn is_in(reference: &Value, namespace: &str) -> bool {
    reference["namespace"].as_str().is_none_or(|of| of == namespace)
}

/// One that none is written for has 1.
fn weight(reference: &Value) -> u64 {
    reference["weight"].as_u64().unwrap_or(1)
}

/// Green's share in all rules that lead to blue or green. `None`: nobody has any weight.
pub(super) fn share(route: Routed<'_>, blue: &str, green: &str) -> Result<Option<Share>, Unfit> {
    let Routed { spec, namespace } = route;
    let mut found: Option<(usize, Option<Share>)> = None;
    for (index, rule) in list(&spec["rules"]).enumerate() {
        let references: Vec<&Value> = list(&rule["backendRefs"]).collect();
        let of = |service: &str| references.iter().filter(|it| leads_to(it, namespace, service)).collect::<Vec<_>>();
        let (of_blue, of_green) = (of(blue), of(green));
        if of_blue.is_empty() && of_green.is_empty() {
            continue;
        }
        for (all, service) in [(&of_blue, blue), (&of_green, green)] {
            if all.is_empty() {
                return Err(Unfit::Lacks { rule: index, service: service.to_owned() });
            }
        }
        let is_stranger =
            |it: &&&Value| !leads_to(it, namespace, blue) && !leads_to(it, namespace, green) && weight(it) > 0;
        if let Some(stranger) = references.iter().find(is_stranger) {
            return Err(Unfit::Stranger { rule: index, name: stranger["name"].as_str().unwrap_or("?").to_owned() });
        }
        let sum = |all: &[&&Value]| all.iter().map(|it| weight(it)).sum::<u64>();
        let share = weights::share(sum(&of_blue), sum(&of_green));
        match found {
            Some((one, known)) if known != share => return Err(Unfit::Differ { one, other: index }),
            Some(_) => {}
            None => found = Some((index, share)),
        }
    }
    found.map(|(_, share)| share).ok_or(Unfit::Neither)
}

/// Gives both these weights in every rule that leads to them; a second reference to the same Service gets none.
pub(super) fn set(spec: &mut Value, namespace: &str, blue: (&str, u32), green: (&str, u32)) {
    for rule in spec["rules"].as_array_mut().into_iter().flatten() {
        for (service, weight) in [blue, green] {
            let all = rule["backendRefs"].as_array_mut().into_iter().flatten();
            for (at, reference) in all.filter(|it| leads_to(it, namespace, service)).enumerate() {
                reference["weight"] = json!(if at == 0 { weight } else { 0 });
            }
        }
    }
}

/// What the gateways say of a generation of the route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// All have accepted it, and know all that it leads to.
    Yes,
    /// One has not looked at it yet.
    NotYet,
    /// One refuses it.
    No(String),
}

/// `generation`: that of the route. Every gateway that it names must have accepted that one; what others say of it is of no matter.
pub(super) fn accepted(route: Routed<'_>, status: &Value, generation: i64) -> Accepted {
    let mut named = list(&route.spec["parentRefs"]).peekable();
    let mut all = if named.peek().is_some() { Accepted::Yes } else { Accepted::NotYet };
    for reference in named {
        let is_about = |parent: &&Value| {
            let of = &parent["parentRef"];
            let namespace = reference["namespace"].as_str().unwrap_or(route.namespace);
            let same = |key: &str| of[key] == reference[key];
            of["name"] == reference["name"] && is_in(of, namespace) && same("sectionName") && same("port")
        };
        let told: Vec<Accepted> =
            list(&status["parents"]).filter(is_about).map(|parent| accepted_by(parent, generation)).collect();
        if let Some(no) = told.iter().find_map(|told| if let Accepted::No(why) = told { Some(why) } else { None }) {
            return Accepted::No(no.clone());
        }
        if !told.contains(&Accepted::Yes) {
            all = Accepted::NotYet;
        }
    }
    all
}

fn accepted_by(parent: &Value, generation: i64) -> Accepted {
    let gateway = parent["parentRef"]["name"].as_str().unwrap_or("?");
    let mut all = Accepted::Yes;
    for wanted in ["Accepted", "ResolvedRefs"] {
        let known = list(&parent["conditions"]).find(|condition| condition["type"] == wanted);
        let current = known.filter(|condition| condition["observedGeneration"].as_i64() >= Some(generation));
        match current {
            Some(condition) if condition["status"] == "True" => {}
            Some(condition) if condition["status"] == "False" => {
                let why = condition["message"].as_str().unwrap_or_default();
                let reason = condition["reason"].as_str().unwrap_or_default();
                return Accepted::No(format!("gateway {gateway} refuses it: {wanted} is False ({reason}) {why}"));
            }
            _ => all = Accepted::NotYet,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(weights: &[(&str, Option<u32>)]) -> Value {
        let reference = |(name, weight): &(&str, Option<u32>)| match weight {
            Some(weight) => json!({ "name": name, "port": 80, "weight": weight }),
            None => json!({ "name": name, "port": 80 }),
        };
        json!({ "backendRefs": weights.iter().map(reference).collect::<Vec<_>>() })
    }

    #[test]
    fn a_share_is_that_of_all_rules() {
        let check = |rules: &[Value], expected: Result<Option<u16>, Unfit>| {
            let spec = json!({ "rules": rules });
            let found = share(Routed { spec: &spec, namespace: "shop" }, "blue", "green");
            assert_eq!(found.map(|share| share.map(Share::as_basis_points)), expected);
        };
        let both = |blue, green| rule(&[("blue", Some(blue)), ("green", Some(green))]);
        check(&[both(90, 10)], Ok(Some(1_000)));
        check(&[rule(&[("blue", None), ("green", None)])], Ok(Some(5_000)));
        check(&[both(0, 0)], Ok(None));
        check(&[rule(&[("other", None)]), both(1, 0)], Ok(Some(0)));
        check(&[rule(&[("other", None)])], Err(Unfit::Neither));
        check(&[], Err(Unfit::Neither));
        check(&[rule(&[("blue", Some(1))])], Err(Unfit::Lacks { rule: 0, service: "green".into() }));
        check(&[both(1, 0), both(1, 1)], Err(Unfit::Differ { one: 0, other: 1 }));
        let three = rule(&[("blue", Some(1)), ("green", Some(0)), ("old", Some(1))]);
        check(&[three], Err(Unfit::Stranger { rule: 0, name: "old".into() }));
        let unused = rule(&[("blue", Some(1)), ("green", Some(0)), ("old", Some(0))]);
        check(&[unused], Ok(Some(0)));
        let elsewhere = json!({ "backendRefs": [{ "name": "blue", "namespace": "x" }, { "name": "green" }] });
        check(&[elsewhere], Err(Unfit::Lacks { rule: 0, service: "blue".into() }));
        let named =
            json!({ "backendRefs": [{ "name": "blue", "namespace": "shop" }, { "name": "green", "weight": 0 }] });
        check(&[both(1, 0), named.clone()], Ok(Some(0)));
        check(&[both(0, 1), named], Err(Unfit::Differ { one: 0, other: 1 }));
    }

    #[test]
    fn weights_are_set_where_they_lead_to_them() {
        let mut spec = json!({ "rules": [rule(&[("blue", None), ("green", Some(0))]), rule(&[("other", Some(7))])] });
        set(&mut spec, "shop", ("blue", 75), ("green", 25));
        let now = share(Routed { spec: &spec, namespace: "shop" }, "blue", "green");
        assert_eq!(now, Ok(Share::basis_points(2_500)));
        assert_eq!(spec["rules"][1], rule(&[("other", Some(7))]));
        assert_eq!(spec["rules"][0]["backendRefs"][0]["port"], 80);
    }

    #[test]
    fn every_gateway_has_to_accept_that_generation() {
        let condition = |kind: &str, status: &str, generation: i64| json!({ "type": kind, "status": status, "observedGeneration": generation, "reason": "R", "message": "m" });
        let parent = |name: &str, all: Vec<Value>| json!({ "parentRef": { "name": name }, "conditions": all });
        let check = |named: &[&str], parents: Vec<Value>, expected: Accepted| {
            let spec = json!({ "parentRefs": named.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
            let route = Routed { spec: &spec, namespace: "shop" };
            assert_eq!(accepted(route, &json!({ "parents": parents }), 3), expected);
        };
        let of = |generation: i64| {
            vec![condition("Accepted", "True", generation), condition("ResolvedRefs", "True", generation)]
        };
        let good = |name: &str| parent(name, of(3));
        check(&["edge"], vec![], Accepted::NotYet);
        check(&[], vec![], Accepted::NotYet);
        check(&["edge"], vec![good("edge")], Accepted::Yes);
        check(&["edge", "inner"], vec![good("edge")], Accepted::NotYet);
        check(&["edge", "inner"], vec![good("edge"), good("inner")], Accepted::Yes);
        // One that the route has left.
        check(&["edge"], vec![good("edge"), parent("gone", of(1))], Accepted::Yes);
        check(&["edge"], vec![parent("edge", of(2))], Accepted::NotYet);
        check(&["edge"], vec![parent("edge", vec![condition("Accepted", "True", 3)])], Accepted::NotYet);
        let bad = vec![condition("Accepted", "True", 3), condition("ResolvedRefs", "False", 3)];
        let why = Accepted::No("gateway edge refuses it: ResolvedRefs is False (R) m".into());
        check(&["edge"], vec![parent("edge", bad)], why);
    }
}
