//! Types: enums, composite types, domains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Schema;
use super::apply::{Change, Object, called};
use super::model::{Column, Index, QName, TableRule, TypeUser, UserType};
use super::naming;
use crate::sql::operation::{AttributeChange, DefaultValue, DomainChange, Ident, TableChange, TypeDefinition};
use crate::sql::query::Expr;
use crate::sql::{Name, TypeName, may_name, types_in};

impl Change {
    pub(super) fn create_type(&mut self, name: &Name, if_not_exists: bool, definition: &TypeDefinition) {
        let name = self.created(name);
        self.touched.insert(Object::Type(name.clone()));
        if self.schema.types.contains_key(&name) {
            if !if_not_exists {
                self.exists(format!("type {name}"));
            }
            return;
        }
        self.schema.insert_type(
            name.clone(),
            match definition {
                TypeDefinition::Enum(labels) => UserType::Enum(labels.clone()),
                TypeDefinition::Composite(attributes) => UserType::Composite(attributes.clone()),
                TypeDefinition::Domain { base, not_null, checks, .. } => {
                    let (mut named, mut texts) = (BTreeMap::new(), BTreeMap::new());
                    for check in checks {
                        let called = domain_check(check.name.as_ref(), &name.name, &named);
                        texts.extend(check.text.clone().map(|text| (called.clone(), text)));
                        named.insert(called, true);
                    }
                    let calls = checks.iter().filter_map(|check| check.condition.as_deref()).flat_map(called).collect();
                    UserType::Domain { base: base.clone(), not_null: *not_null, checks: named, texts, calls }
                }
                TypeDefinition::Range(over) => UserType::Range(over.clone()),
                TypeDefinition::Other => UserType::Other,
            },
        );
    }

    pub(super) fn drop_type(&mut self, name: &Name, if_exists: bool, cascade: bool) {
        let name = self.schema.resolve_type(name);
        self.touched.insert(Object::Type(name.clone()));
        if self.schema.types.remove(&name).is_none() {
            if !if_exists {
                self.missing(format!("type {name}"));
            }
            return;
        }
        self.schema.dropped_types.insert(name.clone());
        if !cascade {
            return;
        }
        self.drop_of_type(&name);
    }

    /// What goes with a type, or with a relation as the type of its rows: whatever names it, and what is made of it.
    pub(super) fn drop_of_type(&mut self, name: &QName) {
        for (on, user) in self.schema.type_users(name) {
            self.drop_type_user(&on, user);
        }
        let functions = self.schema.functions_of_type(name).map(|(function, _)| function.clone());
        for function in functions.collect::<BTreeSet<_>>() {
            self.drop_functions_of_type(&function, name);
        }
        let shown = name.to_string();
        self.schema.objects_lose_type(name);
        let of = |definition: &UserType| definition.parts().any(|part| part.base() == shown);
        let checked = |definition: &UserType| !checks_of(definition, name, &self.schema).is_empty();
        let made = self.schema.user_types().filter(|(_, definition)| of(definition) || checked(definition));
        for made in made.map(|(made, _)| made.clone()).collect::<Vec<_>>() {
            let Some(definition) = self.schema.user_type(&made).cloned() else { continue };
            let named = Name::qualified(made.schema.clone(), made.name.clone());
            match &definition {
                UserType::Composite(attributes) => {
                    for (attribute, _) in attributes.iter().filter(|(_, of)| of.base() == shown) {
                        self.alter_composite(&named, &AttributeChange::Drop { attribute: attribute.clone() });
                    }
                }
                UserType::Domain { base, .. } if base.base() != shown => {
                    for check in checks_of(&definition, name, &self.schema) {
                        self.alter_domain(&named, &DomainChange::DropCheck { name: check, if_exists: true });
                    }
                }
                _ => self.drop_type(&named, true, true),
            }
        }
    }

    /// What names a type that goes, and what goes with that.
    fn drop_type_user(&mut self, on: &QName, user: TypeUser) {
        // It may have gone with another one.
        if self.schema.relation(on).is_none() {
            return;
        }
        match user {
            TypeUser::Whole => self.remove(on),
            TypeUser::Column(column) => {
                self.change_table(on, &TableChange::DropColumn { column, if_exists: true, cascade: true });
            }
            TypeUser::Default(column) => self.change_table(on, &TableChange::DropDefault { column }),
            TypeUser::Constraint(name) => self.edit(on, |relation| _ = relation.constraints.remove(&name)),
            TypeUser::Index(name) => {
                self.edit(on, |relation| _ = relation.constraints.remove(&name));
                self.drop_index(on, &name);
            }
            TypeUser::Policy(name) => self.edit(on, |relation| _ = relation.policies.remove(&name)),
            TypeUser::Rule(name) => self.edit(on, |relation| relation.drop_rule(&name)),
            TypeUser::Trigger(name) => self.edit(on, |relation| _ = relation.drop_trigger(&name)),
        }
    }

    pub(super) fn rename_type(&mut self, name: &Name, to: &Ident) {
        let from = self.schema.resolve_type(name);
        self.name_type(&from, QName { schema: from.schema.clone(), name: to.clone() });
    }

    pub(super) fn move_type(&mut self, name: &Name, to: &Ident) {
        let from = self.schema.resolve_type(name);
        self.name_type(&from, QName { schema: to.clone(), name: from.name.clone() });
    }

    /// Gives a type another name, which whatever names it follows.
    fn name_type(&mut self, from: &QName, target: QName) {
        self.touched.insert(Object::Type(from.clone()));
        self.touched.insert(Object::Type(target.clone()));
        let users = self.schema.type_users(from);
        let Some(definition) = self.schema.types.get(from).cloned() else {
            self.missing(format!("type {from}"));
            return;
        };
        self.types_follow(from, &target, users);
        self.schema.types.remove(from);
        self.schema.types.insert(target, definition);
    }

    /// Gives a type, or a relation as one, another name in whatever names it. Called while it bears its old name.
    pub(super) fn types_follow(&mut self, from: &QName, target: &QName, users: Vec<(QName, TypeUser)>) {
        let old = from.to_string();
        let new = target.to_string();
        let renamed =
            |of: &TypeName| (of.base() == old).then(|| TypeName::canonical(of.as_str().replacen(&old, &new, 1)));
        self.retype_functions(&old, &new);
        self.schema.objects_follow_type(from, target);
        let holders = self.schema.user_types().filter(|(_, made)| made.parts().any(|part| part.base() == old));
        for holder in holders.map(|(holder, _)| holder.clone()).collect::<Vec<_>>() {
            let Some(mut made) = self.schema.user_type(&holder).cloned() else { continue };
            match &mut made {
                UserType::Composite(attributes) => {
                    for (_, of) in attributes {
                        *of = renamed(of).unwrap_or_else(|| of.clone());
                    }
                }
                UserType::Domain { base, .. } | UserType::Range(base) => {
                    *base = renamed(base).unwrap_or_else(|| base.clone());
                }
                UserType::Enum(_) | UserType::Other => {}
            }
            self.schema.types.insert(holder, Arc::new(made));
        }
        let checked = self.schema.user_types().filter_map(|(domain, definition)| {
            let mut definition = definition.clone();
            let UserType::Domain { texts, .. } = &mut definition else { return None };
            let mut any = false;
            for text in texts.values_mut() {
                if let Some(new) = self.schema.rewritten(text, from, target) {
                    (any, *text) = (true, new);
                }
            }
            any.then(|| (domain.clone(), definition))
        });
        for (domain, definition) in checked.collect::<Vec<_>>() {
            self.schema.insert_type(domain, definition);
        }
        let schema = self.schema.clone();
        let rewritten = |text: &mut Ident| {
            if let Some(new) = schema.rewritten(text, from, target) {
                *text = new;
            }
        };
        for (on, user) in users {
            self.edit(&on, |relation| {
                if let Some(types) = relation.casts.get_mut(&user)
                    && types.remove(from)
                {
                    types.insert(target.clone());
                }
                match &user {
                    TypeUser::Whole => {
                        if relation.of_type.as_ref() == Some(from) {
                            relation.of_type = Some(target.clone());
                        }
                        for column in relation.columns.iter_mut() {
                            column.data_type =
                                column.data_type.as_ref().map(|of| renamed(of).unwrap_or_else(|| of.clone()));
                        }
                    }
                    TypeUser::Column(name) | TypeUser::Default(name) => {
                        for column in relation.columns.iter_mut().filter(|column| column.name == *name) {
                            if let TypeUser::Column(_) = user {
                                column.data_type =
                                    column.data_type.as_ref().map(|of| renamed(of).unwrap_or_else(|| of.clone()));
                            }
                            column.casts.iter_mut().filter(|of| *of == from).for_each(|of| *of = target.clone());
                            column.value = column.value.take().map(|mut value| {
                                retype(Arc::make_mut(&mut value), &renamed);
                                value
                            });
                        }
                    }
                    TypeUser::Constraint(name) => {
                        if let Some(TableRule::Check { expression, .. }) =
                            relation.constraints.get_mut(name).map(|constraint| &mut constraint.kind)
                        {
                            rewritten(expression);
                        }
                    }
                    TypeUser::Index(name) => {
                        if let Some(index) = relation.indexes.get_mut(name) {
                            let Index { expressions, predicate, .. } = &mut **index;
                            expressions.iter_mut().chain(predicate).for_each(rewritten);
                        }
                    }
                    TypeUser::Policy(name) => {
                        relation.policies.get_mut(name).into_iter().for_each(|policy| rewritten(&mut policy.text));
                    }
                    TypeUser::Rule(_) | TypeUser::Trigger(_) => {}
                }
            });
        }
    }

    /// A domain refuses nothing any more: defaults that failed for what it refused may be values of it now.
    fn defaults_may_fit(&mut self, domain: &QName) {
        let shown = domain.to_string();
        let fails = |column: &Column| {
            let of_domain = column.data_type.as_ref().is_some_and(|t| t.base() == shown);
            of_domain && column.default == Some(DefaultValue::Failing)
        };
        let tables = self.schema.relations().filter(|(_, r)| r.columns.iter().any(|c| fails(c)));
        let tables: Vec<QName> = tables.map(|(name, _)| name.clone()).collect();
        for table in tables {
            self.edit(&table, |relation| {
                for column in relation.columns.iter_mut().filter(|c| fails(c)) {
                    column.default = Some(DefaultValue::Constant);
                }
            });
        }
    }

    pub(super) fn alter_domain(&mut self, name: &Name, change: &DomainChange) {
        let name = self.schema.resolve_type(name);
        self.touched.insert(Object::Type(name.clone()));
        let Some(UserType::Domain { base, mut not_null, mut checks, mut texts, mut calls }) =
            self.schema.user_type(&name).cloned()
        else {
            self.missing(format!("domain {name}"));
            return;
        };
        match change {
            DomainChange::SetNotNull => not_null = true,
            DomainChange::DropNotNull => not_null = false,
            DomainChange::Default { .. } => {}
            DomainChange::AddCheck { check, not_valid } => {
                calls.extend(check.condition.as_deref().into_iter().flat_map(called));
                let called = domain_check(check.name.as_ref(), &name.name, &checks);
                texts.extend(check.text.clone().map(|text| (called.clone(), text)));
                checks.insert(called, !not_valid);
            }
            DomainChange::DropCheck { name: check, if_exists } => {
                texts.remove(check);
                if texts.is_empty() {
                    self.defaults_may_fit(&name);
                }
                if checks.remove(check).is_none() && !if_exists {
                    self.missing(format!("constraint {check} of domain {name}"));
                }
            }
            DomainChange::Validate { name: check } => {
                checks.entry(check.clone()).and_modify(|valid| *valid = true);
            }
        }
        self.schema.insert_type(name, UserType::Domain { base, not_null, checks, texts, calls });
    }

    pub(super) fn alter_composite(&mut self, name: &Name, change: &AttributeChange) {
        let name = self.schema.resolve_type(name);
        self.touched.insert(Object::Type(name.clone()));
        let Some(UserType::Composite(mut attributes)) = self.schema.user_type(&name).cloned() else {
            self.missing(format!("composite type {name}"));
            return;
        };
        // Tables of the type change with it (`CASCADE`).
        for table in self.schema.of_type(&name).cloned().collect::<Vec<_>>() {
            self.alter_typed(&table, change);
        }
        match change {
            AttributeChange::Add { attribute, data_type } => attributes.push((attribute.clone(), data_type.clone())),
            AttributeChange::Drop { attribute } => attributes.retain(|(name, _)| name != attribute),
            AttributeChange::SetType { attribute, data_type } => {
                let named = attributes.iter_mut().filter(|(name, _)| name == attribute);
                named.for_each(|(_, old)| *old = data_type.clone());
            }
            AttributeChange::Rename { from, to } => {
                attributes.iter_mut().filter(|(name, _)| name == from).for_each(|(name, _)| *name = to.clone());
            }
        }
        self.schema.insert_type(name, UserType::Composite(attributes));
    }

    /// What becomes of a table when the type changes whose attributes are its columns.
    fn alter_typed(&mut self, table: &QName, change: &AttributeChange) {
        let change = match change {
            AttributeChange::Add { attribute, data_type } => {
                let (attribute, data_type) = (attribute.clone(), data_type.clone());
                return self.edit(table, |relation| {
                    relation.columns.push(Column { data_type: Some(data_type), ..Column::unknown(attribute) }.into());
                });
            }
            AttributeChange::Drop { attribute } => {
                TableChange::DropColumn { column: attribute.clone(), if_exists: true, cascade: true }
            }
            AttributeChange::SetType { attribute, data_type } => {
                let (attribute, data_type) = (attribute.clone(), data_type.clone());
                return self.edit(table, |relation| {
                    for column in relation.columns.iter_mut().filter(|column| column.name == attribute) {
                        column.data_type = Some(data_type.clone());
                    }
                });
            }
            AttributeChange::Rename { from, to } => TableChange::RenameColumn { from: from.clone(), to: to.clone() },
        };
        self.change_table(table, &change);
    }

    pub(super) fn edit_enum(&mut self, name: &Name, edit: impl FnOnce(&mut Vec<Ident>)) {
        let name = self.schema.resolve_type(name);
        self.touched.insert(Object::Type(name.clone()));
        match self.schema.types.get(&name).map(|t| (**t).clone()) {
            Some(UserType::Enum(mut labels)) => {
                edit(&mut labels);
                self.schema.insert_type(name, UserType::Enum(labels));
            }
            Some(_) | None => self.missing(format!("enum {name}")),
        }
    }
}

/// The name that a domain's check gets.
fn domain_check(written: Option<&Ident>, domain: &str, taken: &BTreeMap<Ident, bool>) -> Ident {
    written.cloned().unwrap_or_else(|| naming::free_name(domain, None, "check", |name| taken.contains_key(name)))
}

/// The checks of a domain that cast to a type.
pub(super) fn checks_of(definition: &UserType, name: &QName, schema: &Schema) -> Vec<Ident> {
    let UserType::Domain { texts, .. } = definition else { return Vec::new() };
    let casts = |text: &Ident| {
        may_name(text, &name.name) && types_in(text).iter().any(|(of, _)| schema.type_meant(of) == *name)
    };
    texts.iter().filter(|(_, text)| casts(text)).map(|(check, _)| check.clone()).collect()
}

/// Makes the casts of a value name their types as these are called now.
fn retype(value: &mut Expr, renamed: &impl Fn(&TypeName) -> Option<TypeName>) {
    if let Expr::Cast(_, to, _) = value
        && let Some(new) = renamed(to)
    {
        *to = new;
    }
    value.parts_mut().into_iter().for_each(|part| retype(part, renamed));
}
