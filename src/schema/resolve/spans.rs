//! Ranges and arrays of constants: what two of them make together, what stands at a place, how long they may be.

use super::computed::{Fault, Found, Whole, compute};
use crate::schema::Schema;
use crate::sql::query::Expr;

/// Why two ranges make none together: what is left of the one, or both, would have a gap in it.
pub(super) fn parted(operator: &str, left: &Expr, right: &Expr, schema: &Schema) -> Option<Fault> {
    let of_two = match operator {
        "-" => |(a, b): (i64, i64), (c, d): (i64, i64)| a < c && d < b,
        "+" => |(a, b): (i64, i64), (c, d): (i64, i64)| b < c || d < a,
        _ => return None,
    };
    let name = if operator == "-" { "difference" } else { "union" };
    let apart = of_two(bounds_of(left, schema)?, bounds_of(right, schema)?);
    apart.then(|| Fault::Said(format!("result of range {name} would not be contiguous").into()))
}

/// The first number of a range of numbers that is not empty, and the first behind it.
fn bounds_of(expr: &Expr, schema: &Schema) -> Option<(i64, i64)> {
    let (low, high, flags) = match expr {
        Expr::Cast(inner, to, _) if matches!(&*to.base(), "int4range" | "int8range") => {
            let Expr::Text(text, _) = &**inner else { return None };
            let (low, high) = text.get(1..text.len().checked_sub(1)?)?.split_once(',')?;
            let flags = format!("{}{}", text.get(..1)?, text.get(text.len() - 1..)?);
            (low.trim().parse().ok()?, high.trim().parse().ok()?, flags)
        }
        Expr::Call(call) if matches!(&*call.name.name, "int4range" | "int8range" | "numrange") && !call.named => {
            let given: Vec<Found> = call.arguments.iter().filter_map(|given| compute(given, schema).ok()).collect();
            match given.as_slice() {
                [Found::Whole(low, _), Found::Whole(high, _)] => (*low, *high, "[)".to_owned()),
                [Found::Whole(low, _), Found::Whole(high, _), Found::Literal(flags)]
                    if &*call.name.name != "numrange" =>
                {
                    (*low, *high, flags.clone())
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    let (low, high): (i64, i64) = (low, high);
    let low = low.checked_add(i64::from(flags.starts_with('(')))?;
    let high = high.checked_add(i64::from(flags.ends_with(']')))?;
    (low < high).then_some((low, high))
}

/// `ARRAY[…][n]`: behind the last is nothing.
pub(super) fn element(array: &Expr, bounds: &[Expr], schema: &Schema) -> Result<Found, Fault> {
    compute(array, schema)?;
    for bound in bounds {
        if let Found::Whole(place, Whole::Big) = compute(bound, schema)? {
            Whole::Plain.take(place.into())?;
        }
    }
    let (Expr::Array(parts, _), [bound]) = (array, bounds) else { return Ok(Found::Unknown) };
    let Found::Whole(place, _) = compute(bound, schema)? else { return Ok(Found::Unknown) };
    // An array of arrays has no elements by one number.
    if parts.iter().any(|part| !matches!(part, Expr::Text(..) | Expr::Number(_) | Expr::Null)) {
        return Ok(Found::Unknown);
    }
    let part = usize::try_from(place).ok().and_then(|place| parts.get(place.checked_sub(1)?));
    // Its type is that of all of them.
    part.map_or(Ok(Found::Null), |part| match compute(part, schema)? {
        Found::Null => Ok(Found::Null),
        _ => Ok(Found::Unknown),
    })
}

/// `array_fill(value, ARRAY[…])`: how long an array may be.
pub(super) fn filled(sizes: &Expr, schema: &Schema) -> Result<Found, Fault> {
    const MOST: i128 = 134_217_727;
    const DEEPEST: usize = 6;
    let sizes = match sizes {
        Expr::Cast(inner, ..) => inner,
        other => other,
    };
    let Expr::Array(parts, _) = sizes else { return Ok(Found::Unknown) };
    let said = |text: &str| Err(Fault::Said(text.into()));
    let mut size: i128 = 1;
    for part in parts {
        match compute(part, schema)? {
            Found::Null => return said("dimension values cannot be null"),
            Found::Whole(number, _) if number < 0 => return said("array size exceeds the maximum allowed (134217727)"),
            Found::Whole(number, _) => size = size.saturating_mul(number.into()),
            _ => return Ok(Found::Unknown),
        }
    }
    if DEEPEST < parts.len() {
        return said("number of array dimensions exceeds the maximum allowed (6)");
    }
    if MOST < size { said("array size exceeds the maximum allowed (134217727)") } else { Ok(Found::Unknown) }
}
