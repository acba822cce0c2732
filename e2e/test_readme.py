"""The commands of README.md, taken from it and run as they stand: what a reader would paste is what is tested.

Only the port and the places of data differ, through the environment: a busy port 8080 or an old data directory
must not decide about a test.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import harness


def blocks():
    """Returns the shell blocks in order, each as a list of commands; continued lines are joined."""
    text = (harness.ROOT / "README.md").read_text()
    return [
        [line for line in block.replace("\\\n", " ").strip().split("\n") if line]
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    ]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
    return {**kept, **more}


def shell(command, directory, variables, ok=True):
    done = subprocess.run(["bash", "-euc", command], cwd=directory, env=variables, capture_output=True, timeout=1800)
    assert not ok or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode()


class Background:
    """A command that goes on running, its output in a file."""

    def __init__(self, command, directory, variables, output):
        self.output = output
        self.file = open(output, "wb")
        self.process = subprocess.Popen(
            ["bash", "-euc", f"exec {command}"], cwd=directory, env=variables, stdout=self.file, stderr=subprocess.STDOUT,
        )

    def text(self):
        return self.output.read_text(errors="replace")

    def has(self, what):
        assert self.process.poll() is None, self.text()
        return what in self.text()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(harness.PATIENCE_SECONDS)
        self.file.close()
        return code


def test_five_minutes(tmp_path):
    (start,), (find,) = blocks()[:2]
    variables = environment(ATTESTARY_DATA=str(tmp_path / "data"), ATTESTARY_LISTEN="127.0.0.1:0")
    dev = Background(start, harness.ROOT, variables, tmp_path / "dev.log")
    try:
        harness.until("dev is ready", lambda: dev.has("Ctrl-C"), 1800)
        assert re.search(r"http://127\.0\.0\.1:\d+", dev.text())
        (curl,) = [line.strip() for line in dev.text().split("\n") if line.strip().startswith("curl ")]
        reply = shell(curl, tmp_path, variables)
        assert reply.startswith("HTTP/1.1 201 ") and '"duplicate":false' in reply, reply
        assert "user.login" in shell(find, harness.ROOT, variables)
        harness.until("the receiver shows the event", lambda: dev.has("|user.login|"))
    finally:
        code = dev.stop()
    assert code == 0, dev.text()


def test_run_it_for_real(tmp_path):
    build, keys, use = blocks()[2:5]
    program = harness.binary()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "attestary").symlink_to(program)
    shutil.copy(harness.ROOT / "crates/formats/fixtures/formio/documented.log", tmp_path / "audit.log")
    port = harness.free_port()
    variables = environment(PATH=f"{tools}:{os.environ['PATH']}", ATTESTARY__HTTP__LISTEN=f"127.0.0.1:{port}")
    compile_it, *configure, serve = build
    assert compile_it == "cargo build --release" and serve.startswith("attestary serve ")
    shell(compile_it, harness.ROOT, environment())
    for command in configure:
        shell(command, tmp_path, variables)
    server = Background(serve, tmp_path, variables, tmp_path / "serve.log")
    try:
        harness.until("serve is ready", lambda: server.has("attestary serves"))
        on_port = [command.replace("8080", str(port)) for command in keys]
        made = shell("\n".join(on_port), tmp_path, variables)
        key = re.findall(r"^secret: (\S+)$", made, re.MULTILINE)[-1]
        assert oct((tmp_path / "attestary-data/operator.key").stat().st_mode & 0o777) == "0o600"
        variables |= {"ATTESTARY_URL": f"http://127.0.0.1:{port}", "ATTESTARY_KEY": key}
        found = shell("\n".join(use), tmp_path, variables)
        assert found.count("EAUTH_") >= 3, found
    finally:
        code = server.stop()
    assert code == 0, server.text()


def test_every_file_that_the_readme_links_to_exists():
    text = (harness.ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (harness.ROOT / target).exists(), target


def test_the_data_directory_is_private(tmp_path):
    server = harness.Attestary(tmp_path / "data")
    try:
        mode = (pathlib.Path(server.facts["data_dir"]) / "credentials.json").stat().st_mode
        assert oct(mode & 0o777) == "0o600"
    finally:
        assert server.stop() == 0
