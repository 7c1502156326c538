//! A live catalog → [`Schema`]: the same value that the migrations simulate, so that the two can be compared and stand for each other.

mod queries;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Error, Row, Statement};

use self::queries::queries;
use super::message::server_message;
use crate::migrations::books;
use crate::schema::resolve::kinds_of;
use crate::schema::searched;
use crate::schema::{
    Column, Constraint, Function, Index, Policy, Publication, QName, Relation, Schema, TableRule, TypeUser, UserType,
};
use crate::sql::body::BodySource;
use crate::sql::bound::Bound;
use crate::sql::operation::{
    DefaultValue, Firing, FunctionBody, Ident, OnDelete, RelationKind, ReplicaIdentity, RuleEvent, path_in,
};
use crate::sql::query::KeyKind;
use crate::sql::{self, TypeName};

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the catalog failed ({what}): {}", server_message(source))]
pub struct IntrospectError {
    what: &'static str,
    #[source]
    source: Error,
}

impl IntrospectError {
    pub(super) const fn new(what: &'static str, source: Error) -> Self {
        Self { what, source }
    }
}

/// Reads the schema of the database that the client is connected to. Reads only; takes no locks that anybody waits for.
pub async fn introspect(client: &Client) -> Result<Schema, IntrospectError> {
    Introspector::prepare(client).await?.read(client).await
}

/// The prepared questions of one session, for who reads its catalog often.
#[derive(Clone)]
pub(crate) struct Introspector(Vec<(&'static str, Statement)>);

impl Introspector {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, IntrospectError> {
        let prepare = |(what, sql): (&'static str, String)| async move {
            let statement = client.prepare(&sql).await.map_err(|source| IntrospectError { what, source })?;
            Ok((what, statement))
        };
        Ok(Self(try_join_all(queries().into_iter().map(prepare)).await?))
    }

    pub(crate) async fn read(&self, client: &Client) -> Result<Schema, IntrospectError> {
        let ask = |(what, statement): &(&'static str, Statement)| {
            let (what, statement) = (*what, statement.clone());
            async move {
                let rows = client.query(&statement, &[]).await.map_err(|source| IntrospectError { what, source })?;
                Ok((what, rows))
            }
        };
        let rows = try_join_all(self.0.iter().map(ask)).await?.into_iter().collect();
        Ok(Reader { rows, schema: Schema::empty().partly_read(), oids: HashMap::new(), relations: HashMap::new() }
            .read())
    }
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(what, _)| what)).finish()
    }
}

/// The answers, and what was made of them so far.
struct Reader {
    rows: HashMap<&'static str, Vec<Row>>,
    schema: Schema,
    oids: HashMap<u32, QName>,
    relations: HashMap<u32, Relation>,
}

impl Reader {
    fn read(mut self) -> Schema {
        self.namespaces();
        self.relations();
        self.columns();
        self.constraints();
        self.indexes();
        self.triggers_and_policies();
        self.grants();
        self.views();
        self.sequences();
        self.types();
        self.functions();
        self.extensions();
        self.publications();
        let Self { mut schema, oids, relations, .. } = self;
        let mut all: Vec<_> =
            relations.into_iter().filter_map(|(oid, relation)| Some((oids.get(&oid)?.clone(), relation))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, relation) in all {
            schema.insert_relation(name, relation);
        }
        schema.read_rules();
        schema
    }

    fn take(&mut self, what: &str) -> Vec<Row> {
        self.rows.remove(what).unwrap_or_default()
    }

    fn namespaces(&mut self) {
        for row in self.take("schemas") {
            let name: String = row.get(0);
            if !books::is_for_books(&name) {
                self.schema.insert_namespace(name.into());
            }
        }
    }

    fn relations(&mut self) {
        let mut ignored = BTreeSet::new();
        let mut parents = Vec::new();
        for row in self.take("relations") {
            let (oid, name) = (row.get::<_, u32>(0), row.get::<_, String>(2));
            if books::are_books(row.get(1), &name) {
                ignored.insert(oid);
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
            relation.unlogged = row.get(11);
            relation.bound = row.get::<_, Option<&str>>(12).and_then(Bound::read);
            relation.check_option = row.get(13);
            relation.own = row.get::<_, Vec<String>>(14).into_iter().map(Ident::from).collect();
            relation.unfilled = row.get(15);
            relation.row_security = row.get(4);
            relation.force_row_security = row.get(5);
            relation.read_only = row.get(7);
            let query = row.get::<_, Option<&str>>(8);
            relation.definition = query.map(sql::definition_of).unwrap_or_default();
            relation.replica_identity = match (row.get(9), row.get::<_, Option<String>>(10)) {
                ("f", _) => ReplicaIdentity::Full,
                ("n", _) => ReplicaIdentity::Nothing,
                ("i", index) => ReplicaIdentity::Index(index.unwrap_or_default().into()),
                _ => ReplicaIdentity::PrimaryKey,
            };
            relation.runs = query.into_iter().flat_map(sql::called_in).collect();
            if let Some(query) = query {
                relation.casts.insert(TypeUser::Whole, types_of(query).collect());
            }
            parents.push((oid, row.get::<_, Option<u32>>(6)));
            self.oids.insert(oid, QName::new(row.get::<_, String>(1), name));
            self.relations.insert(oid, relation);
        }
        for row in self.rows.get("sequences").into_iter().flatten() {
            if ignored.contains(&row.get::<_, u32>(1)) {
                self.oids.remove(&row.get::<_, u32>(0));
                self.relations.remove(&row.get::<_, u32>(0));
            }
        }
        for row in self.take("partitioned tables") {
            let partition = self.oids.get(&row.get::<_, u32>(1)).cloned();
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.default_partition = partition;
                relation.partition_key = idents(&row, 2);
            }
        }
        for (oid, parent) in parents {
            if let (Some(relation), Some(parent)) = (self.relations.get_mut(&oid), parent) {
                relation.parent = self.oids.get(&parent).cloned();
            }
        }
    }

    fn columns(&mut self) {
        for row in self.take("columns") {
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
                (_, _, Some(text)) if is_computed(text) => Some(DefaultValue::Stable),
                (_, _, Some(_)) => Some(DefaultValue::Constant),
                (_, _, None) => None,
            };
            let constant = expression.as_deref().filter(|_| default == Some(DefaultValue::Constant));
            relation.runs.extend(expression.iter().flat_map(|text| sql::called_in(text)));
            relation.columns.push(
                Column {
                    name: row.get::<_, String>(1).into(),
                    data_type: Some(TypeName::canonical(row.get::<_, String>(2))),
                    not_null: row.get(3),
                    default,
                    needs: idents(&row, 7),
                    value: constant.and_then(sql::printed),
                    calls: Vec::new(),
                    casts: expression.iter().flat_map(|text| types_of(text)).collect(),
                    draws: row.get::<_, Vec<u32>>(8).iter().filter_map(|oid| self.oids.get(oid).cloned()).collect(),
                    holds: None,
                    computed: row.get::<_, bool>(9) && !relation.read_only,
                }
                .into(),
            );
        }
    }

    fn constraints(&mut self) {
        for row in self.take("constraints") {
            let columns = idents(&row, 4);
            let target = self.oids.get(&row.get::<_, u32>(5)).cloned();
            let kind: String = row.get(2);
            let kind = match (kind.as_str(), target) {
                ("p", _) => TableRule::PrimaryKey { columns },
                ("u", _) => TableRule::Unique { columns },
                ("x", _) => TableRule::Exclude { columns },
                ("f", Some(target)) => TableRule::ForeignKey {
                    columns,
                    target,
                    target_columns: idents(&row, 6),
                    on_delete: on_delete(row.get(8)),
                    follows: on_delete(row.get(10)) != OnDelete::Refuse,
                },
                ("c", _) => {
                    let text: String = row.get::<_, Option<String>>(7).unwrap_or_default();
                    TableRule::Check { columns, not_null: text.contains("IS NOT NULL"), expression: text.into() }
                }
                // Since PostgreSQL 18. That the column refuses NULL is the column's own.
                ("n", _) => {
                    if let (Some(relation), [column]) = (self.relations.get_mut(&row.get::<_, u32>(0)), &*columns) {
                        relation.not_nulls.insert(row.get::<_, String>(1).into(), column.clone());
                    }
                    continue;
                }
                _ => continue,
            };
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                let constraint = Constraint { kind, valid: row.get(3), enforced: row.get(9) };
                relation.constraints.insert(row.get::<_, String>(1).into(), constraint.into());
            }
        }
    }

    fn indexes(&mut self) {
        for row in self.take("indexes") {
            let keys = usize::try_from(row.get::<_, i16>(4)).unwrap_or(0);
            let names: Vec<String> = row.get(5);
            let key: Vec<Option<Ident>> =
                names.iter().take(keys).map(|n| (!n.is_empty()).then(|| n.as_str().into())).collect();
            let mut mentions = idents(&row, 6);
            mentions.retain(|c| !key.iter().flatten().any(|k| k == c));
            let of = |column: usize| {
                let found: Vec<Option<String>> = row.get(column);
                found.into_iter().map(|name| name.map(Ident::from)).chain(std::iter::repeat(None))
            };
            let kinds = key.iter().zip(of(12).zip(of(13)));
            let kinds =
                kinds.filter_map(|(column, (collation, class))| Some((column.clone()?, KeyKind { collation, class })));
            let kinds = kinds_of(kinds);
            let index = Index {
                kinds,
                key,
                mentions,
                unique: row.get(2),
                predicate: row.get::<_, Option<String>>(3).map(Ident::from),
                expressions: idents(&row, 8),
                nulls_collide: row.get(9),
                excludes: false,
                deferrable: row.get(10),
                method: row.get::<_, Option<String>>(11).map(Ident::from),
                valid: row.get(7),
                sorted: row.get(14),
            };
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.indexes.insert(row.get::<_, String>(1).into(), index.into());
            }
        }
    }

    fn triggers_and_policies(&mut self) {
        for row in self.take("rules") {
            let event = match row.get::<_, String>(2).as_str() {
                "2" => RuleEvent::Update,
                "3" => RuleEvent::Insert,
                _ => RuleEvent::Delete,
            };
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                let name: Ident = row.get::<_, String>(1).into();
                if row.get(4) {
                    relation.instead.insert(name.clone(), (event, row.get(3)));
                }
                let text = row.get::<_, String>(5);
                relation.casts.insert(TypeUser::Rule(name.clone()), types_of(&text).collect());
                if let Some(body) = sql::read_rule(&text) {
                    relation.rules.insert(name, (Arc::new(body), row.get(3)));
                }
            }
        }
        for row in self.take("triggers") {
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                let name: Ident = row.get::<_, String>(1).into();
                let function = QName::new(row.get::<_, String>(3), row.get::<_, String>(4));
                relation.triggers.insert(name.clone(), row.get(2));
                relation.trigger_columns.insert(name.clone(), idents(&row, 5));
                relation.transitions.insert(name.clone(), idents(&row, 6));
                relation.trigger_firings.insert(name.clone(), firing(row.get(7)));
                let text = row.get::<_, Option<&str>>(8).unwrap_or_default();
                relation.casts.insert(TypeUser::Trigger(name.clone()), types_of(text).collect());
                relation.trigger_functions.insert(name, function);
            }
        }
        for row in self.take("policies") {
            let (tables, columns): (Vec<u32>, Vec<Ident>) = (row.get(5), idents(&row, 6));
            let read =
                tables.iter().zip(columns).filter_map(|(table, column)| Some((self.oids.get(table)?.clone(), column)));
            let reads = read.collect();
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                let text = row.get::<_, String>(3).into();
                let policy = Policy { restrictive: row.get(2), open: row.get(4), text, reads };
                relation.policies.insert(row.get::<_, String>(1).into(), policy);
            }
        }
    }

    fn grants(&mut self) {
        for row in self.take("privileges") {
            if let Some(relation) = self.relations.get_mut(&row.get::<_, u32>(0)) {
                relation.grants.insert((row.get(1), row.get(2)));
            }
        }
    }

    fn views(&mut self) {
        for row in self.take("views") {
            let read = self.oids.get(&row.get::<_, u32>(1)).cloned();
            if let (Some(relation), Some(read)) = (self.relations.get_mut(&row.get::<_, u32>(0)), read) {
                relation.read_columns.extend(idents(&row, 2).into_iter().map(|column| (read.clone(), column)));
                if row.get(3) {
                    relation.grouped.insert(read.clone());
                }
                relation.reads.insert(read);
            }
        }
    }

    fn sequences(&mut self) {
        for row in self.take("sequences") {
            let owner = self.oids.get(&row.get::<_, u32>(1)).cloned();
            if let (Some(sequence), Some(owner)) = (self.relations.get_mut(&row.get::<_, u32>(0)), owner) {
                sequence.owned_by = Some((owner, row.get::<_, String>(2).into()));
                sequence.internal = row.get(3);
            }
        }
    }

    fn types(&mut self) {
        for row in self.take("types") {
            let kind: String = row.get(2);
            let definition = match kind.as_str() {
                "e" => UserType::Enum(idents(&row, 3)),
                "d" => UserType::Domain {
                    base: TypeName::canonical(row.get::<_, Option<String>>(4).unwrap_or_default()),
                    not_null: row.get(5),
                    checks: idents(&row, 8).into_iter().zip(row.get::<_, Vec<bool>>(9)).collect(),
                    texts: idents(&row, 8).into_iter().zip(idents(&row, 10)).collect(),
                    calls: row.get::<_, Vec<String>>(10).iter().flat_map(|text| sql::called_in(text)).collect(),
                },
                "c" => {
                    let types: Vec<String> = row.get(7);
                    let types = types.into_iter().map(TypeName::canonical);
                    UserType::Composite(idents(&row, 6).into_iter().zip(types).collect())
                }
                "r" => match row.get::<_, Option<String>>(4) {
                    Some(over) => UserType::Range(TypeName::canonical(over)),
                    None => UserType::Other,
                },
                _ => UserType::Other,
            };
            self.schema.insert_type(QName::new(row.get::<_, String>(0), row.get::<_, String>(1)), definition);
        }
    }

    fn functions(&mut self) {
        for row in self.take("functions") {
            let types: Vec<String> = row.get(2);
            let defaults = usize::try_from(row.get::<_, i16>(3)).unwrap_or(0);
            let required = types.len().saturating_sub(defaults);
            let arguments =
                types.into_iter().enumerate().map(|(i, t)| (TypeName::canonical(t), i >= required)).collect();
            let set = if row.get(4) { "setof " } else { "" };
            let columns: Vec<String> = row.get(13);
            let returns = match row.get::<_, String>(6).as_str() {
                "p" => "procedure".to_owned(),
                _ if !columns.is_empty() => format!("table({})", columns.join(", ")),
                _ => format!("{set}{}", row.get::<_, String>(5)),
            };
            let body: String = row.get(7);
            // A body that is SQL itself is no text.
            let definition = row.get::<_, Option<String>>(12);
            let tracked = definition.is_some();
            let text = definition.unwrap_or(body);
            let mentions = sql::mentions_of(&text);
            let runs = FunctionBody {
                language: row.get::<_, Option<String>>(8).unwrap_or_default(),
                volatility: match row.get::<_, String>(9).as_str() {
                    "i" => "immutable",
                    "s" => "stable",
                    _ => "volatile",
                },
                strict: row.get(10),
                security_definer: row.get(11),
                text,
                tracked,
            };
            let (names, types) = (idents(&row, 14), row.get::<_, Vec<String>>(15));
            let outputs = names.into_iter().zip(types.into_iter().map(TypeName::canonical)).collect();
            let (mentions, body) = (mentions.into(), runs.digest().into());
            let (volatile, immutable) = (runs.volatility == "volatile", runs.volatility == "immutable");
            let source = Arc::new(BodySource::new(runs.language.as_str().into(), runs.text.as_str().into()));
            let names = idents(&row, 16);
            let function = Function {
                arguments,
                returns,
                outputs,
                inputs: idents(&row, 17),
                names,
                mentions,
                source,
                tracked,
                volatile,
                immutable,
                definer: runs.security_definer,
                path: row.get::<_, Option<String>>(18).as_deref().map(path_of),
                body,
            };
            self.schema.insert_function(QName::new(row.get::<_, String>(0), row.get::<_, String>(1)), function);
        }
    }

    fn publications(&mut self) {
        let mut found: BTreeMap<Ident, Publication> = BTreeMap::new();
        for row in self.take("publications") {
            let publication = Publication {
                all: row.get(1),
                changes: row.get(2),
                schemas: idents(&row, 3).into_iter().collect(),
                tables: BTreeMap::new(),
            };
            found.insert(row.get::<_, String>(0).into(), publication);
        }
        for row in self.take("published tables") {
            let publication = found.get_mut(row.get::<_, &str>(0));
            if let (Some(publication), Some(table)) = (publication, self.oids.get(&row.get::<_, u32>(1))) {
                publication.tables.insert(table.clone(), (idents(&row, 2), idents(&row, 3)));
            }
        }
        for (name, publication) in found {
            self.schema.insert_publication(name, publication);
        }
    }

    fn extensions(&mut self) {
        for row in self.take("extensions") {
            self.schema.insert_extension(row.get::<_, String>(0).into());
        }
    }
}

fn firing(tgtype: i32) -> Firing {
    let (row, before, insert, delete, update, truncate, instead) = (1, 2, 4, 8, 16, 32, 64);
    let has = |bits: i32| tgtype & bits != 0;
    Firing {
        before: has(before | instead),
        instead: has(instead),
        each_row: has(row),
        insert: has(insert),
        update: has(update),
        delete: has(delete | truncate),
    }
}

/// The types that an expression casts to, as the server prints it.
fn types_of(text: &str) -> impl Iterator<Item = QName> {
    let named = sql::types_in(text).into_iter();
    named.map(|(name, _)| QName { schema: name.schema.unwrap_or_else(|| "public".into()), name: name.name })
}

/// The schemas of a function's `search_path`, as the catalog has it.
fn path_of(setting: &str) -> Arc<[Ident]> {
    searched(&path_in(&format!("SET search_path = {setting}")).unwrap_or_default())
}

fn idents(row: &Row, column: usize) -> Vec<Ident> {
    row.get::<_, Vec<String>>(column).into_iter().map(Ident::from).collect()
}

/// What `pg_constraint.confdeltype` and `confupdtype` mean.
pub(super) fn on_delete(code: &str) -> OnDelete {
    match code {
        "c" => OnDelete::Cascade,
        "n" | "d" => OnDelete::Set,
        _ => OnDelete::Refuse,
    }
}

/// Whether a default's text calls something that differs from row to row.
/// Whether a default calls something, as `CURRENT_DATE` does without parentheses.
fn is_computed(expression: &str) -> bool {
    const BARE: &[&str] = &["CURRENT_", "SESSION_USER", "LOCALTIME", "USER"];
    sql::called_in(expression).iter().any(|function| !sql::gives_the_same(function))
        || BARE.iter().any(|word| expression.starts_with(word))
}

fn is_volatile(expression: &str) -> bool {
    const VOLATILE: &[&str] =
        &["nextval(", "random(", "gen_random_uuid(", "clock_timestamp(", "uuid_generate", "timeofday("];
    VOLATILE.iter().any(|call| expression.contains(call))
}
