//! The origin of a web page: scheme, host and port, as browsers write it.

use std::fmt;

/// A web origin, such as `https://app.customer.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebOrigin(Box<str>);

/// Bytes of an origin; a host name has at most 253.
const BYTES_MAX: usize = 300;

impl WebOrigin {
    /// Reads an origin in the form in which browsers send it: lower case, without a path, without a default port.
    ///
    /// # Errors
    /// With one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "is a web origin as browsers send it, such as https://app.example.com: scheme, host in lower case, port if it \
             is not the default, no path"
                .to_owned()
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((_, after)) => (&rest[..rest.len() - after.len()], after.strip_prefix(':')),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let default = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return Err(wrong()),
        };
        let host_is_plain = !host.is_empty()
            && host.bytes().all(|b| {
                b.is_ascii_digit()
                    || b.is_ascii_lowercase()
                    || matches!(b, b'.' | b'-' | b'[' | b']' | b':')
            });
        let port_is_plain = port.is_none_or(|port| {
            port != default && port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
        });
        let whole = rest.len() == host.len() + port.map_or(0, |port| port.len() + 1);
        if host_is_plain && port_is_plain && whole && text.len() <= BYTES_MAX {
            Ok(Self(text.into()))
        } else {
            Err(wrong())
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_send_them() {
        for good in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://app.example.com:8443",
            "http://127.0.0.1:5173",
            "http://[::1]:5173",
            "https://[2001:db8::1]",
        ] {
            assert_eq!(WebOrigin::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "null",
            "*",
            "app.example.com",
            "https://",
            "https://App.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://app.example.com:070",
            "https://a b",
            "https://a;script-src *",
            "ftp://a",
            "https://*.example.com",
            "https://a:b",
            "https://a:",
            "https://[::1]x",
            "https://user@a",
        ] {
            assert!(WebOrigin::parse(bad).is_err(), "{bad}");
        }
    }
}
