//! `attestary dev`: a server without a configuration file, with a demo environment, keys, and a receiver that shows what
//! a SIEM would get.
//!
//! `ATTESTARY__…` variables hold as they do for `serve`, but for what this command decides itself.
//! Everything but segments that are told to go elsewhere lies in one directory and is kept across restarts, keys
//! included. Destinations may reach loopback addresses, which a real installation refuses.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use attestary_event::EnvironmentId;
use attestary_service::{
    Caller, NewKey, NewLink, Origin, Person, Role as PersonRole, Scope, Service, otlp::Names,
};
use attestary_store::PARTITIONS_MAX;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, Role, Target},
    credentials::Credentials,
    output,
    receiver::{Receiver, Sink},
    server::{Server, make_private, start_log},
    settings::{Log, Settings},
    variables,
};

const ENVIRONMENT: &str = "development";
const TENANT: &str = "demo";
/// How long the printed link waits to be opened.
const SIGN_IN_SECONDS: u64 = 24 * 60 * 60;
const DESTINATION: &str = "built-in receiver";

/// Options of `dev`.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Address and port to listen on; port 0 takes any free one
    #[arg(
        long,
        env = "ATTESTARY_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    listen: String,
    /// Directory for everything; made when it is missing
    #[arg(long, env = "ATTESTARY_DATA", value_name = "DIR", default_value = "attestary-data")]
    data: PathBuf,
    /// Partitions of the store, 1 to 64; without this, as many as the directory has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PARTITIONS_MAX)))]
    partitions: Option<u32>,
    /// Print one line of JSON once ready, and nothing else
    #[arg(long)]
    json: bool,
}

/// Serves until told to stop.
pub(crate) async fn run(dev: Dev) -> anyhow::Result<()> {
    start_log(&Log { level: tracing::Level::WARN, json: false });
    make_private(&dev.data).with_context(|| format!("cannot make {}", dev.data.display()))?;
    let data =
        dev.data.canonicalize().with_context(|| format!("cannot find {}", dev.data.display()))?;
    let server = Server::start(settings(&dev, &data)?).await?;
    let credentials = credentials(&server, &data).await?;
    let receiver = Receiver::bind().await.context("the built-in receiver has no port")?;
    set_up_demo(&credentials, &receiver.address()?.to_string()).await?;
    let sink = Sink::open(&data, !dev.json).context("cannot open the built-in receiver's file")?;
    tokio::spawn(receiver.run(Arc::new(sink), server.shutdown.clone()));
    let console = sign_in_link(&server).await?;
    if dev.json {
        let mut facts = serde_json::to_value(&credentials)?;
        facts["console_url"] = console.into();
        output::line(facts.to_string());
    } else {
        greet(&credentials, &console);
    }
    server.run().await
}

fn settings(dev: &Dev, data: &Path) -> anyhow::Result<Settings> {
    let mut settings = Settings::read(None, variables())?;
    settings.listen.clone_from(&dev.listen);
    settings.environments = vec![EnvironmentId::parse(ENVIRONMENT).expect("a valid name")];
    let defaults = attestary_service::Settings::new(data.to_owned());
    settings.service.store.dir = defaults.store.dir;
    settings.service.store.partitions = dev.partitions;
    settings.service.file_root = defaults.file_root;
    settings.service.outbound.loopback = true;
    // Every record that has an event name.
    settings.service.otlp_events = Names::new(vec!["*".into()]);
    Ok(settings)
}

/// Returns the keys of an earlier start while all of them are valid, else new ones; and keeps them in a file.
async fn credentials(server: &Server, data: &Path) -> anyhow::Result<Credentials> {
    let found = Credentials::read(data)
        .with_context(|| format!("cannot read {}", data.join(Credentials::FILE).display()))?;
    let found = found.filter(|found| {
        [&found.ingest_key, &found.read_key, &found.admin_key]
            .into_iter()
            .all(|key| is_valid(&server.service, key))
    });
    let credentials = match found {
        Some(found) => Credentials { url: server.url.clone(), data_dir: data.to_owned(), ..found },
        None => Credentials {
            url: server.url.clone(),
            ingest_key: make_key(&server.service, "dev: submits events", &[Scope::Ingest]).await?,
            read_key: make_key(&server.service, "dev: reads events", &[Scope::Read, Scope::Export])
                .await?,
            admin_key: make_key(
                &server.service,
                "dev: administers",
                &[Scope::Admin, Scope::Destinations, Scope::Portal],
            )
            .await?,
            environment: ENVIRONMENT.to_owned(),
            tenant: TENANT.to_owned(),
            data_dir: data.to_owned(),
        },
    };
    credentials
        .write(data)
        .with_context(|| format!("cannot write {}", data.join(Credentials::FILE).display()))?;
    Ok(credentials)
}

/// Returns a link that opens the console signed in, once, within a day.
async fn sign_in_link(server: &Server) -> anyhow::Result<String> {
    let environment = EnvironmentId::parse(ENVIRONMENT).expect("a valid name");
    let new = NewLink {
        person: Person { id: "dev".into(), name: Some("Developer".into()), email: None },
        role: Some(PersonRole::Operator),
        ttl_s: Some(SIGN_IN_SECONDS),
        ..NewLink::default()
    };
    let link = server.service.create_sign_in_link(&Caller::installation(&environment), new).await;
    let link = link.context("cannot make a sign-in link")?;
    Ok(format!("{}{}", server.url, attestary_api::sign_in_path(link.code.reveal())))
}

fn is_valid(service: &Service, key: &str) -> bool {
    let origin = Origin { ip: None, request_id: "".into() };
    service.authenticate(key, Some(ENVIRONMENT), origin).is_ok()
}

async fn make_key(service: &Service, name: &str, scopes: &[Scope]) -> anyhow::Result<String> {
    let environment = EnvironmentId::parse(ENVIRONMENT).expect("a valid name");
    let new = NewKey { name: name.to_owned(), scopes: scopes.to_vec(), ..NewKey::default() };
    let created = service
        .create_key(&Caller::installation(&environment), new)
        .await
        .context("cannot make a key")?;
    Ok(created.secret.reveal().to_owned())
}

/// Makes the demo tenant and its destination when they are missing; the receiver's port is a new one each time.
async fn set_up_demo(credentials: &Credentials, receiver: &str) -> anyhow::Result<()> {
    let target = Target {
        url: Some(credentials.url.clone()),
        key: Some(credentials.admin_key.clone()),
        environment: None,
        data: PathBuf::new(),
    };
    let client = Client::new(&target, Role::Admin)?;
    let tenant = client.request(Method::POST, "/v1/tenants").json(&json!({ "id": TENANT }));
    client.send_unless_there(tenant).await.context("cannot make the demo tenant")?;
    let config = json!({ "address": receiver, "transport": "tcp", "framing": "octet-counting" });
    let all = format!("/v1/tenants/{TENANT}/destinations");
    let list: Value = client
        .json(client.request(Method::GET, &all))
        .await
        .context("cannot list the demo destinations")?;
    let made = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|destination| destination["name"] == DESTINATION);
    let request = match made.and_then(|destination| destination["id"].as_str()) {
        Some(id) => {
            client.request(Method::PATCH, &format!("{all}/{id}")).json(&json!({ "config": config }))
        }
        None => client.request(Method::POST, &all).json(&json!({
            "name": DESTINATION,
            "type": "syslog",
            "config": config,
            "format": { "type": "cef" },
            "start": "beginning",
        })),
    };
    client.send(request).await.context("cannot set up the built-in receiver's destination")?;
    Ok(())
}

fn greet(credentials: &Credentials, console: &str) {
    let Credentials { url, ingest_key, tenant, data_dir, .. } = credentials;
    output::line(format!(
        "\
attestary is ready at {url}
  environment  {ENVIRONMENT}, tenant {tenant}
  ingest key   {ingest_key}
  data         {} (keys of the other commands: {})

Look around (this link signs in once):

  {console}

Submit an event:

  curl -i {url}/v1/events -H 'authorization: Bearer {ingest_key}' -H 'content-type: application/json' -d '{{\"tenant\":\"{tenant}\",\"action\":\"user.login\",\"actor\":{{\"type\":\"user\",\"id\":\"alice\"}}}}'

Find it:

  attestary query --tenant {tenant} --data {}

What a SIEM would get of tenant {tenant} follows here. Ctrl-C stops the server.
",
        data_dir.display(),
        Credentials::FILE,
        data_dir.display(),
    ));
}
