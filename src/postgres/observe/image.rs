//! What a [`crate::schema::Schema`] does not hold and clients notice all the same: owners, persistence, inheritance, defaults, sequences,
//! privileges on schemas and functions, and whether a table has rows.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use tokio_postgres::{Row, Statement};

use super::ObserveError;
use crate::postgres::Session;
use crate::schema::QName;
use crate::sql::operation::Ident;

/// A moment of a database.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    /// Tables, views and sequences by their number.
    pub(super) relations: BTreeMap<u32, Entry>,
    /// Child and parent, of partitions and inheriting tables; whether it is a partition.
    pub(super) children: BTreeMap<(u32, u32), bool>,
    /// The text of defaults.
    pub(super) defaults: BTreeMap<(u32, Ident), String>,
    /// Constraints with when they are checked.
    pub(super) checked: BTreeMap<(u32, Ident), String>,
    /// What triggers call, by relation and trigger: schema and function.
    pub(super) calls: BTreeMap<(u32, Ident), QName>,
    /// How a sequence counts, and how far it has come.
    pub(super) sequences: BTreeMap<u32, (String, Option<i64>)>,
    /// Schemas and functions, in the words of `grants`.
    pub(super) objects: BTreeSet<String>,
    /// What no capability stands for: catalogs, each with a digest of its rows that are not PostgreSQL's own.
    pub(super) elsewhere: BTreeMap<String, String>,
    /// Privileges on schemas, functions and types, and of columns, in words: object, role, privilege.
    pub(super) grants: BTreeSet<(String, String, String)>,
}

/// A relation.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: QName,
    pub(super) kind: String,
    pub(super) owner: String,
    pub(super) unlogged: bool,
    /// `None` where there is none: partitioned tables, views.
    pub(super) file: Option<u32>,
    /// Whether it has any rows.
    pub(super) rows: bool,
}

impl Image {
    /// Tables and materialized views: what statements lock, rewrite and scan. Views too, for their locks.
    pub(super) fn tables(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.relations.iter().filter(|(_, entry)| entry.kind != "S").map(|(oid, entry)| (*oid, entry))
    }
}

const OWN: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover') AND n.nspname !~ '^pg_(toast|temp)'";

fn queries() -> [(&'static str, String); 9] {
    [
        (
            "relations",
            format!(
                "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_catalog.pg_get_userbyid(c.relowner)::text,
                        c.relpersistence = 'u', pg_catalog.pg_relation_filenode(c.oid),
                        c.relkind = 'r' AND pg_catalog.pg_relation_size(c.oid) > 0
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE {OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'"
            ),
        ),
        (
            "inheritance",
            "SELECT i.inhrelid, i.inhparent, c.relispartition FROM pg_catalog.pg_inherits i
             JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE c.relkind IN ('r', 'p', 'f')"
                .into(),
        ),
        (
            "defaults",
            "SELECT d.adrelid, a.attname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
             JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
             WHERE a.attgenerated = ''"
                .into(),
        ),
        (
            "constraints",
            "SELECT o.conrelid, o.conname::text, pg_catalog.concat(o.condeferrable, o.condeferred)
             FROM pg_catalog.pg_constraint o WHERE o.conrelid <> 0"
                .into(),
        ),
        (
            "triggers",
            "SELECT t.tgrelid, t.tgname::text, n.nspname::text, p.proname::text FROM pg_catalog.pg_trigger t
             JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE NOT t.tgisinternal"
                .into(),
        ),
        (
            "sequences",
            "SELECT s.seqrelid, pg_catalog.concat_ws(' ', s.seqtypid::regtype::text, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle),
                    pg_catalog.pg_sequence_last_value(s.seqrelid)
             FROM pg_catalog.pg_sequence s"
                .into(),
        ),
        (
            "privileges",
            format!(
                "SELECT pg_catalog.concat('schema ', n.nspname), coalesce(r.rolname::text, 'public'), x.privilege_type
                 FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) x
                 LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee WHERE {OWN} AND x.grantee <> n.nspowner
                 UNION ALL
                 SELECT pg_catalog.concat('function ', p.proname), coalesce(r.rolname::text, 'public'), x.privilege_type
                 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                 CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) x
                 LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee WHERE {OWN} AND x.grantee <> p.proowner"
            ),
        ),
        (
            "objects",
            format!(
                "SELECT pg_catalog.concat('schema ', n.nspname) FROM pg_catalog.pg_namespace n WHERE {OWN}
                 UNION ALL SELECT pg_catalog.concat('function ', p.proname)
                 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {OWN}"
            ),
        ),
        ("other catalogs", elsewhere()),
    ]
}

/// Catalogs whose rows no capability stands for, each with which of its rows are somebody's own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("pg_rewrite", "t.oid >= 16384 AND t.rulename <> '_RETURN'"),
    ("pg_event_trigger", "true"),
    ("pg_publication", "true"),
    ("pg_publication_rel", "true"),
    ("pg_cast", "t.oid >= 16384"),
    ("pg_operator", "t.oid >= 16384"),
    ("pg_opclass", "t.oid >= 16384"),
    ("pg_collation", "t.oid >= 16384"),
    ("pg_conversion", "t.oid >= 16384"),
    ("pg_language", "t.oid >= 16384"),
    ("pg_ts_config", "t.oid >= 16384"),
    ("pg_ts_dict", "t.oid >= 16384"),
    ("pg_foreign_data_wrapper", "true"),
    ("pg_foreign_server", "true"),
    ("pg_foreign_table", "true"),
    ("pg_user_mappings", "true"),
    ("pg_default_acl", "true"),
    (
        "pg_db_role_setting",
        "t.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())",
    ),
];

fn elsewhere() -> String {
    let one = |(catalog, own): &(&str, &str)| {
        // What belongs to an extension is told by the extension.
        let member = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')";
        let own = if own.contains("oid >=") { format!("{own} AND {member}") } else { (*own).to_owned() };
        format!(
            "SELECT '{catalog}', pg_catalog.md5(coalesce(pg_catalog.string_agg(t::text, ',' ORDER BY t::text), ''))
             FROM pg_catalog.{catalog} t WHERE {own}"
        )
    };
    ELSEWHERE.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The prepared questions of one session.
#[derive(Clone)]
pub(super) struct Questions(Vec<(&'static str, Statement)>);

/// Prepares what [`read`] asks.
pub(super) async fn prepare(session: &Session) -> Result<Questions, ObserveError> {
    let prepare = |(what, sql): (&'static str, String)| async move {
        let statement = session.prepare(&sql).await.map_err(|source| ObserveError::Server { what, source })?;
        Ok::<_, ObserveError>((what, statement))
    };
    Ok(Questions(try_join_all(queries().into_iter().map(prepare)).await?))
}

/// Reads it all, in one round trip.
pub(super) async fn read(session: &Session, questions: &Questions) -> Result<Image, ObserveError> {
    let ask = |(what, statement): &(&'static str, Statement)| {
        let (what, statement) = (*what, statement.clone());
        async move { session.query(&statement, &[]).await.map_err(|source| ObserveError::Server { what, source }) }
    };
    let answers = try_join_all(questions.0.iter().map(ask)).await?;
    let [relations, children, defaults, constraints, triggers, sequences, grants, objects, elsewhere] =
        <[Vec<Row>; 9]>::try_from(answers).unwrap_or_default();
    let mut image = Image::default();
    for row in relations {
        let entry = Entry {
            name: QName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
            kind: row.get(3),
            owner: row.get(4),
            unlogged: row.get(5),
            file: row.get(6),
            rows: row.get(7),
        };
        image.relations.insert(row.get(0), entry);
    }
    image.children = children.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    image.defaults = defaults.iter().map(|row| ((row.get(0), ident(row, 1)), row.get(2))).collect();
    image.checked = constraints.iter().map(|row| ((row.get(0), ident(row, 1)), row.get(2))).collect();
    let function = |row: &Row| QName { schema: ident(row, 2), name: ident(row, 3) };
    image.calls = triggers.iter().map(|row| ((row.get(0), ident(row, 1)), function(row))).collect();
    image.sequences = sequences.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    image.objects = objects.iter().map(|row| row.get(0)).collect();
    image.elsewhere = elsewhere.iter().map(|row| (row.get(0), row.get(1))).collect();
    image.grants = grants.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    // A table that has files may still have no rows in them.
    let sized: Vec<(u32, QName)> =
        image.relations.iter().filter(|(_, e)| e.rows).map(|(oid, e)| (*oid, e.name.clone())).collect();
    let empty = |(oid, name): (u32, QName)| async move {
        let quoted = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
        let table = format!("{}.{}", quoted(&name.schema), quoted(&name.name));
        let answer = session.query_one(&format!("SELECT EXISTS (SELECT FROM ONLY {table})"), &[]).await;
        let row = answer.map_err(|source| ObserveError::Server { what: "rows", source })?;
        Ok::<(u32, bool), ObserveError>((oid, row.get(0)))
    };
    for (oid, rows) in try_join_all(sized.into_iter().map(empty)).await? {
        image.relations.entry(oid).and_modify(|entry| entry.rows = rows);
    }
    Ok(image)
}

fn ident(row: &Row, column: usize) -> Ident {
    row.get::<_, String>(column).into()
}
