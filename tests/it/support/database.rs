//! A database for every test: a copy of one that was migrated once.
//!
//! On PostgreSQL making one and dropping it are checkpoints, which cost seconds; so there a test borrows one of a few, which
//! is emptied first. Who changes more than rows says so with [`Database::spoil`], and the next one gets a fresh one.

use std::path::{Path, PathBuf};

use std::sync::Mutex;

use diesel::sql_types::{BigInt, Bool, Text};
use mercer::db::{Address, Conn, migrations};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database of a test's own; it goes when the test ends.
pub struct Database {
    pub url: String,
    place: Place,
}

enum Place {
    Folder(#[expect(dead_code, reason = "goes when it is dropped")] tempfile::TempDir),
    Server {
        admin: String,
        name: String,
    },
    /// Whoever made the place takes it away.
    Elsewhere,
    /// Borrowed for as long as the connection has its lock.
    Borrowed {
        lock: Mutex<Conn>,
        name: String,
    },
}

/// The server that the tests may make databases on; `None` where PostgreSQL is left out on purpose.
pub fn postgres_url() -> Option<String> {
    let url = std::env::var("MERCER_TEST_POSTGRES_URL").ok();
    let left_out = std::env::var("MERCER_TEST_SQLITE_ONLY").is_ok_and(|v| v == "1");
    assert!(
        url.is_some() || left_out,
        "MERCER_TEST_POSTGRES_URL is not set. tests/run starts a PostgreSQL and sets it; \
         MERCER_TEST_SQLITE_ONLY=1 leaves that half out."
    );
    url.filter(|_| !left_out)
}

impl Database {
    /// A database with every migration applied.
    pub fn migrated(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let (folder, path) = file();
                std::fs::copy(sqlite_template(), &path).unwrap();
                Self::in_folder(folder, &path)
            }
            Kind::Postgres => Self::borrowed(&postgres_url().unwrap()),
        }
    }

    /// A database with nothing in it.
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let (folder, path) = file();
                Self::in_folder(folder, &path)
            }
            Kind::Postgres => Self::on_server(postgres_url().unwrap(), "TEMPLATE template0"),
        }
    }

    /// A database with every migration applied, on a server that this test may crash; `None` where there is no such server.
    pub fn to_crash() -> Option<Self> {
        let server = std::env::var("MERCER_TEST_CRASH_POSTGRES_URL").ok()?;
        Some(Self::on(&server))
    }

    /// A database with every migration applied, on this server.
    pub fn on(server: &str) -> Self {
        let database = Self::on_server(server.to_owned(), "TEMPLATE template0");
        migrations::up(&mut database.connect()).unwrap();
        database
    }

    /// An embedded database with every migration applied, at this path.
    pub fn at(path: &str) -> Self {
        std::fs::copy(sqlite_template(), path).unwrap();
        Self {
            url: path.to_owned(),
            place: Place::Elsewhere,
        }
    }

    /// One of the same name, with every migration applied, on the server that all tests share.
    pub fn twin_of(other: &Self) -> Self {
        let Place::Server { name, .. } = &other.place else {
            panic!("only a database made for one test has a twin");
        };
        let admin = postgres_url().unwrap();
        patient(&admin)
            .batch(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .unwrap();
        let twin = Self {
            url: at(&admin, name),
            place: Place::Server {
                admin,
                name: name.clone(),
            },
        };
        migrations::up(&mut twin.connect()).unwrap();
        twin
    }

    /// A connection of its own.
    pub fn connect(&self) -> Conn {
        Address::parse(&self.url).open().unwrap()
    }

    /// Says that more than rows is changed: nobody gets this database after this test.
    pub fn spoil(&self) {
        if let Place::Borrowed { lock, name } = &self.place {
            let text = format!("COMMENT ON DATABASE {name} IS 'spoiled'");
            lock.lock().unwrap().batch(&text).unwrap();
        }
    }

    fn borrowed(admin: &str) -> Self {
        let template = postgres_template(admin);
        let mut conn = patient(admin);
        let mut says = |text: &str| conn.rows::<Bool, bool>(text, vec![]).unwrap() == [true];
        let number = (0..1_000)
            .find(|n| {
                says(&format!(
                    "SELECT pg_try_advisory_lock(hashtext('{template}'), {n})"
                ))
            })
            .unwrap();
        let name = format!("{template}_{number}");
        let spoiled = says(&format!(
            "SELECT shobj_description(oid, 'pg_database') = 'spoiled' FROM pg_database WHERE datname = '{name}'
             AND shobj_description(oid, 'pg_database') IS NOT NULL"
        ));
        if spoiled {
            conn.batch(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .unwrap();
        }
        let mut says = |text: &str| conn.rows::<Bool, bool>(text, vec![]).unwrap() == [true];
        if says(&format!(
            "SELECT true FROM pg_database WHERE datname = '{name}'"
        )) {
            empty(&mut Address::parse(&at(admin, &name)).open().unwrap());
        } else {
            conn.batch(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
                .unwrap();
        }
        Self {
            url: at(admin, &name),
            place: Place::Borrowed {
                lock: Mutex::new(conn),
                name,
            },
        }
    }

    fn in_folder(folder: tempfile::TempDir, path: &Path) -> Self {
        Self {
            url: path.to_str().unwrap().to_owned(),
            place: Place::Folder(folder),
        }
    }

    fn on_server(admin: String, how: &str) -> Self {
        let name = format!("mercer_{}", mercer::kernel::id::fresh().simple());
        patient(&admin)
            .batch(&format!("CREATE DATABASE {name} {how}"))
            .unwrap();
        Self {
            url: at(&admin, &name),
            place: Place::Server { admin, name },
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { admin, name } = &self.place {
            // A test that has failed already is not to be buried under a failure to tidy up; the server may be recovering.
            for _ in 0..50 {
                let gone = Address::parse(admin).open().and_then(|mut conn| {
                    conn.batch("SET statement_timeout = 0; SET lock_timeout = 0")?;
                    Ok(conn.batch(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?)
                });
                if gone.is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        }
    }
}

/// Leaves what the migrations left; whoever is still connected is sent away first.
fn empty(conn: &mut Conn) {
    let others =
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let gone = format!("SELECT bool_and(pg_terminate_backend(pid)) {others} HAVING count(*) > 0");
    while !conn.rows::<Bool, bool>(&gone, vec![]).unwrap().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let deletes: Vec<String> = tables(conn)
        .iter()
        .filter(|table| *table != "versions")
        .map(|table| format!("DELETE FROM {table};"))
        .collect();
    // As a replica: neither triggers nor foreign keys ask.
    conn.batch(&format!(
        "SET session_replication_role = replica; BEGIN; {} UPDATE versions SET value = 1; COMMIT",
        deletes.concat()
    ))
    .unwrap();
}

/// The rows of every table, by name.
pub fn row_counts(conn: &mut Conn) -> Vec<(String, i64)> {
    let tables = tables(conn);
    let count = |table: &String| format!("SELECT '{table}' AS name, count(*) AS rows FROM {table}");
    let text = tables
        .iter()
        .map(count)
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let mut counts = conn
        .rows::<(Text, BigInt), (String, i64)>(&text, vec![])
        .unwrap();
    counts.sort();
    counts
}

/// The names of Mercer's tables.
pub fn tables(conn: &mut Conn) -> Vec<String> {
    let text = if conn.is_postgres() {
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT LIKE '\\_\\_%' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'
           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
    };
    conn.rows::<Text, String>(text, vec![]).unwrap()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::Builder::new()
        .prefix("mercer-")
        .tempdir()
        .unwrap();
    let path = folder.path().join("shop.db");
    (folder, path)
}

/// A file with every migration applied, made by the first test that needs it. Whoever comes at the same time makes another,
/// and the last one to finish is kept.
fn sqlite_template() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("template-{:08x}.db", fingerprint("sqlite")));
    if !path.exists() {
        let making = tempfile::tempdir_in(folder).unwrap();
        let fresh = making.path().join("template.db");
        let mut conn = Address::Sqlite(fresh.to_str().unwrap().to_owned())
            .open()
            .unwrap();
        conn.batch("PRAGMA synchronous = OFF").unwrap();
        migrations::up(&mut conn).unwrap();
        conn.batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(conn);
        std::fs::rename(fresh, &path).unwrap();
    }
    path
}

/// A database with every migration applied, made by the first test that needs it while the others wait.
fn postgres_template(admin: &str) -> String {
    let name = format!("mercer_template_{:08x}", fingerprint("postgres"));
    let mut conn = patient(admin);
    let exists = |conn: &mut Conn| {
        let text = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        conn.rows::<BigInt, i64>(&text, vec![]).unwrap() == [1]
    };
    if !exists(&mut conn) {
        conn.batch("SELECT pg_advisory_lock(7202611)").unwrap();
        if !exists(&mut conn) {
            let making = format!("{name}_making");
            conn.batch(&format!("DROP DATABASE IF EXISTS {making}"))
                .unwrap();
            conn.batch(&format!("CREATE DATABASE {making} TEMPLATE template0"))
                .unwrap();
            migrations::up(&mut Address::Postgres(at(admin, &making)).open().unwrap()).unwrap();
            conn.batch(&format!("ALTER DATABASE {making} RENAME TO {name}"))
                .unwrap();
        }
        conn.batch("SELECT pg_advisory_unlock(7202611)").unwrap();
    }
    name
}

/// Of the migrations' names and texts, and of those that are compiled in, so that a template is never older than they are.
fn fingerprint(folder: &str) -> u32 {
    let mut texts: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(folder);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        texts.push((path.clone(), std::fs::read(path.join("up.sql")).unwrap()));
    }
    texts.sort();
    let mut hash = crc32fast::Hasher::new();
    let mut nothing = Address::Sqlite(":memory:".to_owned()).open().unwrap();
    for name in migrations::pending(&mut nothing).unwrap() {
        hash.update(name.as_bytes());
    }
    for (path, text) in &texts {
        hash.update(path.file_name().unwrap().as_encoded_bytes());
        hash.update(text);
    }
    hash.finalize()
}

/// A connection that waits as long as it takes, and for a server that is just recovering.
fn patient(admin: &str) -> Conn {
    let mut opened = Address::parse(admin).open();
    for _ in 0..100 {
        if opened.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        opened = Address::parse(admin).open();
    }
    let mut conn = opened.expect("a PostgreSQL at MERCER_TEST_POSTGRES_URL");
    conn.batch("SET statement_timeout = 0; SET lock_timeout = 0")
        .unwrap();
    conn
}

/// The same server, another database.
fn at(url: &str, database: &str) -> String {
    let (before, options) = url
        .split_once('?')
        .map_or((url, ""), |(before, options)| (before, options));
    let (server, _) = before.rsplit_once('/').unwrap();
    format!(
        "{server}/{database}{}{options}",
        if options.is_empty() { "" } else { "?" }
    )
}
