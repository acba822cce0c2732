//! A server in this process: service and HTTP edge put together, and an orderly end.
//!
//! Used by `serve` and by `dev`, which differ only in their settings and in what they print. A stop drains: no new
//! connections, running requests get their answers, then the service closes and what was accepted is on disk.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use attestary_api::{SignIn, SyslogListeners, Tls};
use attestary_delivery::LineWriter;
use attestary_event::EnvironmentId;
use attestary_oidc::Provider;
use attestary_service::{Caller, ChangeError, Components, EnvironmentChange, Service};
use attestary_store::{SystemClock, SystemRng};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    exit::{Exit, Failure},
    settings::{Log, Settings, oidc::Oidc},
};

/// Joins the settings of the HTTP edge with what signs people in.
fn api(
    settings: attestary_api::Settings,
    oidc: Option<Oidc>,
) -> anyhow::Result<attestary_api::Settings> {
    let Some(Oidc { provider, name, roles }) = oidc else { return Ok(settings) };
    let provider = Arc::new(Provider::new(provider)?);
    Ok(attestary_api::Settings { sign_in: Some(SignIn { provider, name, roles }), ..settings })
}

/// A server that has its data directory and its port, and answers requests.
pub(crate) struct Server {
    /// The use cases, for what is set up in this process.
    pub(crate) service: Service,
    /// Base URL that this machine reaches it under.
    pub(crate) url: String,
    /// Cancelled when the server is told to stop.
    pub(crate) shutdown: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    receiving: JoinHandle<()>,
    /// SIGTERM and SIGINT, listened for from before anybody is told that the server is there.
    stops: [Signal; 2],
}

impl Server {
    /// Opens the data directory, recovers, makes missing environments, and starts to answer.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let tls = match &settings.tls {
            Some((certificate, key)) => Some(Tls::read(certificate.clone(), key.clone())?),
            None => None,
        };
        attestary_api::install_metrics();
        let api = api(settings.api, settings.oidc)?;
        let listener = listen(&settings.listen).await?;
        let syslog = SyslogListeners::bind(settings.syslog).await?;
        let address = listener.local_addr()?;
        let components = Components {
            clock: Arc::new(SystemClock::default()),
            rng: Arc::new(SystemRng::default()),
            output: Arc::new(LineWriter::new(standard_output()?)),
            runtime: tokio::runtime::Handle::current(),
        };
        let data_dir = settings.service.store.dir.clone();
        make_private(&data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
        let mut values = settings.service;
        // A destination that reached this server itself would make events out of deliveries.
        values.outbound.own.push(address);
        values.outbound.own.extend(syslog.addresses());
        let service = Service::open(values, components);
        let service = service
            .await
            .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
        make_environments(&service, &settings.environments).await?;
        let shutdown = CancellationToken::new();
        let stops = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let certificates: Vec<Tls> = tls.iter().cloned().chain(syslog.certificates()).collect();
        if !certificates.is_empty() {
            reload_on_hangup(certificates, shutdown.clone())?;
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let receiving = tokio::spawn(syslog.run(service.clone(), shutdown.clone()));
        let app = attestary_api::router(service.clone(), api);
        let serving = tokio::spawn(attestary_api::serve(listener, tls, app, shutdown.clone()));
        // A wildcard address is listened on, but not connected to.
        let host =
            if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
        let url = format!("{scheme}://{}", SocketAddr::new(host, address.port()));
        Ok(Self { service, url, shutdown, serving, receiving, stops })
    }

    /// Serves until SIGTERM, SIGINT or a failure of the listener, then drains and closes.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let [terminate, interrupt] = &mut self.stops;
        let ended = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            ended = &mut self.serving => Some(ended),
        };
        self.shutdown.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => {
                tracing::info!("stopping: running requests get their answers");
                self.serving.await
            }
        };
        if let Err(error) = self.receiving.await {
            tracing::error!(%error, "the syslog listeners failed");
        }
        self.service.close().await;
        ended.context("the listener's task failed")?.context("the listener failed")
    }
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot listen on {address}: {error}"))
            .hint("name a free address with --listen HOST:PORT (port 0 takes any)")
            .into()
    })
}

/// Makes a missing data directory that only its owner can enter; one that is there stays as its owner set it.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

async fn make_environments(service: &Service, wanted: &[EnvironmentId]) -> anyhow::Result<()> {
    for environment in wanted {
        let made = service
            .create_environment(
                &Caller::installation_itself(),
                environment.as_str(),
                EnvironmentChange::default(),
            )
            .await;
        match made {
            Ok(_) | Err(ChangeError::Exists { .. }) => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot make the environment {environment}"));
            }
        }
    }
    Ok(())
}

/// SIGHUP reads certificate and key again; a bad file leaves the present ones in use.
fn reload_on_hangup(certificates: Vec<Tls>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = shutdown.cancelled() => return,
            }
            for tls in &certificates {
                match tls.reload() {
                    Ok(()) => tracing::info!(?tls, "certificate and key were read again"),
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the present certificate stays in use"
                    ),
                }
            }
        }
    });
    Ok(())
}

/// Sends the server's own log to standard error.
pub(crate) fn start_log(log: &Log) {
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(log.level)
        .with_target(false);
    // Fails only when a subscriber was set before, and nothing sets one before this.
    let _ = if log.json {
        builder.json().try_init()
    } else {
        builder.with_ansi(crate::output::is_interactive()).try_init()
    };
}

/// Standard output as an asynchronous writer. It goes through a file handle of its own, since the buffered one of
/// the standard library would hold lines back when the output is a pipe.
fn standard_output() -> anyhow::Result<tokio::fs::File> {
    use std::os::fd::AsFd as _;
    let handle =
        io::stdout().as_fd().try_clone_to_owned().context("cannot use the standard output")?;
    Ok(tokio::fs::File::from_std(std::fs::File::from(handle)))
}
