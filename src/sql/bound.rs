//! The bound of a partition, as far as two of them can be held against each other: constants whose order does not depend on a collation or a
//! time zone.

use std::cmp::Ordering;

use super::lex::{Lexeme, TokenKind, lex};

/// What rows a partition takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// `FROM (…) TO (…)`, with an edge for each column of the key.
    Range(Vec<Edge>, Vec<Edge>),
    /// `IN (…)`
    List(Vec<BoundValue>),
    /// `WITH (MODULUS …, REMAINDER …)`
    Hash {
        /// How many parts there are.
        modulus: i64,
        /// Which one.
        remainder: i64,
    },
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// `MINVALUE`
    Least,
    /// A constant.
    At(BoundValue),
    /// `MAXVALUE`
    Greatest,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BoundValue {
    /// An integer, quoted or not.
    Number(i64),
    /// A date, or a date and a time without a zone.
    Moment(String),
    /// Another string.
    Text(String),
    /// `NULL`
    Null,
}

impl Bound {
    /// Reads `FOR VALUES …`, as written or as a server prints it; `None`: something else, or not of constants.
    pub fn read(text: &str) -> Option<Self> {
        let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
        let at = pieces.iter().position(|piece| piece.is("values"))? + 1;
        let (kind, rest) = pieces.get(at..)?.split_first()?;
        if kind.is("in") {
            let (inside, rest) = group(rest)?;
            let values: Option<Vec<BoundValue>> = inside.split(|piece| piece.symbol(",")).map(value).collect();
            return values.filter(|_| rest.is_empty()).map(Self::List);
        }
        if kind.is("with") {
            let (inside, rest) = group(rest)?;
            let number = |word: &str| {
                let at = inside.iter().position(|piece| piece.is(word))?;
                inside.get(at + 1)?.text.parse::<i64>().ok()
            };
            let (modulus, remainder) = (number("modulus")?, number("remainder")?);
            return rest.is_empty().then_some(Self::Hash { modulus, remainder });
        }
        let (from, rest) = group(rest).filter(|_| kind.is("from"))?;
        let (to, rest) = group(rest.split_first().filter(|(to, _)| to.is("to"))?.1)?;
        let edges =
            |pieces: &[Lexeme<'_>]| pieces.split(|piece| piece.symbol(",")).map(edge).collect::<Option<Vec<_>>>();
        rest.is_empty().then_some(Self::Range(edges(from)?, edges(to)?))
    }

    /// Whether a row can belong to both, for certain.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(values), Self::List(others)) => values.iter().any(|value| others.contains(value)),
            (Self::Range(from, to), Self::Range(other_from, other_to)) => {
                // The ranges begin where the later of them begins, and end where the earlier of them ends.
                let before = |a: &[Edge], b: &[Edge]| order(a, b) == Some(Ordering::Less);
                before(from, other_to) && before(other_from, to) && before(from, to) && before(other_from, other_to)
            }
            (Self::Hash { modulus: a, remainder: r }, Self::Hash { modulus: b, remainder: s }) => {
                let common = (*a).min(*b);
                common > 0 && r % common == s % common
            }
            _ => false,
        }
    }

    /// Whether no row can belong to it, for certain.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Range(from, to) => matches!(order(from, to), Some(Ordering::Equal | Ordering::Greater)),
            _ => false,
        }
    }

    /// Why a bound cannot be, whatever others there are.
    pub fn refused(&self) -> Option<String> {
        match self {
            Self::Range(from, to) => {
                if from.len() != to.len() {
                    return Some("FROM and TO must specify exactly one value per partitioning column".to_owned());
                }
                let null = from.iter().chain(to).any(|edge| *edge == Edge::At(BoundValue::Null));
                if null {
                    return Some("cannot specify NULL in range bound".to_owned());
                }
                // Behind MINVALUE and MAXVALUE comes the same again.
                let open = |pair: &[Edge]| !matches!(pair[0], Edge::At(_)) && pair[0] != pair[1];
                let other = from.windows(2).chain(to.windows(2)).find(|pair| open(pair));
                other.map(|pair| {
                    let word = if pair[0] == Edge::Least { "MINVALUE" } else { "MAXVALUE" };
                    format!("every bound following {word} must also be {word}")
                })
            }
            Self::Hash { modulus, .. } if *modulus <= 0 => {
                Some("modulus for hash partition must be an integer value greater than zero".to_owned())
            }
            Self::Hash { modulus, remainder } if remainder >= modulus => {
                Some("remainder for hash partition must be less than modulus".to_owned())
            }
            Self::Hash { .. } | Self::List(_) => None,
        }
    }

    /// Why it cannot stand beside another of the same table: of two moduli one is a factor of the other.
    pub fn misfits(&self, other: &Self) -> Option<String> {
        let (Self::Hash { modulus: a, .. }, Self::Hash { modulus: b, .. }) = (self, other) else { return None };
        let (small, large) = (*a.min(b), *a.max(b));
        (small > 0 && large % small != 0)
            .then(|| "every hash partition modulus must be a factor of the next larger modulus".to_owned())
    }
}

/// How two edges of a range stand to each other, where that is known.
fn order(one: &[Edge], other: &[Edge]) -> Option<Ordering> {
    for (a, b) in one.iter().zip(other) {
        let known = match (a, b) {
            (Edge::At(a), Edge::At(b)) => {
                matches!(
                    (a, b),
                    (BoundValue::Number(_), BoundValue::Number(_)) | (BoundValue::Moment(_), BoundValue::Moment(_))
                ) || a == b
            }
            _ => true,
        };
        match known.then(|| a.cmp(b))? {
            Ordering::Equal if matches!(a, Edge::At(_)) => {}
            found => return Some(found),
        }
    }
    Some(Ordering::Equal)
}

/// What stands in the parentheses that a list begins with, and what behind them.
fn group<'p, 'a>(pieces: &'p [Lexeme<'a>]) -> Option<(&'p [Lexeme<'a>], &'p [Lexeme<'a>])> {
    let inside = pieces.split_first().filter(|(open, _)| open.symbol("("))?.1;
    let close = inside.iter().position(|piece| piece.symbol(")"))?;
    Some((&inside[..close], &inside[close + 1..]))
}

fn edge(pieces: &[Lexeme<'_>]) -> Option<Edge> {
    match pieces {
        [only] if only.is("minvalue") => Some(Edge::Least),
        [only] if only.is("maxvalue") => Some(Edge::Greatest),
        _ => value(pieces).map(Edge::At),
    }
}

fn value(pieces: &[Lexeme<'_>]) -> Option<BoundValue> {
    if let [null] = pieces
        && null.is("null")
    {
        return Some(BoundValue::Null);
    }
    let (sign, constant) = match pieces {
        [minus, number] if minus.symbol("-") => (-1, number),
        [constant] => (1, constant),
        _ => return None,
    };
    if let Ok(number) = constant.text.parse::<i64>() {
        return Some(BoundValue::Number(sign * number));
    }
    let quoted = constant.text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let text = quoted.filter(|text| constant.kind == TokenKind::Text && sign == 1 && !text.contains('\''))?;
    if let Ok(number) = text.parse::<i64>() {
        return Some(BoundValue::Number(number));
    }
    // `2024-01-31`, `2024-01-31 00:00:00`
    const DATE: &str = "0000-00-00";
    const MOMENT: &str = "0000-00-00 00:00:00";
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    Some(match shape.as_str() {
        DATE => BoundValue::Moment(format!("{text} 00:00:00")),
        MOMENT => BoundValue::Moment(text.to_owned()),
        _ => BoundValue::Text(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_held_against_each_other() {
        let overlap = |one: &str, other: &str| {
            let read = |text: &str| Bound::read(&format!("FOR VALUES {text}")).unwrap();
            read(one).overlaps(&read(other))
        };
        assert!(overlap("FROM (1000) TO (MAXVALUE)", "FROM ('5000') TO ('6000')"));
        assert!(!overlap("FROM (MINVALUE) TO (-5)", "FROM (-5) TO (5)"));
        assert!(overlap("FROM ('2024-01-01') TO ('2024-02-01')", "FROM ('2024-01-31 00:00:00') TO (MAXVALUE)"));
        assert!(!overlap("FROM ('2024-01-01') TO ('2024-02-01')", "FROM ('2024-02-01') TO ('2024-03-01')"));
        assert!(overlap("IN ('a', 'b')", "IN ('b')") && !overlap("IN (1, 2)", "IN (3)"));
        // What collates before what, nobody knows here.
        assert!(!overlap("FROM ('a') TO ('c')", "FROM ('b') TO ('d')"));
        assert!(Bound::read("FOR VALUES FROM (2) TO (1)").unwrap().is_empty());
        assert!(overlap("FROM (1, 0) TO (1, 10)", "FROM (0, 5) TO (2, 0)"));
        assert!(!overlap("FROM (1, 0) TO (1, 10)", "FROM (1, 10) TO (MAXVALUE, MAXVALUE)"));
        assert!(!overlap("FROM (1, 'a') TO (1, 'c')", "FROM (1, 'b') TO (1, 'd')"));
        assert!(overlap("IN (1, NULL)", "IN (NULL)"));
        assert!(overlap("WITH (MODULUS 2, REMAINDER 1)", "WITH (modulus 4, remainder 3)"));
        assert!(!overlap("WITH (MODULUS 2, REMAINDER 1)", "WITH (modulus 4, remainder 2)"));
        assert_eq!(Bound::read("DEFAULT"), None);
    }
}
