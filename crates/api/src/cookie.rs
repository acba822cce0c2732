//! The console's session cookie, and what a request with it must show.
//!
//! The cookie is HttpOnly and SameSite=Strict, and never enough by itself: a request that relies on it also carries a
//! header that no foreign page can send without a preflight, which is never granted, and browsers must not call the
//! request cross-site. Over HTTPS the cookie has the `__Host-` prefix, so that no other host or path can set it.

use http::{HeaderMap, HeaderValue, header};

use crate::problem::{FORBIDDEN_ORIGIN, Problem};

/// Set by the console on each of its requests.
pub(crate) const CONSOLE_HEADER: &str = "attestary-console";
const PLAIN: &str = "attestary-session";
const SECURE: &str = "__Host-attestary-session";

const STATE_PLAIN: &str = "attestary-sign-in";
const STATE_SECURE: &str = "__Host-attestary-sign-in";

/// Whether the request came over HTTPS, as far as this server or a trusted proxy tells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Https(pub(crate) bool);

/// Returns the session token that the console's cookie holds; `None` without one.
///
/// # Errors
/// When the request has the cookie but does not show that the console sent it.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(token) = find(headers, [SECURE, PLAIN]) else { return Ok(None) };
    of_the_console(headers)?;
    Ok(Some(token))
}

/// Returns the state of the sign-in that this browser began.
pub(crate) fn state(headers: &HeaderMap) -> Option<&str> {
    find(headers, [STATE_SECURE, STATE_PLAIN])
}

fn find<'a>(headers: &'a HeaderMap, names: [&str; 2]) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| names.contains(name)).map(|(_, value)| value)
}

/// Refuses a request that a page of another origin may have caused.
pub(crate) fn of_the_console(headers: &HeaderMap) -> Result<(), Problem> {
    let same_origin =
        headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    if same_origin && headers.contains_key(CONSOLE_HEADER) {
        return Ok(());
    }
    let detail = format!(
        "a request with the session cookie must come from the console itself and carry the header {CONSOLE_HEADER}"
    );
    Err(Problem::new(&FORBIDDEN_ORIGIN, detail))
}

/// Returns the header that gives a browser its session.
pub(crate) fn set(token: &str, seconds: u64, https: Https) -> HeaderValue {
    let text = format!("{}; Max-Age={seconds}", attributes(token, https));
    HeaderValue::from_str(&text).expect("tokens are letters and digits")
}

/// Returns the header that takes it away.
pub(crate) fn clear(https: Https) -> HeaderValue {
    HeaderValue::from_str(&format!("{}; Max-Age=0", attributes("", https))).expect("plain ASCII")
}

/// Returns the header that binds a sign-in to this browser. Lax: the provider's page leads back here.
pub(crate) fn set_state(state: &str, seconds: u64, https: Https) -> HeaderValue {
    let text = format!("{}; Max-Age={seconds}", state_attributes(state, https));
    HeaderValue::from_str(&text).expect("a state is made of URL-safe characters")
}

/// Returns the header that takes it away.
pub(crate) fn clear_state(https: Https) -> HeaderValue {
    let text = format!("{}; Max-Age=0", state_attributes("", https));
    HeaderValue::from_str(&text).expect("plain ASCII")
}

fn state_attributes(state: &str, Https(https): Https) -> String {
    let (name, secure) = if https { (STATE_SECURE, "; Secure") } else { (STATE_PLAIN, "") };
    format!("{name}={state}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

fn attributes(token: &str, Https(https): Https) -> String {
    let (name, secure) = if https { (SECURE, "; Secure") } else { (PLAIN, "") };
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
}
