"""Syslog frames through a real rsyslog: every event arrives once, in order, with its fields, and nothing is forged.

Sends octet-counted and LF-framed RFC 5424 messages with CEF and with JSON to an rsyslogd that this script starts on a
loopback port with its default message size, and compares what rsyslog understood: host, application, MSGID,
priority, the structured data as mmpstrucdata parses it, and the message as cefp or Python's json module reads it. A fifth of the
events is far longer than a frame may be. Needs Debian's rsyslog; otherwise used like cef_roundtrip.py.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cefp
from cef_roundtrip import Generator, dump

CONFIG = """
global(workDirectory="{root}" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp")
module(load="mmpstrucdata")
template(name="line" type="list") {{
  constant(value="{{\\"pri\\":\\"") property(name="pri")
  constant(value="\\",\\"time\\":\\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\\",\\"host\\":\\"") property(name="hostname" format="json")
  constant(value="\\",\\"app\\":\\"") property(name="app-name" format="json")
  constant(value="\\",\\"msgid\\":\\"") property(name="msgid" format="json")
  constant(value="\\",\\"sd\\":") property(name="$!rfc5424-sd")
  constant(value=",\\"msg\\":\\"") property(name="msg" format="json")
  constant(value="\\"}}\\n")
}}
ruleset(name="keep") {{
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="{root}/received" template="line")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def receive(rsyslogd, frames, count):
    """Returns what an rsyslogd wrote after it was sent these frames."""
    with tempfile.TemporaryDirectory() as root:
        port = free_port()
        config = Path(root, "rsyslog.conf")
        config.write_text(CONFIG.format(root=root, port=port))
        daemon = subprocess.Popen([rsyslogd, "-n", "-f", str(config), "-i", f"{root}/pid"], stderr=subprocess.DEVNULL)
        try:
            with connect(port) as stream:
                stream.sendall(frames)
            received = Path(root, "received")
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                lines = received.read_bytes().split(b"\n")[:-1] if received.exists() else []
                if len(lines) >= count:
                    break
                time.sleep(0.1)
            # What comes late would be a forged message.
            time.sleep(0.5)
            return received.read_bytes().decode().split("\n")[:-1]
        finally:
            daemon.terminate()
            daemon.wait()


def differences(event, line, form):
    got = json.loads(line)
    sd = got["sd"].get("attestary@32473", {})
    severity = int(event["severity"])
    syslog_severity = 6 if severity < 6 else {6: 5, 7: 4, 8: 4, 9: 3, 10: 2}[severity]
    msgid = "".join(c if "!" <= c <= "~" else "-" for c in event["action"][:32])
    wanted = {
        "pri": (got["pri"], str(13 * 8 + syslog_severity)),
        "time": (got["time"].replace("+00:00", "Z"), event["occurred_at"]),
        "app": (got["app"], "attestary"),
        "msgid": (got["msgid"], msgid),
        "id": (sd.get("id"), event["id"]),
        "seq": (sd.get("seq"), str(event["seq"])),
        "tenant": (sd.get("tenant"), event["tenant"]),
        "leaf": (sd.get("leaf"), event["leaf_hash"]),
    }
    message = got["msg"].removeprefix(" ")
    if form == "cef":
        pairs = cefp.parse(message)["extension"]
        wanted |= {"externalId": (pairs.get("externalId"), event["id"]), "cn1": (pairs.get("cn1"), str(event["seq"]))}
        wanted |= {"flexString1": (pairs.get("flexString1"), event["leaf_hash"])}
    else:
        native = json.loads(message)
        wanted |= {name: (native.get(name), event[name]) for name in ("id", "tenant", "leaf_hash")}
        wanted |= {"native seq": (native.get("seq"), int(event["seq"]))}
    return [f"{name}: got {got!r}, expected {want!r}" for name, (got, want) in wanted.items() if got != want]


def events(seed, count):
    generator = Generator(seed)
    for index in range(count):
        event = generator.event()
        if index % 5 == 0:
            # A forged message would look like these lines.
            forged = f"\n<13>1 2026-01-01T00:00:00Z evil evil - - - forged {index} "
            event["metadata"] = {"long": "x" * 30_000, "lines": forged * 90}
            event["description"] = forged * 90
            event["context"]["user_agent"] = forged * 90
        yield event


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--emit", required=True, help="the built `emit` example")
    arguments.add_argument("--events", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=20260101)
    arguments.add_argument("--rsyslogd", default=shutil.which("rsyslogd") or "/usr/sbin/rsyslogd")
    options = arguments.parse_args()
    sent = list(events(options.seed, options.events))
    lines = "\n".join(map(dump, sent)).encode()
    problems = 0
    for form in ("cef", "json"):
        for framing in ("octet-counting", "lf"):
            command = [options.emit, json.dumps({"type": form}), json.dumps({"framing": framing})]
            frames = subprocess.run(command, input=lines, capture_output=True, check=True).stdout
            received = receive(options.rsyslogd, frames, len(sent))
            print(f"{form}, {framing}: {len(sent)} sent, {len(received)} received, {len(frames)} bytes")
            problems += abs(len(received) - len(sent))
            for index, (event, line) in enumerate(zip(sent, received)):
                for difference in differences(event, line, form):
                    problems += 1
                    print(f"event {index}, {form}, {framing}: {difference}")
    print(f"seed {options.seed}: {problems} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
