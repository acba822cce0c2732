//! The layout that Amazon Security Lake reads from a custom source: OCSF in Parquet, one class and one day an object.
//!
//! `ext/<source>/region=…/accountId=…/eventDay=YYYYMMDD/…parquet`
//! <https://docs.aws.amazon.com/security-lake/latest/userguide/adding-custom-sources.html>. A source has one class, so a
//! destination sends the events of one class and passes the others. Rows are sorted by time. The day is that of receipt: an
//! object is never written for two days.

use attestary_event::{Timestamp, View, actions::KnownActions};
use attestary_formats::{Format, ocsf};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::destination::Members;

/// Where objects lie in Security Lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lake {
    /// Name of the custom source, as it was made in Security Lake.
    pub source: String,
    /// Amazon's account that the events are about.
    pub account_id: String,
    /// The class of OCSF that the source takes.
    pub class_uid: u32,
    /// Region of the bucket.
    #[serde(default)]
    pub region: String,
}

impl Lake {
    /// Reads the member `security_lake`.
    pub(crate) fn read(members: &mut Members<'_>, region: &str) -> Option<Self> {
        const MEMBER: &str = "security_lake";
        let given = members.take(MEMBER).filter(|given| **given != Value::Null)?;
        let lake = match Self::deserialize(given) {
            Ok(lake) => lake,
            Err(error) => {
                members.refuse(MEMBER, format!("is source, account_id and class_uid: {error}"));
                return None;
            }
        };
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if lake.source.is_empty() || lake.source.len() > 20 || !lake.source.bytes().all(name) {
            members.refuse(MEMBER, "source must have 1 to 20 letters, digits, - _ and .");
        }
        if lake.account_id.len() != 12 || !lake.account_id.bytes().all(|b| b.is_ascii_digit()) {
            members.refuse(MEMBER, "account_id must have 12 digits");
        }
        Some(Self { region: region.to_owned(), ..lake })
    }

    /// Returns what the format must be, when it is something else.
    pub(crate) fn refuses(&self, format: &Format) -> Option<&'static str> {
        let fits = matches!(format, Format::Ocsf(options) if options.schema == ocsf::Schema::V1_1);
        (!fits).then_some("must be ocsf with schema 1.1.0 for Security Lake")
    }

    /// Returns true when the source takes the event.
    pub(crate) fn takes(&self, view: &View<'_>, actions: &KnownActions) -> bool {
        ocsf::class_uid(view, actions, ocsf::Schema::V1_1) == self.class_uid
    }

    /// Returns the directory of a batch, without the prefix.
    pub(super) fn directory(&self, received: Timestamp) -> String {
        let received = received.to_string();
        let day = received[..10].replace('-', "");
        let (source, region, account) = (&self.source, &self.region, &self.account_id);
        format!("ext/{source}/region={region}/accountId={account}/eventDay={day}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_that_of_the_documentation() {
        let lake = Lake {
            source: "attestary".into(),
            account_id: "123456789012".into(),
            class_uid: 3002,
            region: "eu-central-1".into(),
        };
        let at = Timestamp::parse("2026-11-22T23:59:59.999Z").unwrap();
        assert_eq!(
            lake.directory(at),
            "ext/attestary/region=eu-central-1/accountId=123456789012/eventDay=20261122/"
        );
    }
}
