//! From submitted bytes to an event ready for the log: validation, defaults, digest.
