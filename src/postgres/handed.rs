//! A target as another program gets it: a URL and libpq's variables.

use super::target::{Address, Target};

impl Target {
    /// What a program wants in its environment to connect there: `DATABASE_URL` and libpq's `PG…` variables. The password is in them.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let Some(endpoint) = self.endpoints.first() else { return Vec::new() };
        let password = self.password_for(endpoint).map(|secret| secret.reveal().to_owned());
        let host = match &endpoint.address {
            Address::Socket(directory) => directory.display().to_string(),
            Address::Tcp { host, .. } => host.clone(),
        };
        let credentials = match &password {
            Some(password) => format!("{}:{}", escape(&self.user), escape(password)),
            None => escape(&self.user),
        };
        let database = escape(&self.database);
        let url = match &endpoint.address {
            Address::Socket(_) => {
                format!("postgres://{credentials}@/{database}?host={}&port={}", escape(&host), endpoint.port)
            }
            Address::Tcp { host, .. } if host.contains(':') => {
                format!("postgres://{credentials}@[{host}]:{}/{database}", endpoint.port)
            }
            Address::Tcp { host, .. } => format!("postgres://{credentials}@{host}:{}/{database}", endpoint.port),
        };
        let mut variables = vec![
            ("DATABASE_URL", url),
            ("PGHOST", host),
            ("PGPORT", endpoint.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", self.tls.mode.to_string()),
        ];
        variables.extend(password.map(|password| ("PGPASSWORD", password)));
        variables
    }
}

/// Percent-encodes what a URL does not hold as it is.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Environment;
    use super::*;

    #[test]
    fn a_url_and_the_variables_lead_to_the_same_place() {
        let check = |text: &str, url: &str| {
            let target = Target::parse(text, &Environment::empty()).unwrap();
            let variables = target.variables();
            let (_, found) = variables.iter().find(|(name, _)| *name == "DATABASE_URL").unwrap();
            assert_eq!(found, url);
            let again = Target::parse(found, &Environment::empty()).unwrap();
            assert_eq!(again.display().to_string(), target.display().to_string());
        };
        check("host=h port=5433 user=me password='a/b c' dbname=d", "postgres://me:a%2Fb%20c@h:5433/d");
        check("host=/run/x user=me dbname=d", "postgres://me@/d?host=%2Frun%2Fx&port=5432");
        check("host=::1 user=me dbname=d", "postgres://me@[::1]:5432/d");
    }
}
