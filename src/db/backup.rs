//! Copies of an embedded database that are whole, made while the shop is open; PostgreSQL has its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::{Connection as _, SqliteConnection};

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
    /// is whole, or not at all. Answers with a connection to the copy.
    pub fn back_up(&self, to: &Path) -> Result<Conn> {
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
        let (part, copy) = copy(from, to)?;
        publish(&part, to)?;
        Ok(copy)
    }

    /// Puts a backup in the place of the database, at no moment of which there is none; what was there is kept beside it. Says
    /// where. No other process may have it open.
    pub fn restore(&self, from: &Path) -> Result<Option<PathBuf>> {
        let Self::Sqlite(path) = self else {
            return self.file().map(|_| None);
        };
        let _claim = self.claim()?;
        let to = Path::new(path);
        if !from.is_file() {
            let detail = format!("There is no file {}.", from.display());
            return Err(Error::new(Code::NotFound, detail));
        }
        let (part, copy) = copy(from, to)?;
        drop(copy);
        let kept = match self.file() {
            Ok(_) => {
                self.settle()?;
                Some(keep(to)?)
            }
            Err(_) => None,
        };
        publish(&part, to)?;
        Ok(kept)
    }

    /// Writes the log of an embedded database into its file and takes it away, or refuses while another process has the
    /// database open. Of one that is damaged the log stays.
    pub fn settle(&self) -> Result<()> {
        let path = self.file()?;
        let closed = SqliteConnection::establish(&path.to_string_lossy())
            .map_err(|e| e.to_string())
            .and_then(|mut conn| {
                let alone = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = DELETE";
                conn.batch_execute(alone).map_err(|e| e.to_string())
            });
        match closed {
            Err(why) if why.contains("locked") => Err(Error::new(
                Code::InvalidState,
                format!(
                    "{} is in use by another mercer. Stop that one first.",
                    path.display()
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Copies a database and its log beside `to`, with the rights of the database. Answers with the copy, and a connection to it.
fn copy(from: &Path, to: &Path) -> Result<(PathBuf, Conn)> {
    let part = beside(to, ".part");
    remove(&part)?;
    match copy_into(from, &part) {
        Ok(copy) => Ok((part, copy)),
        Err(error) => {
            remove(&part)?;
            Err(error)
        }
    }
}

fn copy_into(from: &Path, part: &Path) -> Result<Conn> {
    let rights = std::fs::metadata(from)
        .map_err(|e| failed(from, &e))?
        .permissions();
    File::create_new(part)
        .and_then(|file| file.set_permissions(rights))
        .map_err(|e| failed(part, &e))?;
    let name = part
        .to_str()
        .ok_or_else(|| Error::new(Code::ValidationFailed, "The file's name must be UTF-8."))?;
    let open = |path: &Path| SqliteConnection::establish(&path.to_string_lossy()).map(Conn::Lite);
    let mut conn = open(from).map_err(|e| not_usable(from, &e))?;
    conn.batch("PRAGMA busy_timeout = 5000")?;
    conn.execute("VACUUM INTO ?", params![name])
        .map_err(|e| match &e.source {
            Some(why) => not_usable(from, why),
            None => not_usable(from, &e),
        })?;
    let mut copy = open(part).map_err(|e| not_usable(from, &e))?;
    // A single file, without a log beside it.
    copy.batch("PRAGMA journal_mode = DELETE")?;
    sound(from, &mut copy)?;
    Ok(copy)
}

/// Gives a database a second name, beside the first, that nothing has; its log, where it has one, goes with it.
fn keep(path: &Path) -> Result<PathBuf> {
    let mut names = (1_u32..).map(|n| match n {
        1 => beside(path, ".replaced"),
        n => beside(path, &format!(".replaced-{n}")),
    });
    let kept = names
        .find(|name| !name.exists())
        .ok_or_else(|| Error::internal("no name is free"))?;
    // Where a file cannot have two names, there is none for a moment.
    std::fs::hard_link(path, &kept)
        .or_else(|_| std::fs::rename(path, &kept))
        .map_err(|e| failed(&kept, &e))?;
    for log in ["-wal", "-shm"] {
        let (old, new) = (beside(path, log), beside(&kept, log));
        match std::fs::rename(&old, &new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&old, &error));
            }
            _ => {}
        }
    }
    Ok(kept)
}

fn not_usable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let detail = format!("{} is not a backup that can be used: {why}", path.display());
    Error::new(Code::InvalidState, detail)
}

/// Refuses the copy of a file that is damaged, or that is no shop of this binary's.
fn sound(path: &Path, copy: &mut Conn) -> Result<()> {
    let said = copy
        .rows::<Text, String>("PRAGMA quick_check", vec![])
        .map_err(|e| not_usable(path, &e))?;
    if said != ["ok"] {
        return Err(not_usable(path, &said.join("; ")));
    }
    let shop = "SELECT name FROM sqlite_schema WHERE name = 'orders'";
    if copy.rows::<Text, String>(shop, vec![])?.is_empty() {
        return Err(not_usable(path, &"there is no shop in it."));
    }
    migrations::refuse_newer(copy)
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
