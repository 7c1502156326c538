//! Objects that stand beside tables: publications, roles, operators, statistics, ….

use super::operation::Ident;

macro_rules! object_kinds {
    ($($kind:ident $words:literal $clients:literal;)*) => {
        /// Kinds of objects that stand beside tables.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObjectKind {
            $(#[doc = concat!("`", $words, "`")] $kind,)*
        }

        impl ObjectKind {
            /// Its words, in lower case.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$kind => $words,)* }
            }

            /// Whether queries can meet it: a change of it may change what they do. The others serve the operator, or replication.
            pub const fn meets_queries(self) -> bool {
                match self { $(Self::$kind => $clients,)* }
            }
        }
    };
}

object_kinds! {
    AccessMethod "access method" false;
    Aggregate "aggregate" true;
    Cast "cast" true;
    Collation "collation" true;
    Conversion "conversion" true;
    Database "database" true;
    EventTrigger "event trigger" false;
    ForeignDataWrapper "foreign data wrapper" true;
    Language "language" true;
    LargeObject "large object" true;
    Operator "operator" true;
    OperatorClass "operator class" false;
    OperatorFamily "operator family" false;
    Publication "publication" false;
    Role "role" true;
    Server "server" true;
    Statistics "statistics" false;
    Subscription "subscription" false;
    Tablespace "tablespace" false;
    TextSearch "text search object" true;
    Transform "transform" true;
    UserMapping "user mapping" true;
}

/// What a statement does to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectChange {
    /// `CREATE`
    Create,
    /// `ALTER`, but no rename
    Alter,
    /// `ALTER … RENAME TO`
    Rename {
        /// Its new name.
        to: Ident,
    },
    /// `DROP`
    Drop,
}
