"""The worked example of a deployment: its files fit together, and its lines go the way that filebeat.yml says.

Filebeat itself reads them into a real OpenSearch where it is built (see filebeat.py). Everywhere, `Reader` does what the
configuration in deploy/compose/filebeat.yml says and refuses any option that it does not know, so that the file cannot
say more than is shown here.
"""

from __future__ import annotations

import datetime
import glob
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
import requests
import yaml

import filebeat
import harness
import opensearch

DEPLOY = harness.ROOT / "deploy" / "compose"


def merge(into: dict, new: dict) -> None:
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def member(document: dict, path: str):
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


class Reader:
    """A `container` input with `decode_json_fields`, `drop_event` and `fingerprint`, as Filebeat 8 documents them."""

    def __init__(self, configuration: dict, root: pathlib.Path):
        (source,) = configuration.pop("filebeat.inputs")
        assert source.pop("type") == "container"
        self.paths = [str(root) + path for path in source.pop("paths")]
        self.stream = source.pop("stream", "all")
        assert not source, f"unknown options of the input: {source}"
        self.steps = []
        for processor in configuration.pop("processors"):
            ((name, options),) = processor.items()
            self.steps.append((getattr(self, name), options))
        output = configuration.pop("output.elasticsearch")
        self.index = output.pop("index")
        output.pop("hosts")
        name, pattern = configuration.pop("setup.template.name"), configuration.pop("setup.template.pattern")
        # Filebeat refuses an own index without its template, and uses its own name while ILM is on.
        assert configuration.pop("setup.ilm.enabled") is False and self.index.startswith(name) and pattern == f"{name}-*"
        assert not output and not configuration, f"unknown options: {output} {configuration}"
        self.read: dict[int, int] = {}

    def documents(self):
        """Yields (index, id, document) of every new line, oldest file first; files are known by their inode."""
        files = [path for pattern in self.paths for path in glob.glob(pattern + "*")]
        for path in sorted(files, key=os.path.getmtime):
            with open(path, "rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self.read.get(inode, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self.read[inode] = self.read.get(inode, 0) + len(line)
                    wrapped = json.loads(line)
                    if self.stream not in ("all", wrapped["stream"]):
                        continue
                    document = {"@timestamp": wrapped["time"], "message": wrapped["log"].removesuffix("\n"),
                                "stream": wrapped["stream"], "@metadata": {}}
                    if all(step(document, dict(options)) is not False for step, options in self.steps):
                        metadata = document.pop("@metadata")
                        yield self.name(document["@timestamp"]), metadata.get("_id"), document

    def name(self, timestamp: str) -> str:
        moment = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
        return self.index.replace("%{+yyyy.MM.dd}", moment.strftime("%Y.%m.%d"))

    @staticmethod
    def decode_json_fields(document: dict, options: dict) -> None:
        (field,) = options.pop("fields")
        assert options.pop("target") == "" and options.pop("overwrite_keys") and options.pop("add_error_key")
        depth = options.pop("max_depth")
        assert not options, options
        try:
            found = json.loads(document[field])
            assert isinstance(found, dict) and nesting(found) <= depth
        except (ValueError, AssertionError):
            document["error"] = {"message": "it is no JSON object", "field": field}
            return
        merge(document, found)

    @staticmethod
    def drop_event(document: dict, options: dict):
        ((path, value),) = options.pop("when.not.equals").items()
        assert not options, options
        return member(document, path) == value

    @staticmethod
    def fingerprint(document: dict, options: dict) -> None:
        (field,) = options.pop("fields")
        assert options.pop("target_field") == "@metadata._id" and not options
        value = member(document, field)
        assert value, f"{field} is missing"
        document["@metadata"]["_id"] = hashlib.sha256(f"|{field}|{value}|".encode()).hexdigest()


def nesting(value) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(nesting, children), default=0)


def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())


# seeds: FO-19 with PyYAML; the images are not run
def test_the_files_of_the_example_fit_together():
    example = compose()
    services, volumes = example["services"], example["volumes"]
    assert set(services) == {"attestary", "elasticsearch", "kibana", "filebeat"}
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        if "image" in service:
            assert re.fullmatch(r"docker\.elastic\.co/[a-z]+/[a-z]+:8\.\d+\.\d+", service["image"]), service["image"]
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_file(), source
            elif not source.startswith("/"):
                assert source in volumes, source
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), f"{name} is open to the network"
        for other in service.get("depends_on", {}):
            assert "healthcheck" in services[other], other
    assert len({service["image"].split(":")[1] for service in services.values() if "image" in service}) == 1
    # The container's path is the one that Filebeat reads, and its mount is there.
    (source,) = yaml.safe_load((DEPLOY / "filebeat.yml").read_text())["filebeat.inputs"]
    assert f"{source['paths'][0].split('/*/')[0]}:{source['paths'][0].split('/*/')[0]}:ro" in services["filebeat"]["volumes"]
    hosts = yaml.safe_load((DEPLOY / "filebeat.yml").read_text())["output.elasticsearch"]["hosts"]
    assert hosts == [services["kibana"]["environment"]["ELASTICSEARCH_HOSTS"]]
    # The image is built from what is here, and its program is the one that is tested.
    build = services["attestary"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    text = (context / build["dockerfile"]).read_text()
    assert context == harness.ROOT and "target/release/attestary" in text
    package = re.search(r"--package (\S+)", text).group(1)
    assert f'name = "{package}"' in (harness.ROOT / "crates/cli/Cargo.toml").read_text()
    assert re.search(r"FROM rust:([\d.]+)", text).group(1) in (harness.ROOT / "rust-toolchain.toml").read_text()
    # Its settings are settings.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
    variables |= services["attestary"]["environment"]
    done = subprocess.run([harness.binary(), "config", "check"], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([harness.binary(), "config", "check"], env=variables | {"ATTESTARY__LOG__FORMATS": "json"},
                          capture_output=True, text=True)
    assert done.returncode == 2, "a wrong name is noticed"


@pytest.fixture
def deployed(tmp_path):
    """`attestary serve` with the example's settings; docker's part, the wrapping of its lines, is played here."""
    directory = tmp_path / "var/lib/docker/containers/abc"
    directory.mkdir(parents=True)
    settings = dict(compose()["services"]["attestary"]["environment"])
    settings |= {"ATTESTARY__DATA_DIR": str(tmp_path / "data"), "ATTESTARY__HTTP__LISTEN": "127.0.0.1:0"}
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
    out, said = open(tmp_path / "stdout", "wb+"), open(tmp_path / "stderr", "wb+")
    process = subprocess.Popen([harness.binary(), "serve"], stdout=out, stderr=said, env=variables | settings)
    try:
        def ready():
            assert process.poll() is None, (tmp_path / "stderr").read_text()
            found = re.search(r"attestary serves (\S+) from", (tmp_path / "stderr").read_text())
            return found and found.group(1)

        url = harness.until("serve is ready", ready)
        yield url, variables | settings, tmp_path
    finally:
        process.terminate()
        process.wait(harness.PATIENCE_SECONDS)


HOSTILE = 'Ada "x" \u2028 \r\n{"event":{"module":"other"}} \x00'
EVENTS = 40


class Containers:
    """Docker's part: wraps the server's lines as its json-file driver does, and rotates."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.log = root / "var/lib/docker/containers/abc/abc-json.log"
        self.taken = {"stdout": 0, "stderr": 0}

    def wrap(self, name: str, lines_max: int) -> None:
        """Takes complete lines from the server."""
        with open(self.root / name, "rb") as file, open(self.log, "a") as out:
            file.seek(self.taken[name])
            for line in file.readlines()[:lines_max]:
                if line.endswith(b"\n"):
                    self.taken[name] += len(line)
                    out.write(json.dumps({"log": line.decode(), "stream": name, "time": "2026-11-30T00:00:00.1Z"}) + "\n")

    def rotate(self) -> None:
        """Renames; the rest stands in a new file, among lines that are no events."""
        self.log.rename(self.log.with_suffix(".log.1"))
        self.log.write_text(json.dumps({"log": "no JSON\n", "stream": "stdout", "time": "2026-11-30T00:00:00Z"}) + "\n")


def submit_logins(deployed, tmp_path) -> list[tuple[str, dict]]:
    """Sets the example up as its page says, and submits; returns the events with their ids."""
    url, variables, root = deployed
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "attestary").symlink_to(harness.binary())
    done = subprocess.run(["sh", DEPLOY / "setup.sh", "acme"], capture_output=True, text=True,
                          env=variables | {"PATH": f"{tools}:{os.environ['PATH']}", "ATTESTARY_URL": url})
    assert done.returncode == 0, done.stderr
    key = re.search(r"^secret: (\S+)$", done.stdout, re.MULTILINE).group(1)
    assert done.stdout.count("secret") == 1, "only the application's key is shown"
    wanted = []
    for number in range(EVENTS):
        event = {"tenant": "acme", "action": "user.login", "occurred_at": f"2026-11-{1 + number % 3:02}T23:59:59.5Z",
                 "actor": {"type": "user", "id": f"u{number}", "name": HOSTILE}, "metadata": {"big": 9007199254740993}}
        reply = requests.post(f"{url}/v1/events", json=event, headers={"authorization": f"Bearer {key}"}, timeout=30)
        assert reply.status_code == 201, reply.text
        wanted.append((reply.json()["id"], event))
    harness.until("all lines are out", lambda: (root / "stdout").read_bytes().count(b'"user.login"') >= EVENTS)
    return wanted


def check_documents(found: list[tuple[str, str, dict]], wanted: list[tuple[str, dict]]) -> None:
    """Every event is one document of its own day, whole."""
    logins = [one for one in found if member(one[2], "event.action") == "user.login"]
    assert [member(document, "event.id") for _, _, document in logins] == [identity for identity, _ in wanted]
    assert len({identity for _, identity, _ in found}) == len(found) and all(identity for _, identity, _ in found)
    for (index, _, document), (_, event) in zip(logins, wanted):
        assert document["@timestamp"].startswith(event["occurred_at"][:19])
        assert index == "attestary-" + event["occurred_at"][:10].replace("-", ".")
        assert document["user"]["name"] == HOSTILE and document["user"]["id"] == event["actor"]["id"]
        assert document["organization"]["id"] == "acme" and "error" not in document
        assert document["attestary"]["metadata"]["big"] == 9007199254740993
    # The server's own log is not among the documents.
    assert all(document["stream"] == "stdout" for _, _, document in found)


@pytest.mark.cell("format", "order", destination="stdout", component=filebeat.COMPONENT)
# seeds: FO-15
def test_events_go_the_way_that_filebeat_is_told(deployed, tmp_path):
    wanted = submit_logins(deployed, tmp_path)
    root = deployed[2]
    docker = Containers(root)
    reader = Reader(yaml.safe_load((DEPLOY / "filebeat.yml").read_text()), root)
    found = []
    docker.wrap("stderr", 1000)
    docker.wrap("stdout", 15)
    found += reader.documents()
    docker.rotate()
    docker.wrap("stdout", 1000)
    found += reader.documents()
    assert not list(reader.documents()), "nothing is read twice"
    check_documents(found, wanted)
    raw = (root / "stdout").read_bytes()
    assert all(isinstance(json.loads(line), dict) for line in raw.splitlines()), "a line is no JSON object"
    assert any('"stderr"' in line for line in docker.log.with_suffix(".log.1").read_text().splitlines())


@pytest.fixture
def elasticsearch(tmp_path):
    ready = opensearch.libraries()
    if ready is None:
        pytest.skip("OpenSearch needs Java and Maven")
    node = opensearch.OpenSearch(tmp_path / "opensearch", ready)
    server = filebeat.Elasticsearch(node)
    yield server
    server.stop()
    node.stop()


@pytest.mark.cell("format", "order", destination="stdout", component=filebeat.COMPONENT)
# seeds: FO-15 FO-18 with Filebeat 7.17.29, built from its Go module (by ./test --long; kept for ./test), and OpenSearch
def test_filebeat_brings_every_event_into_the_daily_index(deployed, tmp_path, long, request):
    program = filebeat.program(build=long)
    if program is None:
        pytest.skip("Filebeat is not built; --long builds it where there is Go")
    elasticsearch = request.getfixturevalue("elasticsearch")
    wanted = submit_logins(deployed, tmp_path)
    docker = Containers(deployed[2])
    # The example's file as it is, but for where the containers and Elasticsearch are.
    text = (DEPLOY / "filebeat.yml").read_text()
    for there, here in [("/var/lib/docker/containers", str(docker.log.parent.parent)), ("http://elasticsearch:9200", elasticsearch.url)]:
        assert text.count(there) == 1
        text = text.replace(there, here)
    configuration, directory = tmp_path / "filebeat.yml", tmp_path / "filebeat"
    configuration.write_text(text)
    directory.mkdir()

    def documents() -> list[tuple[str, str, dict]]:
        hits = elasticsearch.node.documents("attestary-*")
        hits.sort(key=lambda hit: member(hit["_source"], "event.sequence"))
        return [(hit["_index"], hit["_id"], hit["_source"]) for hit in hits]

    def arrived(count: int) -> list:
        found = documents()
        return found if sum(member(one, "event.action") == "user.login" for _, _, one in found) >= count else []

    docker.wrap("stderr", 1000)
    docker.wrap("stdout", 15)
    before = (deployed[2] / "stdout").read_bytes().splitlines()[:15]
    logins = sum(b'"user.login"' in line for line in before)
    reader = filebeat.Filebeat(program, configuration, directory)
    try:
        harness.until("the first lines are documents", lambda: arrived(logins))
        # It is killed, and the file is rotated meanwhile.
        reader.stop(signal.SIGKILL)
        docker.rotate()
        docker.wrap("stdout", 1000)
        reader = filebeat.Filebeat(program, configuration, directory)
        found = harness.until("all events are documents", lambda: arrived(EVENTS))
    finally:
        reader.stop()
    check_documents(found, wanted)
    assert all(document["agent"]["type"] == "filebeat" for _, _, document in found)
    assert not any("no JSON" in str(document.get("message")) for _, _, document in found)
