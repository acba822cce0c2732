//! The member table of the event: the one source of its reference page, its JSON Schema and its validation.
