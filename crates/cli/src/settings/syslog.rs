//! The syslog listeners' part of the settings.

use std::path::PathBuf;

use attestary_api::{
    Cidr, SyslogListener, SyslogSender, SyslogSettings, SyslogTls, SyslogTransport,
};
use attestary_event::{EnvironmentId, TenantId, Violation};
use attestary_service::{SyslogContent, SyslogRoute};
use serde::Deserialize;

use super::{SyslogTable, at_least, given, seconds, wrong};
use crate::exit::Failure;

const LISTEN: &str = "syslog.listen";

/// One listener, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenTable {
    address: String,
    transport: String,
    #[serde(default)]
    tls_certificate_file: PathBuf,
    #[serde(default)]
    tls_key_file: PathBuf,
    #[serde(default)]
    tls_client_ca_file: PathBuf,
    environment: Option<String>,
    tenant: Option<String>,
    take: Option<Vec<String>>,
    #[serde(default)]
    senders: Vec<SenderTable>,
}

/// Some senders, as they are written; what is missing is the listener's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderTable {
    network: String,
    environment: Option<String>,
    tenant: String,
    take: Option<Vec<String>>,
}

/// Checks the part.
pub(super) fn settings(
    table: &SyslogTable,
    environments: &[String],
) -> Result<SyslogSettings, Failure> {
    let listeners = table.listen.iter().map(|listen| listener(listen, environments));
    Ok(SyslogSettings {
        listeners: listeners.collect::<Result<_, _>>()?,
        message_bytes_max: at_least("syslog.message_bytes_max", table.message_bytes_max, 480)?,
        connections_max: at_least("syslog.connections_max", table.connections_max, 1)?,
        connections_per_address_max: at_least(
            "syslog.connections_per_address_max",
            table.connections_per_address_max,
            1,
        )?,
        idle_time_max: seconds("syslog.idle_seconds_max", table.idle_seconds_max)?,
    })
}

fn listener(table: &ListenTable, environments: &[String]) -> Result<SyslogListener, Failure> {
    let ListenTable { address, environment, tenant, take, .. } = table;
    let at = |detail: &str| wrong(LISTEN, format!("{address}: {detail}"));
    let only = match environments {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let default = environment.as_deref().or(only);
    let route = |environment: Option<&str>, tenant: &str, own: Option<&[String]>| {
        let environment = environment
            .or(default)
            .ok_or_else(|| at("names no \"environment\", and there are several"))?;
        if !environments.iter().any(|known| known == environment) {
            return Err(at(&format!("\"environments\" does not list {environment:?}")));
        }
        let named = |what: &str, violation: Violation| {
            at(&format!("{what} is not valid: {}", violation.detail))
        };
        Ok(SyslogRoute {
            environment: EnvironmentId::parse(environment)
                .map_err(|violation| named("environment", violation))?,
            tenant: TenantId::parse(tenant).map_err(|violation| named("tenant", violation))?,
            take: contents(own.or(take.as_deref())).map_err(|detail| at(&detail))?,
        })
    };
    let mut senders = Vec::with_capacity(table.senders.len() + 1);
    for sender in &table.senders {
        let network = Cidr::parse(&sender.network).ok_or_else(|| {
            at(&format!(
                "{:?} is neither an address nor a range such as 10.0.0.0/8",
                sender.network
            ))
        })?;
        let route = route(sender.environment.as_deref(), &sender.tenant, sender.take.as_deref())?;
        senders.push(SyslogSender { network: Some(network), route });
    }
    if let Some(tenant) = tenant {
        senders.push(SyslogSender { network: None, route: route(None, tenant, None)? });
    }
    if senders.is_empty() {
        return Err(at("names neither \"tenant\" nor \"senders\""));
    }
    let transport = transport(table).map_err(|detail| at(&detail))?;
    Ok(SyslogListener { address: address.clone(), transport, senders })
}

fn transport(table: &ListenTable) -> Result<SyslogTransport, String> {
    let (certificate, key) = (given(&table.tls_certificate_file), given(&table.tls_key_file));
    let client_ca = given(&table.tls_client_ca_file);
    match (table.transport.as_str(), certificate, key) {
        ("tls", Some(certificate), Some(key)) => {
            Ok(SyslogTransport::Tls(SyslogTls { certificate, key, client_ca }))
        }
        ("tls", ..) => Err("needs \"tls_certificate_file\" and \"tls_key_file\"".into()),
        ("tcp" | "udp", Some(_), _) | ("tcp" | "udp", _, Some(_)) => {
            Err("has certificate or key, which only the transport tls uses".into())
        }
        ("tcp" | "udp", ..) if client_ca.is_some() => {
            Err("has \"tls_client_ca_file\", which only the transport tls uses".into())
        }
        ("tcp", ..) => Ok(SyslogTransport::Tcp),
        ("udp", ..) => Ok(SyslogTransport::Udp),
        (other, ..) => Err(format!("transport is tcp, tls or udp; given: {other:?}")),
    }
}

/// Plain messages are telemetry more often than audit events, so they are taken only where that is said.
fn contents(names: Option<&[String]>) -> Result<Vec<SyslogContent>, String> {
    let Some(names) = names else { return Ok(vec![SyslogContent::Cef, SyslogContent::Formio]) };
    if names.is_empty() {
        return Err("take is empty, so nothing would be taken".into());
    }
    let content = |name: &String| {
        SyslogContent::parse(name)
            .ok_or_else(|| format!("take lists cef, formio and message; given: {name:?}"))
    };
    names.iter().map(content).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, expected: Result<(usize, usize), &str>) {
        let table: ListenTable = toml::from_str(listen).unwrap();
        let listener = listener(&table, &["production".into(), "staging".into()]);
        let seen =
            listener.map(|listener| (listener.senders.len(), listener.senders[0].route.take.len()));
        assert_eq!(
            seen.map_err(|failure| failure.to_string()),
            expected.map_err(|detail| { format!("the setting syslog.listen a:1: {detail}") })
        );
    }

    #[test]
    fn listeners_are_checked_by_name() {
        let start = "address = \"a:1\"\ntransport = \"tcp\"\nenvironment = \"production\"\n";
        check(&format!("{start}tenant = \"acme\""), Ok((1, 2)));
        check(
            &format!(
                "{start}tenant = \"acme\"\nsenders = [{{ network = \"::1\", tenant = \"b\", take = [\"message\"] }}]"
            ),
            Ok((2, 1)),
        );
        check(start, Err("names neither \"tenant\" nor \"senders\""));
        check(
            "address = \"a:1\"\ntransport = \"tcp\"\ntenant = \"acme\"",
            Err("names no \"environment\", and there are several"),
        );
        check(
            "address = \"a:1\"\ntransport = \"tcp\"\ntenant = \"acme\"\nenvironment = \"test\"",
            Err("\"environments\" does not list \"test\""),
        );
        check(
            "address = \"a:1\"\ntransport = \"tls\"\ntenant = \"acme\"\nenvironment = \"staging\"",
            Err("needs \"tls_certificate_file\" and \"tls_key_file\""),
        );
        check(
            &format!("{start}tenant = \"acme\"\ntake = [\"cf\"]"),
            Err("take lists cef, formio and message; given: \"cf\""),
        );
        check(
            &format!("{start}senders = [{{ network = \"ten\", tenant = \"b\" }}]"),
            Err("\"ten\" is neither an address nor a range such as 10.0.0.0/8"),
        );
    }
}
