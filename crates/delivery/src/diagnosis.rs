//! What stands between a destination and its receiver, in words for the tenant: which step failed, and what to do.
//!
//! A pure function of the verdict and the status. The steps are those of an exchange in their order, so "tls" means
//! that name and connection were fine.

use serde::{Deserialize, Serialize};

use crate::{
    health::Cause,
    verdict::{Partial, Verdict},
};

/// A step of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Everything worked.
    Ok,
    /// The name has no address.
    Name,
    /// The address may not be reached from here.
    Address,
    /// No connection, or it broke.
    Connection,
    /// The certificate or the encryption.
    Tls,
    /// The credentials, or those for the token.
    Credentials,
    /// The path, the index, the rule: what the URL and the names point at.
    Endpoint,
    /// The receiver does not take the event in this form.
    Format,
    /// The receiver takes less at once.
    Size,
    /// The receiver cannot take events now.
    Capacity,
    /// This service: a file, its log, a setting.
    Here,
}

/// Which step failed and what a person can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The step.
    pub stage: Stage,
    /// One sentence: what to do next; empty when nothing is to be done.
    pub hint: String,
}

/// Diagnoses one attempt.
pub fn diagnose(verdict: &Verdict, status: Option<u16>) -> Diagnosis {
    let stage = stage(verdict, status);
    Diagnosis { stage, hint: hint(stage, verdict).to_owned() }
}

fn stage(verdict: &Verdict, status: Option<u16>) -> Stage {
    let Some(reason) = verdict.reason() else { return Stage::Ok };
    match reason.code {
        Cause::Resolve => Stage::Name,
        Cause::Blocked => Stage::Address,
        Cause::Certificate
        | Cause::CertificateExpired
        | Cause::CertificateName
        | Cause::CertificateUnknownAuthority
        | Cause::Tls => Stage::Tls,
        Cause::Credentials => Stage::Credentials,
        Cause::Throttled | Cause::Unavailable => Stage::Capacity,
        Cause::Connect | Cause::Broken | Cause::Timeout => Stage::Connection,
        Cause::Protocol | Cause::Gone => Stage::Endpoint,
        Cause::Refused | Cause::RefusesEverything => refused(verdict, status),
        _ => Stage::Here,
    }
}

fn refused(verdict: &Verdict, status: Option<u16>) -> Stage {
    match (verdict, status) {
        (Verdict::Reject { .. } | Verdict::Partial(Partial { .. }), _) => Stage::Format,
        (Verdict::Split { .. }, _) => Stage::Size,
        (_, Some(401 | 403 | 407)) => Stage::Credentials,
        _ => Stage::Endpoint,
    }
}

fn hint(stage: Stage, verdict: &Verdict) -> &'static str {
    let cause = verdict.reason().map(|reason| reason.code);
    match (stage, cause) {
        (Stage::Ok, _) => "",
        (Stage::Name, _) => {
            "Check the host name in the address; it has no entry in the DNS that this service asks."
        }
        (Stage::Address, _) => {
            "Only public addresses on the usual ports can be reached; the operator can allow others."
        }
        (Stage::Connection, Some(Cause::Timeout)) => {
            "Check that the receiver listens there, and that a firewall lets this service in."
        }
        (Stage::Connection, _) => "Check host and port, and that the receiver listens there.",
        (Stage::Tls, Some(Cause::CertificateExpired)) => "Renew the receiver's certificate.",
        (Stage::Tls, Some(Cause::CertificateName)) => {
            "Use the name that stands in the receiver's certificate."
        }
        (Stage::Tls, Some(Cause::CertificateUnknownAuthority)) => {
            "Give the certificate of the receiver's own authority as ca."
        }
        (Stage::Tls, _) => "Check that the receiver speaks TLS 1.2 or 1.3 on this port.",
        (Stage::Credentials, _) => {
            "Check the token or key, that it is not disabled or expired, and what it may do there."
        }
        (Stage::Endpoint, _) => {
            "Check the URL and the names in the configuration against the receiver's own."
        }
        (Stage::Format, _) => {
            "Check that format and destination fit, and what the receiver says about its fields."
        }
        (Stage::Size, _) => {
            "Raise the receiver's limit for one request, or choose a shorter format."
        }
        (Stage::Capacity, _) => {
            "Nothing is lost: it is tried again. If it lasts, look at the receiver."
        }
        (Stage::Here, _) => "Tell the operator of this service.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        health::Reason,
        verdict::{Failure, Response, judge_failure, judge_http},
    };

    #[test]
    fn every_step_has_its_name() {
        #[track_caller]
        fn status(status: u16, expected: Stage) {
            let verdict = judge_http(&Response { status, ..Response::default() });
            let found = diagnose(&verdict, Some(status));
            assert_eq!(found.stage, expected, "{status}");
            assert_eq!(found.hint.is_empty(), expected == Stage::Ok);
        }
        #[track_caller]
        fn failure(cause: Cause, expected: Stage) {
            let verdict = judge_failure(&Failure::new(cause, "x"));
            assert_eq!(diagnose(&verdict, None).stage, expected, "{cause:?}");
        }
        status(200, Stage::Ok);
        status(301, Stage::Endpoint);
        status(400, Stage::Format);
        status(401, Stage::Credentials);
        status(403, Stage::Credentials);
        status(404, Stage::Endpoint);
        status(410, Stage::Endpoint);
        status(413, Stage::Size);
        status(429, Stage::Capacity);
        status(503, Stage::Capacity);
        failure(Cause::Resolve, Stage::Name);
        failure(Cause::Blocked, Stage::Address);
        failure(Cause::Connect, Stage::Connection);
        failure(Cause::Timeout, Stage::Connection);
        failure(Cause::CertificateName, Stage::Tls);
        failure(Cause::Tls, Stage::Tls);
        failure(Cause::Credentials, Stage::Credentials);
        failure(Cause::Storage, Stage::Here);
        let everything = Reason::new(Cause::RefusesEverything, "x");
        assert_eq!(
            diagnose(&Verdict::Pause { reason: everything }, Some(400)).stage,
            Stage::Endpoint
        );
    }
}
