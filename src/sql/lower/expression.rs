//! An expression of sqlparser → one of ours.

use sqlparser::ast::{
    self, AccessExpr, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    Subscript, UnaryOperator, Value, WindowType,
};

use super::query::Lower;
use crate::sql::TypeName;
use crate::sql::ast::{fold, lower_name};
use crate::sql::deep::DEEPEST_OF_OURS;
use crate::sql::name::Name;
use crate::sql::query::{At, Call, Expr};
use crate::sql::query_gaps::ALL_FIELDS;
use crate::sql::types::lower_type;

impl Lower<'_> {
    pub(super) fn exprs(&self, exprs: &[ast::Expr]) -> Vec<Expr> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    fn boxed(&self, expr: &ast::Expr) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn operator(&self, name: &str, left: &ast::Expr, right: &ast::Expr) -> Expr {
        Expr::Operator(name.into(), Some(self.boxed(left)), self.boxed(right), self.start(left))
    }

    /// Where an expression begins, as far as its first name tells.
    fn start(&self, expr: &ast::Expr) -> At {
        match expr {
            ast::Expr::Identifier(ident) => self.at(ident.span),
            ast::Expr::CompoundIdentifier(parts) => self.idents(parts),
            ast::Expr::Value(value) => self.at(value.span),
            ast::Expr::Nested(inner) | ast::Expr::Cast { expr: inner, .. } | ast::Expr::UnaryOp { expr: inner, .. } => {
                self.start(inner)
            }
            ast::Expr::BinaryOp { left, .. } => self.start(left),
            ast::Expr::Function(function) => self.name_at(&function.name),
            ast::Expr::CompoundFieldAccess { root, .. } => self.start(root),
            _ => At::default(),
        }
    }

    pub(super) fn expr(&self, expr: &ast::Expr) -> Expr {
        self.deeper(|| self.one_expr(expr), || Expr::Opaque)
    }

    fn one_expr(&self, expr: &ast::Expr) -> Expr {
        use ast::Expr as E;
        match expr {
            E::Identifier(ident) => self.column(std::slice::from_ref(ident)),
            E::CompoundIdentifier(parts) => self.column(parts),
            E::Value(value) => self.literal(value),
            E::Nested(inner) => self.expr(inner),
            E::Collate { expr, .. } => self.expr(expr),
            E::Prefixed { value, .. } | E::Named { expr: value, .. } => self.expr(value),
            E::Cast { expr, data_type, .. } => Expr::Cast(self.boxed(expr), lower_type(data_type).0, self.start(expr)),
            E::TypedString(typed) => Expr::Cast(
                Box::new(self.literal(&typed.value)),
                lower_type(&typed.data_type).0,
                self.at(typed.value.span),
            ),
            E::Interval(interval) => Expr::Typed(TypeName::canonical("interval"), vec![self.expr(&interval.value)]),
            E::BinaryOp { left, op, right } => self.binary(left, op, right),
            E::UnaryOp { op: UnaryOperator::Not, expr } => Expr::Logic(vec![self.expr(expr)]),
            E::UnaryOp { op, expr } => {
                // `-1` is a number.
                if let (UnaryOperator::Minus, Expr::Number(number)) = (op, self.expr(expr)) {
                    return Expr::Number(format!("-{number}").into());
                }
                Expr::Operator(op.to_string().into(), None, self.boxed(expr), self.start(expr))
            }
            E::IsFalse(e)
            | E::IsNotFalse(e)
            | E::IsTrue(e)
            | E::IsNotTrue(e)
            | E::IsUnknown(e)
            | E::IsNotUnknown(e) => Expr::Logic(vec![self.expr(e)]),
            E::IsNull(e) => Expr::Test(vec![self.expr(e)]),
            E::IsJson { expr: e, .. } | E::IsNormalized { expr: e, .. } => Expr::Logic(vec![self.expr(e)]),
            E::IsNotNull(e) => Expr::Test(vec![self.expr(e), Expr::Null]),
            E::IsDistinctFrom(a, b) | E::IsNotDistinctFrom(a, b) => Expr::Logic(vec![self.operator("=", a, b)]),
            E::InList { expr, list, .. } => Expr::In(self.boxed(expr), self.exprs(list), self.start(expr)),
            E::InSubquery { expr, subquery, .. } => Expr::Quantified(
                "=".into(),
                self.boxed(expr),
                Box::new(Expr::Scalar(Box::new(self.query(subquery)))),
                self.start(expr),
            ),
            E::Between { expr, low, high, .. } => {
                Expr::Logic(vec![self.operator(">=", expr, low), self.operator("<=", expr, high)])
            }
            E::Like { negated, expr, pattern, any: false, escape_char, .. } => self.matches(
                if *negated { "!~~" } else { "~~" },
                expr,
                pattern,
                ("like_escape", escape_char.as_deref()),
            ),
            E::ILike { negated, expr, pattern, any: false, escape_char, .. } => self.matches(
                if *negated { "!~~*" } else { "~~*" },
                expr,
                pattern,
                ("like_escape", escape_char.as_deref()),
            ),
            E::Like { expr, pattern, .. } | E::ILike { expr, pattern, .. } => {
                Expr::Quantified("~~".into(), self.boxed(expr), self.boxed(pattern), self.start(expr))
            }
            E::SimilarTo { negated, expr, pattern, escape_char, .. } => self.matches(
                if *negated { "!~" } else { "~" },
                expr,
                pattern,
                ("similar_to_escape", escape_char.as_deref()),
            ),
            E::AnyOp { left, compare_op, right, .. } | E::AllOp { left, compare_op, right } => Expr::Quantified(
                operator_name(compare_op).into(),
                self.boxed(left),
                self.boxed(right),
                self.start(left),
            ),
            E::AtTimeZone { timestamp, time_zone } => {
                self.builtin("timezone", vec![self.expr(time_zone), self.expr(timestamp)])
            }
            E::Extract { field, expr, .. } => {
                let field = Expr::Text(field.to_string().trim_matches('\'').into(), At::default());
                Expr::Typed(TypeName::canonical("numeric"), vec![field, self.expr(expr)])
            }
            E::Ceil { expr, .. } => self.builtin("ceil", vec![self.expr(expr)]),
            E::Floor { expr, .. } => self.builtin("floor", vec![self.expr(expr)]),
            E::Position { expr, r#in } => self.builtin("position", vec![self.expr(r#in), self.expr(expr)]),
            E::Substring { expr, substring_from, substring_for, .. } => {
                let rest = [substring_from, substring_for];
                let rest = rest.into_iter().flatten().map(|e| self.expr(e));
                self.builtin("substring", std::iter::once(self.expr(expr)).chain(rest).collect())
            }
            E::Trim { trim_what, expr, trim_characters, .. } => {
                let rest = trim_what
                    .iter()
                    .map(|e| self.expr(e))
                    .chain(trim_characters.iter().flatten().map(|e| self.expr(e)));
                self.builtin("btrim", std::iter::once(self.expr(expr)).chain(rest).collect())
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let parts = [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for.as_ref()];
                self.builtin("overlay", parts.into_iter().flatten().map(|e| self.expr(e)).collect())
            }
            E::Case { operand, conditions, else_result, .. } => Expr::Case {
                operand: operand.as_ref().map(|e| self.boxed(e)),
                branches: conditions.iter().map(|when| (self.expr(&when.condition), self.expr(&when.result))).collect(),
                otherwise: else_result.as_ref().map(|e| self.boxed(e)),
                at: conditions.first().map(|when| self.start(&when.result)).unwrap_or_default(),
            },
            E::Exists { subquery, .. } => Expr::Exists(Box::new(self.query(subquery))),
            E::Subquery(query) => Expr::Scalar(Box::new(self.query(query))),
            E::GroupingSets(sets) | E::Cube(sets) | E::Rollup(sets) => {
                Expr::Unknown(sets.iter().flatten().map(|e| self.expr(e)).collect())
            }
            E::Tuple(parts) => Expr::Row(self.exprs(parts)),
            E::Array(array) => {
                let at = array.elem.first().map(|e| self.start(e)).unwrap_or_default();
                Expr::Array(self.exprs(&array.elem), at)
            }
            E::Function(function) => self.function(function),
            E::CompoundFieldAccess { root, access_chain } => self.accessed(root, access_chain),
            E::JsonAccess { value, .. } => Expr::Unknown(vec![self.expr(value)]),
            E::Wildcard(_) | E::QualifiedWildcard(..) => Expr::Unknown(Vec::new()),
            _ => Expr::Opaque,
        }
    }

    fn column(&self, parts: &[ast::Ident]) -> Expr {
        // `current_date` and its kind are read as names.
        if let [ident] = parts
            && ident.quote_style.is_none()
            && let Some(data_type) = keyword_type(&ident.value.to_ascii_lowercase())
        {
            return Expr::Typed(TypeName::canonical(data_type), Vec::new());
        }
        Expr::Column(parts.iter().map(fold).collect(), self.idents(parts))
    }

    fn literal(&self, value: &ast::ValueWithSpan) -> Expr {
        let at = self.at(value.span);
        match &value.value {
            Value::Number(number, _) => Expr::Number(number.to_string().into()),
            Value::Boolean(_) => Expr::Bool,
            Value::Null => Expr::Null,
            Value::Placeholder(name) => match name.trim_start_matches('$').parse() {
                Ok(number) => Expr::Parameter(number),
                Err(_) => Expr::Unknown(Vec::new()),
            },
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                Expr::Text(text.as_str().into(), at)
            }
            Value::DollarQuotedString(text) => Expr::Text(text.value.as_str().into(), at),
            Value::SingleQuotedByteStringLiteral(bits) => {
                Expr::Typed(TypeName::canonical("bit"), vec![Expr::Text(bits.as_str().into(), at)])
            }
            Value::HexStringLiteral(_) => Expr::Typed(TypeName::canonical("bit"), Vec::new()),
            _ => Expr::Unknown(Vec::new()),
        }
    }

    fn binary(&self, left: &ast::Expr, op: &ast::BinaryOperator, right: &ast::Expr) -> Expr {
        use ast::BinaryOperator as B;
        match op {
            B::And | B::Or => {
                // A chain of them is one level, however long it is.
                let (mut first, mut others, mut all) = (left, vec![right], *op == B::And);
                while let ast::Expr::BinaryOp { left, op: op @ (B::And | B::Or), right } = first {
                    others.push(right);
                    first = left;
                    all &= *op == B::And;
                }
                let parts = std::iter::once(first).chain(others.into_iter().rev());
                let parts = parts.map(|part| self.expr(part)).collect();
                if all { Expr::And(parts) } else { Expr::Logic(parts) }
            }
            B::Overlaps => Expr::Test(vec![self.expr(left), self.expr(right)]),
            _ => self.operator(&operator_name(op), left, right),
        }
    }

    /// A pattern with an escape of its own is made into one without, by a function of the server's; so is each of `SIMILAR TO`.
    fn matches(
        &self,
        operator: &str,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        (escaped, escape): (&str, Option<&ast::Expr>),
    ) -> Expr {
        let mut pattern = self.expr(pattern);
        if escape.is_some() || operator.ends_with('~') && !operator.ends_with("~~") {
            let given = std::iter::once(pattern).chain(escape.map(|escape| self.expr(escape)));
            pattern = self.builtin(escaped, given.collect());
        }
        Expr::Operator(operator.into(), Some(self.boxed(expr)), Box::new(pattern), self.start(expr))
    }

    pub(super) fn accessed(&self, root: &ast::Expr, chain: &[AccessExpr]) -> Expr {
        if chain.len() > DEEPEST_OF_OURS as usize {
            return Expr::Opaque;
        }
        chain.iter().fold(self.expr(root), |inner, access| self.access(inner, access))
    }

    fn access(&self, inner: Expr, access: &AccessExpr) -> Expr {
        match access {
            AccessExpr::Dot(ast::Expr::Identifier(ident)) => {
                Expr::Field(Box::new(inner), fold(ident), self.at(ident.span))
            }
            AccessExpr::Dot(_) => Expr::Unknown(vec![inner]),
            AccessExpr::Subscript(Subscript::Index { index }) => {
                Expr::Subscript(Box::new(inner), vec![self.expr(index)], false)
            }
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
                let bounds = lower_bound.iter().chain(upper_bound).map(|e| self.expr(e)).collect();
                Expr::Subscript(Box::new(inner), bounds, true)
            }
        }
    }

    fn builtin(&self, name: &str, arguments: Vec<Expr>) -> Expr {
        Expr::Call(Box::new(Call {
            name: Name { schema: Some("pg_catalog".into()), name: name.into() },
            at: At::default(),
            arguments,
            named: false,
            distinct: false,
            beside: Vec::new(),
            over: Vec::new(),
            within_group: false,
        }))
    }

    pub(super) fn call(&self, name: &ast::ObjectName, arguments: &[FunctionArg], beside: Vec<Expr>) -> Expr {
        let mut named = false;
        let mut found = Vec::new();
        for argument in arguments {
            let value = match argument {
                FunctionArg::Unnamed(value) => value,
                FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } => {
                    named = true;
                    arg
                }
            };
            match value {
                FunctionArgExpr::Expr(ast::Expr::Wildcard(_)) | FunctionArgExpr::Wildcard => {}
                FunctionArgExpr::Expr(expr) => found.push(self.expr(expr)),
                // `count(t.*)`: a row of the table.
                FunctionArgExpr::QualifiedWildcard(name) => {
                    found.push(Expr::Column(vec![lower_name(name).name], self.name_at(name)));
                }
                FunctionArgExpr::WildcardWithOptions(_) => {}
            }
        }
        Expr::Call(Box::new(Call {
            name: lower_name(name),
            at: self.name_at(name),
            arguments: found,
            named,
            distinct: false,
            beside,
            over: Vec::new(),
            within_group: false,
        }))
    }

    pub(super) fn function(&self, function: &ast::Function) -> Expr {
        let name = lower_name(&function.name);
        let at = self.name_at(&function.name);
        let quoted = function.name.0.iter().any(|p| p.as_ident().is_some_and(|i| i.quote_style.is_some()));
        let word = if name.schema.is_none() && !quoted { &*name.name } else { "" };
        let mut beside = Vec::new();
        beside.extend(function.filter.as_ref().map(|e| Expr::Logic(vec![self.expr(e)])));
        beside.extend(function.within_group.iter().map(|by| self.expr(&by.expr)));
        let mut over = Vec::new();
        if let Some(WindowType::WindowSpec(spec)) = &function.over {
            self.window(spec, &mut over);
        }
        let list = match &function.args {
            FunctionArguments::None => {
                return match keyword_type(word) {
                    Some(data_type) => Expr::Typed(TypeName::canonical(data_type), Vec::new()),
                    None => Expr::Unknown(Vec::new()),
                };
            }
            FunctionArguments::Subquery(query) => {
                let query = Box::new(self.query(query));
                return match word {
                    "array" => Expr::ArrayOf(query),
                    _ => Expr::Unknown(vec![Expr::Scalar(query)]),
                };
            }
            FunctionArguments::List(list) => list,
        };
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(by) => beside.extend(by.iter().map(|by| self.expr(&by.expr))),
                FunctionArgumentClause::Where(e) | FunctionArgumentClause::Limit(e) => beside.push(self.expr(e)),
                _ => {}
            }
        }
        let Expr::Call(mut call) = self.call(&function.name, &list.args, beside) else { return Expr::Opaque };
        call.within_group = !function.within_group.is_empty();
        call.distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
        call.over = over;
        let arguments = &mut call.arguments;
        match word {
            "coalesce" => Expr::Common("COALESCE", std::mem::take(arguments), at),
            "greatest" => Expr::Common("GREATEST", std::mem::take(arguments), at),
            "least" => Expr::Common("LEAST", std::mem::take(arguments), at),
            "row" => Expr::Row(std::mem::take(arguments)),
            // `NFC` is a word of its own.
            "normalize" => {
                if let [_, form @ Expr::Column(..)] = arguments.as_mut_slice() {
                    *form = Expr::Text("NFC".into(), At::default());
                }
                Expr::Call(call)
            }
            _ => match keyword_type(word).filter(|_| arguments.len() < 2) {
                Some(data_type) => Expr::Typed(TypeName::canonical(data_type), std::mem::take(arguments)),
                None => Expr::Call(call),
            },
        }
    }
}

/// Whether it ends in `.*`.
pub(super) fn all_fields(chain: &[AccessExpr]) -> bool {
    matches!(chain.last(), Some(AccessExpr::Dot(ast::Expr::Identifier(ident))) if ident.value == ALL_FIELDS)
}

/// The type of what SQL writes without parentheses.
fn keyword_type(word: &str) -> Option<&'static str> {
    Some(match word {
        "current_timestamp" => "timestamp with time zone",
        "current_date" => "date",
        "current_time" => "time with time zone",
        "localtimestamp" => "timestamp without time zone",
        "localtime" => "time without time zone",
        "current_user" | "session_user" | "current_role" | "current_catalog" | "current_schema" | "user"
        | "system_user" => "name",
        _ => return None,
    })
}

fn operator_name(op: &ast::BinaryOperator) -> String {
    use ast::BinaryOperator as B;
    match op {
        // `OPERATOR(pg_catalog.=)`
        B::PGCustomBinaryOperator(parts) => parts.last().cloned().unwrap_or_default(),
        B::NotEq => "<>".to_owned(),
        B::PGLikeMatch => "~~".to_owned(),
        B::PGILikeMatch => "~~*".to_owned(),
        other => other.to_string(),
    }
}
