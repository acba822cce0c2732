//! Families of known actions, each with the filter that selects it: a click instead of a list to type.

use super::running::{FAMILIES, known_actions};
use crate::{Caller, ReadError, Scope, Service};

/// A family of known actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFamily {
    /// Name of the family.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// The actions, by name.
    pub actions: Vec<String>,
    /// Text in the filter language that selects exactly these.
    pub filter: String,
}

/// Families besides those of the known actions: for whoever wants to be told about deliveries.
const DELIVERY: (&str, &str, [&str; 2]) = (
    "delivery",
    "Gaps and states of destinations",
    ["attestary.gap", "attestary.destination.changed"],
);

fn title(id: &str) -> &'static str {
    match id {
        "attestary" => "Administration and reads of this service",
        "saas" => "Common actions of applications",
        "ironcore" => "IronCore security events",
        "formio" => "Form.io audit",
        "easysend" => "EasySend digital processes",
        _ => "Other",
    }
}

/// Returns all families.
fn all() -> Vec<EventFamily> {
    let all = known_actions();
    let known = FAMILIES.iter().map(|(id, _)| {
        let of_family = all.iter().filter(|spec| spec.family == *id);
        let actions: Vec<String> = of_family.map(|spec| spec.name.clone()).collect();
        EventFamily { id, title: title(id), filter: filter(&actions), actions }
    });
    let (id, title, actions) = DELIVERY;
    let actions: Vec<String> = actions.iter().map(|name| (*name).to_owned()).collect();
    let delivery = EventFamily { id, title, filter: filter(&actions), actions };
    known.chain(std::iter::once(delivery)).collect()
}

fn filter(actions: &[String]) -> String {
    actions.iter().map(|name| format!("action:{name}")).collect::<Vec<_>>().join(" OR ")
}

impl Service {
    /// Lists the families of known actions.
    pub fn event_families(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<Vec<EventFamily>, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.families")?;
        self.visible(caller, tenant)?;
        Ok(all())
    }
}

#[cfg(test)]
mod tests {
    use attestary_event::filter::Filter;

    use super::*;

    #[test]
    fn every_family_s_filter_is_one_that_a_destination_takes() {
        let families = all();
        assert_eq!(families.len(), 6);
        for family in families {
            assert!(!family.actions.is_empty() && family.title != "Other", "{}", family.id);
            let parsed = Filter::parse(&family.filter);
            assert!(parsed.is_ok(), "{}: {:?}", family.id, parsed.err());
        }
    }
}
