//! Types that a user makes: enums, composite types and domains.

use super::operation::Ident;
use super::query::Kept;
use super::types::TypeName;

/// A check of a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainCheck {
    /// Its name, if one was written.
    pub name: Option<Ident>,
    /// What it demands.
    pub condition: Kept,
    /// The same as text.
    pub text: Option<Ident>,
}

/// A change of a domain.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainChange {
    /// `SET NOT NULL`
    SetNotNull,
    /// `DROP NOT NULL`
    DropNotNull,
    /// `SET DEFAULT`, `DROP DEFAULT`
    Default {
        /// The value.
        value: Kept,
    },
    /// `ADD CHECK`
    AddCheck {
        /// The check.
        check: DomainCheck,
        /// `NOT VALID`
        not_valid: bool,
    },
    /// `DROP CONSTRAINT`
    DropCheck {
        /// Its name.
        name: Ident,
        /// `IF EXISTS`
        if_exists: bool,
    },
    /// `VALIDATE CONSTRAINT`
    Validate {
        /// Its name.
        name: Ident,
    },
}

/// A change of a composite type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeChange {
    /// `ADD ATTRIBUTE`
    Add {
        /// Which one.
        attribute: Ident,
        /// Its type.
        data_type: TypeName,
    },
    /// `DROP ATTRIBUTE`
    Drop {
        /// Which one.
        attribute: Ident,
    },
    /// `ALTER ATTRIBUTE … TYPE`
    SetType {
        /// Which one.
        attribute: Ident,
        /// The new type.
        data_type: TypeName,
    },
    /// `RENAME ATTRIBUTE`
    Rename {
        /// The old name.
        from: Ident,
        /// The new name.
        to: Ident,
    },
}

impl AttributeChange {
    /// The attributes that it names.
    pub fn attributes(&self) -> impl Iterator<Item = &Ident> {
        let (one, other) = match self {
            Self::Add { attribute, .. } | Self::Drop { attribute } | Self::SetType { attribute, .. } => {
                (attribute, None)
            }
            Self::Rename { from, to } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }
}

/// `CREATE TYPE`, `CREATE DOMAIN`
#[derive(Debug, Clone, PartialEq)]
pub enum TypeDefinition {
    /// `AS ENUM (…)`
    Enum(Vec<Ident>),
    /// `AS (…)`
    Composite(Vec<(Ident, TypeName)>),
    /// `CREATE DOMAIN`
    Domain {
        /// The type below.
        base: TypeName,
        /// `NOT NULL`
        not_null: bool,
        /// Its checks.
        checks: Vec<DomainCheck>,
        /// Its default.
        value: Kept,
    },
    /// `AS RANGE`, over values of a type
    Range(TypeName),
    /// Base types, and ranges over what is not read
    Other,
}
