//! A live catalog → [`Schema`]: the same value that the migrations simulate, so that the two can be compared and stand for each other.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::{Client, Error, Row};

use super::message::server_message;
use crate::migrations::Convention;
use crate::schema::{Column, Constraint, Function, Index, Policy, QName, Relation, Rule, Schema, UserType};
use crate::sql::TypeName;
use crate::sql::operation::{DefaultValue, Ident, RelationKind};

/// Schemas that are not the application's, and objects that belong to extensions.
const OWN: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover') AND n.nspname !~ '^pg_(toast|temp)'";

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the catalog failed ({what}): {}", server_message(source))]
pub struct IntrospectError {
    what: &'static str,
    #[source]
    source: Error,
}

/// Reads the schema of the database that the client is connected to. Reads only; takes no locks that anybody waits for.
pub async fn introspect(client: &Client) -> Result<Schema, IntrospectError> {
    let mut reader = Reader { client, schema: Schema::empty(), oids: HashMap::new(), relations: HashMap::new() };
    reader.namespaces().await?;
    reader.relations().await?;
    reader.columns().await?;
    reader.constraints().await?;
    reader.indexes().await?;
    reader.triggers_and_policies().await?;
    reader.grants().await?;
    reader.views().await?;
    reader.sequences().await?;
    reader.types().await?;
    reader.functions().await?;
    reader.extensions().await?;
    let Reader { mut schema, oids, relations, .. } = reader;
    let mut all: Vec<_> =
        relations.into_iter().filter_map(|(oid, relation)| Some((oids.get(&oid)?.clone(), relation))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, relation) in all {
        schema.insert_relation(name, relation);
    }
    Ok(schema)
}

struct Reader<'a> {
    client: &'a Client,
    schema: Schema,
    oids: HashMap<u32, QName>,
    relations: HashMap<u32, Relation>,
}

impl Reader<'_> {
    async fn rows(&self, what: &'static str, sql: &str) -> Result<Vec<Row>, IntrospectError> {
        self.client.query(sql, &[]).await.map_err(|source| IntrospectError { what, source })
    }

    async fn namespaces(&mut self) -> Result<(), IntrospectError> {
        let sql = format!("SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE {OWN}");
        for row in self.rows("schemas", &sql).await? {
            self.schema.insert_namespace(row.get::<_, String>(0).into());
        }
        Ok(())
    }

    async fn relations(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
                    (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1),
                    c.relkind = 'v' AND pg_catalog.pg_relation_is_updatable(c.oid, true) = 0
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE {OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
        );
        let history: BTreeSet<&str> = Convention::ALL.iter().filter_map(|c| c.history()).map(|h| h.name).collect();
        let mut parents = Vec::new();
        for row in self.rows("relations", &sql).await? {
            let (oid, name) = (row.get::<_, u32>(0), row.get::<_, String>(2));
            if history.contains(name.as_str()) {
                continue;
            }
            let kind: String = row.get(3);
            let mut relation = Relation::new(match kind.as_str() {
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "S" => RelationKind::Sequence,
                "f" => RelationKind::ForeignTable,
                _ => RelationKind::Table,
            });
            relation.partitioned = kind == "p";
            relation.row_security = row.get(4);
            relation.force_row_security = row.get(5);
            relation.read_only = row.get(7);
            parents.push((oid, row.get::<_, Option<u32>>(6)));
            self.oids.insert(oid, QName::new(row.get::<_, String>(1), name));
            self.relations.insert(oid, relation);
        }
        for (oid, parent) in parents {
            if let (Some(relation), Some(parent)) = (self.relations.get_mut(&oid), parent) {
                relation.parent = self.oids.get(&parent).cloned();
            }
        }
        Ok(())
    }

    async fn columns(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT a.attrelid, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    a.attidentity::text, a.attgenerated::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
             FROM pg_catalog.pg_attribute a
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE {OWN} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
             ORDER BY a.attrelid, a.attnum"
        );
        for row in self.rows("columns", &sql).await? {
            let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) else { continue };
            let (identity, generated): (String, String) = (row.get(4), row.get(5));
            let expression: Option<String> = row.get(6);
            let default = match (identity.as_str(), generated.as_str(), &expression) {
                ("a", _, _) => Some(DefaultValue::IdentityAlways),
                ("d", _, _) => Some(DefaultValue::IdentityByDefault),
                (_, "s", _) => Some(DefaultValue::GeneratedStored),
                (_, "v", _) => Some(DefaultValue::GeneratedVirtual),
                (_, _, Some(text)) if text.starts_with("NULL::") => Some(DefaultValue::Null),
                (_, _, Some(text)) if is_volatile(text) => Some(DefaultValue::Volatile),
                (_, _, Some(_)) => Some(DefaultValue::Stable),
                (_, _, None) => None,
            };
            relation.columns.push(Column {
                name: row.get::<_, String>(1).into(),
                data_type: Some(TypeName::canonical(row.get::<_, String>(2))),
                not_null: row.get(3),
                default,
                holds: None,
            });
        }
        Ok(())
    }

    async fn constraints(&mut self) -> Result<(), IntrospectError> {
        let names = |numbers: &str, relation: &str| {
            format!(
                "ARRAY(SELECT a.attname::text FROM pg_catalog.unnest({numbers}) WITH ORDINALITY AS k(n, i)
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = k.n ORDER BY k.i)"
            )
        };
        let sql = format!(
            "SELECT o.conrelid, o.conname::text, o.contype::text, o.convalidated, {}, o.confrelid, {},
                    CASE WHEN o.contype = 'c' THEN pg_catalog.pg_get_constraintdef(o.oid) END, o.confdeltype IN ('a', 'r')
             FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_namespace n ON n.oid = o.connamespace
             WHERE {OWN} AND o.conrelid <> 0 AND o.contype IN ('p', 'u', 'c', 'f', 'x')",
            names("o.conkey", "o.conrelid"),
            names("o.confkey", "o.confrelid"),
        );
        for row in self.rows("constraints", &sql).await? {
            let columns = idents(&row, 4);
            let target = self.oids.get(&row.get::<_, u32>(5)).cloned();
            let kind: String = row.get(2);
            let kind = match (kind.as_str(), target) {
                ("p", _) => Rule::PrimaryKey { columns },
                ("u", _) => Rule::Unique { columns },
                ("x", _) => Rule::Exclude { columns },
                ("f", Some(target)) => {
                    Rule::ForeignKey { columns, target, target_columns: idents(&row, 6), restricts: row.get(8) }
                }
                ("c", _) => {
                    let text: String = row.get::<_, Option<String>>(7).unwrap_or_default();
                    Rule::Check { columns, not_null: text.contains("IS NOT NULL"), expression: text.into() }
                }
                _ => continue,
            };
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.constraints.insert(row.get::<_, String>(1).into(), Constraint { kind, valid: row.get(3) });
            }
        }
        Ok(())
    }

    async fn indexes(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT i.indrelid, c.relname::text, i.indisunique, i.indpred IS NOT NULL, i.indnkeyatts,
                    ARRAY(SELECT coalesce(a.attname::text, '') FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(n, o)
                          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n AND k.n > 0
                          ORDER BY k.o),
                    ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_depend d
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0)
             FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE {OWN}"
        );
        for row in self.rows("indexes", &sql).await? {
            let keys = usize::try_from(row.get::<_, i16>(4)).unwrap_or(0);
            let names: Vec<String> = row.get(5);
            let key: Vec<Option<Ident>> =
                names.iter().take(keys).map(|n| (!n.is_empty()).then(|| n.as_str().into())).collect();
            let mut mentions = idents(&row, 6);
            mentions.retain(|c| !key.iter().flatten().any(|k| k == c));
            let index = Index { key, mentions, unique: row.get(2), partial: row.get(3) };
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.indexes.insert(row.get::<_, String>(1).into(), index);
            }
        }
        Ok(())
    }

    async fn triggers_and_policies(&mut self) -> Result<(), IntrospectError> {
        let sql = "SELECT t.tgrelid, t.tgname::text, t.tgenabled <> 'D' FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal";
        for row in self.rows("triggers", sql).await? {
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.triggers.insert(row.get::<_, String>(1).into(), row.get(2));
            }
        }
        let sql = "SELECT p.polrelid, p.polname::text, NOT p.polpermissive,
                          pg_catalog.concat_ws(' ', p.polcmd, p.polroles::text, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                                               pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
                   FROM pg_catalog.pg_policy p";
        for row in self.rows("policies", sql).await? {
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                let policy = Policy { restrictive: row.get(2), text: row.get::<_, String>(3).into() };
                relation.policies.insert(row.get::<_, String>(1).into(), policy);
            }
        }
        Ok(())
    }

    async fn grants(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT c.oid, coalesce(r.rolname::text, 'public'), x.privilege_type
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
             WHERE {OWN} AND x.grantee <> c.relowner"
        );
        for row in self.rows("privileges", &sql).await? {
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.grants.insert((row.get(1), row.get(2)));
            }
        }
        Ok(())
    }

    async fn views(&mut self) -> Result<(), IntrospectError> {
        let sql = "SELECT DISTINCT w.ev_class, d.refobjid FROM pg_catalog.pg_rewrite w
                   JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                   WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class";
        for row in self.rows("views", sql).await? {
            let read = self.oids.get(&row.get::<_, u32>(1)).cloned();
            if let (Some(relation), Some(read)) = (self.relations.get_mut(&row.get::<_, u32>(0)), read) {
                relation.reads.insert(read);
            }
        }
        Ok(())
    }

    async fn sequences(&mut self) -> Result<(), IntrospectError> {
        let sql = "SELECT d.objid, d.refobjid, a.attname::text FROM pg_catalog.pg_depend d
                   JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                     AND d.deptype IN ('a', 'i')";
        for row in self.rows("sequences", sql).await? {
            let owner = self.oids.get(&row.get::<_, u32>(1)).cloned();
            if let (Some(sequence), Some(owner)) = (self.relations.get_mut(&row.get::<_, u32>(0)), owner) {
                sequence.owned_by = Some((owner, row.get::<_, String>(2).into()));
            }
        }
        Ok(())
    }

    async fn types(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT n.nspname::text, t.typname::text, t.typtype::text,
                    ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
                    pg_catalog.format_type(t.typbasetype, t.typtypmod),
                    EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.contypid = t.oid) OR t.typnotnull,
                    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
                    ARRAY(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
             LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
             WHERE {OWN} AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')"
        );
        for row in self.rows("types", &sql).await? {
            let kind: String = row.get(2);
            let definition = match kind.as_str() {
                "e" => UserType::Enum(idents(&row, 3)),
                "d" => UserType::Domain {
                    base: TypeName::canonical(row.get::<_, Option<String>>(4).unwrap_or_default()),
                    constrained: row.get(5),
                },
                "c" => {
                    let types: Vec<String> = row.get(7);
                    let types = types.into_iter().map(TypeName::canonical);
                    UserType::Composite(idents(&row, 6).into_iter().zip(types).collect())
                }
                _ => UserType::Other,
            };
            self.schema.insert_type(QName::new(row.get::<_, String>(0), row.get::<_, String>(1)), definition);
        }
        Ok(())
    }

    async fn functions(&mut self) -> Result<(), IntrospectError> {
        let sql = format!(
            "SELECT n.nspname::text, p.proname::text,
                    ARRAY(SELECT pg_catalog.format_type(a.t, NULL) FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(t, i)
                          ORDER BY a.i),
                    p.pronargdefaults, p.proretset, pg_catalog.format_type(p.prorettype, NULL), p.prokind::text, p.prosrc
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE {OWN} AND p.prokind IN ('f', 'p')
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
             ORDER BY p.oid"
        );
        for row in self.rows("functions", &sql).await? {
            let types: Vec<String> = row.get(2);
            let defaults = usize::try_from(row.get::<_, i16>(3)).unwrap_or(0);
            let required = types.len().saturating_sub(defaults);
            let arguments =
                types.into_iter().enumerate().map(|(i, t)| (TypeName::canonical(t), i >= required)).collect();
            let set = if row.get(4) { "setof " } else { "" };
            let returns = match row.get::<_, String>(6).as_str() {
                "p" => "procedure".to_owned(),
                _ => format!("{set}{}", row.get::<_, String>(5)),
            };
            let body: String = row.get(7);
            let words: BTreeSet<Ident> = body
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|w| !w.is_empty())
                .map(|w| w.to_ascii_lowercase().into())
                .collect();
            let function = Function { arguments, returns, mentions: words.into_iter().collect() };
            self.schema.insert_function(QName::new(row.get::<_, String>(0), row.get::<_, String>(1)), function);
        }
        Ok(())
    }

    async fn extensions(&mut self) -> Result<(), IntrospectError> {
        for row in self.rows("extensions", "SELECT extname::text FROM pg_catalog.pg_extension").await? {
            self.schema.insert_extension(row.get::<_, String>(0).into());
        }
        Ok(())
    }
}

fn idents(row: &Row, column: usize) -> Vec<Ident> {
    row.get::<_, Vec<String>>(column).into_iter().map(Ident::from).collect()
}

/// Whether a default's text calls something that differs from row to row.
fn is_volatile(expression: &str) -> bool {
    const VOLATILE: &[&str] =
        &["nextval(", "random(", "gen_random_uuid(", "clock_timestamp(", "uuid_generate", "timeofday("];
    VOLATILE.iter().any(|call| expression.contains(call))
}
