//! `attestary config`: the configuration, before a server runs with it.

use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    output,
    settings::{DEFAULT, Settings},
    variables,
};

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a file together with the ATTESTARY__… variables, and say what is wrong
    Check {
        /// Configuration file (TOML); without one, defaults and variables
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print every setting with its default and its meaning
    Print,
}

/// Runs the command.
pub(crate) fn run(config: Config) -> anyhow::Result<()> {
    match config {
        Config::Check { config } => {
            Settings::read(config.as_deref(), variables())?;
            output::talk("the configuration is valid");
        }
        Config::Print => output::line(DEFAULT.trim_end()),
    }
    Ok(())
}
