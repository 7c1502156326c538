//! `ALTER TABLE`: one piece a sub-command, each with its own place, so that the planner can put them in different phases.

use sqlparser::ast::{AlterColumnOperation, AlterTableOperation, GeneratedAs};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::query::kept;
use super::table::bind_nothing;
use super::{LoweredPiece, Result, relation, rewrite_rule, table, unexpected};
use crate::sql::ast::{fold, lower_name};
use crate::sql::bound::Bound;
use crate::sql::gaps::Gaps;
use crate::sql::operation::{Ident, Operation, RelationKind, ReplicaIdentity, TableChange};
use crate::sql::parse::{
    Tokens, at_end, cascade, eat, eat_word, eat_words, if_exists, is_word, peek_words, skip_to_comma, text_to_comma,
};
use crate::sql::types::lower_type;

pub(super) fn alter_table(tokens: &Tokens<'_>, parser: &mut Parser<'_>, gaps: &Gaps) -> Result<Vec<LoweredPiece>> {
    parser.expect_keyword_is(Keyword::ALTER)?;
    let kind = if eat(parser, &[Keyword::FOREIGN]) { RelationKind::ForeignTable } else { RelationKind::Table };
    parser.expect_keyword_is(Keyword::TABLE)?;
    if peek_words(parser, &["all", "in"]) {
        return parser
            .expected_ref("a table (ALL IN TABLESPACE moves files, it changes no schema)", parser.peek_token_ref());
    }
    let if_exists = if_exists(parser);
    let only = eat(parser, &[Keyword::ONLY]);
    let name = lower_name(&parser.parse_object_name(false)?);
    let _star = parser.consume_token(&Token::Mul);
    let prefix = tokens.range(0, parser.index());
    let whole = tokens.range(0, usize::MAX);
    // RENAME TO and SET SCHEMA stand alone.
    if let Some(operation) = relation::rename_or_move(parser, kind, &name, if_exists)? {
        return if at_end(parser) {
            Ok(vec![LoweredPiece { operation, range: whole, prefix: None }])
        } else {
            Err(unexpected(parser))
        };
    }
    let mut pieces = Vec::new();
    loop {
        let from = parser.index();
        let operation = match rewrite_rule::switch_rule(parser, &name)? {
            Some(operation) => operation,
            None => {
                let change = change(parser, gaps)?;
                Operation::AlterTable { table: name.clone(), if_exists, only, change }
            }
        };
        if !at_end(parser) && parser.peek_token_ref().token != Token::Comma {
            return Err(unexpected(parser));
        }
        let range = tokens.range(from, parser.index());
        let more = parser.consume_token(&Token::Comma);
        let mut piece = LoweredPiece { operation, range, prefix: Some(prefix.clone()) };
        let inside = from..if more { parser.index() } else { usize::MAX };
        unenforced(&mut piece.operation, gaps.not_enforced.iter().filter(|at| inside.contains(at)).count());
        pieces.push(piece);
        if !more {
            break;
        }
    }
    if let [piece] = pieces.as_mut_slice() {
        piece.range = whole;
        piece.prefix = None;
    }
    Ok(pieces)
}

/// `NOT ENFORCED` in a sub-command.
fn unenforced(operation: &mut Operation, said: usize) {
    match operation {
        Operation::AlterTable { change: TableChange::AddConstraint(rule), .. } => {
            bind_nothing(std::slice::from_mut(rule), said);
        }
        Operation::AlterTable { change: TableChange::AddColumn { constraints, .. }, .. } => {
            bind_nothing(constraints, said);
        }
        // `DEFERRABLE NOT ENFORCED`
        Operation::AlterTable { change: TableChange::AlterConstraint { enforced, .. }, .. } if said > 0 => {
            *enforced = Some(false);
        }
        _ => {}
    }
}

/// One sub-command: first the forms that sqlparser lacks, then its own.
fn change(parser: &mut Parser<'_>, gaps: &Gaps) -> Result<TableChange> {
    if let Some(change) = token_form(parser, gaps)? {
        return Ok(change);
    }
    let operation = parser.parse_alter_table_operation()?;
    if let Some(change) = lower_change(operation, gaps) {
        return Ok(change);
    }
    parser.expected_ref("a sub-command of ALTER TABLE in PostgreSQL", parser.get_current_token())
}

/// The name at which a parser stands; the parser stays there.
fn word_at(parser: &Parser<'_>) -> Option<Ident> {
    match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.as_str().into()),
        Token::Word(word) => Some(word.value.to_ascii_lowercase().into()),
        _ => None,
    }
}

fn token_form(parser: &mut Parser<'_>, gaps: &Gaps) -> Result<Option<TableChange>> {
    const PHYSICAL: &[(&[&str], &str)] = &[
        (&["set", "tablespace"], "tablespace"),
        (&["set", "access", "method"], "access method"),
        (&["set", "without", "cluster"], "cluster"),
        (&["set", "without", "oids"], "oids"),
        (&["cluster", "on"], "cluster"),
        (&["reset"], "storage parameters"),
        (&["options"], "options"),
    ];
    for (words, what) in PHYSICAL {
        if eat_words(parser, words) {
            let of = (words[0] == "cluster").then(|| parser.parse_identifier().map(|name| fold(&name))).transpose()?;
            let to = matches!(*what, "tablespace" | "access method").then(|| word_at(parser)).flatten();
            skip_to_comma(parser);
            return Ok(Some(TableChange::Physical { what, of, to }));
        }
    }
    if eat_words(parser, &["replica", "identity"]) {
        let identity = if eat_word(parser, "full") {
            ReplicaIdentity::Full
        } else if eat_word(parser, "nothing") {
            ReplicaIdentity::Nothing
        } else if eat_words(parser, &["using", "index"]) {
            ReplicaIdentity::Index(fold(&parser.parse_identifier()?))
        } else {
            eat_word(parser, "default");
            ReplicaIdentity::PrimaryKey
        };
        return Ok(Some(TableChange::ReplicaIdentity(identity)));
    }
    if peek_words(parser, &["set"]) && parser.peek_nth_token_ref(1).token == Token::LParen {
        parser.next_token();
        skip_to_comma(parser);
        return Ok(Some(TableChange::Physical { what: "storage parameters", of: None, to: None }));
    }
    for logged in [true, false] {
        if eat_words(parser, &["set", if logged { "logged" } else { "unlogged" }]) {
            return Ok(Some(TableChange::SetLogged { logged }));
        }
    }
    if eat_words(parser, &["owner", "to"]) {
        return Ok(Some(TableChange::Owner { to: parser.parse_identifier()?.value }));
    }
    // `ADD [CONSTRAINT name] NOT NULL column [NO INHERIT] [NOT VALID]`, since version 18. NOT VALID spares the scan, not the writers.
    let named = if peek_words(parser, &["add", "constraint"]) { 3 } else { 1 };
    let is = |n: usize, word: &str| is_word(&parser.peek_nth_token_ref(n).token, word);
    if is(0, "add") && is(named, "not") && is(named + 1, "null") {
        parser.next_token();
        let written = eat(parser, &[Keyword::CONSTRAINT]).then(|| parser.parse_identifier()).transpose()?;
        let name = written.as_ref().map(fold);
        eat_words(parser, &["not", "null"]);
        let column = fold(&parser.parse_identifier()?);
        eat_words(parser, &["no", "inherit"]);
        let not_valid = eat_words(parser, &["not", "valid"]);
        skip_to_comma(parser);
        return Ok(Some(TableChange::SetNotNull { column, name, not_valid }));
    }
    if eat_words(parser, &["attach", "partition"]) {
        let partition = lower_name(&parser.parse_object_name(false)?);
        let is_default = eat_word(parser, "default");
        let bound = Bound::read(&text_to_comma(parser));
        return Ok(Some(TableChange::AttachPartition { partition, is_default, bound }));
    }
    if eat_words(parser, &["detach", "partition"]) {
        let partition = lower_name(&parser.parse_object_name(false)?);
        let concurrently = eat(parser, &[Keyword::CONCURRENTLY]);
        eat_word(parser, "finalize");
        return Ok(Some(TableChange::DetachPartition { partition, concurrently }));
    }
    if eat_words(parser, &["not", "of"]) {
        return Ok(Some(TableChange::OfType(None)));
    }
    if eat_words(parser, &["of"]) {
        return Ok(Some(TableChange::OfType(Some(lower_name(&parser.parse_object_name(false)?)))));
    }
    for attach in [true, false] {
        if eat_words(parser, if attach { &["inherit"] } else { &["no", "inherit"] }) {
            let parent = lower_name(&parser.parse_object_name(false)?);
            return Ok(Some(TableChange::Inherit { parent, attach }));
        }
    }
    if eat_words(parser, &["alter", "constraint"]) {
        let name = fold(&parser.parse_identifier()?);
        let mut enforced = gaps.enforced.then_some(true);
        while !at_end(parser) && parser.peek_token_ref().token != Token::Comma {
            if eat_words(parser, &["not", "enforced"]) {
                enforced = Some(false);
            } else if eat_word(parser, "enforced") {
                enforced = Some(true);
            } else {
                parser.next_token();
            }
        }
        return Ok(Some(TableChange::AlterConstraint { name, enforced }));
    }
    if eat_words(parser, &["drop", "constraint"]) {
        let if_exists = if_exists(parser);
        let name = fold(&parser.parse_identifier()?);
        return Ok(Some(TableChange::DropConstraint { name, if_exists, cascade: cascade(parser) }));
    }
    if peek_words(parser, &["enable"]) || peek_words(parser, &["disable"]) {
        return switch(parser).map(Some);
    }
    drop_column(parser)?.map_or_else(|| alter_column(parser), |change| Ok(Some(change)))
}

fn switch(parser: &mut Parser<'_>) -> Result<TableChange> {
    let enabled = eat_word(parser, "enable");
    if !enabled {
        parser.next_token();
    }
    if eat_words(parser, &["row", "level", "security"]) {
        return Ok(TableChange::RowSecurity { enabled });
    }
    if !eat_word(parser, "replica") {
        eat_word(parser, "always");
    }
    if !eat_word(parser, "trigger") {
        return parser.expected_ref("TRIGGER or ROW LEVEL SECURITY", parser.peek_token_ref());
    }
    Ok(TableChange::SwitchTrigger { name: fold(&parser.parse_identifier()?), enabled })
}

/// `DROP [COLUMN] [IF EXISTS] name [CASCADE]`: sqlparser would read `DROP a, DROP b` as one list.
fn drop_column(parser: &mut Parser<'_>) -> Result<Option<TableChange>> {
    if !eat(parser, &[Keyword::DROP]) {
        return Ok(None);
    }
    eat(parser, &[Keyword::COLUMN]);
    let if_exists = if_exists(parser);
    let column = fold(&parser.parse_identifier()?);
    Ok(Some(TableChange::DropColumn { column, if_exists, cascade: cascade(parser) }))
}

/// Forms of `ALTER [COLUMN] c` that sqlparser lacks; the cursor stays where it was when it is another one.
fn alter_column(parser: &mut Parser<'_>) -> Result<Option<TableChange>> {
    parser.maybe_parse(|parser| {
        parser.expect_keyword_is(Keyword::ALTER)?;
        eat(parser, &[Keyword::COLUMN]);
        let column = fold(&parser.parse_identifier()?);
        for words in [["drop", "identity"], ["drop", "expression"]] {
            if eat_words(parser, &words) {
                return Ok(TableChange::DropGenerated { column, if_exists: if_exists(parser) });
            }
        }
        // pg_dump writes the options of the sequence behind it: `(SEQUENCE NAME s START WITH 1 …)`.
        for (words, always) in [
            (&["set", "generated", "always"][..], true),
            (&["set", "generated", "by", "default"], false),
            (&["add", "generated", "always", "as", "identity"], true),
            (&["add", "generated", "by", "default", "as", "identity"], false),
        ] {
            if eat_words(parser, words) {
                skip_to_comma(parser);
                return Ok(TableChange::SetIdentity { column, always, add: words[0] == "add" });
            }
        }
        for (words, what) in [
            (&["set", "statistics"][..], "statistics target"),
            (&["set", "storage"], "storage"),
            (&["set", "compression"], "compression"),
            (&["reset"], "column options"),
            (&["restart"], "sequence"),
            (&["set", "start"], "sequence"),
            (&["set", "increment"], "sequence"),
            (&["set", "cache"], "sequence"),
        ] {
            if eat_words(parser, words) {
                let to = matches!(what, "storage" | "compression").then(|| word_at(parser)).flatten();
                skip_to_comma(parser);
                return Ok(TableChange::Physical { what, of: Some(column), to });
            }
        }
        if peek_words(parser, &["set"]) && parser.peek_nth_token_ref(1).token == Token::LParen {
            skip_to_comma(parser);
            return Ok(TableChange::Physical { what: "column options", of: Some(column), to: None });
        }
        // `TYPE x COLLATE y USING z`, `SET DATA TYPE x …`
        if eat_words(parser, &["set", "data", "type"]) || eat_word(parser, "type") {
            let data_type = lower_type(&parser.parse_data_type()?).0;
            let collate = eat_word(parser, "collate");
            if collate {
                parser.parse_object_name(false)?;
            }
            let using = eat(parser, &[Keyword::USING]);
            let value = if using { kept(&parser.parse_expr()?) } else { None };
            return Ok(TableChange::SetType { column, data_type, using, collate, value });
        }
        parser.expected_ref("another form", parser.peek_token_ref())
    })
}

fn lower_change(operation: AlterTableOperation, gaps: &Gaps) -> Option<TableChange> {
    Some(match operation {
        AlterTableOperation::AddColumn { if_not_exists, column_def, .. } => {
            let (column, constraints) = table::lower_column(&column_def, gaps);
            TableChange::AddColumn { if_not_exists, column, constraints }
        }
        AlterTableOperation::AddConstraint { constraint, not_valid } => {
            TableChange::AddConstraint(table::lower_constraint(&constraint, not_valid, gaps)?)
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            TableChange::RenameColumn { from: fold(&old_column_name), to: fold(&new_column_name) }
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            TableChange::RenameConstraint { from: fold(&old_name), to: fold(&new_name) }
        }
        AlterTableOperation::ValidateConstraint { name } => TableChange::ValidateConstraint { name: fold(&name) },
        AlterTableOperation::ForceRowLevelSecurity => TableChange::ForceRowSecurity { forced: true },
        AlterTableOperation::NoForceRowLevelSecurity => TableChange::ForceRowSecurity { forced: false },
        AlterTableOperation::AlterColumn { column_name, op } => {
            let column = fold(&column_name);
            match op {
                AlterColumnOperation::SetNotNull => TableChange::SetNotNull { column, name: None, not_valid: false },
                AlterColumnOperation::DropNotNull => TableChange::DropNotNull { column },
                AlterColumnOperation::SetDefault { value } => {
                    let runs = table::runs(&value);
                    TableChange::SetDefault { column, default: table::default_value(&value), runs, value: kept(&value) }
                }
                AlterColumnOperation::DropDefault => TableChange::DropDefault { column },
                AlterColumnOperation::SetDataType { data_type, using, .. } => TableChange::SetType {
                    column,
                    data_type: lower_type(&data_type).0,
                    using: using.is_some(),
                    collate: false,
                    value: using.as_ref().and_then(kept),
                },
                AlterColumnOperation::AddGenerated { generated_as, .. } => TableChange::SetIdentity {
                    column,
                    always: !matches!(generated_as, Some(GeneratedAs::ByDefault)),
                    add: true,
                },
            }
        }
        _ => return None,
    })
}
