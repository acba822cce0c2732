//! `attestary witness`: a C2SP witness of one's own. It needs no server, no data directory and no configuration.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use attestary_store::{Rng as _, SystemRng};
use attestary_witness::{Book, Cosigner, VerifierKey, Witness};
use clap::{Args, Subcommand};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    exit::{Exit, Failure},
    output,
    server::make_private,
};

/// What can be done with a witness.
#[derive(Debug, Subcommand)]
pub(crate) enum Witnessing {
    /// Cosign the checkpoints of the logs that are named, each only when it is consistent with the one before
    Serve {
        #[command(flatten)]
        place: Place,
        /// Address and port to listen on; port 0 takes any free one
        #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
        listen: String,
        /// Verifier key of a log to witness (name+id+key), such as the anchor log's; can be repeated
        #[arg(long = "log", required = true, value_name = "VKEY")]
        logs: Vec<String>,
        /// Print one JSON line when it is ready
        #[arg(long)]
        json: bool,
    },
    /// Print the witness's own verifier key, for the policies of those who trust it
    Key {
        #[command(flatten)]
        place: Place,
    },
}

/// Where a witness keeps its key and its book.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder of its key and of what it signed last; never restore an old copy of it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of its key, such as witness.example.com; it stands in every signature
    #[arg(long, value_name = "NAME")]
    name: String,
}

/// Runs the command.
pub(crate) async fn run(witnessing: Witnessing) -> anyhow::Result<()> {
    match witnessing {
        Witnessing::Key { place } => {
            output::line(place.cosigner()?.verifier().to_string());
            Ok(())
        }
        Witnessing::Serve { place, listen, logs, json } => {
            serve(&place, &listen, &logs, json).await
        }
    }
}

async fn serve(place: &Place, listen: &str, logs: &[String], json: bool) -> anyhow::Result<()> {
    let logs: anyhow::Result<Vec<VerifierKey>> = logs.iter().map(|text| log_key(text)).collect();
    let logs = logs?;
    let cosigner = place.cosigner()?;
    let key = cosigner.verifier().to_string();
    let book = Book::open(&place.data)
        .with_context(|| format!("cannot open the witness in {}", place.data.display()))?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let shutdown = CancellationToken::new();
    let [mut terminate, mut interrupt] =
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let serving = tokio::spawn(attestary_witness::serve(
        listener,
        Witness::new(cosigner, logs, book),
        shutdown.clone(),
    ));
    if json {
        output::line(serde_json::json!({ "url": url, "key": key }).to_string());
    } else {
        output::talk(format!("witness {key} listens on {url}"));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.cancel();
    serving.await.context("the listener's task failed")?.context("the listener failed")
}

fn log_key(text: &str) -> anyhow::Result<VerifierKey> {
    VerifierKey::parse(text).map_err(|error| {
        Failure::new(Exit::Usage, format!("--log {text}: {error}"))
            .hint("take it from the log's trust file: the word after \"log\"")
            .into()
    })
}

impl Place {
    /// Reads the key, or makes one at the first start.
    fn cosigner(&self) -> anyhow::Result<Cosigner> {
        let path = self.data.join("witness.key");
        make_private(&self.data).with_context(|| format!("cannot make {}", self.data.display()))?;
        let seed = match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                Failure::new(Exit::Usage, format!("{} is not a key of 32 bytes", path.display()))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(&path).with_context(|| format!("cannot write {}", path.display()))?
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Cosigner::new(&self.name, &seed).map_err(|error| {
            Failure::new(Exit::Usage, format!("--name {}: {error}", self.name)).into()
        })
    }
}

/// Makes a key that only its owner reads; one that is there is never replaced.
fn make_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRng::default().fill(&mut seed);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&seed)?;
    file.sync_all()?;
    Ok(seed)
}
