"""Cloud Storage, Azure Blob Storage and roles at Amazon: what arrives once, with credentials that are asked for."""

import base64
import http.server
import json
import threading
from urllib.parse import parse_qs

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

import blob
import gcs
import harness
import objects
from test_objects import TENANT, event, every_event_once

PATH = f"/v1/tenants/{TENANT}/destinations"
cell = lambda *columns: pytest.mark.cell(*columns, destination="gcs", component=gcs.COMPONENT)  # noqa: E731
of_azure = lambda *columns: pytest.mark.cell(*columns, destination="azure_blob", component=blob.COMPONENT)  # noqa: E731


@pytest.fixture
def google(tmp_path):
    made = gcs.Gcs(tmp_path / "gcs")
    yield made
    made.stop()


@pytest.fixture
def blobs(tmp_path):
    made = blob.Azure(tmp_path / "azure")
    yield made
    made.stop()


@cell("format", "order", "kill -9", "lost answer", "429", "5xx", "replay", "receipt")
def test_every_event_is_in_one_object_across_kills(attestary, google):
    google.bucket("audit")
    google.failures += [503, 429]
    google.lost = 2
    every_event_once(attestary, "gcs", google.config("audit"), lambda: google.objects("audit"))
    assert google.lost == 0 and not google.failures
    assert google.scopes == {"https://www.googleapis.com/auth/devstorage.read_write"}


@of_azure("format", "order", "kill -9", "lost answer", "429", "5xx", "replay", "receipt")
def test_every_event_is_in_one_blob_across_kills(attestary, blobs):
    blobs.container("audit")
    blobs.relay.faults += [503, "cut", 429, "cut"]
    every_event_once(attestary, "azure_blob", blobs.config("audit"), lambda: blobs.objects("audit"))
    assert not blobs.relay.faults
    one = blobs.containers["audit"].get_blob_client(min(blobs.objects("audit"))).get_blob_properties()
    assert one.content_settings.content_encoding == "gzip" and one.metadata["attestary_destination"].startswith("dst_")


@of_azure("auth failure", "test")
def test_signatures_of_azure_are_named(attestary, blobs):
    blobs.container("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    good = blobs.config("audit", age_seconds=1)
    stranger = base64.b64encode(b"somebody else's key").decode()
    for wrong in (blobs.sas("audit", stranger), blobs.sas("audit", read=True)):
        made = attestary.destination(TENANT, name="a", type="azure_blob", start="beginning", config={**good, "sas": wrong})
        shown = harness.until(
            "it is paused", lambda: (now := attestary.call("GET", f"{PATH}/{made['id']}", expect=200).json())["state"] == "paused" and now)
        assert shown["cursor"] == 0 and "403" in shown["reason_detail"], shown
        tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
        assert (tested["verdict"], tested["stage"]) == ("pause", "credentials"), tested
    assert "sig=" not in json.dumps([shown, tested])
    attestary.call("PATCH", f"{PATH}/{made['id']}", json={"config": good}, expect=200)
    harness.until("nothing was lost", lambda: blobs.objects("audit"))
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert (tested["verdict"], tested["stage"]) == ("delivered", "ok"), tested
    gone = attestary.destination(
        TENANT, name="b", type="azure_blob", config={**good, "container": "nowhere", "sas": blobs.sas("nowhere")})
    tested = attestary.call("POST", f"{PATH}/{gone['id']}/test", expect=200).json()
    assert tested["verdict"] == "pause" and "404" in tested["detail"], tested


@cell("auth failure", "test")
def test_credentials_of_google_are_named(attestary, google):
    google.bucket("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    stranger = google.account(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    made = attestary.destination(
        TENANT, name="a", type="gcs", start="beginning", config=google.config("audit", age_seconds=1) | {"credentials": stranger})
    shown = harness.until("it is paused", lambda: (now := attestary.call("GET", f"{PATH}/{made['id']}", expect=200).json())["state"] == "paused" and now)
    assert shown["reason"] == "credentials" and shown["cursor"] == 0, shown
    assert "PRIVATE KEY" not in json.dumps(shown)
    attestary.call("PATCH", f"{PATH}/{made['id']}", json={"config": google.config("audit", age_seconds=1)}, expect=200)
    harness.until("nothing was lost", lambda: google.events("audit"))
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert (tested["verdict"], tested["stage"]) == ("delivered", "ok"), tested
    gone = attestary.destination(TENANT, name="b", type="gcs", config=google.config("no-such-bucket"))
    tested = attestary.call("POST", f"{PATH}/{gone['id']}/test", expect=200).json()
    assert tested["verdict"] == "pause", tested


class Sts:
    """A proxy before moto's STS that does what moto does not: a trust policy with an external id."""

    def __init__(self, url: str):
        self.trusted: set[str] = set()
        self.asked: list[dict] = []
        sts = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                sts.asked.append(form)
                if form["Action"] == "AssumeRole" and form.get("ExternalId") not in sts.trusted:
                    status, answer = 403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
                else:
                    headers = {n: v for n, v in self.headers.items() if n.lower() != "content-length"}
                    reply = requests.post(url, data=body, headers=headers, timeout=harness.PATIENCE_SECONDS)
                    status, answer = reply.status_code, reply.content
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def s3(tmp_path):
    server = objects.S3(tmp_path / "s3")
    yield server
    server.stop()


@pytest.fixture
def sts(s3):
    made = Sts(s3.url)
    yield made
    made.stop()


def test_a_role_is_assumed_with_the_external_id_alone(attestary, s3, sts):
    s3.bucket("audit")
    arn = s3.role("audit-writer")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    config = s3.config("audit", age_seconds=1, role_arn=arn, sts_endpoint=sts.url)
    made = attestary.destination(TENANT, name="archive", type="s3", start="beginning", config=config)
    assert made["external_id"] == made["id"]
    attestary.submit([event(number) for number in range(5)])
    shown = harness.until("it is paused", lambda: (now := attestary.call("GET", f"{PATH}/{made['id']}", expect=200).json())["state"] == "paused" and now)
    assert shown["reason"] == "credentials" and "AccessDenied" in shown["reason_detail"] and not s3.keys("audit")
    # The owner of the role writes the external id into its trust policy.
    sts.trusted.add(made["external_id"])
    attestary.call("POST", f"{PATH}/{made['id']}/resume", expect=200)
    harness.until("everything is there", lambda: len(s3.events("audit")) >= 6)
    assert {form["RoleSessionName"] for form in sts.asked} == {f"attestary-{made['id']}"}
    before = len(sts.asked)
    attestary.submit([event(number) for number in range(5, 9)])
    harness.until("more is there", lambda: len(s3.events("audit")) >= 10)
    assert len(sts.asked) == before, "temporary credentials are kept while they are good"


def test_without_a_key_the_services_identity_is_needed(attestary, s3, sts):
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    config = {"bucket": "audit", "region": objects.REGION, "endpoint": s3.url, "role_arn": "arn:aws:iam::123456789012:role/x", "sts_endpoint": sts.url}
    made = attestary.destination(TENANT, name="archive", type="s3", config=config)
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert tested["verdict"] == "pause" and "no identity at Amazon" in tested["detail"], tested
