use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;
use crate::destination::contract::TEST_KEY;

fn account() -> ServiceAccount {
    let file =
        serde_json::json!({"client_email": "a@b", "private_key_id": "k1", "private_key": TEST_KEY});
    ServiceAccount::parse(&file.to_string()).unwrap()
}

#[test]
fn an_assertion_is_signed_and_lives_an_hour() {
    let account = account();
    let token = account.assertion("scope-x", Timestamp(1_700_000_000_999)).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public = account.key().unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.public().as_ref())
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iat"], 1_700_000_000);
    assert_eq!(claims["exp"], 1_700_003_600);
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&"https://oauth2.googleapis.com/token".into(), &"scope-x".into())
    );
}

#[test]
fn client_credentials_are_a_form() {
    let grant = Grant::ClientCredentials {
        url: Url::parse("https://login.example.com/t").unwrap(),
        client_id: "c&d".to_owned(),
        client_secret: Secret::new("s=1"),
        scope: "https://x/.default".to_owned(),
    };
    let request = grant.request().unwrap();
    assert_eq!(
        request.body,
        "grant_type=client_credentials&client_id=c%26d&client_secret=s%3D1&scope=https%3A%2F%2Fx%2F.default"
    );
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
}

#[track_caller]
fn check(status: u16, body: &str, expected: Result<(&str, u64), Cause>) {
    let response = Response { status, body: body.to_owned().into(), ..Response::default() };
    let found = token(&response);
    let found = found.as_ref().map(|token| (token.value.danger_reveal(), token.lifetime.as_secs()));
    assert_eq!(found.map_err(|failure| failure.cause), expected, "{status} {body}");
}

#[test]
fn a_token_is_read_or_its_absence_explained() {
    check(200, r#"{"access_token":"abc","expires_in":3600}"#, Ok(("abc", 3_600)));
    check(200, r#"{"access_token":"abc","expires_in":"60"}"#, Ok(("abc", 60)));
    check(200, r#"{"access_token":"abc"}"#, Ok(("abc", 300)));
    check(200, r#"{"access_token":"abc","expires_in":99999999999}"#, Ok(("abc", 86_400)));
    check(200, r#"{"access_token":"a\r\nb"}"#, Err(Cause::Configuration));
    check(200, r#"{"access_token":""}"#, Err(Cause::Configuration));
    check(200, "<html>", Err(Cause::Configuration));
    check(401, r#"{"error":"invalid_client","error_description":"hush"}"#, Err(Cause::Credentials));
    check(400, "", Err(Cause::Credentials));
    check(503, "", Err(Cause::Unavailable));
    check(302, "", Err(Cause::Configuration));
}

#[test]
fn a_refusal_repeats_no_text_of_strangers() {
    let body = r#"{"error":"<script>","error_description":"hush"}"#;
    let response = Response { status: 400, body: body.to_owned().into(), ..Response::default() };
    assert!(!token(&response).unwrap_err().detail.contains("script"));
}
