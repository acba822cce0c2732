"""A real Kafka broker (KRaft, one node), made of the artefacts on Maven Central, and a client of others to look into it."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, NewTopic, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion,
)

import harness

SOURCE = pathlib.Path(__file__).resolve().parent / "kafka"
VERSION = "4.1.0"
CLUSTER = "4L6g3nShT-eMCtK--X86sw"
USER, PASSWORD = "audit,user=1", "pass word"
SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAIN://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAIN://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://localhost:{tls}
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config={plain_login}
listener.name.tls.plain.sasl.jaas.config={plain_login}
listener.name.sasl.scram-sha-256.sasl.jaas.config={scram_login}
listener.name.sasl.scram-sha-512.sasl.jaas.config={scram_login}
listener.name.tls.scram-sha-256.sasl.jaas.config={scram_login}
listener.name.tls.scram-sha-512.sasl.jaas.config={scram_login}
ssl.keystore.type=PEM
ssl.keystore.location={pem}
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def libraries() -> pathlib.Path | None:
    """Resolves the artefacts, once; None where Java or Maven is missing."""
    if not (shutil.which("java") and shutil.which("mvn")):
        return None
    cache = pathlib.Path(os.environ.get("ATTESTARY_CACHE", pathlib.Path.home() / ".cache/attestary"))
    ready = cache / f"kafka-{VERSION}"
    if ready.exists():
        return ready
    making = cache / f"kafka-{VERSION}.{os.getpid()}"
    making.mkdir(parents=True)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", SOURCE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={making}"],
        check=True, stdout=subprocess.DEVNULL, timeout=600,
    )
    try:
        making.rename(ready)
    except OSError:  # Another run was faster.
        shutil.rmtree(making)
    return ready


class Kafka:
    """One broker on loopback: a plain listener, one with a login, one with a login over TLS (`ca` signed it)."""

    component = f"Kafka {VERSION} from Maven artefacts; librdkafka reads"

    def __init__(self, directory: pathlib.Path, ready: pathlib.Path, pem: pathlib.Path):
        directory.mkdir()
        self.directory, self.ready = directory, ready
        self.plain, self.sasl, self.tls = (harness.free_port() for _ in range(3))
        module = "org.apache.kafka.common.security"
        text = SETTINGS.format(
            plain=self.plain, sasl=self.sasl, tls=self.tls, controller=harness.free_port(), pem=pem, logs=directory / "logs",
            plain_login=f'{module}.plain.PlainLoginModule required user_reader="{PASSWORD}";',
            scram_login=f"{module}.scram.ScramLoginModule required;",
        )
        self.settings = directory / "server.properties"
        self.settings.write_text(text)
        self.log = open(directory / "kafka.out", "wb")
        formatted = subprocess.run(
            [*self._java("kafka.tools.StorageTool"), "format", "-t", CLUSTER, "-c", self.settings, "--standalone"],
            stdout=self.log, stderr=subprocess.STDOUT, timeout=120,
        )
        assert formatted.returncode == 0, (directory / "kafka.out").read_text(errors="replace")[-2_000:]
        self.start()
        kinds = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        users = [
            UserScramCredentialUpsertion(USER, ScramCredentialInfo(kind, 4096), PASSWORD.encode()) for kind in kinds
        ]
        admin = self.admin()
        for user in users:
            admin.alter_user_scram_credentials([user])[USER].result(harness.PATIENCE_SECONDS)

    def _java(self, main: str) -> list:
        return ["java", "-Xmx384m", "-XX:+UseSerialGC", "-cp", f"{self.ready}/*", main]

    def start(self) -> None:
        self.process = subprocess.Popen([*self._java("kafka.Kafka"), self.settings], stdout=self.log, stderr=subprocess.STDOUT)
        harness.until("Kafka listens", self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()[-4000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.plain)) != 0:
                return False
        try:
            return bool(self.admin().list_topics(timeout=2).brokers)
        except Exception:  # Not yet.
            return False

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": f"127.0.0.1:{self.plain}", "log_level": 0})

    def topic(self, name: str, partitions: int = 3, **config: str) -> None:
        made = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        admin = self.admin()
        admin.create_topics([made])[name].result(harness.PATIENCE_SECONDS)

    def records(self, topic: str) -> list:
        """Reads every record of a topic, partition after partition, by a client that checks the sums."""
        consumer = Consumer({
            "bootstrap.servers": f"127.0.0.1:{self.plain}", "group.id": "reader", "enable.auto.commit": False,
            "check.crcs": True, "log_level": 0,
        })
        found = []
        try:
            for number in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions):
                _, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
                if end == 0:
                    continue
                consumer.assign([TopicPartition(topic, number, 0)])
                last = -1
                while last < end - 1:
                    record = consumer.poll(harness.PATIENCE_SECONDS)
                    assert record is not None and record.error() is None, record and record.error()
                    found.append(record)
                    last = record.offset()
        finally:
            consumer.close()
        return found

    def config(self, topic: str, **more) -> dict:
        return {"brokers": [f"127.0.0.1:{self.plain}"], "topic": topic, **more}

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        try:
            self.process.wait(harness.PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
