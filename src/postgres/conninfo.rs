//! A connection text, in either of libpq's two spellings, into its parameters.
//!
//! Nothing here echoes the text in an error: a mistake in it may well have put the password where a name is expected.

use super::target::TargetError;

/// Parameters in the order of the text; a later one wins over an earlier one of the same name.
pub(super) type Parameters = Vec<(String, String)>;

/// Reads `postgres://…`, `postgresql://…` or `key=value …`.
pub(super) fn parse(text: &str) -> Result<Parameters, TargetError> {
    let text = text.trim();
    match text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
        Some(rest) => parse_url(rest),
        None if text.is_empty() || text.contains('=') => parse_pairs(text),
        None => Err(malformed("it is neither a postgres:// URL nor key=value pairs")),
    }
}

fn malformed(reason: impl Into<String>) -> TargetError {
    TargetError::Malformed { reason: reason.into() }
}

fn parse_url(rest: &str) -> Result<Parameters, TargetError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('#') {
        return Err(malformed("it has a fragment: write # as %23"));
    }
    if tail.contains('@') {
        return Err(malformed(
            "it has an @ after the host: write /, ?, # and @ in a user name or password as %2F, %3F, %23 and %40",
        ));
    }
    let mut parameters = Parameters::new();
    let mut put = |name: &str, value: &str| -> Result<(), TargetError> {
        if !value.is_empty() {
            parameters.push((name.to_owned(), percent_decode(value)?));
        }
        Ok(())
    };

    let (credentials, hosts) = authority.rsplit_once('@').map_or((None, authority), |(c, h)| (Some(c), h));
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        put("user", user)?;
        put("password", password)?;
    }
    let (names, ports): (Vec<&str>, Vec<&str>) =
        hosts.split(',').map(split_port).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    if names.iter().any(|name| !name.is_empty()) {
        put("host", &names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        put("port", &ports.join(","))?;
    }

    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    put("dbname", path.strip_prefix('/').unwrap_or(path))?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a parameter after ? has no ="))?;
        match (name, value) {
            // What JDBC writes, and libpq understands for its sake.
            ("ssl", "true") => put("sslmode", "require")?,
            _ => put(name, value)?,
        }
    }
    Ok(parameters)
}

/// `host:port`, `[::1]:port`, `:port` or `host`.
fn split_port(entry: &str) -> Result<(&str, &str), TargetError> {
    let Some(bracketed) = entry.strip_prefix('[') else {
        return Ok(entry.split_once(':').unwrap_or((entry, "")));
    };
    let (host, rest) = bracketed.split_once(']').ok_or_else(|| malformed("an IPv6 address lacks its ]"))?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Ok((host, "")),
        None => Err(malformed("an IPv6 address is followed by something other than :port")),
    }
}

fn percent_decode(text: &str) -> Result<String, TargetError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(0), Some(0)) => return Err(malformed("%00 is not allowed")),
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(malformed("a % is not followed by two hexadecimal digits: write % itself as %25")),
        }
    }
    String::from_utf8(out).map_err(|_| malformed("its percent-encoded bytes are not UTF-8"))
}

/// libpq's `key = 'value'` pairs: a value may be quoted, and a backslash takes the next character as it is.
fn parse_pairs(text: &str) -> Result<Parameters, TargetError> {
    let mut parameters = Parameters::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(parameters);
        }
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(malformed("a keyword has no =: put a value with spaces between single quotes"));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut value = String::new();
        let quoted = chars.next_if_eq(&'\'').is_some();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if quoted || !c.is_whitespace() => value.push(c),
                None if quoted => return Err(malformed("a quoted value is not closed")),
                Some(_) | None => break,
            }
        }
        parameters.push((name, value));
    }
}

/// One `key='value'` pair that [`parse`] reads back as it was.
pub(super) fn pair(name: &str, value: &str) -> String {
    format!("{name}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = parse(text).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn urls() {
        check("postgres://", &[]);
        check("postgresql:///shop", &[("dbname", "shop")]);
        check(
            "postgres://me:s%40cret@db.example:6432/shop?sslmode=verify-full&application_name=a%20b",
            &[
                ("user", "me"),
                ("password", "s@cret"),
                ("host", "db.example"),
                ("port", "6432"),
                ("dbname", "shop"),
                ("sslmode", "verify-full"),
                ("application_name", "a b"),
            ],
        );
        check("postgres://me@a:1,b,[::1]:3/", &[("user", "me"), ("host", "a,b,::1"), ("port", "1,,3")]);
        check("postgres://%2Fvar%2Frun/shop", &[("host", "/var/run"), ("dbname", "shop")]);
        check("postgres:///shop?host=/tmp&port=1", &[("dbname", "shop"), ("host", "/tmp"), ("port", "1")]);
        check("postgres://h?ssl=true", &[("host", "h"), ("sslmode", "require")]);
    }

    #[test]
    fn pairs() {
        check("", &[]);
        check("host=a port = 5 user='o'", &[("host", "a"), ("port", "5"), ("user", "o")]);
        check(r"password='a b\'c\\d' dbname=x\ y", &[("password", r"a b'c\d"), ("dbname", "x y")]);
        check(&pair("host", r"/it's a \ dir"), &[("host", r"/it's a \ dir")]);
    }

    #[test]
    fn mistakes_do_not_echo_the_text() {
        for text in [
            "postgres://me:hunter2/x@db/shop",
            "postgres://me:hunter2?@db/shop",
            "postgres://me:%hunter2@db/shop",
            "postgres://me:hunter2@[::1/shop",
            "password='hunter2",
            "password=x hunter2",
            "hunter2",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
