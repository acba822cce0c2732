//! The program `attestary`: reads configuration and the environment, puts the components together, and speaks to
//! running servers for people and scripts.
//!
//! Nothing is decided here that a use case decides: a command parses its options, calls one, prints what came
//! back, and ends with a documented exit code.

mod bench;
mod client;
mod command;
mod credentials;
mod exit;
mod frames;
mod layers;
mod output;
mod progress;
mod receiver;
mod server;
mod settings;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{client::Target, exit::code_of};

/// Sealing and reading take and give back much memory on many threads; this allocator keeps less of it.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The audit and security event log for SaaS applications.
#[derive(Debug, Parser)]
#[command(name = "attestary", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something unexpected: an unreadable file, a full disk, a bug
  2  the command line or the configuration is wrong
  3  no server answered
  4  the server refused the request (4xx)
  5  the server could not do it now (5xx)
  6  a check found damage";

/// An option struct joined with the options that name the server.
#[derive(Debug, clap::Args)]
struct At<T: clap::Args> {
    #[command(flatten)]
    options: T,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct Of<T: Subcommand> {
    #[command(subcommand)]
    action: T,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a server without a configuration file: demo tenant, keys, and a receiver that shows what a SIEM would get
    Dev(command::dev::Dev),
    /// Start the server
    Serve(command::serve::Serve),
    /// Bring in events from another system's log
    Import(Of<command::import::Import>),
    /// Find events of a tenant, newest first
    Query(At<command::query::Query>),
    /// Follow a tenant's events as they are accepted
    Tail(At<command::tail::Tail>),
    /// Write a tenant's events to one file
    Export(At<command::export::Export>),
    /// Show what keys and tenants used, and what is left of their quotas
    Usage(At<command::usage::Usage>),
    /// Write the certificate of one transaction
    Certificate(At<command::certificate::Certificate>),
    /// Check evidence or a log against a trust file
    Verify(command::verify::Verify),
    /// Check a receipt that a submitter kept
    #[command(subcommand)]
    Receipt(command::receipt::Receipt),
    /// Run a witness of transparency logs
    #[command(subcommand)]
    Witness(command::witness::Witnessing),
    /// Make, list and revoke API keys
    Keys(Of<command::keys::Keys>),
    /// Make, list, close and delete tenants
    Tenants(Of<command::tenants::Tenants>),
    /// Manage where a tenant's events are sent
    Destinations(At<command::destinations::Destinations>),
    /// Read all of a stopped data directory and name every damage
    Fsck(command::fsck::Fsck),
    /// Back a data directory up, in use or not
    Backup(command::backup::Backup),
    /// Make a data directory from a backup, and verify it
    Restore(command::backup::Restore),
    /// Let a restored data directory go on under new log names, where signing the old ones would fork them
    Renew(command::renew::Renew),
    /// Make a link that opens the console signed in, once
    SignIn(At<command::sign_in::SignIn>),
    /// Say how long events are kept, and remove what is over
    Retention(Of<command::governance::Retention>),
    /// Place, list and release legal holds
    Holds(Of<command::governance::Holds>),
    /// Erase persons, events and fields
    Erasures(Of<command::governance::Erasures>),
    /// Say what is taken out of events before they are stored
    Redaction(Of<command::redaction::Redaction>),
    /// Show epochs, witnesses and time-stamps of the anchor log
    Anchor(At<command::anchor::Anchor>),
    /// Print the OpenAPI document
    Openapi,
    /// Check or print the configuration
    #[command(subcommand)]
    Config(command::config::Config),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ran = run(arguments.command);
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::talk(format!("error: {error:#}"));
            ExitCode::from(code_of(&error))
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    // Fails only when a provider was installed before, and nothing runs before this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Dev(dev) => command::dev::run(dev).await,
            Command::Serve(serve) => command::serve::run(serve).await,
            Command::Import(import) => command::import::run(import.action, &import.target).await,
            Command::Query(query) => command::query::run(query.options, &query.target).await,
            Command::Tail(tail) => command::tail::run(tail.options, &tail.target).await,
            Command::Export(export) => command::export::run(export.options, &export.target).await,
            Command::Usage(usage) => command::usage::run(usage.options, &usage.target).await,
            Command::Certificate(one) => command::certificate::run(one.options, &one.target).await,
            Command::Verify(verify) => command::verify::run(verify).await,
            Command::Receipt(receipt) => command::receipt::run(receipt),
            Command::Witness(witness) => command::witness::run(witness).await,
            Command::Keys(keys) => command::keys::run(keys.action, &keys.target).await,
            Command::Tenants(tenants) => {
                command::tenants::run(tenants.action, &tenants.target).await
            }
            Command::Destinations(destinations) => {
                command::destinations::run(destinations.options, &destinations.target).await
            }
            Command::Fsck(fsck) => command::fsck::run(fsck).await,
            Command::Backup(backup) => command::backup::run(backup).await,
            Command::Restore(restore) => command::backup::restore(restore).await,
            Command::Renew(renew) => command::renew::run(renew).await,
            Command::SignIn(sign_in) => {
                command::sign_in::run(sign_in.options, &sign_in.target).await
            }
            Command::Retention(retention) => {
                command::governance::retention(retention.action, &retention.target).await
            }
            Command::Holds(holds) => command::governance::holds(holds.action, &holds.target).await,
            Command::Erasures(erasures) => {
                command::governance::erasures(erasures.action, &erasures.target).await
            }
            Command::Redaction(redaction) => {
                command::redaction::run(redaction.action, &redaction.target).await
            }
            Command::Anchor(anchor) => command::anchor::run(anchor.options, &anchor.target).await,
            Command::Openapi => command::openapi::run(),
            Command::Config(config) => command::config::run(config),
            Command::Bench(bench) => bench::run(bench).await,
        }
    })
}

/// Returns the environment variables whose names and values are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
