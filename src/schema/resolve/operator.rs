//! Operators, and which of several operators or functions of a name is meant.

use super::Resolver;
use super::catalog::{CATALOG, Context};
use super::expr::{has_column, typed};
use super::scope::Scope;
use super::sorting::Need;
use super::types::{Sure, Type};
use crate::schema::Schema;
use crate::sql::TypeName;
use crate::sql::operation::Ident;
use crate::sql::query::{At, Expr};

/// Whether a new operator may be meant where one of the server's was: it is for types of the server's, and suits some better than the server's own.
pub(crate) fn takes_over(sign: &str, left: &TypeName, right: &TypeName, schema: &Schema) -> bool {
    let (left, right) = (left.base(), right.base());
    let own = CATALOG.operators(sign);
    let built_in = [&left, &right].iter().all(|name| CATALOG.category(name).is_some());
    let exact = own.iter().any(|operator| operator.left == left && operator.right == right);
    // The server's own are looked for first, unless the path says otherwise.
    !own.is_empty() && built_in && (!exact || schema.search_path.iter().any(|name| **name == *"pg_catalog"))
}

impl Resolver<'_> {
    /// `left operator right`
    pub(super) fn operator(
        &mut self,
        name: &str,
        left: Option<&Expr>,
        right: &Expr,
        at: At,
        scope: Option<&Scope<'_>>,
    ) -> Type {
        // Rows are compared field by field.
        if let (Some(Expr::Row(lefts)), Expr::Row(rights)) = (left, right)
            && lefts.len() == rights.len()
        {
            for (left, right) in lefts.iter().zip(rights) {
                self.operator(name, Some(left), right, at, scope);
            }
            return Type::named("boolean");
        }
        if let Some(left) = left {
            self.compare(left, right, scope);
            if self.follows && matches!(name, "/" | "%") {
                self.put_divisor(right, scope);
            }
        }
        let left = left.map(|left| (left, self.expr(left, scope)));
        let right_type = self.expr(right, scope);
        self.apply(name, left.as_ref().map(|(expr, data_type)| (*expr, data_type)), (right, &right_type), at)
    }

    /// Whether there may be an operator of this sign for types of the server's that it does not come with: made by a statement, or by an extension.
    fn may_be_own_operator(&self, sign: &str) -> bool {
        let brings = |name: &Ident| match &**name {
            "pg_trgm" => sign.contains('%') || sign.contains("<->"),
            "intarray" => ["&", "|", "#", "+", "-", "@@", "~~"].contains(&sign),
            _ => false,
        };
        self.schema.has_operator(sign) || self.schema.extensions().any(brings)
    }

    /// Notes which columns the parameters on one side meet on the other.
    fn compare(&mut self, left: &Expr, right: &Expr, scope: Option<&Scope<'_>>) {
        let Some(scope) = scope else { return };
        for (value, other) in [(left, right), (right, left)] {
            let columns = match other {
                Expr::Cast(inner, ..) => self.shown_by(inner, scope),
                // `lower(name) = lower($1)`
                Expr::Call(call) => call.arguments.iter().flat_map(|part| self.shown_by(part, scope)).collect(),
                other => self.shown_by(other, scope),
            };
            self.meet(value, &columns, false);
        }
    }

    /// An operator on operands whose types are known.
    pub(super) fn apply(&mut self, name: &str, left: Option<(&Expr, &Type)>, right: (&Expr, &Type), at: At) -> Type {
        let operands: Vec<(&Expr, Type)> =
            left.into_iter().chain([right]).map(|(expr, data_type)| (expr, self.settled(data_type))).collect();
        let actual: Vec<Type> = operands.iter().map(|(_, data_type)| data_type.clone()).collect();
        let name = match name {
            "!=" => "<>",
            other => other,
        };
        if let ([(left_expr, a), (right_expr, b)], Some(need)) = (&operands[..], Need::of(name)) {
            self.compare_rows((left_expr, a), (right_expr, b), need, at);
        }
        let all = CATALOG.operators(name);
        // Mostly there is one for just these types; a string is taken for what the other side is.
        if let [(left, a), (right, b)] = &operands[..] {
            let from = if a.is_open() { b.name() } else { a.name() };
            let to = if b.is_open() { a.name() } else { b.name() };
            let exact = all.iter().find(|op| Some(op.left) == from && Some(op.right) == to);
            if let Some(op) = exact {
                for (expr, data_type, wanted) in [(left, a, op.left), (right, b, op.right)] {
                    if data_type.is_open() {
                        self.settle_open(expr, data_type, wanted);
                    }
                }
                self.changing |= op.changing;
                return Type::named(op.returns);
            }
        }
        let all = all.iter().filter(|op| op.left.is_empty() == left.is_none());
        let signatures: Vec<(Vec<&str>, &str)> = all
            .map(|op| {
                let arguments = if op.left.is_empty() { vec![op.right] } else { vec![op.left, op.right] };
                (arguments, op.returns)
            })
            .collect();
        let outcome = self.overload(&signatures, &actual, true);
        match outcome {
            Overload::One(arguments, returns) => {
                let names: Vec<&str> = arguments.iter().filter_map(Type::name).collect();
                let meant = CATALOG.operators(name).iter().find(|op| match names[..] {
                    [left, right] => op.left == left && op.right == right,
                    [right] => op.left.is_empty() && op.right == right,
                    _ => false,
                });
                self.changing |= meant.is_some_and(|op| op.changing);
                // Whatever stands beside a text is written as one.
                if meant.is_none() && name == "||" && returns.name() == Some("text") {
                    actual.iter().for_each(|data_type| self.turned(data_type, "text"));
                }
                for ((expr, data_type), wanted) in operands.iter().zip(&arguments) {
                    match wanted {
                        Type::Named(wanted) if data_type.is_open() => self.settle_open(expr, data_type, wanted),
                        Type::Named(wanted) => self.turned(data_type, wanted),
                        _ => {}
                    }
                }
                returns
            }
            Overload::Unsure(returns) => returns,
            Overload::None => {
                let words: Vec<String> = actual.iter().map(ToString::to_string).collect();
                let call = match words.as_slice() {
                    [left, right] => format!("{left} {name} {right}"),
                    _ => format!("{name} {}", words.join("")),
                };
                if signatures.is_empty() || self.may_be_own_operator(name) {
                    return Type::Any;
                }
                self.problem("42883", format!("operator does not exist: {call}"), at);
                Type::Any
            }
            Overload::Ambiguous if self.may_be_own_operator(name) => Type::Any,
            Overload::Ambiguous => {
                self.problem("42725", format!("operator is not unique: {name}"), at);
                Type::Any
            }
        }
    }

    /// `a = ANY (…)`
    pub(super) fn quantified(
        &mut self,
        name: &str,
        left: &Expr,
        right: &Expr,
        at: At,
        scope: Option<&Scope<'_>>,
    ) -> Type {
        let boolean = Type::named("boolean");
        if let Expr::Scalar(query) = right {
            let columns = self.query(query, scope);
            let lefts: Vec<&Expr> = match left {
                Expr::Row(parts) => parts.iter().collect(),
                one => vec![one],
            };
            let left_types: Vec<Type> = lefts.iter().map(|left| self.expr(left, scope)).collect();
            let Some(columns) = columns else { return boolean };
            if columns.len() != lefts.len() && !matches!(left, Expr::Column(..) | Expr::Scalar(_)) {
                let many = if columns.len() < lefts.len() { "few" } else { "many" };
                self.problem("42601", format!("subquery has too {many} columns"), at);
            }
            for ((left, left_type), col) in lefts.into_iter().zip(&left_types).zip(&columns) {
                self.apply(name, Some((left, left_type)), (&Expr::Null, &typed(&col.data_type)), at);
            }
            return boolean;
        }
        self.compare(left, right, scope);
        let left_type = self.expr(left, scope);
        let right_type = self.expr(right, scope);
        let right_type = self.settled(&right_type);
        let element = match &right_type {
            Type::Named(name) => match self.types.base(name).strip_suffix("[]") {
                Some(element) => Type::named(element),
                None => {
                    if self.types.category(name).is_some() && !matches!(&**name, "int2vector" | "oidvector") {
                        self.problem("42809", "op ANY/ALL (array) requires array on right side", at);
                    }
                    return boolean;
                }
            },
            Type::Any => return boolean,
            open => open.clone(),
        };
        // An open right side becomes an array of what the operator takes there.
        let open = element.is_open();
        let left_now = self.settled(&left_type);
        let probe = if open { Type::Unknown } else { element };
        let actual = vec![left_now.clone(), probe.clone()];
        let all = CATALOG.operators(name).iter();
        let signatures: Vec<(Vec<&str>, &str)> =
            all.filter(|op| !op.left.is_empty()).map(|op| (vec![op.left, op.right], op.returns)).collect();
        match self.overload(&signatures, &actual, true) {
            Overload::One(arguments, _) => {
                let names: Vec<&str> = arguments.iter().filter_map(Type::name).collect();
                let mut meant = CATALOG.operators(name).iter();
                self.changing |= meant.any(|op| op.changing && names == [op.left, op.right]);
                if let (true, Some(Type::Named(wanted))) = (left_now.is_open(), arguments.first()) {
                    self.settle_open(left, &left_now, wanted);
                }
                if let (true, Some(Type::Named(wanted))) = (open, arguments.get(1)) {
                    self.settle_open(&Expr::Null, &right_type, &format!("{wanted}[]"));
                }
            }
            Overload::None if !signatures.is_empty() && !self.may_be_own_operator(name) => {
                self.problem("42883", format!("operator does not exist: {left_now} {name} {probe}"), at);
            }
            Overload::None | Overload::Ambiguous | Overload::Unsure(_) => {
                if let (true, Type::Parameter(number)) = (open, &right_type) {
                    self.settle(*number, &Type::Any);
                }
            }
        }
        boolean
    }

    pub(super) fn in_list(&mut self, left: &Expr, list: &[Expr], at: At, scope: Option<&Scope<'_>>) -> Type {
        let boolean = Type::named("boolean");
        if matches!(left, Expr::Row(_)) {
            for item in list {
                self.operator("=", Some(left), item, at, scope);
            }
            return boolean;
        }
        for item in list {
            self.compare(left, item, scope);
        }
        let left_type = self.expr(left, scope);
        let types = self.exprs(list, scope);
        let constant: Vec<bool> = list.iter().map(|item| !has_column(item)).collect();
        let mut common = None;
        if constant.iter().filter(|is| **is).count() > 1 {
            let mut all = vec![self.settled(&left_type)];
            let constants = types.iter().zip(&constant).filter(|(_, is)| **is);
            all.extend(constants.map(|(data_type, _)| self.settled(data_type)));
            common = self.types.common(&all).ok().filter(|t| !t.is_open());
        }
        for (i, (item, data_type)) in list.iter().zip(&types).enumerate() {
            match &common {
                Some(Type::Named(name)) if constant[i] => {
                    self.want(item, data_type, name, Context::Implicit, at);
                    self.apply("=", Some((left, &left_type)), (&Expr::Null, &Type::Named(name.clone())), at);
                }
                _ => _ = self.apply("=", Some((left, &left_type)), (item, data_type), at),
            }
        }
        boolean
    }

    /// Which of several signatures is meant.
    pub(super) fn overload(&mut self, signatures: &[(Vec<&str>, &str)], actual: &[Type], operator: bool) -> Overload {
        if actual.contains(&Type::Any) {
            let mut returns = signatures.iter().filter(|(a, _)| a.len() == actual.len()).map(|(_, returns)| *returns);
            let first = returns.next();
            let same = first.filter(|first| !first.starts_with("any") && returns.all(|other| other == *first));
            return Overload::Unsure(same.map_or(Type::Any, Type::named));
        }
        // As they are; of an operator, a string is taken for what the other side is.
        let mut exact = actual.to_vec();
        if let ([left, right], true) = (&mut exact[..], operator) {
            if left.is_open() {
                *left = right.clone();
            } else if right.is_open() {
                *right = left.clone();
            }
        }
        let is = |arguments: &[&str], types: &[Type]| {
            arguments.len() == types.len() && arguments.iter().zip(types).all(|(a, t)| t.name() == Some(a))
        };
        let found = signatures.iter().find(|(arguments, _)| is(arguments, &exact)).or_else(|| {
            let based: Vec<Type> = exact
                .iter()
                .map(|t| match t {
                    Type::Named(name) => Type::named(self.types.base(name)),
                    other => other.clone(),
                })
                .collect();
            signatures.iter().find(|(arguments, _)| operator && is(arguments, &based))
        });
        if let Some((arguments, returns)) = found {
            return Overload::One(arguments.iter().map(|a| Type::named(*a)).collect(), Type::named(*returns));
        }
        let mut unsure = false;
        let mut fitting = Vec::new();
        let given: Vec<_> = actual.iter().map(|is| self.types.given(is)).collect();
        for (arguments, returns) in signatures.iter().filter(|(a, _)| a.len() == actual.len()) {
            let mut fits = Sure::Yes;
            for (wanted, is) in arguments.iter().zip(&given) {
                match is.fits(wanted, Context::Implicit) {
                    Sure::Yes => {}
                    Sure::No => {
                        fits = Sure::No;
                        break;
                    }
                    Sure::Unsure => fits = Sure::Unsure,
                }
            }
            if fits == Sure::No || self.types.instantiate(arguments, returns, actual).is_none() {
                continue;
            }
            unsure |= fits == Sure::Unsure;
            fitting.push((arguments.clone(), *returns));
        }
        if unsure {
            let mut returns = fitting.iter().map(|(_, returns)| *returns);
            let first = returns.next();
            let same = first.filter(|first| !first.starts_with("any") && returns.all(|other| other == *first));
            return Overload::Unsure(same.map_or(Type::Any, Type::named));
        }
        let chosen = match fitting.len() {
            0 => return Overload::None,
            1 => 0,
            _ => {
                let arguments: Vec<Vec<&str>> = fitting.iter().map(|(arguments, _)| arguments.clone()).collect();
                match self.types.select(&arguments, actual) {
                    Some(chosen) => chosen,
                    None => return Overload::Ambiguous,
                }
            }
        };
        let (arguments, returns) = &fitting[chosen];
        match self.types.instantiate(arguments, returns, actual) {
            Some((arguments, returns)) => Overload::One(arguments, returns),
            None => Overload::Unsure(Type::Any),
        }
    }
}

/// What a call or an operator means.
pub(super) enum Overload {
    /// The types of its arguments and of its result.
    One(Vec<Type>, Type),
    /// A type is not known; the type of the result, if it is the same whatever is meant.
    Unsure(Type),
    /// Nothing.
    None,
    /// Several.
    Ambiguous,
}
