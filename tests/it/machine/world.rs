//! What the generator knows of the schema that its statements have made. It does not have to be right: the server says what is valid.

use super::random::Random;

#[derive(Debug, Clone)]
pub(super) struct Column {
    /// As SQL writes it.
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) not_null: bool,
    /// Whether an INSERT may leave it out although it is not null.
    pub(super) default: bool,
    /// Whether nobody may write it.
    pub(super) generated: bool,
    /// The table whose key it holds.
    pub(super) references: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// As SQL writes it, with its schema where that is not `public`.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<String>,
    /// Whether the key is declared, so that others can refer to it.
    pub(super) keyed: bool,
    pub(super) partitioned: bool,
    /// Its parent, of a partition or of a child by inheritance.
    pub(super) parent: Option<String>,
    pub(super) constraints: Vec<String>,
    /// Names of unique constraints and indexes, with their columns.
    pub(super) unique: Vec<(String, String, bool)>,
    pub(super) indexes: Vec<String>,
    pub(super) triggers: Vec<String>,
    pub(super) policies: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) of: String,
    pub(super) materialized: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    /// Types of its arguments.
    pub(super) arguments: Vec<String>,
    /// Whether it returns rows.
    pub(super) set: bool,
    pub(super) trigger: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) tables: Vec<Table>,
    pub(super) views: Vec<View>,
    pub(super) functions: Vec<Function>,
    pub(super) enums: Vec<(String, Vec<String>)>,
    pub(super) domains: Vec<(String, String)>,
    /// With the names of their attributes: a number, and texts.
    pub(super) composites: Vec<(String, Vec<String>)>,
    pub(super) sequences: Vec<String>,
    pub(super) schemas: Vec<String>,
    pub(super) publications: Vec<String>,
    /// Whether the application is a role of its own.
    pub(super) role: bool,
    made: usize,
}

const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "name",
    "email",
    "status",
    "amount",
    "note",
    "kind",
    "score",
    "\"Mixed\"",
    "\"order\"",
    "\"two words\"",
];

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|c| c.name == name)
    }

    /// A column that is not part of the key.
    pub(super) fn plain(&self, random: &mut Random) -> Option<Column> {
        let plain: Vec<&Column> = self.columns.iter().filter(|c| !self.key.contains(&c.name)).collect();
        random.pick(&plain).map(|c| (*c).clone())
    }

    /// Another one that anybody may write.
    pub(super) fn writable(&self, random: &mut Random) -> Option<Column> {
        let free = |c: &&Column| !self.key.contains(&c.name) && !c.generated && c.references.is_none();
        let plain: Vec<&Column> = self.columns.iter().filter(free).collect();
        random.pick(&plain).map(|c| (*c).clone())
    }

    /// Its name without its schema.
    pub(super) fn bare(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(_, bare)| bare)
    }

    /// The name that the server gives a constraint of it: `t_pkey`, `t_a_fkey`.
    pub(super) fn given_name(&self, tail: &str) -> String {
        format!("\"{}_{}\"", self.bare().trim_matches('"'), tail.replace('"', ""))
    }

    /// A name no column of it has.
    pub(super) fn free_name(&self, random: &mut Random) -> Option<String> {
        let free: Vec<&&str> = NAMES.iter().filter(|n| self.column(n).is_none()).collect();
        random.pick(&free).map(|n| (**n).to_owned())
    }
}

impl World {
    /// A name that nothing else has.
    pub(super) fn fresh(&mut self, letter: &str) -> String {
        self.made += 1;
        format!("{letter}{}", self.made)
    }

    /// The same with a schema now and then, and now and then in quotes.
    pub(super) fn fresh_object(&mut self, letter: &str, random: &mut Random) -> String {
        let name = self.fresh(letter);
        let name = if random.chance(8) { format!("\"{}\"", name.to_uppercase()) } else { name };
        match random.pick(&self.schemas) {
            Some(schema) if random.chance(25) => format!("{schema}.{name}"),
            _ => name,
        }
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }

    pub(super) fn table_mut(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|t| t.name == name)
    }

    /// The tables that are part of another one take part in its changes.
    pub(super) fn on_family(&mut self, name: &str, change: impl Fn(&mut Table)) {
        for table in &mut self.tables {
            if table.name == name || table.parent.as_deref() == Some(name) {
                change(table);
            }
        }
    }

    /// Any table.
    pub(super) fn any(&self, random: &mut Random) -> Option<Table> {
        random.pick(&self.tables).cloned()
    }

    /// A table that is no part of another one.
    pub(super) fn own(&self, random: &mut Random) -> Option<Table> {
        let own: Vec<&Table> = self.tables.iter().filter(|t| t.parent.is_none()).collect();
        random.pick(&own).map(|t| (*t).clone())
    }

    /// A type for a column.
    pub(super) fn any_type(&self, random: &mut Random) -> String {
        if let Some((name, _)) = random.pick(&self.enums)
            && random.chance(15)
        {
            return name.clone();
        }
        if let Some((name, _)) = random.pick(&self.domains)
            && random.chance(10)
        {
            return name.clone();
        }
        if let Some((name, _)) = random.pick(&self.composites)
            && random.chance(12)
        {
            return name.clone();
        }
        let plain = [
            "int",
            "int",
            "text",
            "text",
            "text",
            "bigint",
            "smallint",
            "varchar(20)",
            "numeric(10,2)",
            "boolean",
            "date",
            "timestamp",
            "timestamptz",
            "uuid",
            "jsonb",
            "text[]",
        ];
        random.word(&plain).to_owned()
    }

    /// A constant of a type; another one for another `n`, where the type has that many.
    pub(super) fn value(&self, data_type: &str, n: usize) -> String {
        if let Some((_, labels)) = self.enums.iter().find(|(name, _)| name == data_type) {
            return labels.first().cloned().unwrap_or_else(|| "NULL".into());
        }
        if let Some((_, base)) = self.domains.iter().find(|(name, _)| name == data_type) {
            return self.value(base, n);
        }
        if let Some((_, attributes)) = self.composites.iter().find(|(name, _)| name == data_type) {
            let texts: String = attributes.iter().skip(1).map(|_| format!(",v{n}")).collect();
            return format!("'({n}{texts})'");
        }
        let word = data_type.split('(').next().unwrap_or_default();
        match word {
            "int" | "bigint" | "numeric" | "integer" | "double precision" => n.to_string(),
            "smallint" => (n % 30_000).to_string(),
            "boolean" => if n.is_multiple_of(2) { "true" } else { "false" }.to_owned(),
            "date" => format!("'2020-{:02}-{:02}'", n % 12 + 1, n % 28 + 1),
            "timestamp" | "timestamptz" => format!("'2020-{:02}-{:02} 10:00:00'", n % 12 + 1, n % 28 + 1),
            "uuid" => format!("'00000000-0000-0000-0000-{n:012}'"),
            "jsonb" | "json" => format!("'{{\"n\": {n}}}'"),
            "text[]" => format!("'{{v{n}}}'"),
            _ => format!("'v{n}'"),
        }
    }

    /// A value that the column takes: the key of a row of the base, where it refers to one.
    pub(super) fn value_for(&self, column: &Column, n: usize) -> String {
        match &column.references {
            Some(_) => (n % 3 + 1).to_string(),
            None => self.value(&column.data_type, n),
        }
    }
}
