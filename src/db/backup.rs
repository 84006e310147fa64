//! Copies of an embedded database that are whole, made while the shop is open; PostgreSQL has its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use diesel::sql_types::Text;

use super::{Address, Conn, migrations};
use crate::kernel::{Code, Error, Result};
use crate::params;

impl Address {
    /// The file of an embedded database that is there.
    pub fn file(&self) -> Result<&Path> {
        match self {
            Self::Sqlite(path) if Path::new(path).is_file() => Ok(Path::new(path)),
            Self::Sqlite(path) => Err(Error::new(
                Code::NotFound,
                format!("There is no database {path}; name one with --database-url."),
            )),
            Self::Postgres(_) => Err(Error::new(
                Code::InvalidState,
                "This is about the embedded database. On PostgreSQL use pg_dump --format=custom and \
                 pg_restore, or your provider's backups.",
            )),
        }
    }

    /// Copies the database into `to` as it is at one moment, while others read and write. What is at `to` is replaced by what
    /// is whole, or not at all.
    pub fn back_up(&self, to: &Path) -> Result<()> {
        let from = self.file()?;
        if std::fs::canonicalize(to)
            .is_ok_and(|to| std::fs::canonicalize(from).is_ok_and(|from| from == to))
        {
            return Err(Error::new(
                Code::InvalidState,
                format!(
                    "{} is the database itself; name another file.",
                    to.display()
                ),
            ));
        }
        let part = beside(to, ".part");
        remove(&part)?;
        let name = part
            .to_str()
            .ok_or_else(|| Error::new(Code::ValidationFailed, "The file's name must be UTF-8."))?;
        let mut conn = self.open()?;
        conn.execute("VACUUM INTO ?", params![name])?;
        sound(&part)?;
        publish(&part, to)
    }

    /// Puts a backup in the place of the database; what was there is kept beside it and named `….replaced`. No server may run.
    pub fn restore(&self, from: &Path) -> Result<()> {
        let Self::Sqlite(path) = self else {
            return self.file().map(drop);
        };
        let _claim = self.claim()?;
        let to = Path::new(path);
        Self::Sqlite(from.to_string_lossy().into_owned()).file()?;
        let part = beside(to, ".part");
        remove(&part)?;
        std::fs::copy(from, &part).map_err(|e| failed(from, &e))?;
        sound(&part)?;
        for end in ["-wal", "-shm", ""] {
            let (old, kept) = (beside(to, end), beside(to, &format!(".replaced{end}")));
            remove(&kept)?;
            match std::fs::rename(&old, &kept) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&old, &error));
                }
                _ => {}
            }
        }
        publish(&part, to)
    }
}

/// Refuses a file that is damaged, or that is no shop of this binary's.
fn sound(path: &Path) -> Result<()> {
    let refused = |why: &str| {
        let detail = format!("{} is not a backup that can be used: {why}", path.display());
        Error::new(Code::InvalidState, detail)
    };
    let mut conn = Conn::Lite(
        Conn::open_sqlite(&path.to_string_lossy()).map_err(|e| refused(&e.to_string()))?,
    );
    // As a single file, without a log beside it.
    conn.batch("PRAGMA journal_mode = DELETE")?;
    let said = conn
        .rows::<Text, String>("PRAGMA quick_check", vec![])
        .map_err(|e| refused(&e.to_string()))?;
    if said != ["ok"] {
        return Err(refused(&said.join("; ")));
    }
    let shop = "SELECT name FROM sqlite_schema WHERE name = 'orders'";
    if conn.rows::<Text, String>(shop, vec![])?.is_empty() {
        return Err(refused("there is no shop in it."));
    }
    migrations::refuse_newer(&mut conn)
}

/// Gives a whole file its name, so that a power cut leaves the old one or the new one.
fn publish(part: &Path, to: &Path) -> Result<()> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    sync(part).map_err(|e| failed(part, &e))?;
    std::fs::rename(part, to).map_err(|e| failed(to, &e))?;
    let folder = to.parent().filter(|p| *p != Path::new(""));
    sync(folder.unwrap_or(Path::new("."))).map_err(|e| failed(to, &e))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("{}: {error}", path.display()))
}
