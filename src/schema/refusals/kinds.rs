//! Which statements are for which kinds of relations.

use super::{Catalog, is_system};
use crate::schema::Schema;
use crate::schema::model::{Index, QName, Relation};
use crate::schema::resolve::not_populated;
use crate::sql::Name;
use crate::sql::operation::{CreateStatistics, DataVerb, GrantObject, Ident, Operation, RelationKind, TableChange};

/// How the server calls a relation that a statement is not for.
fn is_not(name: &QName, wanted: RelationKind) -> String {
    let kind = wanted.keyword().to_lowercase();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("\"{}\" is not {article} {kind}", name.name)
}

impl Catalog<'_> {
    /// `DROP`
    pub(super) fn dropped_as(name: &QName, relation: &Relation, kind: RelationKind) -> Option<String> {
        (relation.kind != kind).then(|| is_not(name, kind))
    }

    /// `ALTER … RENAME`, `ALTER … SET SCHEMA`: `ALTER TABLE` does it to anything.
    pub(super) fn moved_as(&self, name: &Name, kind: RelationKind) -> Option<String> {
        let name = self.schema.resolve(name);
        let relation = self.schema.relation(&name)?;
        let any = matches!(kind, RelationKind::Table | RelationKind::Index);
        (!any && relation.kind != kind).then(|| is_not(&name, kind))
    }

    /// `COMMENT ON`, whose words begin with the kind.
    pub(super) fn commented_as(&self, object: &str, name: &Name) -> Option<String> {
        let name = self.schema.resolve(name);
        let relation = self.schema.relation(&name)?;
        let kind = match object.split(' ').next()? {
            "table" => RelationKind::Table,
            "view" => RelationKind::View,
            "materialized" => RelationKind::MaterializedView,
            "sequence" => RelationKind::Sequence,
            _ => return None,
        };
        (relation.kind != kind).then(|| is_not(&name, kind))
    }

    /// Whether something else bears the name of a sequence.
    pub(super) fn is_no_sequence(&self, name: &Name) -> bool {
        let found = self.schema.relation(&self.schema.resolve(name));
        found.is_some_and(|relation| relation.kind != RelationKind::Sequence)
    }

    /// A column that is named beside its relation.
    pub(super) fn column_of(&self, name: &Name, column: &Ident) -> Option<String> {
        let name = self.schema.resolve(name);
        let relation = self.schema.relation(&name).filter(|relation| relation.columns_known)?;
        (relation.column(column).is_none() && !is_system(column))
            .then(|| format!("column \"{column}\" of relation \"{}\" does not exist", name.name))
    }

    /// `GRANT`, `REVOKE`
    pub(super) fn granted(&self, privileges: &[String], objects: &[GrantObject], columns: &[Ident]) -> Option<String> {
        const OF_COLUMNS: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "REFERENCES", "ALL", "ALL PRIVILEGES"];
        const NOT_OF_TABLES: [&str; 5] = ["USAGE", "EXECUTE", "CREATE", "CONNECT", "TEMPORARY"];
        objects.iter().find_map(|object| {
            let table = match object {
                GrantObject::Relation(table) => table,
                GrantObject::Other(words) => return Self::granted_on(privileges, words),
                GrantObject::AllIn { .. } | GrantObject::Future { .. } => return None,
            };
            if let Some(why) = columns.iter().find_map(|column| self.column_of(table, column)) {
                return Some(why);
            }
            let wrong = privileges.iter().filter_map(|privilege| privilege.strip_suffix(" (COLUMNS)"));
            if let Some(wrong) = { wrong }.find(|privilege| !OF_COLUMNS.contains(privilege)) {
                return Some(format!("invalid privilege type {wrong} for column"));
            }
            let relation = self.schema.relation(&self.schema.resolve(table))?;
            let wrong = privileges.iter().find(|privilege| NOT_OF_TABLES.contains(&privilege.as_str()))?;
            (relation.kind != RelationKind::Sequence).then(|| format!("invalid privilege type {wrong} for relation"))
        })
    }

    /// `CREATE STATISTICS`
    pub(super) fn statistics(&self, statistics: &CreateStatistics) -> Option<String> {
        let CreateStatistics { table, columns, values } = statistics;
        if let Some(why) = columns.iter().find_map(|column| self.column_of(table, column)) {
            return Some(why);
        }
        if super::repeated(columns).is_some() {
            return Some("duplicate column name in statistics definition".to_owned());
        }
        (columns.len() == 1 && values.is_empty()).then(|| "extended statistics require at least 2 columns".to_owned())
    }

    /// A sub-command of `ALTER TABLE`.
    pub(super) fn altered_as(name: &QName, relation: &Relation, change: &TableChange) -> Option<String> {
        let takes = match relation.kind {
            RelationKind::Table | RelationKind::ForeignTable | RelationKind::Index => true,
            RelationKind::View => matches!(
                change,
                TableChange::SetDefault { .. }
                    | TableChange::DropDefault { .. }
                    | TableChange::RenameColumn { .. }
                    | TableChange::Owner { .. }
                    | TableChange::Physical { .. }
            ),
            RelationKind::MaterializedView => {
                matches!(
                    change,
                    TableChange::RenameColumn { .. } | TableChange::Owner { .. } | TableChange::Physical { .. }
                )
            }
            RelationKind::Sequence => matches!(
                change,
                TableChange::Owner { .. } | TableChange::SetLogged { .. } | TableChange::Physical { .. }
            ),
        };
        (!takes).then(|| {
            let kind = relation.kind.keyword().to_lowercase();
            format!("this is not for {kind}s, and \"{}\" is one", name.name)
        })
    }

    /// `CREATE INDEX`
    pub(super) fn indexed(name: &QName, relation: &Relation) -> Option<String> {
        let takes = matches!(relation.kind, RelationKind::Table | RelationKind::MaterializedView);
        (!takes).then(|| format!("cannot create index on relation \"{}\"", name.name))
    }

    /// The target of a foreign key.
    pub(super) fn referenced(name: &QName, relation: &Relation) -> Option<String> {
        (relation.kind != RelationKind::Table).then(|| format!("referenced relation \"{}\" is not a table", name.name))
    }

    /// Statements on one relation that are for some kinds of relations only.
    pub(super) fn of_other_kind(&self, operation: &Operation) -> Option<String> {
        use RelationKind::{ForeignTable, MaterializedView, Sequence, Table, View};
        let (name, takes, why): (&Name, &[RelationKind], fn(&QName) -> String) = match operation {
            Operation::Data(data) if data.verb == DataVerb::Truncate => {
                (data.table.as_ref()?, &[Table, ForeignTable], |name| is_not(name, Table))
            }
            Operation::Maintenance { command: "CLUSTER", table: Some(table), .. }
            | Operation::Reindex { name: Some(table), index: false, .. } => {
                (table, &[Table, MaterializedView], |name| {
                    format!("\"{}\" is not a table or materialized view", name.name)
                })
            }
            Operation::Object { statistics: Some(statistics), .. } => {
                (&statistics.table, &[Table, ForeignTable, MaterializedView], |name| {
                    format!("cannot define statistics for relation \"{}\"", name.name)
                })
            }
            Operation::CreateSequence { owned_by: Some((table, _)), .. }
            | Operation::AlterSequence { owned_by: Some((table, _)), .. } => {
                (table, &[Table, ForeignTable, View], |name| {
                    format!("sequence cannot be owned by relation \"{}\"", name.name)
                })
            }
            Operation::CreateTable(table) => (table.inherits.first()?, &[Table, ForeignTable], |name| {
                format!("inherited relation \"{}\" is not a table or foreign table", name.name)
            }),
            Operation::CreateTrigger { table, firing, .. } if !(firing.insert || firing.update || firing.delete) => {
                (table, &[Table, ForeignTable, MaterializedView, Sequence], |name| {
                    format!("\"{}\" is a view: views cannot have TRUNCATE triggers", name.name)
                })
            }
            _ => return None,
        };
        let name = self.schema.resolve(name);
        let relation = self.schema.relation(&name)?;
        (!takes.contains(&relation.kind)).then(|| why(&name))
    }

    /// What is granted on something that is no relation, and cannot be.
    pub(super) fn granted_on(privileges: &[String], object: &str) -> Option<String> {
        const GRANTABLE: [(&str, &[&str]); 9] = [
            ("function", &["EXECUTE"]),
            ("procedure", &["EXECUTE"]),
            ("routine", &["EXECUTE"]),
            ("schema", &["USAGE", "CREATE"]),
            ("type", &["USAGE"]),
            ("domain", &["USAGE"]),
            ("language", &["USAGE"]),
            ("database", &["CREATE", "CONNECT", "TEMPORARY", "TEMP"]),
            ("tablespace", &["CREATE"]),
        ];
        let kind = object.split(' ').next()?.to_ascii_lowercase();
        let (kind, takes) = GRANTABLE.iter().find(|(of, _)| *of == kind)?;
        let wrong = privileges.iter().find(|one| !one.starts_with("ALL") && !takes.contains(&one.as_str()))?;
        Some(format!("invalid privilege type {wrong} for {kind}"))
    }

    /// `REFRESH MATERIALIZED VIEW`
    pub(super) fn refreshed(&self, name: &Name, concurrently: bool, empties: bool) -> Option<String> {
        self.schema.refresh_refused(&self.schema.resolve(name), concurrently, empties)
    }
}

/// What PostgreSQL says of `REFRESH … CONCURRENTLY` of a view without rows.
pub(crate) const NOT_POPULATED: &str = "CONCURRENTLY cannot be used when the materialized view is not populated";

impl Schema {
    /// Why PostgreSQL does not refresh a relation.
    pub(crate) fn refresh_refused(&self, name: &QName, concurrently: bool, empties: bool) -> Option<String> {
        let relation = self.relation(name)?;
        if relation.kind != RelationKind::MaterializedView {
            return Some(is_not(name, RelationKind::MaterializedView));
        }
        if concurrently && empties {
            return Some("REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together".to_owned());
        }
        if concurrently && relation.unfilled {
            return Some(NOT_POPULATED.to_owned());
        }
        // What it reads may have no rows itself.
        let mut reads = relation.reads.iter().filter(|_| !empties);
        let read = reads.find_map(|read| self.unfilled_behind(read))?;
        Some(not_populated(&read.name))
    }

    /// Whether a materialized view has a unique index by which it can be refreshed concurrently.
    pub(crate) fn tells_rows_apart(&self, name: &QName) -> bool {
        let plain = |index: &Index| index.unique && index.valid && index.plain_key().is_some();
        self.relation(name).is_none_or(|relation| relation.indexes.values().any(|index| plain(index)))
    }
}
