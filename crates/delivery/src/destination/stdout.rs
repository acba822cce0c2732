//! The service's standard output, one line an event: for whoever ships the output of containers.

use serde::{Deserialize, Serialize};

/// Configuration: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {}
