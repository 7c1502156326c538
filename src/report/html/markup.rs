//! HTML that cannot be broken into: markup is a constant of this program, and everything else is escaped.

use std::fmt::Display;

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup. Only constants can be.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, between tags or in a quoted attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        for c in text.to_string().chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                // HTML has no such characters.
                _ if c.is_control() => self.0.push('\u{fffd}'),
                _ => self.0.push(c),
            }
        }
        self
    }

    /// Adds text in a `code` element.
    pub(super) fn code(&mut self, text: impl Display) -> &mut Self {
        self.raw("<code>").text(text).raw("</code>")
    }

    /// Adds SQL as it stands, with a place in it marked. A place that is none marks nothing.
    pub(super) fn sql(&mut self, sql: &str, at: Option<(u32, u32)>) -> &mut Self {
        let cut = |(start, end): (u32, u32)| {
            let (start, end) = (start as usize, end as usize);
            Some((sql.get(..start)?, sql.get(start..end)?, sql.get(end..)?))
        };
        self.raw("<pre class=\"sql\"><code>");
        match at.and_then(cut) {
            Some((before, marked, after)) if !marked.is_empty() => {
                self.text(before).raw("<mark>").text(marked).raw("</mark>").text(after)
            }
            _ => self.text(sql),
        };
        self.raw("</code></pre>")
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, at: Option<(u32, u32)>, expected: &str) {
        let mut out = Markup::default();
        out.sql(sql, at);
        assert_eq!(out.finish(), format!("<pre class=\"sql\"><code>{expected}</code></pre>"));
    }

    #[test]
    fn text_stays_text() {
        check("</pre><script>", None, "&lt;/pre&gt;&lt;script&gt;");
        check("a & \"b\" = 'c'\u{0}\n", None, "a &amp; &quot;b&quot; = &#39;c&#39;\u{fffd}\n");
    }

    #[test]
    fn a_place_is_marked_where_there_is_one() {
        check("SELECT <a>", Some((7, 10)), "SELECT <mark>&lt;a&gt;</mark>");
        check("SELECT é", Some((7, 8)), "SELECT é");
        check("SELECT a", Some((7, 99)), "SELECT a");
        check("SELECT a", Some((8, 7)), "SELECT a");
        check("SELECT a", Some((3, 3)), "SELECT a");
    }
}
