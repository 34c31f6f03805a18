//! `check`: everything that is wrong with a file, and with this host for it.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    exit::{Failure, Outcome},
    options::{Output, OutputOption},
    render, writer,
};
use crate::{
    config::{
        self, ConfigError, LoadError,
        host::{self, HostFacts, Remark, Severity},
    },
    desired::{Config, Role},
};

/// Check a configuration file, and this host for it
///
/// Tells every error at once, with line, column, field and what to do. Without --offline it also looks whether this
/// host has the interfaces and addresses that the file names, and MTUs that the tunnels fit. Changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp check /etc/anycast-xdp.toml
  anycast-xdp check --offline pop.toml            # on any machine
  anycast-xdp check --output json pop.toml | jq '.errors[].field'

Exit codes: 0 valid, 2 refused")]
pub(super) struct Args {
    /// Configuration file
    file: PathBuf,
    /// Look at the file only, not at this host
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    output: OutputOption,
}

/// The result in JSON.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a PathBuf,
    valid: bool,
    errors: &'a [ConfigError],
    remarks: &'a [Remark],
}

pub(super) fn execute(args: &Args) -> Outcome {
    let report = |errors: &[ConfigError], remarks: &[Remark]| {
        let valid = errors.is_empty() && !has_errors(remarks);
        let report = Report { file: &args.file, valid, errors, remarks };
        match args.output.output {
            Output::Json => writer::write(Output::Json, &report, |_, _| String::new()),
            Output::Text => Ok(()),
        }
    };
    let config = match config::load(&args.file) {
        Ok(config) => config,
        Err(error) => {
            if let LoadError::Refused(errors) = &error {
                report(&errors.errors, &[])?;
            }
            return Err(error.into());
        }
    };
    let host = if args.offline { None } else { Some(read_host()?) };
    let remarks = config::remarks(&config, host.as_ref());
    report(&[], &remarks)?;
    refuse_misfits(&args.file.display().to_string(), remarks)?;
    match args.output.output {
        Output::Text => writer::write_text(&format!("{}: valid: {}\n", args.file.display(), summary(&config))),
        Output::Json => Ok(()),
    }
}

/// Tells what there is to say of a file that is valid; errors among it refuse it on this host.
fn refuse_misfits(file: &str, remarks: Vec<Remark>) -> Outcome {
    let warnings = host::refuse_misfits(file, remarks).map_err(|misfits| Failure::Refused(misfits.to_string()))?;
    writer::tell(&warnings.iter().map(|warning| warning.line(file)).collect::<String>());
    Ok(())
}

fn has_errors(remarks: &[Remark]) -> bool {
    remarks.iter().any(|remark| remark.severity == Severity::Error)
}

fn read_host() -> anyhow::Result<HostFacts> {
    super::run::runtime()?.block_on(HostFacts::read())
}

fn summary(config: &Config) -> String {
    let (local, services) = (&config.local, &config.services);
    let vips = render::count_of(services.vips.len(), "VIP");
    match local.role {
        Role::Pop(_) => {
            let pools = render::count_of(services.pools.len(), "pool");
            let backends = services.pools.iter().map(|pool| pool.backends.len()).sum();
            let backends = render::count_of(backends, "backend");
            format!("pop {}/{}, {vips}, {pools}, {backends}", local.pop, local.host)
        }
        Role::Gateway(_) => format!("gateway {}/{}, {vips}", local.pop, local.host),
    }
}
