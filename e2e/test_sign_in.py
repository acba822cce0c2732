"""Sign-in by a real OpenID provider: oidc-provider of npm, through its own pages for login and consent."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

import harness

CONSOLE = {"attestary-console": "1"}


class Provider:
    def __init__(self, redirect: str, claims_in_token: bool):
        self.port, self.secret = harness.free_port(), secrets.token_hex(16)
        environment = os.environ | {"CLAIMS_IN_TOKEN": "true" if claims_in_token else ""}
        self.process = subprocess.Popen(
            ["node", harness.ROOT / "e2e/node/oidc.mjs", str(self.port), self.secret, redirect],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        while self.process.stdout.readline() not in (b"ready\n", b""):
            pass
        self.issuer = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def browser() -> requests.Session:
    session = requests.Session()
    session.headers["user-agent"] = "test"
    return session


def at_the_provider(person: str, visitor: requests.Session, url: str) -> str:
    """Logs in and consents on the provider's pages; returns the address that leads back."""
    page = visitor.get(url)
    for _ in range(4):
        assert page.status_code == 200, page.text
        action = re.search(r'action="([^"]+)"', page.text)[1]
        prompt = re.search(r'name="prompt" value="(\w+)"', page.text)[1]
        answer = visitor.post(action, data={"prompt": prompt, "login": person, "password": "x"}, allow_redirects=False)
        while answer.is_redirect:
            onward = requests.compat.urljoin(answer.url, answer.headers["location"])
            if "/console/sign-in/callback" in onward:
                return onward
            answer = visitor.get(onward, allow_redirects=False)
        page = answer
    raise AssertionError("the provider does not come to an end")


@pytest.fixture(params=[True, False], ids=["claims in the token", "claims at their endpoint"])
def installation(request, tmp_path):
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}"
    provider = Provider(f"{url}/console/sign-in/callback", request.param)
    settings = {
        "DATA_DIR": tmp_path / "data", "HTTP__LISTEN": f"127.0.0.1:{port}", "OIDC__ISSUER": provider.issuer,
        "OIDC__CLIENT_ID": "attestary", "OIDC__CLIENT_SECRET": provider.secret, "OIDC__PUBLIC_URL": url,
        "OIDC__ROLES": "sre=operator,staff=reader", "OIDC__ENVIRONMENT": "production",
    }
    environment = os.environ | {f"ATTESTARY__{name}": str(value) for name, value in settings.items()}
    log = open(tmp_path / "log", "wb")
    server = subprocess.Popen([harness.binary(), "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=log)
    ready = lambda: requests.get(f"{url}/health/ready", timeout=5).status_code == 200
    harness.until("the server is ready", lambda: quietly(ready))
    yield url, provider, tmp_path / "log"
    server.terminate()
    assert server.wait(harness.PATIENCE_SECONDS) == 0
    provider.stop()


def quietly(probe):
    try:
        return probe()
    except requests.ConnectionError:
        return None


def begin(url: str, visitor: requests.Session) -> str:
    begun = visitor.get(f"{url}/console/sign-in", allow_redirects=False)
    assert begun.status_code == 303
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["response_type"] == ["code"]
    assert {"state", "nonce"} <= asked.keys() and asked["scope"] == ["openid profile email"]
    return begun.headers["location"]


def test_people_of_a_provider_sign_in_with_the_role_of_their_groups(installation):
    url, provider, log = installation
    assert requests.get(f"{url}/v1/sign-in").json()["openid"] == {"name": "127.0.0.1", "url": "/console/sign-in"}

    for person, role, environment in [("alice", "operator", "_system"), ("bob", "reader", "production")]:
        visitor = browser()
        back = at_the_provider(person, visitor, begin(url, visitor))
        done = visitor.get(back, allow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, "/console/")
        session = visitor.get(f"{url}/v1/session", headers=CONSOLE).json()
        assert (session["kind"], session["role"], session["environment"]) == ("sign-in", role, environment)
        assert (session["name"], session["email"]) == (f"{person} of Example", f"{person}@example.com")
        # The code and the state work once.
        again = visitor.get(back, allow_redirects=False)
        assert again.headers["location"] == "/console/#sign-in-error=expired"
        # Roles are what the session may do: readers change nothing.
        status = visitor.post(f"{url}/v1/tenants", json={"id": f"by-{person}"},
                              headers=CONSOLE | {"attestary-environment": "production"}).status_code
        assert status == (201 if role == "operator" else 403)

    stranger = browser()
    refused = stranger.get(at_the_provider("mallory", stranger, begin(url, stranger)), allow_redirects=False)
    assert refused.headers["location"] == "/console/#sign-in-error=no-role"
    assert stranger.get(f"{url}/v1/session", headers=CONSOLE).status_code == 401


def test_what_is_not_the_browsers_own_sign_in_is_refused(installation):
    url, provider, log = installation
    visitor, victim = browser(), browser()
    back = at_the_provider("alice", visitor, begin(url, visitor))
    # Somebody else's answer in the victim's browser, which began a sign-in of its own (RFC 9700, 4.7).
    begin(url, victim)
    for stolen in (back, back.replace("code=", "code=x"), f"{url}/console/sign-in/callback?code=1&state=2",
                   f"{url}/console/sign-in/callback?error=access_denied"):
        answer = victim.get(stolen, allow_redirects=False)
        assert answer.headers["location"].startswith("/console/#sign-in-error="), stolen
        assert victim.get(f"{url}/v1/session", headers=CONSOLE).status_code == 401
    # The rightful browser still comes in.
    assert visitor.get(back, allow_redirects=False).headers["location"] == "/console/"

    # A code that the provider does not know, in a sign-in that is the browser's own.
    visitor = browser()
    state = parse_qs(urlsplit(begin(url, visitor)).query)["state"][0]
    answer = visitor.get(f"{url}/console/sign-in/callback?code=unknown&state={state}", allow_redirects=False)
    assert answer.headers["location"] == "/console/#sign-in-error=refused"

    provider.stop()
    assert provider.secret not in log.read_text()
