//! Types: enums, composite types, domains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::apply::{Change, Object, called};
use super::model::{Column, QName, TableRule, UserType};
use super::naming;
use crate::sql::operation::{AttributeChange, DefaultValue, DomainChange, Ident, TableChange, TypeDefinition};
use crate::sql::query::Expr;
use crate::sql::{Name, TypeName};

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
        if !cascade {
            return;
        }
        // Its tables, columns and functions go with it, and so do domains over it.
        for table in self.schema.of_type(&name).cloned().collect::<Vec<_>>() {
            self.remove(&table);
        }
        self.drop_of_type(&name);
    }

    /// What goes with a type, or with a relation as the type of its rows: columns, defaults and functions, and domains over it.
    pub(super) fn drop_of_type(&mut self, name: &QName) {
        for (table, column) in self.schema.columns_of_type(name) {
            self.change_table(&table, &TableChange::DropColumn { column, if_exists: true, cascade: true });
        }
        for (table, column) in self.schema.defaults_of_type(name) {
            self.change_table(&table, &TableChange::DropDefault { column });
        }
        let shown = name.to_string();
        for (table, check) in self.schema.checks_of_type(name) {
            self.edit(&table, |relation| _ = relation.constraints.remove(&check));
        }
        let functions = self.schema.all_functions().filter(|(_, function)| function.is_of_type(&shown));
        for function in functions.map(|(function, _)| function.clone()).collect::<BTreeSet<_>>() {
            self.drop_functions_of_type(&function, &shown);
        }
        let over = |definition: &UserType| matches!(definition, UserType::Domain { base, .. } if base.base() == shown);
        let domains = self.schema.user_types().filter(|(_, definition)| over(definition));
        for domain in domains.map(|(other, _)| other.clone()).collect::<Vec<_>>() {
            self.drop_type(&Name::qualified(domain.schema, domain.name), true, true);
        }
    }

    pub(super) fn rename_type(&mut self, name: &Name, to: &Ident) {
        let from = self.schema.resolve_type(name);
        let target = QName { schema: from.schema.clone(), name: to.clone() };
        self.touched.insert(Object::Type(from.clone()));
        self.touched.insert(Object::Type(target.clone()));
        let Some(definition) = self.schema.types.remove(&from) else {
            self.missing(format!("type {from}"));
            return;
        };
        self.schema.types.insert(target.clone(), definition);
        // Whatever names a type follows its new name.
        let old = from.to_string();
        let new = target.to_string();
        let renamed =
            |of: &TypeName| (of.base() == old).then(|| TypeName::canonical(of.as_str().replacen(&old, &new, 1)));
        self.retype_functions(&old, &new);
        let holders = self.schema.user_types().filter(|(_, made)| made.parts().any(|part| part.base() == old));
        for holder in holders.map(|(holder, _)| holder.clone()).collect::<Vec<_>>() {
            let Some(mut made) = self.schema.user_type(&holder).cloned() else { continue };
            match &mut made {
                UserType::Composite(attributes) => {
                    for (_, of) in attributes {
                        *of = renamed(of).unwrap_or_else(|| of.clone());
                    }
                }
                UserType::Domain { base, .. } => *base = renamed(base).unwrap_or_else(|| base.clone()),
                UserType::Enum(_) | UserType::Other => {}
            }
            self.schema.types.insert(holder, Arc::new(made));
        }
        let tables: Vec<QName> = self.schema.of_type(&from).cloned().collect();
        for table in tables {
            self.edit(&table, |relation| relation.of_type = Some(target.clone()));
        }
        for (table, column) in self.schema.defaults_of_type(&from) {
            self.edit(&table, |relation| {
                let columns = relation.columns.iter_mut().filter(|c| c.name == column);
                columns.for_each(|column| {
                    column.value = column.value.as_deref().map(|value| Arc::new(retyped(value, &renamed)))
                });
            });
        }
        for (table, check) in self.schema.checks_of_type(&from) {
            self.edit(&table, |relation| {
                if let Some(TableRule::Check { expression, .. }) =
                    relation.constraints.get_mut(&check).map(|c| &mut c.kind)
                {
                    *expression = expression.replace(&format!("::{old}"), &format!("::{new}")).into();
                }
            });
        }
        let users: Vec<_> = self
            .schema
            .relations()
            .filter(|(_, r)| r.columns.iter().any(|c| c.data_type.as_ref().is_some_and(|t| t.base() == old)))
            .map(|(name, _)| name.clone())
            .collect();
        for user in users {
            self.edit(&user, |relation| {
                for column in relation.columns.iter_mut() {
                    if let Some(data_type) = column.data_type.as_mut().filter(|t| t.base() == old) {
                        *data_type = crate::sql::TypeName::canonical(data_type.as_str().replacen(&old, &new, 1));
                    }
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

/// A value whose casts, as far as they stand around it, name their types as these are called now.
fn retyped(value: &Expr, renamed: &impl Fn(&TypeName) -> Option<TypeName>) -> Expr {
    match value {
        Expr::Cast(inner, to, at) => {
            Expr::Cast(Box::new(retyped(inner, renamed)), renamed(to).unwrap_or_else(|| to.clone()), *at)
        }
        other => other.clone(),
    }
}
