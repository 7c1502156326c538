//! Privileges on what is not a relation, in the words in which both the simulation and the observer tell them.

/// What `ALL` stands for on an object; any other privilege stands for itself.
pub(super) fn all_of<'a>(object: &str, privilege: &'a str) -> Vec<&'a str> {
    match (privilege, object.split(' ').next()) {
        ("ALL", Some("schema")) => vec!["USAGE", "CREATE"],
        ("ALL", Some("function" | "procedure" | "routine")) => vec!["EXECUTE"],
        ("ALL", Some("type" | "domain" | "language")) => vec!["USAGE"],
        ("ALL", Some("database")) => vec!["CREATE", "CONNECT", "TEMPORARY"],
        _ => vec![privilege],
    }
}
