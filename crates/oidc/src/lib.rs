//! Sign-in by an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
//! RFC 7636; RFC 9700).
//!
//! [`Provider::begin`] gives the address that a browser is sent to, [`Provider::finish`] turns what comes back into an
//! [`Identity`] whose token was checked: signature by a key of the provider, issuer, audience, expiry, nonce. What the
//! identity may do is not decided here.

mod claims;
mod fetch;
mod pending;
mod provider;

use url::Url;
use zeroize::Zeroizing;

pub use provider::Provider;

/// What a provider needs to know.
#[derive(Clone)]
pub struct Settings {
    /// The issuer exactly as in its tokens; its document lies at `<issuer>/.well-known/openid-configuration`.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// Our secret at the provider; `None` for a public client, which PKCE protects alone.
    pub client_secret: Option<Zeroizing<String>>,
    /// Where the provider sends browsers back to.
    pub redirect: Url,
    /// Asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds a person's groups: a text, or an array of texts. Dots lead into objects.
    pub groups_claim: String,
    /// Certificates (PEM) that are trusted for the provider, instead of the machine's.
    pub certificates: Option<Vec<u8>>,
}

/// Secrets never show.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Where a browser is sent, and what it must bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The provider's page, with our question.
    pub url: Url,
    /// Bound to the browser by a cookie: a sign-in that another browser began ends here (RFC 9700, 4.7).
    pub state: String,
}

/// Who signed in, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The person's identity at the provider; never given to another person.
    pub subject: String,
    /// For people.
    pub name: Option<String>,
    /// Address, if the provider does not call it unverified.
    pub email: Option<String>,
    /// Texts of the groups claim.
    pub groups: Vec<String>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider cannot be reached or does not speak OpenID Connect.
    #[error("the OpenID provider does not answer as it should: {0}")]
    Provider(String),
    /// Too many sign-ins were begun and not finished.
    #[error("too many sign-ins are under way; try again in a few minutes")]
    Busy,
    /// The state is unknown, used or too old.
    #[error("this sign-in was not begun here, was finished already, or took too long")]
    Unknown,
    /// The provider refused the code.
    #[error("the OpenID provider refused the code: {0}")]
    Refused(String),
    /// The token is not valid.
    #[error("the OpenID provider's token is not valid: {0}")]
    Token(String),
}
