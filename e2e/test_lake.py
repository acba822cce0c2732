"""Parquet objects and the layout of Amazon Security Lake, read by DuckDB."""

import duckdb
import pytest

import blob
import harness
import objects
from test_objects import TENANT, event

PATH = f"/v1/tenants/{TENANT}/destinations"
HOSTILE = "a\"b\\c|d=e\r\nf\u2028h\u202e\U0001d11e"


@pytest.fixture
def s3(tmp_path):
    server = objects.S3(tmp_path / "s3")
    yield server
    server.stop()


def rows(tmp_path, body, query):
    """Returns what DuckDB reads in a file, which the query calls `file`."""
    (tmp_path / "file.parquet").write_bytes(body)
    found = duckdb.sql(query.replace("file", f"'{tmp_path / 'file.parquet'}'"))
    return [dict(zip(found.columns, row)) for row in found.fetchall()]


def bodies(s3, bucket):
    keys = [key for key in s3.keys(bucket) if "attestary-test" not in key]
    return {key: s3.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def test_events_are_rows(attestary, s3, tmp_path):
    s3.bucket("audit")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    refused = {"name": "x", "type": "s3", "config": s3.config("audit", content="parquet"), "format": {"type": "cef"}}
    assert attestary.call("POST", PATH, json=refused).status_code == 400
    made = attestary.destination(
        TENANT, name="lake", type="s3", start="beginning", config=s3.config("audit", content="parquet", events_max=40, age_seconds=1))
    attestary.submit([{**event(number), "description": HOSTILE, "labels": ["a", "b"],
                       "targets": [{"type": "order", "id": f"o{number}"}, {"type": "shop", "id": "s"}]} for number in range(100)])
    stored = attestary.events(TENANT)
    found = lambda: [row for body in bodies(s3, "audit").values() for row in rows(tmp_path, body, "SELECT * FROM file")]  # noqa: E731
    harness.until("everything is there", lambda: len(found()) >= len(stored))
    assert all(key.endswith(".parquet") for key in bodies(s3, "audit"))
    for row, wanted in zip(found(), stored, strict=True):
        assert (row["seq"], row["id"], row["leaf_hash"], row["action"]) == (wanted["seq"], wanted["id"], wanted["leaf_hash"], wanted["action"])
        if wanted["action"] == "order.placed":
            assert row["description"] == HOSTILE and row["labels"] == ["a", "b"] and row["actor"]["id"] == "u1"
            assert [target["id"] for target in row["targets"]] == [target["id"] for target in wanted["targets"]]
            assert row["metadata"] == f'{{"number":{wanted["metadata"]["number"]}}}'
    tested = attestary.call("POST", f"{PATH}/{made['id']}/test", expect=200).json()
    assert tested["verdict"] == "delivered", tested


def test_blobs_are_tables_too(attestary, tmp_path):
    azure = blob.Azure(tmp_path / "azure")
    try:
        azure.container("audit")
        attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
        attestary.destination(
            TENANT, name="lake", type="azure_blob", start="beginning", config=azure.config("audit", content="parquet", age_seconds=1))
        attestary.submit([event(number) for number in range(10)])
        client = azure.containers["audit"]
        [key] = harness.until("a blob is there", lambda: list(client.list_blob_names()))
        [count] = rows(tmp_path, client.download_blob(key).readall(), "SELECT count(DISTINCT seq) AS seqs FROM file")
        assert key.endswith(".parquet") and count["seqs"] == 11
    finally:
        azure.stop()


def test_security_lake_gets_one_class_by_day_and_time(attestary, s3, tmp_path):
    s3.bucket("lake")
    attestary.call("POST", "/v1/tenants", json={"id": TENANT}, expect=201)
    lake = {"source": "attestary", "account_id": "123456789012", "class_uid": 3002}
    config = s3.config("lake", age_seconds=1, security_lake=lake)
    assert attestary.call("POST", PATH, json={"name": "x", "type": "s3", "config": config}).status_code == 400, "not OCSF"
    wrong = {"name": "x", "type": "s3", "config": {**config, "security_lake": {**lake, "account_id": "1"}}}
    assert "account_id" in attestary.call("POST", PATH, json=wrong, expect=400).text
    made = attestary.destination(
        TENANT, name="lake", type="s3", start="beginning", config=config, format={"type": "ocsf", "schema": "1.1.0"})
    login = lambda second: {  # noqa: E731
        "tenant": TENANT, "action": "user.login", "actor": {"type": "user", "id": f"u{second}", "name": HOSTILE}, "outcome": "success",
        "occurred_at": f"2026-11-22T00:00:{second:02}Z", "metadata": {"n": second}}
    attestary.submit([login(30), event(1), login(10), event(2), login(20)])
    [(key, body)] = harness.until("an object is there", lambda: list(bodies(s3, "lake").items()))
    received = attestary.events(TENANT)[0]["received_at"][:10].replace("-", "")
    assert key.startswith(f"ext/attestary/region={objects.REGION}/accountId=123456789012/eventDay={received}/"), key
    found = rows(tmp_path, body, "SELECT * FROM file")
    assert [row["actor"]["user"]["uid"] if "actor" in row else row["user"]["uid"] for row in found] == ["u10", "u20", "u30"]
    assert {(row["class_uid"], row["metadata"]["version"]) for row in found} == {(3002, "1.1.0")}
    assert [row["time"] for row in found] == sorted(row["time"] for row in found) and isinstance(found[0]["time"], int)
    # What is of another class was passed over, and the receipt says so.
    size = len(attestary.events(TENANT))
    path = f"{PATH}/{made['id']}"
    receipt = harness.until(
        "the receipt speaks for all",
        lambda: (now := attestary.call("GET", f"{path}/receipt", params={"compare": "true"}, expect=200).json())["to_seq"] == size - 1 and now)
    assert (receipt["count"], receipt["excluded"], receipt["log"]["equal"]) == (3, size - 3, True), receipt
