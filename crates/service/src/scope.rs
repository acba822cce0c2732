//! What a key may do. Scopes are separate rights: none implies another.

use std::fmt;

/// One right of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Submit events.
    Ingest = 1,
    /// Search and read events.
    Read = 2,
    /// Make exports.
    Export = 4,
    /// Manage destinations.
    Destinations = 8,
    /// Mint portal sessions.
    Portal = 16,
    /// Manage tenants and keys of the environment.
    Admin = 32,
    /// Manage the installation: environments, and keys of any environment.
    Operator = 64,
}

impl Scope {
    /// Every scope, in the order of their documentation.
    pub const ALL: [Self; 7] = [
        Self::Ingest,
        Self::Read,
        Self::Export,
        Self::Destinations,
        Self::Portal,
        Self::Admin,
        Self::Operator,
    ];

    /// Returns the name used in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Export => "export",
            Self::Destinations => "destinations",
            Self::Portal => "portal",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Returns true when `scope` is in the set.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// Returns the scopes in order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_implies_another() {
        for held in Scope::ALL {
            let scopes: Scopes = [held].into_iter().collect();
            for asked in Scope::ALL {
                assert_eq!(scopes.has(asked), held == asked, "{held:?} against {asked:?}");
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
        }
        assert_eq!(Scope::parse("root"), None);
    }
}
