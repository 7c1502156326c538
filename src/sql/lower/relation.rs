//! `ALTER INDEX|VIEW|MATERIALIZED VIEW`, and the forms of `ALTER` that every relation shares.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::Result;
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{Operation, RelationKind, TableChange};
use crate::sql::parse::{at_end, eat, eat_words, if_exists, is_word};

pub(super) fn alter_relation(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let kind = if eat_words(parser, &["alter", "index"]) {
        RelationKind::Index
    } else if eat_words(parser, &["alter", "materialized", "view"]) {
        RelationKind::MaterializedView
    } else {
        parser.expect_keywords(&[Keyword::ALTER, Keyword::VIEW])?;
        RelationKind::View
    };
    let if_exists = if_exists(parser);
    let name = lower_name(&parser.parse_object_name(false)?);
    if let Some(operation) = rename_or_move(parser, kind, &name, if_exists)? {
        return Ok(vec![operation]);
    }
    let change = if eat(parser, &[Keyword::RENAME]) {
        eat(parser, &[Keyword::COLUMN]);
        let from = fold(&parser.parse_identifier()?);
        parser.expect_keyword_is(Keyword::TO)?;
        TableChange::RenameColumn { from, to: fold(&parser.parse_identifier()?) }
    } else if eat_words(parser, &["owner", "to"]) {
        TableChange::Owner { to: parser.parse_identifier()?.value }
    } else if eat_words(parser, &["attach", "partition"]) {
        TableChange::AttachIndex { index: lower_name(&parser.parse_object_name(false)?) }
    } else {
        // Whose rights count, and which rows may be written, is more than storage.
        let mut seen = false;
        while !at_end(parser) {
            seen |=
                ["security_invoker", "check_option"].iter().any(|word| is_word(&parser.peek_token_ref().token, word));
            parser.next_token();
        }
        if seen {
            return Ok(vec![Operation::Opaque { what: "ALTER VIEW … SET".to_owned(), rule: None }]);
        }
        TableChange::Physical { what: "storage parameters", of: None, to: None }
    };
    Ok(vec![Operation::AlterTable { table: name, if_exists, only: false, change }])
}

/// `RENAME TO x` and `SET SCHEMA x`.
pub(super) fn rename_or_move(
    parser: &mut Parser<'_>,
    kind: RelationKind,
    name: &Name,
    if_exists: bool,
) -> Result<Option<Operation>> {
    if eat(parser, &[Keyword::RENAME, Keyword::TO]) {
        let to = fold(&parser.parse_identifier()?);
        return Ok(Some(Operation::RenameRelation { kind, name: name.clone(), if_exists, to }));
    }
    if eat_words(parser, &["set", "schema"]) {
        let to = fold(&parser.parse_identifier()?);
        return Ok(Some(Operation::MoveRelation { kind, name: name.clone(), if_exists, to }));
    }
    Ok(None)
}
