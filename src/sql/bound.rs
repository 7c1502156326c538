//! The bound of a partition, as far as two of them can be held against each other: one column, and constants whose order does not depend on
//! a collation or a time zone.

use super::lex::{Kind, Lexeme, lex};

/// What rows a partition takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// `FROM (…) TO (…)`
    Range(Edge, Edge),
    /// `IN (…)`
    List(Vec<Value>),
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// `MINVALUE`
    Least,
    /// A constant.
    At(Value),
    /// `MAXVALUE`
    Greatest,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// An integer, quoted or not.
    Number(i64),
    /// A date, or a date and a time without a zone.
    Moment(String),
    /// Another string.
    Text(String),
}

impl Bound {
    /// Reads `FOR VALUES …`, as written or as a server prints it; `None`: something else, or of several columns, or not of constants.
    pub fn read(text: &str) -> Option<Self> {
        let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
        let at = pieces.iter().position(|piece| piece.is("values"))? + 1;
        let (kind, rest) = pieces.get(at..)?.split_first()?;
        if kind.is("in") {
            let (inside, rest) = group(rest)?;
            let values: Option<Vec<Value>> = inside.split(|piece| piece.symbol(",")).map(value).collect();
            return values.filter(|_| rest.is_empty()).map(Self::List);
        }
        let (from, rest) = group(rest).filter(|_| kind.is("from"))?;
        let (to, rest) = group(rest.split_first().filter(|(to, _)| to.is("to"))?.1)?;
        rest.is_empty().then_some(Self::Range(edge(from)?, edge(to)?))
    }

    /// Whether a row can belong to both, for certain.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(values), Self::List(others)) => values.iter().any(|value| others.contains(value)),
            (Self::Range(from, to), Self::Range(other_from, other_to)) => {
                comparable([from, to, other_from, other_to]) && from.max(other_from) < to.min(other_to)
            }
            (Self::List(_), Self::Range(..)) | (Self::Range(..), Self::List(_)) => false,
        }
    }

    /// Whether no row can belong to it, for certain.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Range(from, to) if comparable([from, to]) && from >= to)
    }
}

/// Whether the order of edges is known.
fn comparable<const N: usize>(edges: [&Edge; N]) -> bool {
    let number = |edge: &Edge| matches!(edge, Edge::At(Value::Number(_)));
    let moment = |edge: &Edge| matches!(edge, Edge::At(Value::Moment(_)));
    let constants = || edges.into_iter().filter(|edge| matches!(edge, Edge::At(_)));
    constants().all(number) || constants().all(moment)
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

fn value(pieces: &[Lexeme<'_>]) -> Option<Value> {
    let (sign, constant) = match pieces {
        [minus, number] if minus.symbol("-") => (-1, number),
        [constant] => (1, constant),
        _ => return None,
    };
    if let Ok(number) = constant.text.parse::<i64>() {
        return Some(Value::Number(sign * number));
    }
    let quoted = constant.text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let text = quoted.filter(|text| constant.kind == Kind::Text && sign == 1 && !text.contains('\''))?;
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Number(number));
    }
    // `2024-01-31`, `2024-01-31 00:00:00`
    const DATE: &str = "0000-00-00";
    const MOMENT: &str = "0000-00-00 00:00:00";
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    Some(match shape.as_str() {
        DATE => Value::Moment(format!("{text} 00:00:00")),
        MOMENT => Value::Moment(text.to_owned()),
        _ => Value::Text(text.to_owned()),
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
        for other in ["DEFAULT", "FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "FOR VALUES FROM (1, 2) TO (1, 3)"] {
            assert_eq!(Bound::read(other), None);
        }
    }
}
