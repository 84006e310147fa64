//! Two folders of migrations, one schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesel::sql_types::{BigInt, Text};
use mercer::db::{Conn, migrations};

use crate::support::Kind;
use crate::support::database::{Database, postgres_url, tables};
use crate::support::shop::kinds;

/// A column: its type in the words of `schema.rs`, and whether it may be null.
type Columns = BTreeMap<String, (String, bool)>;

#[test]
fn both_folders_have_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder);
        std::fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn the_migrations_go_up_and_down_and_up_again() {
    for kind in kinds() {
        let database = Database::empty(kind);
        let mut conn = database.connect();
        let done = migrations::up(&mut conn).unwrap();
        let first = columns(&mut conn);
        assert!(migrations::pending(&mut conn).unwrap().is_empty());
        migrations::down(&mut conn).unwrap();
        assert_eq!(
            leftovers(&mut conn),
            Vec::<String>::new(),
            "{kind:?}: a down.sql leaves something behind"
        );
        assert_eq!(migrations::up(&mut conn).unwrap(), done);
        assert_eq!(columns(&mut conn), first, "{kind:?}");
    }
}

#[test]
fn the_tables_are_those_of_schema_rs_on_either_database() {
    let declared = declared();
    for kind in kinds() {
        let found = columns(&mut Database::migrated(kind).connect());
        for (table, columns) in &declared {
            let found = found
                .get(table)
                .unwrap_or_else(|| panic!("{kind:?} has no table {table}"));
            for (column, (ty, nullable)) in columns {
                let (has, may_be_null) = found
                    .get(column)
                    .unwrap_or_else(|| panic!("{kind:?} has no column {table}.{column}"));
                let native = native(kind, ty);
                assert_eq!(
                    (has.as_str(), may_be_null),
                    (native, nullable),
                    "{kind:?}: {table}.{column} is {ty}"
                );
            }
        }
    }
}

#[test]
fn both_databases_have_the_same_columns() {
    if postgres_url().is_none() {
        return;
    }
    let lite = columns(&mut Database::migrated(Kind::Sqlite).connect());
    let mut pg = columns(&mut Database::migrated(Kind::Postgres).connect());
    for columns in pg.values_mut() {
        for (ty, _) in columns.values_mut() {
            let lite = match ty.as_str() {
                "uuid" | "bytea" => "BLOB",
                "text" | "jsonb" => "TEXT",
                "bigint" | "boolean" | "timestamp with time zone" => "INTEGER",
                other => panic!("no SQLite type is known for {other}; see src/kernel/column.rs"),
            };
            lite.clone_into(ty);
        }
    }
    assert_eq!(lite, pg);
}

fn native(kind: Kind, ty: &str) -> &'static str {
    match (ty, kind) {
        ("Id", Kind::Postgres) => "uuid",
        ("Binary", Kind::Postgres) => "bytea",
        ("Id" | "Binary", Kind::Sqlite) => "BLOB",
        ("Doc", Kind::Postgres) => "jsonb",
        ("Text", Kind::Postgres) => "text",
        ("Doc" | "Text", Kind::Sqlite) => "TEXT",
        ("Ts", Kind::Postgres) => "timestamp with time zone",
        ("BigInt", Kind::Postgres) => "bigint",
        ("Bool", Kind::Postgres) => "boolean",
        ("Ts" | "BigInt" | "Bool", Kind::Sqlite) => "INTEGER",
        _ => panic!("schema.rs has a type that the databases do not share: {ty}"),
    }
}

/// The tables of `src/schema.rs`.
fn declared() -> BTreeMap<String, Columns> {
    let text = include_str!("../../../src/schema.rs");
    let mut tables = BTreeMap::new();
    for block in text.split("diesel::table! {").skip(1) {
        let lines: Vec<&str> = block
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with("use ") && !l.starts_with("//"))
            .collect();
        let head = lines.iter().find(|line| line.ends_with('{')).unwrap();
        let name = head.split(&[' ', '('][..]).next().unwrap();
        let columns = lines
            .iter()
            .filter_map(|line| line.trim_end_matches(',').split_once(" -> "));
        let columns: Columns = columns
            .map(|(column, ty)| {
                let inner = ty
                    .strip_prefix("Nullable<")
                    .and_then(|ty| ty.strip_suffix('>'));
                (
                    column.to_owned(),
                    (inner.unwrap_or(ty).to_owned(), inner.is_some()),
                )
            })
            .collect();
        assert!(!columns.is_empty(), "{head}");
        tables.insert(name.to_owned(), columns);
    }
    assert!(tables.len() > 5);
    tables
}

/// Every column of every table, as the database itself has it.
fn columns(conn: &mut Conn) -> BTreeMap<String, Columns> {
    let text = if conn.is_postgres() {
        "SELECT table_name::text, column_name::text, data_type::text, CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END::bigint
         FROM information_schema.columns WHERE table_schema = 'public'"
    } else {
        // A primary key is never null here: the type of its ids sees to that.
        "SELECT t.name, c.name, c.type, NOT (c.\"notnull\" OR c.pk > 0)
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
    };
    let known = tables(conn);
    let rows = conn
        .rows::<(Text, Text, Text, BigInt), (String, String, String, i64)>(text, vec![])
        .unwrap();
    let mut columns: BTreeMap<String, Columns> = BTreeMap::new();
    for (table, column, ty, nullable) in rows.into_iter().filter(|row| known.contains(&row.0)) {
        columns
            .entry(table)
            .or_default()
            .insert(column, (ty, nullable == 1));
    }
    columns
}

/// Whatever stands in the database, diesel's own table aside.
fn leftovers(conn: &mut Conn) -> Vec<String> {
    let text = if conn.is_postgres() {
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND relname NOT LIKE '\\_\\_diesel%'
         UNION ALL SELECT proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'
         UNION ALL SELECT typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname = 'public' AND typname NOT LIKE '%\\_\\_diesel%'"
    } else {
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    };
    conn.rows::<Text, String>(text, vec![]).unwrap()
}
