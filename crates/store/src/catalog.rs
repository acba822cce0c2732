//! The catalog: a small SQLite database of everything that is not an event.
