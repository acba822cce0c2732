//! One OpenID provider: its document and keys, kept for a while; sign-ins begun and finished.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use openidconnect::{
    AccessToken, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse as _,
    UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
        CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use tokio::sync::Mutex;

use crate::{
    Begun, Error, Identity, Settings,
    claims::Extra,
    fetch,
    pending::{Pending, Waiting},
};

/// How long the provider's document and keys are believed without looking again.
const KEPT_FOR: Duration = Duration::from_mins(10);

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Token =
    IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An OpenID provider.
pub struct Provider {
    settings: Settings,
    http: reqwest::Client,
    /// The client made from the provider's document, and when that was read. Locked while it is read: one at a time.
    client: Mutex<Option<(Instant, Arc<Client>)>>,
    waiting: Waiting,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provider").field(&self.settings).finish()
    }
}

impl Provider {
    /// Returns the provider; it is asked nothing before the first sign-in.
    ///
    /// # Errors
    /// [`Error::Provider`] when the certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = fetch::client(&settings)?;
        Ok(Self { settings, http, client: Mutex::default(), waiting: Waiting::default() })
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`Error::Provider`], [`Error::Busy`].
    pub async fn begin(&self) -> Result<Begun, Error> {
        let client = self.client(KEPT_FOR).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let state = state.into_secret();
        if !self.waiting.put(&state, Pending { nonce, verifier }) {
            return Err(Error::Busy);
        }
        Ok(Begun { url, state })
    }

    /// Finishes a sign-in: `state` is what the browser brought back, `code` what the provider gave it.
    ///
    /// # Errors
    /// All of [`Error`] but [`Error::Busy`]. A sign-in that failed is begun anew.
    pub async fn finish(&self, state: &str, code: &str) -> Result<Identity, Error> {
        let Pending { nonce, verifier } = self.waiting.take(state).ok_or(Error::Unknown)?;
        let client = self.client(KEPT_FOR).await?;
        let http = self.http.clone();
        let exchange = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Error::Provider(error.to_string()))?
            .set_pkce_verifier(verifier);
        let send = |request| fetch::send(http.clone(), request);
        let answer = exchange.request_async(&send).await;
        let answer = answer.map_err(|error| Error::Refused(shown(&error)))?;
        let token = answer.id_token();
        let token = token.ok_or_else(|| Error::Token("there is none in the answer".into()))?;
        let identity = match self.identity(&client, token, &nonce) {
            // The provider may have begun to sign with a new key since its keys were read.
            Err(Error::Token(_)) => {
                let client = self.client(Duration::ZERO).await?;
                self.identity(&client, token, &nonce)
            }
            checked => checked,
        }?;
        if !identity.groups.is_empty() {
            return Ok(identity);
        }
        self.ask_more(&client, answer.access_token(), identity).await
    }

    /// Asks for the claims that some providers keep out of their tokens (OpenID Connect Core 1.0, 5.3). The answer comes
    /// from the provider itself over a connection that we opened, and must be about the same subject.
    async fn ask_more(
        &self,
        client: &Client,
        token: &AccessToken,
        identity: Identity,
    ) -> Result<Identity, Error> {
        let subject = SubjectIdentifier::new(identity.subject.clone());
        // A provider without such an endpoint has said everything.
        let Ok(request) = client.user_info(token.clone(), Some(subject)) else {
            return Ok(identity);
        };
        let http = self.http.clone();
        let send = |request| fetch::send(http.clone(), request);
        let answer: Result<UserInfoClaims<Extra, CoreGenderClaim>, _> =
            request.request_async(&send).await;
        let claims = answer.map_err(|error| Error::Provider(shown(&error)))?;
        let verified = claims.email_verified() != Some(false);
        let email = claims.email().filter(|_| verified).map(|email| email.to_string());
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        Ok(Identity {
            groups: claims.additional_claims().groups(&self.settings.groups_claim),
            name: identity.name.or(name),
            email: identity.email.or(email),
            ..identity
        })
    }

    fn identity(&self, client: &Client, token: &Token, nonce: &Nonce) -> Result<Identity, Error> {
        let verifier = client.id_token_verifier();
        let claims = token.claims(&verifier, nonce).map_err(|error| Error::Token(shown(&error)))?;
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        let verified = claims.email_verified() != Some(false);
        Ok(Identity {
            subject: claims.subject().to_string(),
            name: name.or_else(|| claims.preferred_username().map(|name| name.to_string())),
            email: claims.email().filter(|_| verified).map(|email| email.to_string()),
            groups: claims.additional_claims().groups(&self.settings.groups_claim),
        })
    }

    /// Returns a client from the provider's document, read anew when it is older than `age_max`.
    async fn client(&self, age_max: Duration) -> Result<Arc<Client>, Error> {
        let mut kept = self.client.lock().await;
        if let Some((read, client)) = &*kept
            && read.elapsed() < age_max
        {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.discover().await?);
        *kept = Some((Instant::now(), Arc::clone(&client)));
        Ok(client)
    }

    async fn discover(&self) -> Result<Client, Error> {
        let settings = &self.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone());
        let issuer = issuer.map_err(|error| Error::Provider(error.to_string()))?;
        let http = self.http.clone();
        let send = |request| fetch::send(http.clone(), request);
        let document = match CoreProviderMetadata::discover_async(issuer, &send).await {
            Ok(document) => document,
            Err(error) => return Err(Error::Provider(shown(&error))),
        };
        let secret = settings.client_secret.as_ref();
        let client = Client::from_provider_metadata(
            document,
            ClientId::new(settings.client_id.clone()),
            secret.map(|secret| ClientSecret::new(String::clone(secret))),
        );
        Ok(client.set_redirect_uri(RedirectUrl::from_url(settings.redirect.clone())))
    }
}

/// An error with its causes, in one line.
fn shown(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
