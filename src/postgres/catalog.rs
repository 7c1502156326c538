//! What a change of the schema can touch, asked of the server and not of the change's text: which rows of the catalog are others than
//! before, and everything that depends on what they describe. Dynamic SQL, cascades and extensions are in it like anything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::{Client, Error, Row, Statement};

/// A catalog and the number of a row in it.
type Key = (u32, u32);

/// Objects with their name and a mark that is another after every change.
type Objects = BTreeMap<Key, (String, i64)>;

/// The catalog of one session's database, as of the last look.
#[derive(Debug)]
pub struct Catalog {
    objects: Statement,
    dependencies: Statement,
    last: Objects,
}

/// What a query may be another on than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Something without a name that queries would have to mention: an operator, a cast, a setting of the database.
    Everything,
    /// Relations, types and functions of these names.
    Names(BTreeSet<String>),
}

/// `pg_class`, `pg_type`, `pg_proc`, `pg_rewrite`, by their fixed numbers.
const NAMED: &str = "(1259, 1247, 1255, 2618)";

/// A row of a catalog is written anew by every change, with the changing transaction's number in `xmin`. What stands in catalogs of other
/// names is one object without a name.
fn objects() -> String {
    // Parts of a relation that decide how a query on it is read, rewritten and planned.
    let parts = [
        ("pg_attribute", "t.attrelid = c.oid AND t.attnum > 0"),
        ("pg_attrdef", "t.adrelid = c.oid"),
        ("pg_constraint", "t.conrelid = c.oid"),
        ("pg_index", "t.indrelid = c.oid"),
        ("pg_rewrite", "t.ev_class = c.oid"),
        ("pg_trigger", "t.tgrelid = c.oid"),
        ("pg_policy", "t.polrelid = c.oid"),
    ];
    let marks = |catalog: &str, which: &str| {
        format!(
            "(SELECT pg_catalog.string_agg(pg_catalog.concat(t.ctid, t.xmin), ' ' ORDER BY t.ctid) FROM pg_catalog.{catalog} t WHERE {which})"
        )
    };
    let mark = |parts: &str| format!("pg_catalog.hashtextextended(pg_catalog.concat_ws('/', c.xmin, {parts}), 0)");
    let parts: Vec<_> = parts.iter().map(|(catalog, which)| marks(catalog, which)).collect();
    let elsewhere = [
        "pg_aggregate",
        "pg_am",
        "pg_amop",
        "pg_amproc",
        "pg_cast",
        "pg_collation",
        "pg_conversion",
        "pg_extension",
        "pg_language",
        "pg_namespace",
        "pg_opclass",
        "pg_operator",
        "pg_opfamily",
        "pg_range",
        "pg_ts_config",
        "pg_ts_config_map",
        "pg_ts_dict",
        "pg_ts_parser",
        "pg_ts_template",
        "pg_db_role_setting",
    ];
    let elsewhere = elsewhere.map(|catalog| {
        // Each changes `ctid` or `xmin` of a row, or how many there are.
        format!(
            "SELECT 'pg_catalog.{catalog}'::pg_catalog.regclass::pg_catalog.oid, 0::pg_catalog.oid, NULL,
                    pg_catalog.hashtextextended(pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(t.xmin::pg_catalog.text::pg_catalog.int8)), 0)
             FROM pg_catalog.{catalog} t"
        )
    });
    let own = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover', 'pg_toast')";
    let named = [
        format!(
            "SELECT 1259::pg_catalog.oid, c.oid, c.relname::pg_catalog.text, {}
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE {own} AND c.relkind NOT IN ('i', 'I', 't')",
            mark(&parts.join(", "))
        ),
        format!(
            "SELECT 1247::pg_catalog.oid, c.oid, c.typname::pg_catalog.text, {}
             FROM pg_catalog.pg_type c JOIN pg_catalog.pg_namespace n ON n.oid = c.typnamespace WHERE {own}",
            mark(&[marks("pg_enum", "t.enumtypid = c.oid"), marks("pg_constraint", "t.contypid = c.oid")].join(", ")),
        ),
        format!(
            "SELECT 1255::pg_catalog.oid, c.oid, c.proname::pg_catalog.text, {}
             FROM pg_catalog.pg_proc c JOIN pg_catalog.pg_namespace n ON n.oid = c.pronamespace WHERE {own}",
            mark("NULL"),
        ),
    ];
    named.into_iter().chain(elsewhere).collect::<Vec<_>>().join(" UNION ALL ")
}

/// What depends on what: a view on a table through its rule, a row's type on its table and on a composite type's attributes.
fn dependencies() -> String {
    format!(
        "SELECT DISTINCT d.refclassid, d.refobjid, d.classid, d.objid FROM pg_catalog.pg_depend d
         WHERE d.refclassid IN {NAMED} AND d.classid IN {NAMED} AND d.objid >= 16384
         UNION ALL
         SELECT 1259::pg_catalog.oid, t.typrelid, 1247::pg_catalog.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typrelid >= 16384
         UNION ALL
         SELECT 2618::pg_catalog.oid, w.oid, 1259::pg_catalog.oid, w.ev_class FROM pg_catalog.pg_rewrite w WHERE w.oid >= 16384"
    )
}

impl Catalog {
    /// Looks at the database as it is.
    pub async fn start(client: &Client) -> Result<Self, Error> {
        let objects = client.prepare(&objects()).await?;
        let dependencies = client.prepare(&dependencies()).await?;
        let last = read(client, &objects).await?;
        Ok(Self { objects, dependencies, last })
    }

    /// What was touched since the last look.
    pub async fn touched(&mut self, client: &Client) -> Result<Touched, Error> {
        let now = read(client, &self.objects).await?;
        let was = std::mem::replace(&mut self.last, now);
        let now = &self.last;
        let differs = |key: &&Key| was.get(*key) != now.get(*key);
        let mut reached: BTreeSet<Key> = was.keys().chain(now.keys()).filter(differs).copied().collect();
        if reached.iter().any(|(_, number)| *number == 0) {
            return Ok(Touched::Everything);
        }
        if reached.is_empty() {
            return Ok(Touched::Names(BTreeSet::new()));
        }
        // What no longer depends on something is another itself, so what depends on it now is enough.
        let mut dependents: HashMap<Key, Vec<Key>> = HashMap::new();
        for row in client.query(&self.dependencies, &[]).await? {
            dependents.entry((row.get(0), row.get(1))).or_default().push((row.get(2), row.get(3)));
        }
        let mut todo: Vec<Key> = reached.iter().copied().collect();
        while let Some(key) = todo.pop() {
            let next = dependents.get(&key).into_iter().flatten().copied();
            todo.extend(next.filter(|key| reached.insert(*key)));
        }
        let names = reached.iter().flat_map(|key| [was.get(key), now.get(key)]).flatten();
        Ok(Touched::Names(names.map(|(name, _)| name.clone()).collect()))
    }
}

async fn read(client: &Client, objects: &Statement) -> Result<Objects, Error> {
    let object = |row: &Row| {
        let name: Option<String> = row.get(2);
        ((row.get(0), row.get(1)), (name.unwrap_or_default(), row.get(3)))
    };
    Ok(client.query(objects, &[]).await?.iter().map(object).collect())
}
