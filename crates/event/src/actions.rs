//! Known actions: data files, one per family, that give an action its category, severity, outcome, sentence and mappings.
//!
//! Any string is a valid action and is kept verbatim. A known one is found by its canonical name (dotted lower
//! case) or by one of the names that other systems gave it; where neither fits, a prefix rule of a family may
//! (`CUSTOM_…`). The files under `actions/` are compiled in; they are read once, on first use.

mod page;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::Deserialize;

pub use page::reference_page;

/// The compiled-in families and their files.
const FAMILIES: [(&str, &str); 5] = [
    ("attestary", include_str!("../actions/attestary.toml")),
    ("saas", include_str!("../actions/saas.toml")),
    ("ironcore", include_str!("../actions/ironcore.toml")),
    ("formio", include_str!("../actions/formio.toml")),
    ("easysend", include_str!("../actions/easysend.toml")),
];

/// What is known about one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSpec {
    /// Canonical name: dotted lower case.
    pub name: String,
    /// The file that defines it.
    pub family: String,
    /// Group of actions, such as `authentication`.
    pub category: String,
    /// Other names for the same action, each with the family that calls it so.
    pub aliases: Vec<Alias>,
    /// 0–10.
    pub severity: u8,
    /// The outcome of an event that does not state one.
    pub outcome: Outcome,
    /// Template for people; `{actor}` and `{target}` stand for their names.
    pub sentence: String,
    /// Name without event-specific values; also the CEF name.
    pub display: String,
    /// ECS `event.category` values; empty: leave both out.
    pub ecs_category: Vec<String>,
    /// ECS `event.type` values.
    pub ecs_type: Vec<String>,
    /// OCSF class, 0 when no class fits.
    pub ocsf_class_uid: u32,
    /// OCSF activity within the class, 99 when no class fits.
    pub ocsf_activity_id: u8,
}

/// Another name for a known action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name, compared byte for byte.
    pub name: String,
    /// The family that calls the action so.
    pub family: String,
    /// Coined for this service because the foreign system does not publish its own name.
    pub coined: bool,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It went wrong.
    Failure,
    /// It was refused by policy.
    Denied,
    /// The event does not say.
    Unknown,
}

impl Outcome {
    /// Returns the text that stands in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

/// Category of an action that is not known.
pub const CATEGORY_DEFAULT: &str = "other";

/// Severity of an action that is not known: the upper end of "low".
pub const SEVERITY_DEFAULT: u8 = 3;

/// Why a family file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActionsError {
    /// Not TOML, or not this shape.
    #[error("family {family} does not parse")]
    Parse {
        /// The family.
        family: String,
        /// What the parser says.
        source: Box<toml::de::Error>,
    },
    /// Two actions, aliases or prefixes share a name.
    #[error("the name {name:?} of family {family} is taken")]
    Taken {
        /// The family that comes second.
        family: String,
        /// The name.
        name: String,
    },
    /// An alias names an action that no family defines.
    #[error("alias {alias:?} of family {family} names the unknown action {of:?}")]
    Dangling {
        /// The family.
        family: String,
        /// The alias.
        alias: String,
        /// What it names.
        of: String,
    },
}

/// All known actions, by every name.
#[derive(Debug, Default)]
pub struct KnownActions {
    specs: Vec<ActionSpec>,
    /// Canonical names and aliases.
    names: HashMap<String, usize>,
    /// Longest first, so that the most specific rule wins.
    prefixes: Vec<(String, usize)>,
}

impl KnownActions {
    /// Returns the compiled-in actions.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<KnownActions> = LazyLock::new(|| {
            KnownActions::from_families(&FAMILIES).expect("a test reads the compiled-in files")
        });
        &BUILTIN
    }

    /// Reads families, each given as its name and its TOML text.
    pub fn from_families(families: &[(&str, &str)]) -> Result<Self, ActionsError> {
        let mut known = Self::default();
        let mut files = Vec::with_capacity(families.len());
        for (family, text) in families {
            let file: File = toml::from_str(text).map_err(|source| ActionsError::Parse {
                family: (*family).to_owned(),
                source: Box::new(source),
            })?;
            files.push((*family, file));
        }
        // Aliases may point into any family, so every action comes before the first alias.
        for (family, file) in &mut files {
            for row in file.action.drain(..) {
                known.add(family, row)?;
            }
        }
        for (family, file) in files {
            known.add_names(family, file)?;
        }
        known.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(known)
    }

    /// Returns what is known about `action`: by canonical name, by alias, else by the longest prefix rule.
    pub fn find(&self, action: &str) -> Option<&ActionSpec> {
        let by_prefix = || {
            self.prefixes
                .iter()
                .find(|(prefix, _)| action.starts_with(prefix.as_str()))
                .map(|(_, at)| at)
        };
        self.names.get(action).or_else(by_prefix).map(|&at| &self.specs[at])
    }

    /// Returns every action, in the order of the files.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ActionSpec> {
        self.specs.iter()
    }

    /// Returns the prefix rules, longest first.
    pub fn prefixes(&self) -> impl ExactSizeIterator<Item = (&str, &ActionSpec)> {
        self.prefixes.iter().map(|(prefix, at)| (prefix.as_str(), &self.specs[*at]))
    }

    fn add(&mut self, family: &str, row: ActionRow) -> Result<(), ActionsError> {
        self.claim(family, &row.name, self.specs.len())?;
        self.specs.push(ActionSpec {
            name: row.name,
            family: family.to_owned(),
            category: row.category,
            aliases: Vec::new(),
            severity: row.severity,
            outcome: row.outcome,
            sentence: row.sentence,
            display: row.display,
            ecs_category: row.ecs.category,
            ecs_type: row.ecs.r#type,
            ocsf_class_uid: row.ocsf.class_uid,
            ocsf_activity_id: row.ocsf.activity_id,
        });
        Ok(())
    }

    fn add_names(&mut self, family: &str, file: File) -> Result<(), ActionsError> {
        for alias in file.alias {
            let at = self.resolve(family, &alias.name, &alias.of)?;
            self.claim(family, &alias.name, at)?;
            self.specs[at].aliases.push(Alias {
                name: alias.name,
                family: family.to_owned(),
                coined: alias.coined,
            });
        }
        for rule in file.prefix {
            let at = self.resolve(family, &rule.prefix, &rule.of)?;
            if self.prefixes.iter().any(|(prefix, _)| *prefix == rule.prefix) {
                return Err(ActionsError::Taken { family: family.to_owned(), name: rule.prefix });
            }
            self.prefixes.push((rule.prefix, at));
        }
        Ok(())
    }

    fn resolve(&self, family: &str, alias: &str, of: &str) -> Result<usize, ActionsError> {
        self.specs.iter().position(|spec| spec.name == of).ok_or_else(|| ActionsError::Dangling {
            family: family.to_owned(),
            alias: alias.to_owned(),
            of: of.to_owned(),
        })
    }

    fn claim(&mut self, family: &str, name: &str, at: usize) -> Result<(), ActionsError> {
        match self.names.insert(name.to_owned(), at) {
            None => Ok(()),
            Some(_) => {
                Err(ActionsError::Taken { family: family.to_owned(), name: name.to_owned() })
            }
        }
    }
}

/// A family file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    action: Vec<ActionRow>,
    #[serde(default)]
    alias: Vec<AliasRow>,
    #[serde(default)]
    prefix: Vec<PrefixRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRow {
    name: String,
    category: String,
    severity: u8,
    outcome: Outcome,
    display: String,
    sentence: String,
    #[serde(default)]
    ecs: EcsRow,
    #[serde(default)]
    ocsf: OcsfRow,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EcsRow {
    category: Vec<String>,
    r#type: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OcsfRow {
    class_uid: u32,
    activity_id: u8,
}

impl Default for OcsfRow {
    /// Base event, other activity: what OCSF has for everything without a class.
    fn default() -> Self {
        Self { class_uid: 0, activity_id: 99 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasRow {
    name: String,
    of: String,
    #[serde(default)]
    coined: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrefixRow {
    prefix: String,
    of: String,
}
