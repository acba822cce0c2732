//! `attestary serve`: the server, from a configuration file.

use std::path::PathBuf;

use clap::Args;

use crate::{
    output,
    server::{Server, start_log},
    settings::Settings,
    variables,
};

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file (TOML); without one, defaults and ATTESTARY__… variables
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves until told to stop.
pub(crate) async fn run(serve: Serve) -> anyhow::Result<()> {
    let settings = Settings::read(serve.config.as_deref(), variables())?;
    start_log(&settings.log);
    let data_dir = settings.service.store.dir.clone();
    let server = Server::start(settings).await?;
    output::talk(format!("attestary serves {} from {}", server.url, data_dir.display()));
    server.run().await
}
