//! The simulated catalog: an immutable, cheaply cloned value. [`Schema::apply`] gives the next one; [`Schema::fingerprint`] names one;
//! [`Schema::differences`] compares two, wherever they come from (migration files, or a live catalog).

mod apply;
mod apply_function;
mod apply_index;
mod apply_objects;
mod apply_table;
mod apply_type;
mod apply_view;
mod called;
mod describe;
mod model;
mod naming;
mod patch;
mod recursion;
mod refusals;
pub mod resolve;
mod type_users;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock};

use imbl::{OrdMap, OrdSet};

use crate::few::Few;
use crate::shared::Shared;
use crate::sql::{Name, TypeName};

use crate::sql::operation::{
    DefaultValue, Ident, ObjectChange, ObjectKind, OnDelete, Operation, RelationKind, ReplicaIdentity,
};

pub(crate) use apply::every_privilege;
#[cfg(feature = "live")]
pub(crate) use apply::searched;
pub use apply::{Applied, Object, Problem};
use model::StandsOn;
pub use model::{
    Column, Constraint, Function, Index, Policy, Publication, PublishedTables, QName, Relation, TableRule, TypeUser,
    UserType,
};
pub use patch::Patch;
pub(crate) use refusals::{Caller, NOT_POPULATED, clauses_refused, is_built_in, is_collated, placed};

/// Everything clients may rely on, as far as it is simulated. Cloning shares the content.
#[derive(Debug, Clone, Default)]
pub struct Schema(Shared<Content>);

/// What a schema has. Only this module and those below it see it.
#[derive(Debug, Clone)]
pub struct Content {
    relations: OrdMap<QName, Arc<Relation>>,
    /// The table of each index: indexes share the relations' name space.
    index_tables: OrdMap<QName, QName>,
    /// How many constraints without an index bear a name: PostgreSQL avoids them when it makes one up.
    constraint_names: OrdMap<QName, u32>,
    /// Tables with a foreign key to, and views on, a relation.
    dependents: OrdMap<QName, Arc<BTreeSet<QName>>>,
    /// Sequences owned by, and partitions of, a table: they go with it.
    owned: OrdMap<QName, Arc<BTreeSet<QName>>>,
    /// What names a type, by the name of that without its schema.
    typed: OrdMap<Ident, Arc<BTreeSet<QName>>>,
    types: OrdMap<QName, Arc<UserType>>,
    functions: OrdMap<QName, Arc<Vec<Function>>>,
    namespaces: OrdSet<Ident>,
    extensions: OrdSet<Ident>,
    publications: OrdMap<Ident, Arc<Publication>>,
    /// Other objects that are followed by name; `None`: nobody has read which there are.
    objects: Option<OrdMap<(ObjectKind, Ident), StandsOn>>,
    /// The roles that statements have made (`true`) or taken away. Others may be there all the same.
    roles: OrdMap<Ident, bool>,
    /// The types that statements have dropped; there may be others of their names by now.
    dropped_types: OrdSet<QName>,
    /// What is granted on new relations, by schema, or in all of them, and by whether they are sequences: roles and privileges.
    default_grants: OrdMap<(Option<Ident>, bool), Arc<Grants>>,
    search_path: Arc<[Ident]>,
    /// What a new session's search path is.
    default_path: Arc<[Ident]>,
}

/// Roles and their privileges.
type Grants = BTreeSet<(String, String)>;

/// The schema of what goes with the session.
pub const TEMPORARY: &str = "pg_temp";

impl Deref for Schema {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.0
    }
}

impl DerefMut for Schema {
    fn deref_mut(&mut self) -> &mut Content {
        &mut self.0
    }
}

impl Default for Content {
    fn default() -> Self {
        Self {
            relations: OrdMap::new(),
            index_tables: OrdMap::new(),
            constraint_names: OrdMap::new(),
            dependents: OrdMap::new(),
            owned: OrdMap::new(),
            typed: OrdMap::new(),
            types: OrdMap::new(),
            functions: OrdMap::new(),
            namespaces: OrdSet::unit("public".into()),
            extensions: OrdSet::new(),
            publications: OrdMap::new(),
            objects: Some(OrdMap::new()),
            roles: OrdMap::new(),
            dropped_types: OrdSet::new(),
            default_grants: OrdMap::new(),
            search_path: Arc::from(["public".into()]),
            default_path: Arc::from(["public".into()]),
        }
    }
}

impl Schema {
    /// An empty database: schema `public` and nothing in it.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A relation by its resolved name.
    pub fn relation(&self, name: &QName) -> Option<&Relation> {
        self.relations.get(name).map(|r| &**r)
    }

    /// Whether both have the very same user-defined types, which saves comparing what depends on them.
    pub(crate) fn shares_types(&self, other: &Self) -> bool {
        self.types.ptr_eq(&other.types)
    }

    /// Whether it is the very same value, and not only the same content. Cheap; some that are the same are not seen to be.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let Content {
            relations,
            index_tables,
            constraint_names,
            dependents,
            owned,
            typed,
            types,
            functions,
            namespaces,
            extensions,
            publications,
            objects,
            roles,
            dropped_types,
            default_grants,
            search_path,
            default_path,
        } = &**self;
        self.0.is(&other.0)
            || relations.ptr_eq(&other.relations)
                && index_tables.ptr_eq(&other.index_tables)
                && constraint_names.ptr_eq(&other.constraint_names)
                && dependents.ptr_eq(&other.dependents)
                && owned.ptr_eq(&other.owned)
                && typed.ptr_eq(&other.typed)
                && types.ptr_eq(&other.types)
                && functions.ptr_eq(&other.functions)
                && namespaces.ptr_eq(&other.namespaces)
                && extensions.ptr_eq(&other.extensions)
                && publications.ptr_eq(&other.publications)
                && objects == &other.objects
                && roles == &other.roles
                && dropped_types.ptr_eq(&other.dropped_types)
                && default_grants.ptr_eq(&other.default_grants)
                && search_path == &other.search_path
                && default_path == &other.default_path
    }

    /// All relations by name.
    pub fn relations(&self) -> impl Iterator<Item = (&QName, &Relation)> {
        self.relations.iter().map(|(name, relation)| (name, &**relation))
    }

    /// The columns whose default draws from a sequence, each with its table.
    pub(crate) fn drawing<'a>(&'a self, sequence: &'a QName) -> impl Iterator<Item = (&'a QName, &'a Column)> {
        self.drawing_any(move |drawn| drawn == sequence)
    }

    /// The same of any of several sequences.
    pub(crate) fn drawing_any<'a>(
        &'a self,
        is: impl Fn(&QName) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (&'a QName, &'a Column)> {
        self.relations().flat_map(move |(table, relation)| {
            let written = |column: &Column| {
                matches!(column.default, Some(DefaultValue::Constant | DefaultValue::Stable | DefaultValue::Volatile))
            };
            let drawing = relation.columns.iter().filter(move |column| written(column) && column.draws.iter().any(is));
            drawing.map(move |column| (table, &**column))
        })
    }

    /// The relations with a policy or a rule that reads any of what is asked for.
    pub(crate) fn with_readers(&self, reads: impl Fn(&(QName, Ident)) -> bool) -> Vec<QName> {
        let all = |r: &Relation| {
            r.policies
                .values()
                .map(|policy| &policy.reads)
                .chain(r.rule_reads.values())
                .any(|all| all.iter().any(&reads))
        };
        let found = self.relations().filter(|(_, relation)| all(relation));
        found.map(|(name, _)| name.clone()).collect()
    }

    /// The functions that the checks of a domain call, and those of the domains below it.
    pub(crate) fn checked_by(&self, data_type: &TypeName) -> impl Iterator<Item = &Ident> {
        let domain = |data_type: &TypeName| match self.user_type_named(data_type.as_str().trim_end_matches("[]")) {
            Some(UserType::Domain { base, calls, .. }) => Some((base, calls)),
            _ => None,
        };
        let first = domain(data_type);
        std::iter::successors(first, move |(base, _)| domain(base)).take(8).flat_map(|(_, calls)| calls)
    }

    /// A user-defined type by its resolved name.
    pub fn user_type(&self, name: &QName) -> Option<&UserType> {
        self.types.get(name).map(|t| &**t)
    }

    /// A user-defined type by its name as `format_type` prints it.
    pub fn user_type_named(&self, name: &str) -> Option<&UserType> {
        // No type is called as an array is shown.
        if self.types.is_empty() || name.ends_with("[]") {
            return None;
        }
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        self.user_type(&QName::new(schema.trim_matches('"'), name.trim_matches('"')))
    }

    /// A type that somebody made, with its name.
    pub(crate) fn type_made(&self, data_type: &TypeName) -> Option<(QName, &UserType)> {
        let base = data_type.base();
        let (schema, name) = base.split_once('.').unwrap_or(("public", &base));
        let name = QName::new(schema.trim_matches('"'), name.trim_matches('"'));
        Some((name.clone(), self.user_type(&name)?)).filter(|_| !data_type.is_array())
    }

    /// A type and, if it is a domain, what that is over, and so on.
    pub(crate) fn domains_of<'a>(&'a self, data_type: &'a TypeName) -> impl Iterator<Item = &'a TypeName> {
        let below = |of: &&'a TypeName| match self.user_type_named(of.as_str()) {
            Some(UserType::Domain { base, .. }) => Some(base),
            _ => None,
        };
        std::iter::successors(Some(data_type), move |of| below(of)).take(8)
    }

    /// The type below domains.
    pub(crate) fn below_domains<'a>(&'a self, data_type: &'a TypeName) -> &'a TypeName {
        let mut data_type = data_type;
        // Longer chains are not followed.
        for _ in 0..8 {
            match self.user_type_named(&data_type.base()) {
                Some(UserType::Domain { base, .. }) if !data_type.is_array() => data_type = base,
                _ => break,
            }
        }
        data_type
    }

    /// The extensions.
    pub fn extensions(&self) -> impl Iterator<Item = &Ident> {
        self.extensions.iter()
    }

    /// The functions of a name.
    pub fn functions(&self, name: &QName) -> &[Function] {
        self.functions.get(name).map_or(&[], |f| f.as_slice())
    }

    /// Every function with its name.
    pub fn all_functions(&self) -> impl Iterator<Item = (&QName, &Function)> {
        self.functions.iter().flat_map(|(name, overloads)| overloads.iter().map(move |function| (name, function)))
    }

    /// The publications.
    pub fn publications(&self) -> impl Iterator<Item = (&Ident, &Publication)> {
        self.publications.iter().map(|(name, publication)| (name, &**publication))
    }

    /// Whether rows of a table can be changed and deleted: a publication that says so wants to know which rows they were.
    pub fn identifies_rows(&self, name: &QName) -> bool {
        self.identifies_rows_with(name, &[])
    }

    /// The same of those rows in which some columns are NULL: PostgreSQL passes over what inherits from the table and has no such rows.
    pub(crate) fn identifies_rows_with(&self, name: &QName, nulls: &[Ident]) -> bool {
        let Some(relation) = self.relation(name).filter(|relation| relation.kind == RelationKind::Table) else {
            return true;
        };
        // What inherits from it is changed with it. The rows of a partitioned table are its partitions', and so is what tells them apart.
        let has_none = |heir: &QName| {
            let demands = |null: &Ident| self.relation(heir)?.column(null).map(|column| column.not_null);
            nulls.iter().any(|null| demands(null) == Some(true))
        };
        if self.children(name).any(|heir| !has_none(heir) && !self.identifies_rows_with(heir, nulls)) {
            return false;
        }
        let whole = || self.ancestors(name).filter(|above| self.relation(above).is_some_and(|r| r.partitioned));
        let has = |publication: &Publication| publication.has(name) || whole().any(|above| publication.has(above));
        let published = self.publications.values().any(|publication| publication.changes && has(publication));
        let keyed = |name: &QName| self.relation(name).is_some_and(|relation| relation.primary_key().is_some());
        relation.partitioned
            || !published
            || self.publishes_identity(name, relation)
                && match &relation.replica_identity {
                    ReplicaIdentity::Full => true,
                    ReplicaIdentity::Nothing => false,
                    // A partition has the key of its parent.
                    ReplicaIdentity::PrimaryKey => keyed(name) || whole().any(keyed),
                    ReplicaIdentity::Index(index) => relation.indexes.contains_key(index),
                }
    }

    /// The tables whose rows take those of a table with them, or change them.
    pub(crate) fn cascading_from(&self, name: &QName) -> impl Iterator<Item = QName> {
        let rules = self.relation(name).into_iter().flat_map(|relation| relation.constraints.values());
        rules.filter_map(|constraint| match &constraint.kind {
            TableRule::ForeignKey { target, on_delete, .. } if *on_delete != OnDelete::Refuse => Some(target.clone()),
            _ => None,
        })
    }

    /// Whether rows can be changed and deleted, together with those that go with them.
    pub fn lets_rows_go(&self, name: &QName) -> bool {
        self.holds_rows_fast(name).is_none()
    }

    /// A table whose rows cannot be changed or deleted, and would have to be with those of another, or that one.
    pub(crate) fn holds_rows_fast(&self, name: &QName) -> Option<QName> {
        let mut open = vec![name.clone()];
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !self.identifies_rows(&name) {
                return Some(name);
            }
            let points = |other: &&QName| self.cascading_from(other).any(|target| target == name);
            let next: Vec<QName> = self.pointing_to(&name).filter(points).cloned().collect();
            open.extend(next.into_iter().filter(|next| seen.insert(next.clone())));
        }
        None
    }

    /// Whether what publications leave out of a table does not tell its rows apart: their lists have all columns that do, and their conditions
    /// no others.
    fn publishes_identity(&self, name: &QName, relation: &Relation) -> bool {
        let identity: Option<Vec<&Ident>> = match &relation.replica_identity {
            ReplicaIdentity::Full => Some(relation.columns.iter().map(|column| &column.name).collect()),
            ReplicaIdentity::Nothing => None,
            ReplicaIdentity::PrimaryKey => relation.primary_key().map(|key| key.iter().collect()),
            ReplicaIdentity::Index(index) => {
                relation.indexes.get(index).map(|index| index.key.iter().flatten().collect())
            }
        };
        let Some(identity) = identity else { return true };
        let changing = self.publications.values().filter(|publication| publication.changes && !publication.all);
        changing.filter_map(|publication| publication.tables.get(name)).all(|(columns, filtered)| {
            let asked = filtered.iter().filter(|column| relation.column(column).is_some());
            (columns.is_empty() || identity.iter().all(|column| columns.contains(column))) && { asked }
                .all(|column| identity.contains(&column))
        })
    }

    /// A table with what it is a part of or inherits from, and what is a part of it or inherits from it.
    pub(crate) fn family(&self, name: &QName) -> BTreeSet<QName> {
        let mut found: BTreeSet<QName> = self.ancestors(name).cloned().collect();
        let mut below = vec![name.clone()];
        while let Some(next) = below.pop() {
            if found.insert(next.clone()) {
                below.extend(self.children(&next).cloned());
            }
        }
        found
    }

    /// A table with its partitions, at any depth.
    pub(crate) fn with_partitions(&self, table: QName) -> Vec<QName> {
        let partitioned = |name: &QName| self.relation(name).is_some_and(|relation| relation.partitioned);
        let (mut found, mut open) = (Vec::new(), vec![table]);
        while let Some(table) = open.pop() {
            open.extend(self.children(&table).filter(|_| partitioned(&table)).cloned());
            found.push(table);
        }
        found
    }

    /// Whether a publication publishes changes and deletions of rows.
    pub(crate) fn publishes_changes(&self) -> bool {
        self.publications.values().any(|publication| publication.changes)
    }

    /// Follows an object by its name.
    fn follow(&mut self, kind: ObjectKind, name: &str, change: &ObjectChange, stands_on: StandsOn) {
        if kind == ObjectKind::Role {
            self.follow_role(name, change);
            return;
        }
        let (Some(objects), Some(key)) = (&mut self.objects, refusals::missing::followed(kind, name)) else { return };
        match change {
            // What is gone of several is not told apart.
            ObjectChange::Drop if refusals::missing::SIGNED.contains(&kind) => {
                _ = objects.insert(key, StandsOn::default());
            }
            ObjectChange::Create => {
                let mut stands_on = stands_on;
                stands_on.functions.extend(objects.get(&key).into_iter().flat_map(|known| known.functions.clone()));
                objects.insert(key, stands_on);
            }
            ObjectChange::Alter => {}
            ObjectChange::Drop => _ = objects.remove(&key),
            ObjectChange::Rename { to } => {
                let stands_on = objects.remove(&key).unwrap_or_default();
                let home = key.1.rsplit_once('.').map(|(home, _)| home.to_owned());
                let to = home.map_or_else(|| to.clone(), |home| format!("{home}.{to}").into());
                objects.insert((kind, to), stands_on);
            }
        }
    }

    fn follow_role(&mut self, name: &str, change: &ObjectChange) {
        for name in refusals::roles_in(name) {
            match change {
                ObjectChange::Create => _ = self.roles.insert(name, true),
                ObjectChange::Drop => _ = self.roles.insert(name, false),
                ObjectChange::Rename { to } => {
                    self.roles.insert(name, false);
                    self.roles.insert(to.clone(), true);
                }
                ObjectChange::Alter => {}
            }
        }
    }

    /// An object beside tables that is made of a function, in words.
    pub(crate) fn object_of(&self, function: &QName) -> Option<String> {
        let mut objects = self.objects.iter().flatten();
        let (key, _) = objects.find(|(_, stands)| stands.functions.contains(function))?;
        Some(format!("{} {}", key.0.words(), key.1).trim_end().to_owned())
    }

    /// What else was made with a cast to a type, in words.
    pub(crate) fn object_of_type(&self, name: &QName) -> Option<String> {
        let mut objects = self.objects.iter().flatten();
        let (key, _) = objects.find(|(_, stands)| stands.types.contains(name))?;
        Some(format!("{} {}", key.0.words(), key.1))
    }

    /// What casts to a type goes with it.
    fn objects_lose_type(&mut self, name: &QName) {
        if self.object_of_type(name).is_some() {
            self.follow_changes(|stands| (!stands.types.contains(name)).then(|| stands.clone()));
        }
    }

    /// What casts to a type follows its name.
    fn objects_follow_type(&mut self, from: &QName, to: &QName) {
        if self.object_of_type(from).is_some() {
            let named = |of: &QName| if of == from { to.clone() } else { of.clone() };
            self.follow_changes(|stands| {
                Some(StandsOn { types: stands.types.iter().map(named).collect(), ..stands.clone() })
            });
        }
    }

    /// Whether an aggregate of this name was made.
    pub(crate) fn has_aggregate(&self, name: &Name) -> bool {
        let is =
            |key: &(ObjectKind, Ident)| key.0 == ObjectKind::Aggregate && key.1.rsplit('.').next() == Some(&*name.name);
        self.objects.iter().flat_map(OrdMap::keys).any(is)
    }

    /// Whether an operator of this sign was made.
    pub(crate) fn has_operator(&self, sign: &str) -> bool {
        let is = |key: &(ObjectKind, Ident)| {
            let bare = key.1.rsplit_once('.').map_or(&*key.1, |(_, bare)| bare);
            key.0 == ObjectKind::Operator && bare.trim() == sign
        };
        self.objects.iter().flat_map(OrdMap::keys).any(is)
    }

    /// The table of statistics.
    pub(crate) fn statistics_on(&self, name: &str) -> Option<QName> {
        let key = refusals::missing::followed(ObjectKind::Statistics, name)?;
        let (table, _) = self.objects.as_ref()?.get(&key)?.columns.clone()?;
        Some(table)
    }

    /// Whether there may be an object of a kind that somebody has made.
    fn has_any(&self, kind: ObjectKind) -> bool {
        self.objects.as_ref().is_none_or(|objects| objects.keys().any(|(of, _)| *of == kind))
    }

    /// Whether an object of a kind may have been made under a name.
    fn may_have(&self, kind: ObjectKind, name: &str) -> bool {
        let is = |key: &(ObjectKind, Ident)| key.0 == kind && key.1.split([' ', '.']).any(|part| part == name);
        self.objects.as_ref().is_none_or(|objects| objects.keys().any(is))
    }

    /// What followed objects stand on is another, or is gone and takes them along.
    fn follow_changes(&mut self, change: impl Fn(&StandsOn) -> Option<StandsOn>) {
        let Some(objects) = self.objects.as_mut().filter(|objects| !objects.is_empty()) else { return };
        *objects = objects.iter().filter_map(|(key, stands)| Some((key.clone(), change(stands)?))).collect();
    }

    /// Why PostgreSQL refuses the sub-commands of one statement together, and which of them.
    pub(crate) fn refused_together(&self, operations: &[&Operation], by_constraint: bool) -> Option<(usize, String)> {
        refusals::family::together(self, operations, by_constraint)
    }

    /// The same schema of a database of which not all was read.
    #[must_use]
    pub fn partly_read(mut self) -> Self {
        self.objects = None;
        self
    }

    /// Puts a publication there. For introspection.
    pub fn insert_publication(&mut self, name: Ident, publication: Publication) {
        self.publications.insert(name, Arc::new(publication));
    }

    /// The partitions of a table, and what inherits from it.
    pub(crate) fn children<'a>(&'a self, name: &'a QName) -> impl Iterator<Item = &'a QName> {
        let owned = self.owned.get(name).into_iter().flat_map(|set| set.iter());
        owned.filter(|child| self.relation(child).is_some_and(|r| r.parent.as_ref() == Some(name)))
    }

    /// The sequences that a table owns.
    pub(crate) fn counters_of(&self, table: &QName) -> impl Iterator<Item = &QName> {
        let owned = self.owned.get(table).into_iter().flat_map(|set| set.iter());
        owned.filter(|counter| self.relation(counter).is_some_and(|r| r.kind == RelationKind::Sequence))
    }

    /// What a relation is a partition of, or inherits from, the nearest first.
    pub fn ancestors(&self, name: &QName) -> impl Iterator<Item = &QName> {
        // Longer chains are not followed.
        const DEEPEST: usize = 32;
        let parent = |name: &QName| self.relation(name).and_then(|relation| relation.parent.as_ref());
        std::iter::successors(parent(name), move |name| parent(name)).take(DEEPEST)
    }

    /// A relation and, if it is a view, all that it reads, and what that reads in turn.
    pub fn behind<'a>(&'a self, name: &'a QName) -> Vec<&'a QName> {
        // Longer chains of views are not followed.
        const MOST: usize = 64;
        let (mut found, mut at) = (vec![name], 0);
        while let Some(next) = found.get(at).copied().filter(|_| at < MOST) {
            let reads = self.relation(next).into_iter().flat_map(|relation| &relation.reads);
            let new: Vec<&QName> = reads.filter(|read| !found.contains(read)).collect();
            found.extend(new);
            at += 1;
        }
        found
    }

    /// The name that a table bore in the schema that a release starts from; its own if it is new, or none was followed.
    pub fn origin_of(&self, name: &QName) -> QName {
        self.relation(name).and_then(|relation| relation.origin.as_ref()).unwrap_or(name).clone()
    }

    /// Every user-defined type with its name.
    pub fn user_types(&self) -> impl Iterator<Item = (&QName, &UserType)> {
        self.types.iter().map(|(name, definition)| (name, &**definition))
    }

    /// Whether a schema (name space) exists.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// The table of an index.
    pub fn index_table(&self, index: &QName) -> Option<&QName> {
        self.index_tables.get(index)
    }

    /// Tables with a foreign key to, and views on, a relation.
    pub fn dependents(&self, name: &QName) -> impl Iterator<Item = &QName> {
        self.dependents.get(name).into_iter().flat_map(|set| set.iter())
    }

    /// Tables with a foreign key to a table.
    pub fn pointing_to<'a>(&'a self, table: &'a QName) -> impl Iterator<Item = &'a QName> {
        let points = move |relation: &Relation| {
            let mut rules = relation.constraints.values();
            rules.any(|constraint| matches!(&constraint.kind, TableRule::ForeignKey { target, .. } if target == table))
        };
        self.dependents(table).filter(move |name| self.relation(name).is_some_and(points))
    }

    /// Everything that is not the same in another schema.
    pub fn differing(&self, other: &Self) -> Few<Object> {
        let mut found = Few::new();
        found.extend(differing(&self.relations, &other.relations).map(|name| Object::Relation(name.clone())));
        found.extend(differing(&self.types, &other.types).map(|name| Object::Type(name.clone())));
        found.extend(differing(&self.functions, &other.functions).map(|name| Object::Function(name.clone())));
        let (mine, theirs) = (&self.namespaces, &other.namespaces);
        let one_has = |name: &&Ident| mine.contains(*name) != theirs.contains(*name);
        found.extend(mine.iter().chain(theirs).filter(one_has).map(|name| Object::Namespace(name.clone())));
        let (mine, theirs) = (&self.extensions, &other.extensions);
        let one_has = |name: &&Ident| mine.contains(*name) != theirs.contains(*name);
        found.extend(mine.iter().chain(theirs).filter(one_has).map(|name| Object::Extension(name.clone())));
        found
    }

    /// The relation a name means: by the search path, or where it would be created.
    pub fn resolve(&self, name: &Name) -> QName {
        self.resolve_in(name, |candidate| {
            self.relations.contains_key(candidate) || self.index_tables.contains_key(candidate)
        })
    }

    /// The type a name means.
    pub fn resolve_type(&self, name: &Name) -> QName {
        self.resolve_in(name, |candidate| self.types.contains_key(candidate))
    }

    /// The function a name means.
    pub fn resolve_function(&self, name: &Name) -> QName {
        self.resolve_in(name, |candidate| self.functions.contains_key(candidate))
    }

    fn resolve_in(&self, name: &Name, exists: impl Fn(&QName) -> bool) -> QName {
        if let Some(schema) = &name.schema {
            return QName { schema: schema.clone(), name: name.name.clone() };
        }
        static SCHEMA: LazyLock<Ident> = LazyLock::new(|| TEMPORARY.into());
        let temporary = QName { schema: Ident::clone(&SCHEMA), name: name.name.clone() };
        if exists(&temporary) {
            return temporary;
        }
        let candidates = self.search_path.iter().map(|s| QName { schema: s.clone(), name: name.name.clone() });
        let found = candidates.clone().find(|candidate| exists(candidate));
        found.or_else(|| candidates.into_iter().next()).unwrap_or_else(|| QName::new("public", name.name.clone()))
    }

    /// The same schema as a function sees it, which may look for names elsewhere than the session does.
    pub(crate) fn seen_by(&self, function: &Function) -> Cow<'_, Self> {
        function.path.as_deref().map_or(Cow::Borrowed(self), |path| Cow::Owned(self.looking_in(path)))
    }

    fn looking_in(&self, path: &[Ident]) -> Self {
        // Where nothing is searched, the server's own is.
        let path = if path.is_empty() { Arc::from(["pg_catalog".into()]) } else { Arc::from(path) };
        let mut looking = self.clone();
        looking.search_path = path;
        looking
    }

    /// The same schema, with every table marked as itself and every column of it as holding its own values: a release follows them through
    /// renames, and what is dropped and made again is seen to be another.
    #[must_use]
    pub fn followed(mut self) -> Self {
        let mut prefix = String::new();
        let mut is_followed = |name: &QName, relation: &Relation| {
            prefix.clear();
            // Writing to a String does not fail.
            let _ = write!(prefix, "{name}.");
            let is_own = |column: &Shared<Column>| {
                column.holds.as_deref().and_then(|holds| holds.strip_prefix(&*prefix)) == Some(&*column.name)
            };
            relation.origin.as_ref() == Some(name) && !relation.unfilled && relation.columns.iter().all(is_own)
        };
        // The rows of a materialized view are its own, and locked as a table's are.
        let has_rows =
            |relation: &Relation| matches!(relation.kind, RelationKind::Table | RelationKind::MaterializedView);
        let tables = self.relations.iter().filter(|(_, relation)| has_rows(relation));
        // Mostly all of them are: the schema comes from the release before.
        let others = tables.filter(|(name, relation)| !is_followed(name, relation)).map(|(name, _)| name.clone());
        for name in others.collect::<Vec<_>>() {
            let Some(relation) = self.relations.get_mut(&name) else { continue };
            let table = Arc::make_mut(relation);
            for column in table.columns.iter_mut() {
                column.holds = Some(format!("{name}.{}", column.name).into());
            }
            table.origin = Some(name);
            // Dumps of a schema leave the rows out, and applications fill their views themselves.
            table.unfilled = false;
        }
        self
    }

    /// The same schema under the search path of another one.
    #[must_use]
    pub fn searched_like(mut self, other: &Self) -> Self {
        self.search_path = Arc::clone(&other.search_path);
        self
    }

    /// The same schema for sessions whose search path is not known: a bare name means what the usual path finds, or else any of its name.
    #[must_use]
    pub fn searched_everywhere(mut self) -> Self {
        let others = self.namespaces.iter().filter(|name| !self.search_path.contains(*name));
        self.search_path = self.search_path.iter().chain(others).cloned().collect();
        self
    }

    /// The same schema without what goes with the session.
    #[must_use]
    pub fn without_temporary(self) -> Self {
        let from = QName::new(TEMPORARY, "");
        let all = self.relations.range(from..).map(|(name, _)| name);
        let temporary: Vec<QName> = all.take_while(|name| *name.schema == *TEMPORARY).cloned().collect();
        temporary.iter().fold(self, |mut schema, name| {
            if let Some(relation) = schema.relations.remove(name) {
                schema.unlink(name, &relation);
            }
            schema
        })
    }

    /// The same schema as a new session sees it.
    #[must_use]
    pub fn with_default_search_path(mut self) -> Self {
        if self.search_path != self.default_path {
            self.search_path = Arc::clone(&self.default_path);
        }
        self
    }

    /// Puts a relation there. For introspection.
    pub fn insert_relation(&mut self, name: QName, relation: Relation) {
        self.link(&name, &relation);
        self.relations.insert(name, Arc::new(relation));
    }

    /// Puts a type there. For introspection.
    pub fn insert_type(&mut self, name: QName, definition: UserType) {
        self.types.insert(name, Arc::new(definition));
    }

    /// Puts a function there. For introspection.
    pub fn insert_function(&mut self, name: QName, function: Function) {
        let mut overloads = self.functions(&name).to_vec();
        overloads.push(function);
        self.functions.insert(name, Arc::new(overloads));
    }

    /// Puts a schema there. For introspection.
    pub fn insert_namespace(&mut self, name: Ident) {
        self.namespaces.insert(name);
    }

    /// Puts an extension there. For introspection.
    pub fn insert_extension(&mut self, name: Ident) {
        self.extensions.insert(name);
    }

    /// Registers what an edit of a relation changed, mostly nothing, about where its parts point.
    fn relink(&mut self, name: &QName, old: &Links, new: &Links) {
        for index in old.indexes.iter().filter(|index| !new.indexes.contains(index)) {
            self.unlink_index(name, index);
        }
        for index in new.indexes.iter().filter(|index| !old.indexes.contains(index)) {
            self.link_index(name, index);
        }
        for constraint in old.constraints.iter().filter(|constraint| !new.constraints.contains(constraint)) {
            self.unlink_constraint(name, constraint);
        }
        for constraint in new.constraints.iter().filter(|constraint| !old.constraints.contains(constraint)) {
            self.link_constraint(name, constraint);
        }
        if old.targets != new.targets || old.owners != new.owners || old.types != new.types {
            self.unlink_others(name, old);
            self.link_others(name, new);
        }
    }

    /// Registers what a relation's parts point to.
    fn link(&mut self, name: &QName, relation: &Relation) {
        self.relink(name, &Links::default(), &Links::of(relation));
    }

    fn unlink(&mut self, name: &QName, relation: &Relation) {
        self.relink(name, &Links::of(relation), &Links::default());
    }

    fn link_index(&mut self, table: &QName, index: &Ident) {
        self.index_tables.insert(QName { schema: table.schema.clone(), name: index.clone() }, table.clone());
    }

    fn unlink_index(&mut self, table: &QName, index: &Ident) {
        self.index_tables.remove(&QName { schema: table.schema.clone(), name: index.clone() });
    }

    fn link_constraint(&mut self, table: &QName, constraint: &Ident) {
        *self.constraint_names.entry(QName { schema: table.schema.clone(), name: constraint.clone() }).or_default() +=
            1;
    }

    fn unlink_constraint(&mut self, table: &QName, constraint: &Ident) {
        let key = QName { schema: table.schema.clone(), name: constraint.clone() };
        match self.constraint_names.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => _ = self.constraint_names.remove(&key),
        }
    }

    fn link_others(&mut self, name: &QName, links: &Links) {
        for target in &links.targets {
            add(&mut self.dependents, target, name);
        }
        for owner in &links.owners {
            add(&mut self.owned, owner, name);
        }
        for of in &links.types {
            add(&mut self.typed, of, name);
        }
    }

    fn unlink_others(&mut self, name: &QName, links: &Links) {
        for target in &links.targets {
            remove(&mut self.dependents, target, name);
        }
        for owner in &links.owners {
            remove(&mut self.owned, owner, name);
        }
        for of in &links.types {
            remove(&mut self.typed, of, name);
        }
    }
}

/// The names under which two maps do not hold the same.
fn differing<'a, T: PartialEq>(
    mine: &'a OrdMap<QName, Arc<T>>,
    theirs: &'a OrdMap<QName, Arc<T>>,
) -> impl Iterator<Item = &'a QName> {
    let same = |name: &QName| match (mine.get(name), theirs.get(name)) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    mine.keys().chain(theirs.keys()).filter(move |name| !same(name))
}

/// Where a relation's parts point, and the names of those that share one name space with others.
#[derive(Default)]
struct Links {
    indexes: Vec<Ident>,
    /// Those that no index has the name of.
    constraints: Vec<Ident>,
    /// The targets of foreign keys and the inputs of a view.
    targets: Vec<QName>,
    /// What it goes with.
    owners: Vec<QName>,
    /// The names of the types that it names, without their schemas.
    types: BTreeSet<Ident>,
}

impl Links {
    fn of(relation: &Relation) -> Self {
        let targets = relation.constraints.values().filter_map(|c| match &c.kind {
            TableRule::ForeignKey { target, .. } => Some(target),
            _ => None,
        });
        Self {
            indexes: relation.indexes.keys().cloned().collect(),
            constraints: relation
                .constraints
                .keys()
                .filter(|name| !relation.indexes.contains_key(*name))
                .cloned()
                .collect(),
            targets: targets.chain(&relation.reads).cloned().collect(),
            owners: relation.owned_by.iter().map(|(owner, _)| owner).chain(&relation.parent).cloned().collect(),
            types: relation.types(),
        }
    }
}

fn add<K: Ord + Clone>(map: &mut OrdMap<K, Arc<BTreeSet<QName>>>, key: &K, value: &QName) {
    Arc::make_mut(map.entry(key.clone()).or_default()).insert(value.clone());
}

fn remove<K: Ord + Clone>(map: &mut OrdMap<K, Arc<BTreeSet<QName>>>, key: &K, value: &QName) {
    if let Some(set) = map.get_mut(key) {
        Arc::make_mut(set).remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
