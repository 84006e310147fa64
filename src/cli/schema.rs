use std::path::{Path, PathBuf};

use clap::Args;
use mercer::api::{graphql, openapi};
use mercer::app;
use mercer::kernel::{Error, Result};
use mercer::operation::List;

/// `mercer schema`
#[derive(Args)]
pub struct Schema {
    /// The folder to write to
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

impl Schema {
    pub fn run(self) -> Result<()> {
        let document = openapi::document(&app::registry::<List>());
        let mut json = serde_json::to_string_pretty(&document).map_err(Error::internal)?;
        json.push('\n');
        write(&self.out.join("schema.graphql"), &graphql::sdl())?;
        write(&self.out.join("openapi/openapi.json"), &json)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| Error::unavailable(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)?;
    println!("wrote {}", path.display());
    Ok(())
}
