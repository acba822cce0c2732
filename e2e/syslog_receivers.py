"""Real receivers of syslog: rsyslogd and syslog-ng of Debian, over TCP, TLS and UDP.

Each writes what it understood as one JSON object a line: `msg`, and the parameters of the structured data. syslog-ng cannot be
installed beside rsyslog, so its packages are unpacked into the cache and run from there.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import harness

PACKAGES = ["syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libwrap0", "libjson-c5"]
RSYSLOG = """
global(workDirectory="{dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off"
       defaultNetstreamDriverCAFile="{dir}/ca.pem" defaultNetstreamDriverCertFile="{dir}/certificate.pem"
       defaultNetstreamDriverKeyFile="{dir}/key.pem")
module(load="imtcp" StreamDriver.Name="{driver}" StreamDriver.Mode="{mode}" StreamDriver.AuthMode="anon")
module(load="imudp")
module(load="mmpstrucdata")
template(name="line" type="list") {{
  constant(value="{{\\"sd\\":") property(name="$!rfc5424-sd")
  constant(value=",\\"host\\":\\"") property(name="hostname" format="json")
  constant(value="\\",\\"app\\":\\"") property(name="app-name" format="json")
  constant(value="\\",\\"msg\\":\\"") property(name="msg" format="json") constant(value="\\"}}\\n")
}}
ruleset(name="keep") {{
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="{dir}/received" template="line" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="{input}" address="127.0.0.1" port="{port}" ruleset="keep")
"""
SYSLOG_NG = """
@version: 3.38
options {{ keep-hostname(yes); use-dns(no); chain-hostnames(no); dns-cache(no); log-msg-size(65536); }};
source in {{ syslog(ip("127.0.0.1") port({port}) transport("{transport}") {tls}); }};
destination out {{ file("{dir}/received" flush-lines(1) template("$(format-json --key .SDATA.* --rekey .SDATA.* --shift 7
  --add-prefix sd. --pair host=$HOST --pair app=$PROGRAM --pair msg=$MESSAGE)\\n")); }};
log {{ source(in); destination(out); }};
"""


def syslog_ng() -> pathlib.Path | None:
    """Returns where syslog-ng is unpacked, fetching it the first time; None where it cannot be had."""
    cache = pathlib.Path(os.environ.get("ATTESTARY_CACHE", pathlib.Path.home() / ".cache/attestary"))
    ready = cache / "syslog-ng"
    if not ready.exists() and shutil.which("apt-get"):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as place:
            done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=place, capture_output=True, timeout=300)
            if done.returncode != 0:
                return None
            for package in pathlib.Path(place).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, f"{place}/root"], check=True, timeout=60)
            pathlib.Path(place, "root").rename(ready)
    return ready if ready.exists() else None


class Syslog:
    """One receiver; `kill`ed and started again it goes on in the same file."""

    def __init__(self, program: str, transport: str, directory: pathlib.Path, authority):
        directory.mkdir()
        self.program, self.transport, self.directory = program, transport, directory
        self.port = harness.free_port()
        chain, key = authority
        (directory / "certificate.pem").write_text(chain)
        (directory / "ca.pem").write_text(chain)
        (directory / "key.pem").write_text(key)
        self.output = open(directory / "out", "wb")
        self.start()

    def start(self) -> None:
        command, variables = self._rsyslog() if self.program == "rsyslog" else self._syslog_ng()
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, env=os.environ | variables)
        harness.until(f"{self.program} listens", self._listens)

    def _rsyslog(self):
        config = self.directory / "rsyslog.conf"
        tls, udp = self.transport == "tls", self.transport == "udp"
        config.write_text(RSYSLOG.format(
            dir=self.directory, port=self.port, input="imudp" if udp else "imtcp", driver="ossl" if tls else "ptcp", mode=int(tls)))
        return [shutil.which("rsyslogd") or "/usr/sbin/rsyslogd", "-n", "-f", config, "-i", self.directory / "pid"], {}

    def _syslog_ng(self):
        root = syslog_ng()
        config = self.directory / "syslog-ng.conf"
        keys = 'tls(key-file("{0}/key.pem") cert-file("{0}/certificate.pem") peer-verify(optional-untrusted))'
        config.write_text(SYSLOG_NG.format(
            dir=self.directory, port=self.port, transport=self.transport, tls=keys.format(self.directory) if self.transport == "tls" else ""))
        files = [part for name, option in (("config", "-f"), ("persist", "-R"), ("pid", "-p"), ("control", "-c"))
                 for part in (option, config if name == "config" else self.directory / name)]
        libraries = [root / "usr/lib/syslog-ng", root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu"]
        command = [root / "usr/sbin/syslog-ng", "-F", "--no-caps", *files, "--module-path", root / "usr/lib/syslog-ng/3.38"]
        return command, {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.directory / "out").read_text()
        if self.transport == "udp":
            return f":{self.port:04X} " in pathlib.Path("/proc/net/udp").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def records(self) -> list[dict]:
        """Returns what was received, in order of arrival; a test's message is left out."""
        path = self.directory / "received"
        # Only LF ends a line: `splitlines` would also split at U+2028, which a field may hold.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [record for record in map(json.loads, lines) if self.element(record)["seq"] != "0" or "attestary.test" not in record["msg"]]

    @staticmethod
    def element(record: dict) -> dict:
        """Returns the parameters of our element of the structured data."""
        [(name, parameters)] = record["sd"].items()
        assert name.partition("@")[0] == "attestary", name
        return parameters

    def stop(self, number: int = harness.signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(harness.PATIENCE_SECONDS)
