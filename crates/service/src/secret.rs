//! Text that must never be shown: no `Debug`, no `Display`, no serialisation, and the memory is overwritten on drop.
//!
//! The only way to the text is [`Secret::reveal`], so every place that hands a secret out can be found by name.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text, such as an API key or a signing secret.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text; call it only where the secret is meant to leave.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_hold_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(hidden)");
    }
}
