//! Patterns that the server does not take: regular expressions that are none, and a pattern of `LIKE` that ends in the middle of an escape.

type Letters<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// Why a text is no regular expression, in the server's words. What options change how it is read is not looked at.
pub(super) fn regex_fault(pattern: &str) -> Option<&'static str> {
    // `***=…`, `(?i)…`
    if pattern.starts_with("***") || pattern.strip_prefix("(?").is_some_and(|rest| rest.starts_with(is_letter)) {
        return None;
    }
    Regex { letters: pattern.chars().peekable(), open: Vec::new(), groups: 0, repeats: false }.fault()
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphabetic()
}

const OPERAND: &str = "quantifier operand invalid";
const PARENTHESES: &str = "parentheses () not balanced";
const BRACKETS: &str = "brackets [] not balanced";
const BRACES: &str = "braces {} not balanced";
const COUNTS: &str = "invalid repetition count(s)";
const ESCAPE: &str = "invalid escape \\ sequence";
const REFERENCE: &str = "invalid backreference number";
const RANGE: &str = "invalid character range";
const CLASS: &str = "invalid character class";

struct Regex<'t> {
    letters: Letters<'t>,
    /// The parentheses that are open: whether what is in them may be repeated.
    open: Vec<bool>,
    /// How many groups there are that a reference may name.
    groups: u32,
    /// Whether what stands before may be repeated.
    repeats: bool,
}

impl Regex<'_> {
    fn fault(mut self) -> Option<&'static str> {
        while let Some(letter) = self.letters.next() {
            let fault = match letter {
                '(' => self.group(),
                ')' => self.open.pop().map_or(Some(PARENTHESES), |repeats| {
                    self.repeats = repeats;
                    None
                }),
                '|' | '^' | '$' => {
                    self.repeats = false;
                    None
                }
                '*' | '+' | '?' => self.repeated(),
                '{' if self.letters.peek().is_some_and(char::is_ascii_digit) => {
                    let counts = self.counts();
                    if self.repeats { counts.or_else(|| self.repeated()) } else { Some(OPERAND) }
                }
                '[' => self.bracket(),
                '\\' => self.escape(),
                _ => {
                    self.repeats = true;
                    None
                }
            };
            if fault.is_some() {
                return fault;
            }
        }
        (!self.open.is_empty()).then_some(PARENTHESES)
    }

    /// Behind a quantifier: one that is not greedy has a question mark.
    fn repeated(&mut self) -> Option<&'static str> {
        self.letters.next_if_eq(&'?');
        let repeats = std::mem::replace(&mut self.repeats, false);
        (!repeats).then_some(OPERAND)
    }

    fn group(&mut self) -> Option<&'static str> {
        let repeats = std::mem::replace(&mut self.repeats, false);
        if self.letters.next_if_eq(&'?').is_none() {
            // `(*…` is no group of options.
            self.groups += 1;
            self.open.push(true);
            return None;
        }
        let looks = match self.letters.next() {
            Some(':') => false,
            Some('=' | '!') => true,
            Some('<') if matches!(self.letters.next(), Some('=' | '!')) => true,
            // A comment, which may end with the pattern, and leaves what stands before as it is.
            Some('#') => {
                self.letters.by_ref().find(|letter| *letter == ')');
                self.repeats = repeats;
                return None;
            }
            _ => return Some(OPERAND),
        };
        self.open.push(!looks);
        None
    }

    /// `{2,3}`, from its first digit on.
    fn counts(&mut self) -> Option<&'static str> {
        const MOST: u32 = 255;
        let mut number = || {
            let mut digits = String::new();
            digits.extend(std::iter::from_fn(|| self.letters.next_if(char::is_ascii_digit)));
            (digits.parse::<u32>().ok(), self.letters.next())
        };
        let (low, behind) = number();
        let (high, behind) = if behind == Some(',') { number() } else { (low, behind) };
        let ordered = low.is_some_and(|low| low <= high.unwrap_or(MOST)) && high.unwrap_or(0) <= MOST;
        match behind {
            None => Some(BRACES),
            Some('}') if ordered => None,
            Some(_) => Some(COUNTS),
        }
    }

    fn escape(&mut self) -> Option<&'static str> {
        let Some(letter) = self.letters.next() else { return Some(ESCAPE) };
        self.repeats = !"AmMyYZ".contains(letter);
        let mut hexadecimal = |digits: usize| {
            let found = std::iter::from_fn(|| self.letters.next_if(char::is_ascii_hexdigit)).take(digits).count();
            (found < digits).then_some(ESCAPE)
        };
        match letter {
            'u' => hexadecimal(4),
            'U' => hexadecimal(8),
            'x' => hexadecimal(1),
            'c' => self.letters.next().is_none().then_some(ESCAPE),
            // More digits may be the number of a character.
            '1'..='9' if !self.letters.peek().is_some_and(char::is_ascii_digit) => {
                (letter.to_digit(10)? > self.groups).then_some(REFERENCE)
            }
            _ if letter.is_ascii_alphabetic() && !"abBefnrtvdDsSwWAmMyYZ".contains(letter) => Some(ESCAPE),
            _ => None,
        }
    }

    /// What stands in brackets, up to the last of them.
    fn bracket(&mut self) -> Option<&'static str> {
        const CLASSES: &str =
            " alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit < > ";
        self.repeats = true;
        self.letters.next_if_eq(&'^');
        let (mut first, mut before) = (true, None);
        loop {
            let letter = self.letters.next();
            let last = before.take();
            match letter {
                None => return Some(BRACKETS),
                Some(']') if !first => return None,
                Some('[') if matches!(self.letters.peek(), Some(':' | '.' | '=')) => {
                    let sign = self.letters.next()?;
                    let mut name = String::new();
                    // One of a single letter may be of that sign itself: `[[...]]`.
                    while self.letters.peek() != Some(&sign) || name.is_empty() {
                        name.push(self.letters.next()?);
                    }
                    self.letters.next();
                    if self.letters.next_if_eq(&']').is_none() {
                        return Some(BRACKETS);
                    }
                    if sign == ':' && !CLASSES.contains(&format!(" {name} ")) {
                        return Some(CLASS);
                    }
                }
                Some('\\') => {
                    self.letters.next()?;
                }
                // `a-z`, of plain letters.
                Some('-') if !first => {
                    let ends = self.letters.peek().copied().filter(char::is_ascii_alphanumeric);
                    if let (Some(from), Some(to)) = (last, ends) {
                        self.letters.next();
                        if to < from {
                            return Some(RANGE);
                        }
                    }
                }
                Some(letter) => before = Some(letter).filter(char::is_ascii_alphanumeric),
            }
            first = false;
        }
    }
}

/// A pattern of `LIKE` with a backslash in the place of another escape; `None`: the escape is more than one character.
pub(super) fn escaped(pattern: &str, escape: &str) -> Option<String> {
    let mut letters = escape.chars();
    let escape = letters.next();
    if letters.next().is_some() {
        return None;
    }
    if escape == Some('\\') {
        return Some(pattern.to_owned());
    }
    let (mut found, mut behind) = (String::new(), false);
    for letter in pattern.chars() {
        let escapes = !behind && Some(letter) == escape;
        match letter {
            _ if escapes => found.push('\\'),
            '\\' if !behind => found.push_str("\\\\"),
            _ => found.push(letter),
        }
        behind = escapes;
    }
    Some(found)
}

/// A pattern of `SIMILAR TO` as a regular expression; `None`: it has brackets, quotes or escapes, which are not read here.
pub(super) fn similar(pattern: &str) -> Option<String> {
    if pattern.contains(['[', '"', '\\']) {
        return None;
    }
    let mut found = String::from("^(?:");
    for sign in pattern.chars() {
        match sign {
            '%' => found.push_str(".*"),
            '_' => found.push('.'),
            '(' => found.push_str("(?:"),
            '.' | '^' | '$' => found.extend(['\\', sign]),
            _ => found.push(sign),
        }
    }
    Some(found + ")$")
}

/// How a text and a pattern of `LIKE` fare, as the server goes through them.
#[derive(PartialEq)]
enum Like {
    Fits,
    Differs,
    /// No later beginning fits, either.
    TooShort,
    /// The pattern ends with its escape.
    Fails,
}

/// Whether `LIKE` comes upon an escape at the end of its pattern.
pub(super) fn like_fails(text: &str, pattern: &str) -> bool {
    // Without an odd backslash there is none.
    const LONGEST: usize = 200;
    let odd = pattern.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1;
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    odd && text.len().max(pattern.len()) <= LONGEST && like(&letters(text), &letters(pattern)) == Like::Fails
}

fn like(mut text: &[char], mut pattern: &[char]) -> Like {
    while let ([letter, after @ ..], [sign, rest @ ..]) = (text, pattern) {
        match sign {
            '%' => return like_anything(text, rest),
            '_' => pattern = rest,
            '\\' => match rest {
                [] => return Like::Fails,
                [next, rest @ ..] if next == letter => pattern = rest,
                _ => return Like::Differs,
            },
            _ if sign == letter => pattern = rest,
            _ => return Like::Differs,
        }
        text = after;
    }
    match (text, pattern.iter().all(|sign| *sign == '%')) {
        ([], true) => Like::Fits,
        ([], false) => Like::TooShort,
        _ => Like::Differs,
    }
}

/// Behind `%`.
fn like_anything(mut text: &[char], mut pattern: &[char]) -> Like {
    while let [sign @ ('%' | '_'), rest @ ..] = pattern {
        if *sign == '_' {
            let [_, after @ ..] = text else { return Like::TooShort };
            text = after;
        }
        pattern = rest;
    }
    match pattern {
        [] => return Like::Fits,
        ['\\'] => return Like::Fails,
        _ => {}
    }
    while !text.is_empty() {
        let found = like(text, pattern);
        if found != Like::Differs {
            return found;
        }
        text = &text[1..];
    }
    Like::TooShort
}

#[cfg(test)]
mod tests {
    use super::{escaped, like_fails, regex_fault};

    /// Each was tried on PostgreSQL 15.
    #[test]
    fn what_is_no_regular_expression_is_told_from_what_is_one() {
        let good = "(a)|[]a]|[^]a]|(|a)|a*?|a+?|a??|a{2}|a{2,}|a{|a{x}|{|a{255}|a{,3}|a\\d|(a)\\1|\\0|\\12|[a-z]|[a-a]|[[:alpha:]]\
            |[[:word:]]|[[.a.]]|[[=a=]]|]|}|(?i)a|(?=a)|(?<=a)b|(?<!a)b|(?#x)a|***=(|(?q)(|(?x)a #(|()||[a-]|[-a]|[--a]|[\\]]|[\\d\\s]\
            |\\Aa\\Z|\\u0041|\\x41|\\cA|^[A-Z0-9._%+-]+@[A-Z0-9.-]+\\.[A-Z]{2,}$|(?:a|b)+|\\(|\\.|[[:<:]]a";
        for pattern in good.split('|').filter(|part| part.matches('(').count() == part.matches(')').count()) {
            assert_eq!(regex_fault(pattern), None, "{pattern}");
        }
        let bad = "( ) a) [a *a ^*a (*a) a** a+* a??? a{2,1} a{2 {2} a{256} a{2}{3} a{2,3,4} a\\ a\\q a\\i a\\g a\\p \\1 (a)\\2 (?:a)\\1 \
            [z-a] [[:foo:]] [[:alpha:] a(?i)b (?<x>a) (?>a) $* \\y* (?=a)* \\u00 \\x \\c (?=";
        for pattern in bad.split_whitespace() {
            assert!(regex_fault(pattern).is_some(), "{pattern}");
        }
        assert!(regex_fault("a|*").is_some());
        assert!(regex_fault("(?:a|b)+").is_none());
    }

    #[test]
    fn like_meets_an_escape_at_the_end() {
        let check = |text: &str, pattern: &str, fails: bool| {
            assert_eq!(like_fails(text, pattern), fails, "{text} LIKE {pattern}");
        };
        check("ab", "a\\", true);
        check("a", "a\\", false);
        check("b", "a\\", false);
        check("ab", "%\\", true);
        check("ab", "%b\\", false);
        check("ab", "_\\", true);
        check("", "\\", false);
        check("a", "\\", true);
        check("ab", "a\\\\", false);
        assert_eq!(escaped("a#%\\", "#").as_deref(), Some("a\\%\\\\"));
        assert_eq!(escaped("a\\", "").as_deref(), Some("a\\\\"));
        assert_eq!(escaped("a", "##"), None);
    }
}
