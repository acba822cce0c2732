//! The fixtures shared with other implementations, and properties.
