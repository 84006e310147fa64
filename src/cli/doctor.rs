use mercer::config::Config;
use mercer::db::{Address, migrations};
use mercer::doctor;
use mercer::kernel::{Code, Error, Result};

/// `mercer doctor`
pub fn run(config: &Config) -> Result<()> {
    let address = Address::parse(&config.database_url);
    if matches!(address, Address::Sqlite(_)) {
        address.file()?;
    }
    let mut conn = address.open()?;
    migrations::check(&mut conn)?;
    migrations::without_time_limit(&mut conn)?;
    println!("{}.", super::backup::contents(&mut conn)?);
    let findings = doctor::examine(&mut conn)?;
    let mut broken = 0;
    for finding in &findings {
        let mark = if finding.broken.is_empty() {
            "ok  "
        } else {
            "OFF "
        };
        println!(
            "{mark} {}: {}",
            finding.invariant.name, finding.invariant.says
        );
        for row in &finding.broken {
            println!("       {row}");
        }
        broken += usize::from(!finding.broken.is_empty());
    }
    if broken > 0 {
        let detail = format!("{broken} of {} invariants do not hold.", findings.len());
        return Err(Error::new(Code::InvalidState, detail));
    }
    println!("All {} invariants hold.", findings.len());
    Ok(())
}
