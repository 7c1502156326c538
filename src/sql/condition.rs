//! A condition on a row (`CHECK`), as far as constants decide it. What is not sure whatever the column's type, collation and the server's
//! settings are, is not decided.

use sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::ast::fold;
use super::operation::Ident;

/// A value that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// `NULL`
    Null,
    /// `DEFAULT`: what the column has for it.
    Default,
    /// `'…'`
    Text(Ident),
    /// A whole number.
    Number(i64),
}

impl Constant {
    /// A number that every numeric type holds as it is.
    pub fn number(text: &str) -> Option<Self> {
        const EXACT_IN_REAL: i64 = 1 << 24;
        text.parse().ok().filter(|number| (-EXACT_IN_REAL..=EXACT_IN_REAL).contains(number)).map(Self::Number)
    }
}

/// What a condition is on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Neither: a NULL is compared. A `CHECK` lets it pass.
    Null,
    /// That depends on what is not known.
    Unknown,
}

/// Deeper conditions are not decided.
const CONDITION: usize = 100;

/// A condition that was read.
#[derive(Debug, Clone)]
pub struct Condition(Expr);

impl Condition {
    /// Reads a condition, as written or as `pg_get_constraintdef` prints it (`CHECK ((…)) NOT VALID`).
    pub fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix("CHECK ").unwrap_or(text);
        // It is kept, and walked over on any stack.
        if super::deep::depth(text) > CONDITION {
            return None;
        }
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?;
        parser.parse_expr().ok().map(Self)
    }

    /// What it is on a row. `value`: what stands in a column; `None`: that is not known.
    pub fn holds(&self, value: &dyn Fn(&Ident) -> Option<Constant>) -> Truth {
        truth(&self.0, value)
    }
}

fn truth(expr: &Expr, value: &dyn Fn(&Ident) -> Option<Constant>) -> Truth {
    let of = |expr: &Expr| truth(expr, value);
    let equal = |a: &Expr, b: &Expr| equal(operand(a, value), operand(b, value));
    match expr {
        Expr::Nested(inner) => of(inner),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => not(of(expr)),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => and(of(left), of(right)),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => or(of(left), of(right)),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => equal(left, right),
        Expr::BinaryOp { left, op: BinaryOperator::NotEq, right } => not(equal(left, right)),
        Expr::BinaryOp { left, op, right } => match (operand(left, value), operand(right, value)) {
            (Some(Constant::Null), Some(_)) | (Some(_), Some(Constant::Null)) if is_comparison(op) => Truth::Null,
            (Some(Constant::Number(a)), Some(Constant::Number(b))) => match op {
                BinaryOperator::Lt => (a < b).into(),
                BinaryOperator::LtEq => (a <= b).into(),
                BinaryOperator::Gt => (a > b).into(),
                BinaryOperator::GtEq => (a >= b).into(),
                _ => Truth::Unknown,
            },
            _ => Truth::Unknown,
        },
        Expr::Between { expr, negated, low, high } => {
            let [at, low, high] = [expr, low, high].map(|e| operand(e, value));
            let inside = match (at, low, high) {
                // The other way round it may have been SYMMETRIC, which is not kept.
                (_, Some(Constant::Number(low)), Some(Constant::Number(high))) if low > high => Truth::Unknown,
                (Some(Constant::Number(at)), Some(Constant::Number(low)), Some(Constant::Number(high))) => {
                    (low <= at && at <= high).into()
                }
                (Some(Constant::Null), Some(_), Some(_)) => Truth::Null,
                _ => Truth::Unknown,
            };
            if *negated { not(inside) } else { inside }
        }
        Expr::IsNull(inner) => operand(inner, value).map_or(Truth::Unknown, |c| (c == Constant::Null).into()),
        Expr::IsNotNull(inner) => operand(inner, value).map_or(Truth::Unknown, |c| (c != Constant::Null).into()),
        Expr::InList { expr, list, negated } => {
            let found = list.iter().map(|item| equal(expr, item)).fold(Truth::False, or);
            if *negated { not(found) } else { found }
        }
        // `IN` as the server prints it.
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match elements(right) {
            Some(list) => list.iter().map(|item| equal(left, item)).fold(Truth::False, or),
            None => Truth::Unknown,
        },
        _ => Truth::Unknown,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq)
}

/// The same string is equal to itself in every type and collation. So may two be that differ (`citext`, `char(3)`, a collation that looks
/// at letters only), unless their letters and digits do.
fn equal(one: Option<Constant>, other: Option<Constant>) -> Truth {
    match (one, other) {
        (Some(Constant::Null), Some(_)) | (Some(_), Some(Constant::Null)) => Truth::Null,
        (Some(Constant::Text(a)), Some(Constant::Text(b))) if a == b => Truth::True,
        (Some(Constant::Text(a)), Some(Constant::Text(b))) if a.is_ascii() && b.is_ascii() => {
            let letters = |text: &str| {
                let kept = text.chars().filter(char::is_ascii_alphanumeric);
                kept.map(|c| c.to_ascii_lowercase()).collect::<String>()
            };
            if letters(&a) == letters(&b) { Truth::Unknown } else { Truth::False }
        }
        (Some(Constant::Number(a)), Some(Constant::Number(b))) => (a == b).into(),
        _ => Truth::Unknown,
    }
}

fn elements(array: &Expr) -> Option<&[Expr]> {
    match array {
        Expr::Array(array) => Some(&array.elem),
        Expr::Nested(inner) => elements(inner),
        Expr::Cast { expr, .. } => elements(expr),
        _ => None,
    }
}

/// A column's value, or a constant.
fn operand(expr: &Expr, value: &dyn Fn(&Ident) -> Option<Constant>) -> Option<Constant> {
    match expr {
        Expr::Nested(inner) => operand(inner, value),
        Expr::Identifier(column) => value(&fold(column)),
        Expr::Value(found) => match &found.value {
            Value::Null => Some(Constant::Null),
            Value::SingleQuotedString(text) => Some(Constant::Text(text.as_str().into())),
            Value::Number(text, _) => Constant::number(text),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match operand(expr, value)? {
            Constant::Number(number) => number.checked_neg().map(Constant::Number),
            _ => None,
        },
        // What the server writes around a string; a length would cut it.
        Expr::Cast { expr, data_type, .. } if is_string(data_type) => {
            operand(expr, value).filter(|constant| !matches!(constant, Constant::Number(_)))
        }
        _ => None,
    }
}

fn is_string(data_type: &DataType) -> bool {
    match data_type {
        DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None) => true,
        // `bpchar`, or an enum: only what stands in columns of such types is compared.
        DataType::Custom(_, modifiers) => modifiers.is_empty(),
        _ => false,
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

const fn not(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        other => other,
    }
}

const fn and(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        (Truth::Null, _) | (_, Truth::Null) => Truth::Null,
        (Truth::True, Truth::True) => Truth::True,
    }
}

const fn or(one: Truth, other: Truth) -> Truth {
    not(and(not(one), not(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a row of state = 'open', amount = 5, note = NULL, and anything in other columns.
    fn check(condition: &str, expected: Truth) {
        let value = |column: &Ident| match &**column {
            "state" => Some(Constant::Text("open".into())),
            "amount" => Some(Constant::Number(5)),
            "note" => Some(Constant::Null),
            _ => None,
        };
        let condition = Condition::read(condition).unwrap_or_else(|| panic!("{condition}"));
        assert_eq!(condition.holds(&value), expected, "{condition:?}");
    }

    #[test]
    fn constants_decide_what_they_can() {
        use Truth::{False, Null, True, Unknown};
        check("state IN ('open', 'shut')", True);
        check("state IN ('shut')", False);
        check("state NOT IN ('shut', 'open')", False);
        check("CHECK ((state = ANY (ARRAY['open'::text, 'shut'::text]))) NOT VALID", True);
        check("CHECK (((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))", False);
        check("amount > 0 AND amount < 5", False);
        check("amount BETWEEN 1 AND 9", True);
        check("amount > -1", True);
        check("note IS NOT NULL", False);
        check("note IN ('a')", Null);
        check("note > 3 OR amount = 5", True);
        check("other > 3 OR amount = 5", True);
        check("other > 3 AND amount = 5", Unknown);
        check("other > 3 AND amount = 6", False);
        check("length(state) > 2", Unknown);
        // In citext they are one, in text they are two; and which is less depends on the collation.
        check("state = 'OPEN'", Unknown);
        check("state <> 'OPEN'", Unknown);
        check("state > 'a'", Unknown);
        check("amount > 0.5", Unknown);
        check("\"state\" = 'open'", True);
        check("\"State\" = 'open'", Unknown);
    }
}
