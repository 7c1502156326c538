//! Operations in words: the object, and what happens to it.

use super::operation::{
    ConstraintDefinition, ConstraintKind, DataVerb, GrantObject, ObjectChange, Operation, RoutineChange, TableChange,
    TypeDefinition,
};

/// `("users.email", "ADD COLUMN text")`
pub(crate) fn describe(operation: &Operation) -> (String, String) {
    let words = |object: &dyn std::fmt::Display, action: &str| (object.to_string(), action.to_owned());
    match operation {
        Operation::CreateTable(table) => words(&table.name, "CREATE TABLE"),
        Operation::AlterTable { table, change, .. } => table_change(&table.to_string(), change),
        Operation::DropRelation { kind, name, cascade, concurrently, .. } => {
            let concurrently = if *concurrently { " CONCURRENTLY" } else { "" };
            let cascade = if *cascade { " CASCADE" } else { "" };
            (name.to_string(), format!("DROP {}{concurrently}{cascade}", kind.keyword()))
        }
        Operation::RenameRelation { kind, name, to, .. } => {
            (name.to_string(), format!("RENAME {} TO {to}", kind.keyword()))
        }
        Operation::MoveRelation { name, to, .. } => (name.to_string(), format!("SET SCHEMA {to}")),
        Operation::CreateIndex(index) => {
            let unique = if index.unique { "UNIQUE " } else { "" };
            let concurrently = if index.concurrently { " CONCURRENTLY" } else { "" };
            let name = index.name.as_ref().map_or_else(|| index.table.to_string(), ToString::to_string);
            (name, format!("CREATE {unique}INDEX{concurrently} on {}", index.table))
        }
        Operation::Reindex { name, .. } => {
            (name.as_ref().map_or_else(|| "(several)".to_owned(), ToString::to_string), "REINDEX".to_owned())
        }
        Operation::CreateView(view) => {
            let replace = if view.or_replace { "OR REPLACE " } else { "" };
            let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
            (view.name.to_string(), format!("CREATE {replace}{kind}"))
        }
        Operation::RefreshView { name, .. } => words(name, "REFRESH MATERIALIZED VIEW"),
        Operation::CreateType { name, definition, .. } => words(
            name,
            match definition {
                TypeDefinition::Enum(_) => "CREATE TYPE (enum)",
                TypeDefinition::Composite(_) | TypeDefinition::Range(_) | TypeDefinition::Other => "CREATE TYPE",
                TypeDefinition::Domain { .. } => "CREATE DOMAIN",
            },
        ),
        Operation::DropType { name, .. } => words(name, "DROP TYPE"),
        Operation::MoveType { name, to } => (name.to_string(), format!("SET SCHEMA OF TYPE TO {to}")),
        Operation::RenameType { name, to } => (name.to_string(), format!("RENAME TYPE TO {to}")),
        Operation::AddEnumLabel { name, label, .. } => (name.to_string(), format!("ADD VALUE '{label}'")),
        Operation::RenameEnumLabel { name, from, to } => (name.to_string(), format!("RENAME VALUE '{from}' TO '{to}'")),
        Operation::AlterDomain { name, .. } => words(name, "ALTER DOMAIN"),
        Operation::AlterComposite { name, .. } => words(name, "ALTER TYPE"),
        Operation::AlterPolicy { name, table, .. } => (format!("{table}.{name}"), "ALTER POLICY".to_owned()),
        Operation::CreateSequence { name, .. } => words(name, "CREATE SEQUENCE"),
        Operation::AlterSequence { name, .. } => words(name, "ALTER SEQUENCE"),
        Operation::CreateFunction(function) => {
            let replace = if function.or_replace { "OR REPLACE " } else { "" };
            (function.name.to_string(), format!("CREATE {replace}FUNCTION"))
        }
        Operation::DropFunction { name, .. } => words(name, "DROP FUNCTION"),
        Operation::AlterFunction { name, change, .. } => {
            let what = match change {
                RoutineChange::Rename(to) => format!("RENAME TO {to}"),
                RoutineChange::Move(to) => format!("SET SCHEMA {to}"),
                RoutineChange::Runs(_) => "ALTER FUNCTION".to_owned(),
            };
            (name.to_string(), what)
        }
        Operation::CreateTrigger { name, table, .. } => (format!("{table}.{name}"), "CREATE TRIGGER".to_owned()),
        Operation::DropTrigger { name, table, .. } => (format!("{table}.{name}"), "DROP TRIGGER".to_owned()),
        Operation::CreatePolicy { name, table, .. } => (format!("{table}.{name}"), "CREATE POLICY".to_owned()),
        Operation::DropPolicy { name, table, .. } => (format!("{table}.{name}"), "DROP POLICY".to_owned()),
        Operation::Privileges { grant, privileges, objects, grantees, .. } => {
            let object = match objects.first() {
                Some(GrantObject::Relation(name)) => name.to_string(),
                Some(GrantObject::AllIn { sequences, schemas }) => {
                    let what = if *sequences { "sequences" } else { "tables" };
                    format!("all {what} in schema {}", schemas.join(", "))
                }
                Some(GrantObject::Future { sequences, schemas }) => {
                    let what = if *sequences { "sequences" } else { "tables" };
                    let within = if schemas.is_empty() { "" } else { " in schema " };
                    format!("new {what}{within}{}", schemas.join(", "))
                }
                Some(GrantObject::Other(words)) => words.clone(),
                None => String::new(),
            };
            let (verb, to) = if *grant { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
            (object, format!("{verb} {} {to} {}", privileges.join(", "), grantees.join(", ")))
        }
        Operation::Comment { object, .. } => (object.clone(), "COMMENT".to_owned()),
        Operation::CreateNamespace { name, .. } => words(name, "CREATE SCHEMA"),
        Operation::DropNamespace { name, .. } => words(name, "DROP SCHEMA"),
        Operation::CreateExtension { name } => words(name, "CREATE EXTENSION"),
        Operation::DropExtension { name, .. } => words(name, "DROP EXTENSION"),
        Operation::Data(data) => {
            let table = data.table.as_ref().map(ToString::to_string).unwrap_or_default();
            let verb = match data.verb {
                DataVerb::Insert => "INSERT",
                DataVerb::Update => "UPDATE",
                DataVerb::Delete => "DELETE",
                DataVerb::Merge => "MERGE",
                DataVerb::Truncate => "TRUNCATE",
                DataVerb::Copy => "COPY",
            };
            if data.writes.is_empty() || data.verb != DataVerb::Update {
                return (table, verb.to_owned());
            }
            (format!("{table}.{}", data.writes.join(", ")), verb.to_owned())
        }
        Operation::Query { reads, .. } => {
            (reads.first().map(ToString::to_string).unwrap_or_default(), "SELECT".to_owned())
        }
        Operation::Session { .. } => (String::new(), "SET".to_owned()),
        Operation::Transaction(_) => (String::new(), "transaction control".to_owned()),
        Operation::Maintenance { command, table, .. } => {
            (table.as_ref().map(ToString::to_string).unwrap_or_default(), (*command).to_owned())
        }
        Operation::Lock { tables, .. } => {
            (tables.first().map(ToString::to_string).unwrap_or_default(), "LOCK TABLE".to_owned())
        }
        Operation::DefaultPath { of, .. } => (of.clone(), "SET search_path".to_owned()),
        Operation::Object { kind, name, change, .. } => {
            let verb = match change {
                ObjectChange::Create => "CREATE",
                ObjectChange::Alter => "ALTER",
                ObjectChange::Rename { .. } => "RENAME",
                ObjectChange::Drop => "DROP",
            };
            (name.clone(), format!("{verb} {}", kind.words().to_uppercase()))
        }
        Operation::Opaque { what, .. } => ("?".to_owned(), what.clone()),
    }
}

fn table_change(table: &str, change: &TableChange) -> (String, String) {
    let column = |column: &str, action: String| (format!("{table}.{column}"), action);
    let whole = |action: String| (table.to_owned(), action);
    match change {
        TableChange::AddColumn { column: c, .. } => column(&c.name, format!("ADD COLUMN {}", c.data_type)),
        TableChange::DropColumn { column: c, .. } => column(c, "DROP COLUMN".into()),
        TableChange::RenameColumn { from, to } => column(from, format!("RENAME COLUMN TO {to}")),
        TableChange::SetType { column: c, data_type, .. } => column(c, format!("TYPE {data_type}")),
        TableChange::SetDefault { column: c, .. } => column(c, "SET DEFAULT".into()),
        TableChange::DropDefault { column: c } => column(c, "DROP DEFAULT".into()),
        TableChange::SetNotNull { column: c, .. } => column(c, "SET NOT NULL".into()),
        TableChange::DropNotNull { column: c } => column(c, "DROP NOT NULL".into()),
        TableChange::SetIdentity { column: c, .. } => column(c, "SET GENERATED AS IDENTITY".into()),
        TableChange::DropGenerated { column: c, .. } => column(c, "DROP GENERATED".into()),
        TableChange::AddConstraint(definition) => {
            let name = definition.name.as_ref().map_or_else(|| table.to_owned(), |name| format!("{table}.{name}"));
            (name, add_constraint(definition))
        }
        TableChange::DropConstraint { name, .. } => column(name, "DROP CONSTRAINT".into()),
        TableChange::RenameConstraint { from, to } => column(from, format!("RENAME CONSTRAINT TO {to}")),
        TableChange::ValidateConstraint { name } => column(name, "VALIDATE CONSTRAINT".into()),
        TableChange::AlterConstraint { name, .. } => column(name, "ALTER CONSTRAINT".into()),
        TableChange::RowSecurity { enabled } => {
            whole(format!("{} ROW LEVEL SECURITY", if *enabled { "ENABLE" } else { "DISABLE" }))
        }
        TableChange::ForceRowSecurity { forced } => {
            whole(format!("{} ROW LEVEL SECURITY", if *forced { "FORCE" } else { "NO FORCE" }))
        }
        TableChange::SwitchTrigger { name, enabled } => {
            column(name, format!("{} TRIGGER", if *enabled { "ENABLE" } else { "DISABLE" }))
        }
        TableChange::Owner { to } => whole(format!("OWNER TO {to}")),
        TableChange::AttachPartition { partition, .. } => whole(format!("ATTACH PARTITION {partition}")),
        TableChange::AttachIndex { index } => whole(format!("ATTACH PARTITION {index}")),
        TableChange::DetachPartition { partition, .. } => whole(format!("DETACH PARTITION {partition}")),
        TableChange::Inherit { parent, attach } => {
            whole(format!("{} {parent}", if *attach { "INHERIT" } else { "NO INHERIT" }))
        }
        TableChange::SetLogged { logged } => whole(if *logged { "SET LOGGED" } else { "SET UNLOGGED" }.into()),
        TableChange::OfType(Some(of)) => whole(format!("OF {of}")),
        TableChange::OfType(None) => whole("NOT OF".into()),
        TableChange::ReplicaIdentity(_) => whole("REPLICA IDENTITY".into()),
        TableChange::Physical { what, .. } => whole(format!("SET {what}")),
    }
}

fn add_constraint(definition: &ConstraintDefinition) -> String {
    let kind = match &definition.kind {
        ConstraintKind::PrimaryKey { columns } => format!("PRIMARY KEY ({})", columns.join(", ")),
        ConstraintKind::Unique { columns, .. } => format!("UNIQUE ({})", columns.join(", ")),
        ConstraintKind::Check { .. } => "CHECK".to_owned(),
        ConstraintKind::ForeignKey { columns, target, .. } => {
            format!("FOREIGN KEY ({}) to {target}", columns.join(", "))
        }
        ConstraintKind::Exclude { .. } => "EXCLUDE".to_owned(),
        ConstraintKind::UsingIndex { index, .. } => format!("constraint USING INDEX {index}"),
    };
    let words = match (definition.enforced, definition.not_valid) {
        (false, _) => " NOT ENFORCED",
        (true, true) => " NOT VALID",
        (true, false) => "",
    };
    format!("ADD {kind}{words}")
}
