//! Ids and times: what is accepted prints, and what is printed means the same.
#![no_main]

use attestary_event::{EnvironmentId, EventId, TenantId, Timestamp, filter::Path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }
    if let Some(time) = Timestamp::parse_zoneless(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }
    if let Some(id) = EventId::parse(text) {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(tenant) = TenantId::parse(text) {
        assert_eq!(tenant.as_str(), text);
        assert!(!tenant.is_system());
    }
    if let Ok(environment) = EnvironmentId::parse(text) {
        assert_eq!(environment.as_str(), text);
    }
    if let Ok(path) = Path::parse(text) {
        assert_eq!(Path::parse(&path.to_string()), Ok(path));
    }
});
