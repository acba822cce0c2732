//! Queries over unsealed and sealed events.
