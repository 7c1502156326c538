//! Which databases follow: a list of names and connections, as somebody writes it or a query gives it.

use std::collections::BTreeMap;

use super::Member;
use crate::execute::{ExecuteError, failed};
use crate::postgres::{Session, Target, TargetError};

/// A database as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDatabase {
    /// Its name, where it is said.
    pub name: Option<String>,
    /// How to connect: a URL, `key=value` pairs, or the name of a database on the server of the one that leads.
    pub connection: String,
}

/// Why a list cannot be used. None shows a connection, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Nothing is in it.
    #[error("the list of databases is empty")]
    Empty,
    /// A connection is not understood.
    #[error("database {at} of the list: {source}")]
    Connection {
        /// Its name, or its place in the list.
        at: String,
        /// What is wrong.
        source: TargetError,
    },
    /// Two have one name.
    #[error("two databases of the list are called {name}")]
    Twice {
        /// The name.
        name: String,
    },
}

impl ListedDatabase {
    /// A line of a list: a connection, or a name and a connection.
    pub fn of_line(line: &str) -> Self {
        let is_connection = |word: &str| word.contains("://") || word.contains('=');
        match line.split_once(char::is_whitespace) {
            Some((name, connection)) if !is_connection(name) => {
                Self { name: Some(name.to_owned()), connection: connection.trim().to_owned() }
            }
            _ => Self { name: None, connection: line.to_owned() },
        }
    }

    /// The lines of a text, one a database. Empty lines, and those that begin with `#`, are none.
    pub fn of_text(text: &str) -> Vec<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Self::of_line).collect()
    }

    /// What a query gives, in its order: connections, or names and connections. It may only read.
    pub async fn ask(session: &Session, query: &str) -> Result<Vec<Self>, ExecuteError> {
        let asking = failed("asking for the databases of the release");
        session.batch_execute("BEGIN READ ONLY").await.map_err(&asking)?;
        let rows = session.query(query, &[]).await.map_err(&asking);
        // What it did is not to stay; if this fails, the session is lost, and the query's error tells why.
        let _ = session.batch_execute("ROLLBACK").await;
        let rows = rows?;
        let listed = rows.iter().map(|row| {
            let text = |index: usize| row.try_get::<_, String>(index).map_err(&asking);
            Ok(match row.len() {
                1 => Self { name: None, connection: text(0)? },
                _ => Self { name: Some(text(0)?), connection: text(1)? },
            })
        });
        listed.collect()
    }
}

/// The databases of a list that follow another one, which may be in the list as well. `parse` reads a connection.
pub fn members(
    listed: &[ListedDatabase],
    lead: &Target,
    parse: impl Fn(&str) -> Result<Target, TargetError>,
) -> Result<Vec<Member>, ListError> {
    // Who connects is no matter: one database is one, whatever the role.
    let place = |target: &Target| {
        let shown = target.display().to_string();
        shown.split_once('@').map_or(shown.clone(), |(_, place)| place.to_owned())
    };
    let lead_is = place(lead);
    let mut members: Vec<Member> = Vec::new();
    let mut names = BTreeMap::new();
    for (index, ListedDatabase { name, connection }) in listed.iter().enumerate() {
        let is_name = !connection.contains("://") && !connection.contains('=');
        let target = match is_name {
            true => lead.with_database(connection.as_str()),
            false => parse(connection).map_err(|source| ListError::Connection {
                at: name.clone().unwrap_or_else(|| (index + 1).to_string()),
                source,
            })?,
        };
        if place(&target) == lead_is {
            continue;
        }
        let derived = || if is_name { connection.clone() } else { place(&target) };
        let name = name.clone().unwrap_or_else(derived);
        if names.insert(name.clone(), ()).is_some() {
            return Err(ListError::Twice { name });
        }
        members.push(Member { name, target });
    }
    if members.is_empty() { Err(ListError::Empty) } else { Ok(members) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Environment;

    fn check(text: &str, expected: &[&str]) {
        let environment = Environment::empty().with_os_user("me");
        let parse = |text: &str| Target::parse(text, &environment);
        let lead = parse("postgres://deploy@db/shop").unwrap();
        let shown = match members(&ListedDatabase::of_text(text), &lead, parse) {
            Ok(members) => {
                members.iter().map(|member| format!("{} {}", member.name, member.target.display())).collect()
            }
            Err(error) => vec![error.to_string()],
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn a_line_is_a_database() {
        check("# tenants\n\n  a\nb\n", &["a deploy@db:5432/a", "b deploy@db:5432/b"]);
        check("one postgres://x@db2/a\n", &["one x@db2:5432/a"]);
        check("postgres://x@db2:7/a", &["db2:7/a x@db2:7/a"]);
        check("two host=db3 dbname=a user=y", &["two y@db3:5432/a"]);
        check("host=db3 dbname=a", &["db3:5432/a me@db3:5432/a"]);
    }

    #[test]
    fn the_one_that_leads_may_be_listed_as_well() {
        check("shop\na", &["a deploy@db:5432/a"]);
        check("lead postgres://other@db/shop\na", &["a deploy@db:5432/a"]);
    }

    #[test]
    fn a_list_that_cannot_be_used() {
        check("", &["the list of databases is empty"]);
        check("shop", &["the list of databases is empty"]);
        check("a\na", &["two databases of the list are called a"]);
        check("a\nb prot=secret", &["database b of the list: unknown connection parameter prot"]);
        check("a\nprot=secret", &["database 2 of the list: unknown connection parameter prot"]);
    }
}
