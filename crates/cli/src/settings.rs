//! The settings of a server: read in layers, checked once, then values that the components take.
//!
//! The commented file in the repository's root is compiled in and is the default: it cannot disagree with itself.

mod anchors;
mod egress;
pub(crate) mod oidc;
mod syslog;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use attestary_api::Cidr;
use attestary_delivery::{Allow, Policy};
use attestary_event::{EnvironmentId, Limits, TenantId, Violation};
use attestary_service::{MasterKey, Rates, otlp::Names};
use attestary_store::{PARTITIONS_MAX, segment::Objects};
use serde::Deserialize;
use toml::Table;

use crate::{
    exit::{Exit, Failure},
    layers,
};

/// The default configuration, with its comments.
pub(crate) const DEFAULT: &str = include_str!("../../../attestary.toml");

/// What Form.io's deployments set to switch the audit log off, and the variable that it stands for.
const NO_AUDIT_LOG: &str = "NOAUDITLOG";
const AUDIT_OFF: &str = "ATTESTARY__INTAKE__AUDIT_OFF";

/// Checked settings of `serve`.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Environments to make when they are missing.
    pub(crate) environments: Vec<EnvironmentId>,
    /// Address and port to listen on.
    pub(crate) listen: String,
    /// Certificate chain and private key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// What the service is made from.
    pub(crate) service: attestary_service::Settings,
    /// What the HTTP edge is made from.
    pub(crate) api: attestary_api::Settings,
    /// What the syslog listeners are made from.
    pub(crate) syslog: attestary_api::SyslogSettings,
    /// What sign-in by an OpenID provider is made from.
    pub(crate) oidc: Option<oidc::Oidc>,
    /// What the server says about itself.
    pub(crate) log: Log,
}

/// The form of the server's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// Least severity.
    pub(crate) level: tracing::Level,
    /// One JSON object a line.
    pub(crate) json: bool,
}

/// The file's shape. Every key is in the default file, so none is optional here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: PathBuf,
    log_name: String,
    environments: Vec<String>,
    http: Http,
    limits: LimitsTable,
    intake: Intake,
    syslog: SyslogTable,
    store: Store,
    keys: Keys,
    objects: ObjectsTable,
    delivery: Delivery,
    exports: Exports,
    anchors: anchors::AnchorsTable,
    oidc: oidc::OidcTable,
    log: LogTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    listen: String,
    tls_certificate_file: PathBuf,
    tls_key_file: PathBuf,
    trusted_proxies: Vec<String>,
    connections_max: usize,
    connections_per_address_max: usize,
    header_seconds_max: u64,
    idle_seconds_max: u64,
    drain_seconds_max: u64,
    body_bytes_in_flight_max: usize,
    metrics: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    event_bytes_max: usize,
    depth_max: usize,
    fields_max: usize,
    array_max: usize,
    string_bytes_max: usize,
    key_bytes_max: usize,
    batch_events_max: usize,
    batch_bytes_max: usize,
    ratio_max: usize,
    key_events_per_second: u32,
    tenant_events_per_second: u32,
    key_tenants_per_hour: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intake {
    audit_off: bool,
    otlp_events: Vec<String>,
    answer_seconds_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyslogTable {
    listen: Vec<syslog::ListenTable>,
    message_bytes_max: usize,
    connections_max: usize,
    connections_per_address_max: usize,
    idle_seconds_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    partitions: u32,
    journal_file_bytes: u64,
    seal_events_max: usize,
    seal_bytes_max: usize,
    seal_seconds_max: u64,
    unsealed_bytes_max: usize,
    queue_bytes_max: usize,
    dedupe_ids_max: usize,
    merge_runs: usize,
    register_dir: PathBuf,
    signing_seconds: u64,
    reserve_bytes: u64,
    scrub_bytes_per_second: u64,
    scrub_every_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    master: String,
    master_file: PathBuf,
    master_command: Vec<String>,
}

/// The key never shows.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectsTable {
    url: String,
    options: Vec<String>,
    options_file: PathBuf,
    cache_bytes_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    file_root: PathBuf,
    loopback: bool,
    plain_http: bool,
    ports: Vec<u16>,
    own_names: Vec<String>,
    allow: Vec<AllowTable>,
    proxy: String,
    proxy_login_file: PathBuf,
    aws: egress::AwsTable,
    google_credentials_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exports {
    running_max: usize,
    bytes_max: u64,
    kept_hours: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    network: String,
    ports: Vec<u16>,
    environment: String,
    tenant: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    level: String,
    format: String,
}

impl Settings {
    /// Reads the default, the file over it, and the variables over both.
    pub(crate) fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let mut table: Table = DEFAULT.parse().expect("a test parses the default configuration");
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
            })?;
            layers::lay_file(&mut table, &text, path)?;
        }
        // In the order of their names, so that a mistake is reported the same way each time.
        let mut variables: Vec<_> = variables.collect();
        variables.sort();
        for (name, text) in variables {
            let name = if name == NO_AUDIT_LOG { AUDIT_OFF } else { &name };
            layers::lay_variable(&mut table, name, &text)?;
        }
        let file: File = table.try_into().map_err(|error: toml::de::Error| {
            Failure::new(
                Exit::Usage,
                format!("the configuration is not valid: {}", error.message()),
            )
        })?;
        Self::check(file)
    }

    fn check(file: File) -> Result<Self, Failure> {
        let environments = file.environments.iter().map(|name| {
            EnvironmentId::parse(name).map_err(|violation| {
                wrong("environments", format!("{name:?}: {}", violation.detail))
            })
        });
        Ok(Self {
            environments: environments.collect::<Result<_, _>>()?,
            listen: file.http.listen.clone(),
            tls: tls(&file.http)?,
            api: api(&file.http)?,
            syslog: syslog::settings(&file.syslog, &file.environments)?,
            oidc: oidc::settings(&file.oidc)?,
            log: log(&file.log)?,
            service: service(file)?,
        })
    }
}

fn tls(http: &Http) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
    match (given(&http.tls_certificate_file), given(&http.tls_key_file)) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err(wrong(
            "http.tls_certificate_file",
            "and http.tls_key_file are set together or not at all",
        )),
    }
}

fn given(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

fn api(http: &Http) -> Result<attestary_api::Settings, Failure> {
    let proxies = http.trusted_proxies.iter().map(|text| {
        Cidr::parse(text).ok_or_else(|| {
            wrong(
                "http.trusted_proxies",
                format!("{text:?} is neither an address nor a range such as 10.0.0.0/8"),
            )
        })
    });
    Ok(attestary_api::Settings {
        trusted_proxies: proxies.collect::<Result<_, _>>()?,
        connections_max: at_least("http.connections_max", http.connections_max, 1)?,
        connections_per_address_max: at_least(
            "http.connections_per_address_max",
            http.connections_per_address_max,
            1,
        )?,
        header_time_max: seconds("http.header_seconds_max", http.header_seconds_max)?,
        idle_time_max: seconds("http.idle_seconds_max", http.idle_seconds_max)?,
        drain_time_max: Duration::from_secs(http.drain_seconds_max),
        body_bytes_in_flight_max: at_least(
            "http.body_bytes_in_flight_max",
            http.body_bytes_in_flight_max,
            1 << 20,
        )?,
        metrics: http.metrics,
        sign_in: None,
    })
}

fn service(file: File) -> Result<attestary_service::Settings, Failure> {
    let mut settings = attestary_service::Settings::new(file.data_dir);
    settings.limits = limits(&file.limits)?;
    settings.audit_off = file.intake.audit_off;
    settings.otlp_events = otlp_events(file.intake.otlp_events)?;
    settings.answer_time_max =
        seconds("intake.answer_seconds_max", file.intake.answer_seconds_max)?;
    settings.rates = Rates {
        key_events_per_second: NonZeroU32::new(file.limits.key_events_per_second),
        tenant_events_per_second: NonZeroU32::new(file.limits.tenant_events_per_second),
        key_tenants_per_hour: NonZeroU32::new(file.limits.key_tenants_per_hour),
    };
    let (store, table) = (&mut settings.store, file.store);
    store.log_name = file.log_name;
    store.partitions = Some(partitions(table.partitions)?);
    store.journal_file_bytes =
        at_least("store.journal_file_bytes", table.journal_file_bytes, 1 << 20)?;
    store.seal_events_max = at_least("store.seal_events_max", table.seal_events_max, 1)?;
    store.seal_bytes_max = at_least("store.seal_bytes_max", table.seal_bytes_max, 1 << 16)?;
    store.seal_age = seconds("store.seal_seconds_max", table.seal_seconds_max)?;
    store.unsealed_bytes_max =
        at_least("store.unsealed_bytes_max", table.unsealed_bytes_max, store.seal_bytes_max)?;
    store.queue_bytes_max =
        at_least("store.queue_bytes_max", table.queue_bytes_max, settings.limits.batch_bytes_max)?;
    store.dedupe_ids_max = at_least("store.dedupe_ids_max", table.dedupe_ids_max, 1 << 20)?;
    store.merge_runs = table.merge_runs;
    store.register_dir = given(&table.register_dir);
    store.signing_every = seconds("store.signing_seconds", table.signing_seconds)?;
    settings.master_key = master_key(&file.keys)?;
    store.reserve_bytes = table.reserve_bytes;
    store.scrub_bytes_per_second = table.scrub_bytes_per_second;
    store.scrub_every = seconds("store.scrub_every_seconds", table.scrub_every_seconds)?;
    store.objects = objects(&file.objects)?;
    settings.file_root = given(&file.delivery.file_root).or(settings.file_root);
    settings.outbound = outbound(file.delivery)?;
    settings.anchors = anchors::settings(&file.anchors)?;
    settings.exports.running_max = at_least("exports.running_max", file.exports.running_max, 1)?;
    settings.exports.bytes_max = file.exports.bytes_max;
    settings.exports.kept = Duration::from_secs(file.exports.kept_hours.clamp(1, 100_000) * 3_600);
    Ok(settings)
}

fn partitions(given: u32) -> Result<u32, Failure> {
    if given > PARTITIONS_MAX {
        let detail = format!("is at most {PARTITIONS_MAX}; given: {given}");
        return Err(wrong("store.partitions", detail));
    }
    at_least("store.partitions", given, 1)
}

fn otlp_events(patterns: Vec<String>) -> Result<Names, Failure> {
    let inner = |pattern: &String| {
        let start = pattern.strip_suffix('*').unwrap_or(pattern);
        pattern.is_empty() || start.contains('*')
    };
    match patterns.iter().find(|pattern| inner(pattern)) {
        Some(pattern) => Err(wrong(
            "intake.otlp_events",
            format!("lists names, or beginnings that end in \"*\"; given: {pattern:?}"),
        )),
        None => Ok(Names::new(patterns)),
    }
}

fn master_key(keys: &Keys) -> Result<MasterKey, Failure> {
    let text = (!keys.master.is_empty()).then_some(keys.master.as_str());
    let file = given(&keys.master_file);
    match (text, file, keys.master_command.split_first()) {
        (None, None, None) => Ok(MasterKey::DataDirectory),
        (Some(text), None, None) => MasterKey::of_text(text)
            .ok_or_else(|| wrong("keys.master", "is a key of 64 hexadecimal digits")),
        (None, Some(file), None) => Ok(MasterKey::File(file)),
        (None, None, Some((program, arguments))) => key_of_command(program, arguments),
        _ => Err(wrong("keys.master", "and master_file and master_command exclude each other")),
    }
}

/// Runs the command and reads the key that it prints; what it says on standard error is shown as it comes.
fn key_of_command(program: &str, arguments: &[String]) -> Result<MasterKey, Failure> {
    const NAME: &str = "keys.master_command";
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null());
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output =
        output.map_err(|error| wrong(NAME, format!("cannot be run: {program}: {error}")))?;
    let printed = zeroize::Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(wrong(NAME, format!("failed: {program}: {}", output.status)));
    }
    let key = std::str::from_utf8(&printed).ok().and_then(MasterKey::of_text);
    key.ok_or_else(|| wrong(NAME, "did not print a key of 64 hexadecimal digits"))
}

fn objects(table: &ObjectsTable) -> Result<Option<Objects>, Failure> {
    if table.url.is_empty() {
        return Ok(None);
    }
    let mut lines = table.options.clone();
    if let Some(path) = given(&table.options_file) {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            wrong("objects.options_file", format!("{} cannot be read: {error}", path.display()))
        })?;
        let stated = text.lines().map(str::trim);
        lines.extend(
            stated.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned),
        );
    }
    let options = lines.iter().enumerate().map(|(index, line)| {
        // The value may be secret: only the place is named.
        let parted = line.split_once('=').ok_or_else(|| {
            wrong("objects.options", format!("number {} is not NAME=VALUE", index + 1))
        })?;
        Ok((parted.0.trim().to_owned(), parted.1.trim().to_owned()))
    });
    let objects = Objects {
        url: table.url.clone(),
        options: options.collect::<Result<_, Failure>>()?,
        cache_bytes_max: at_least("objects.cache_bytes_max", table.cache_bytes_max, 1 << 20)?,
    };
    objects.check().map_err(|what| wrong("objects.url", what))?;
    Ok(Some(objects))
}

fn outbound(delivery: Delivery) -> Result<Policy, Failure> {
    Ok(Policy {
        loopback: delivery.loopback,
        plain_http: delivery.plain_http,
        ports: delivery.ports,
        allow: delivery.allow.into_iter().map(allow).collect::<Result<_, _>>()?,
        own: Vec::new(),
        own_names: delivery.own_names,
        proxy: egress::proxy(&delivery.proxy, &delivery.proxy_login_file)?,
        aws: egress::aws(&delivery.aws)?,
        google: egress::google(&delivery.google_credentials_file)?,
    })
}

fn allow(table: AllowTable) -> Result<Allow, Failure> {
    const NAME: &str = "delivery.allow";
    const INSTALLATION: &str = "_system";
    if table.ports.is_empty() {
        return Err(wrong(NAME, format!("{} names no port", table.network)));
    }
    let detail = |violation: Violation| wrong(NAME, violation.detail);
    Ok(Allow {
        network: table.network.parse().map_err(|problem: String| wrong(NAME, problem))?,
        ports: table.ports,
        environment: match table.environment.as_str() {
            // What the service itself asks: witnesses, time-stamping authorities, its bucket.
            INSTALLATION => EnvironmentId::restored(INSTALLATION),
            name => EnvironmentId::parse(name).map_err(detail)?,
        },
        tenant: table.tenant.map(|tenant| TenantId::parse(&tenant).map_err(detail)).transpose()?,
    })
}

fn limits(table: &LimitsTable) -> Result<Limits, Failure> {
    if table.event_bytes_max > Limits::EVENT_BYTES_CEILING {
        let detail =
            format!("is at most {}; given: {}", Limits::EVENT_BYTES_CEILING, table.event_bytes_max);
        return Err(wrong("limits.event_bytes_max", detail));
    }
    Ok(Limits {
        event_bytes_max: at_least("limits.event_bytes_max", table.event_bytes_max, 1)?,
        depth_max: at_least("limits.depth_max", table.depth_max, 1)?,
        fields_max: at_least("limits.fields_max", table.fields_max, 1)?,
        array_max: at_least("limits.array_max", table.array_max, 1)?,
        string_bytes_max: at_least("limits.string_bytes_max", table.string_bytes_max, 1)?,
        key_bytes_max: at_least("limits.key_bytes_max", table.key_bytes_max, 1)?,
        batch_events_max: at_least("limits.batch_events_max", table.batch_events_max, 1)?,
        batch_bytes_max: at_least(
            "limits.batch_bytes_max",
            table.batch_bytes_max,
            table.event_bytes_max,
        )?,
        ratio_max: at_least("limits.ratio_max", table.ratio_max, 1)?,
    })
}

fn log(table: &LogTable) -> Result<Log, Failure> {
    let level = table.level.parse().map_err(|_| {
        wrong(
            "log.level",
            format!("is error, warn, info, debug or trace; given: {:?}", table.level),
        )
    })?;
    match table.format.as_str() {
        "text" => Ok(Log { level, json: false }),
        "json" => Ok(Log { level, json: true }),
        other => Err(wrong("log.format", format!("is text or json; given: {other:?}"))),
    }
}

fn seconds(name: &str, value: u64) -> Result<Duration, Failure> {
    at_least(name, value, 1).map(Duration::from_secs)
}

fn at_least<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    least: T,
) -> Result<T, Failure> {
    if value >= least {
        Ok(value)
    } else {
        Err(wrong(name, format!("is at least {least}; given: {value}")))
    }
}

fn wrong(name: &str, detail: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("the setting {name} {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: Result<(), &str>) {
        let variable = (format!("{}{name}", layers::PREFIX), value.to_owned());
        let read = Settings::read(None, std::iter::once(variable))
            .map(drop)
            .map_err(|failure| failure.to_string());
        assert_eq!(read.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    }

    #[test]
    fn the_compiled_in_file_agrees_with_the_components_own_defaults() {
        let settings = Settings::read(None, std::iter::empty()).unwrap();
        let (api, service) = (
            attestary_api::Settings::default(),
            attestary_service::Settings::new("attestary-data".into()),
        );
        assert_eq!(format!("{:?}", settings.api), format!("{api:?}"));
        let syslog = attestary_api::SyslogSettings::default();
        assert_eq!(format!("{:?}", settings.syslog), format!("{syslog:?}"));
        assert_eq!(format!("{:?}", settings.service), format!("{service:?}"));
        assert_eq!(settings.log, Log { level: tracing::Level::INFO, json: false });
        assert_eq!(settings.tls, None);
    }

    #[track_caller]
    fn check_allow(entry: &str, expected: Result<&str, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, format!("[[delivery.allow]]\n{entry}\n")).unwrap();
        let read =
            Settings::read(Some(&path), std::iter::empty()).map_err(|failure| failure.to_string());
        let allow = read.map(|settings| format!("{:?}", settings.service.outbound.allow[0].ports));
        assert_eq!(allow.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn private_networks_are_allowed_entry_by_entry() {
        check_allow(
            "network = \"10.0.0.0/8\"\nports = [514]\nenvironment = \"production\"",
            Ok("[514]"),
        );
        check_allow(
            "network = \"10.0.0.0/8\"\nports = [514]\nenvironment = \"production\"\ntenant = \"a\"",
            Ok("[514]"),
        );
        check_allow(
            "network = \"10.0.0.0/8\"\nports = []\nenvironment = \"production\"",
            Err("the setting delivery.allow 10.0.0.0/8 names no port"),
        );
        check_allow(
            "network = \"ten\"\nports = [1]\nenvironment = \"production\"",
            Err("the setting delivery.allow \"ten\" is not a network such as 10.20.0.0/16"),
        );
        check_allow(
            "netwrk = \"10.0.0.0/8\"",
            Err(
                "the configuration is not valid: unknown field `netwrk`, expected one of `network`, `ports`, `environment`, `tenant`",
            ),
        );
    }

    #[test]
    fn an_object_store_is_checked_without_being_asked() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        check("OBJECTS__URL", "s3://bucket/prefix", Ok(()));
        check(
            "OBJECTS__URL",
            "ftp://bucket",
            Err(
                "the setting objects.url \"ftp://bucket\" begins with none of s3://, gs:// and az://",
            ),
        );
    }

    #[test]
    fn sign_in_is_checked_whole() {
        let read = |changes: &[(&str, &str)]| {
            let whole = [
                ("ISSUER", "https://id.example.com"),
                ("CLIENT_ID", "attestary"),
                ("PUBLIC_URL", "https://audit.example.com"),
                ("ROLES", "sre=operator,staff=reader"),
                ("ENVIRONMENT", "production"),
            ];
            let variables = whole.iter().chain(changes);
            let variables = variables
                .map(|(name, value)| (format!("{}OIDC__{name}", layers::PREFIX), (*value).into()));
            // Of two with one name, the later counts.
            let variables: std::collections::BTreeMap<String, String> = variables.collect();
            Settings::read(None, variables.into_iter()).map_err(|failure| failure.to_string())
        };
        let oidc = read(&[]).unwrap().oidc.unwrap();
        let callback = "https://audit.example.com/console/sign-in/callback";
        assert_eq!(oidc.provider.redirect.as_str(), callback);
        assert_eq!(oidc.name, "id.example.com");
        for (name, value, expected) in [
            (
                "ISSUER",
                "http://id.example.com",
                "oidc.issuer is an https address (http only for this machine)",
            ),
            ("PUBLIC_URL", "", "oidc.public_url is no address: relative URL without a base"),
            ("CLIENT_ID", "", "oidc.client_id is required together with oidc.issuer"),
            ("ROLES", "", "oidc.roles names no group: nobody could sign in"),
            (
                "ROLES",
                "sre=root",
                "oidc.roles lists GROUP=ROLE, where the role is operator, auditor or reader; given: \"sre=root\"",
            ),
            (
                "ENVIRONMENT",
                "",
                "oidc.environment is required when readers or auditors sign in: it is where they look",
            ),
            (
                "CLIENT_SECRET_FILE",
                "/nowhere",
                "oidc.client_secret_file /nowhere cannot be read: No such file or directory (os error 2)",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error, format!("the setting {expected}"), "{name}={value}");
        }
        assert!(read(&[("ISSUER", "")]).unwrap().oidc.is_none());
    }

    #[test]
    fn values_are_checked_by_name() {
        check("HTTP__LISTEN", "0.0.0.0:80", Ok(()));
        check("HTTP__TRUSTED_PROXIES", "10.0.0.0/8,::1", Ok(()));
        check(
            "HTTP__TRUSTED_PROXIES",
            "ten",
            Err(
                "the setting http.trusted_proxies \"ten\" is neither an address nor a range such as 10.0.0.0/8",
            ),
        );
        check(
            "HTTP__TLS_KEY_FILE",
            "k",
            Err(
                "the setting http.tls_certificate_file and http.tls_key_file are set together or not at all",
            ),
        );
        check("INTAKE__OTLP_EVENTS", "user.*,order.paid,*", Ok(()));
        check(
            "INTAKE__OTLP_EVENTS",
            "a*b",
            Err(
                "the setting intake.otlp_events lists names, or beginnings that end in \"*\"; given: \"a*b\"",
            ),
        );
        check(
            "KEYS__MASTER",
            "00",
            Err("the setting keys.master is a key of 64 hexadecimal digits"),
        );
        check(
            "KEYS__MASTER_COMMAND",
            "false",
            Err("the setting keys.master_command failed: false: exit status: 1"),
        );
        check(
            "KEYS__MASTER_COMMAND",
            "echo",
            Err("the setting keys.master_command did not print a key of 64 hexadecimal digits"),
        );
        check("KEYS__MASTER_COMMAND", &format!("echo,{}", "7f".repeat(32)), Ok(()));
        check(
            "HTTP__CONNECTIONS_MAX",
            "0",
            Err("the setting http.connections_max is at least 1; given: 0"),
        );
        check(
            "LIMITS__EVENT_BYTES_MAX",
            "262145",
            Err("the setting limits.event_bytes_max is at most 262144; given: 262145"),
        );
        check("STORE__PARTITIONS", "64", Ok(()));
        check(
            "STORE__PARTITIONS",
            "0",
            Err("the setting store.partitions is at least 1; given: 0"),
        );
        check(
            "STORE__PARTITIONS",
            "65",
            Err("the setting store.partitions is at most 64; given: 65"),
        );
        check(
            "STORE__UNSEALED_BYTES_MAX",
            "5",
            Err("the setting store.unsealed_bytes_max is at least 83886080; given: 5"),
        );
        check(
            "LOG__LEVEL",
            "loud",
            Err("the setting log.level is error, warn, info, debug or trace; given: \"loud\""),
        );
        check(
            "ENVIRONMENTS",
            "Prod",
            Err(
                "the setting environments \"Prod\": an environment is named by 1 to 32 of a-z, 0-9 and \"-\", starting with a letter",
            ),
        );
        check(
            "HTTP__CONNECTIONS_MAX",
            "-1",
            Err("the configuration is not valid: invalid value: integer `-1`, expected usize"),
        );
    }

    // seeds: FO-16
    #[test]
    fn form_ios_switch_is_understood() {
        let read = |text: &str| {
            let variables = [("NOAUDITLOG".to_owned(), text.to_owned())];
            Settings::read(None, variables.into_iter()).map(|settings| settings.service.audit_off)
        };
        assert!(read("true").unwrap());
        assert!(!read("false").unwrap());
        assert!(read("perhaps").is_err());
        assert!(!Settings::read(None, std::iter::empty()).unwrap().service.audit_off);
    }
}
