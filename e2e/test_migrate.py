"""The guides in docs/migrate, run as a reader would paste them: every shell block, in order, in one shell.

Only the port differs. Packages are those that e2e/node has installed; `npm` is a stand-in that refuses any other name.
"""

import json
import os
import re
import subprocess

import pytest

import harness

GUIDES = harness.ROOT / "docs" / "migrate"
# What a reader must see, by page: parts of what the commands print.
EXPECTED = {
    "ironcore.md": ["answer: null", "USER_LOGIN", '"events_max":1000'],
    "formio.md": ["EAUTH_PASSWORD", "REQUEST_START", "REQUEST_END", '"duplicates":3'],
    "easysend.md": ['"security_event_type":"OPENED"', '"security_event_type":"COMPLETED"', "certificate.pdf: "],
    "workos.md": ["taken", "user.signed_in"],
    "retraced.md": ["event ", "document.create"],
    "cloudevents.md": ["com.example.order.cancelled", "kubernetes.secrets.get", "invoice.sent"],
}
NPM = """#!/bin/sh
[ "$1" = install ] || exit 1
shift
for name in "$@"; do
  [ -e "{modules}/$name" ] || {{ echo "$name is not installed for the tests" >&2; exit 1; }}
done
"""


def blocks(text):
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", sorted(EXPECTED))
def test_a_guide_does_what_it_says(page, attestary, tmp_path):
    tools, work = tmp_path / "bin", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    modules = os.environ.get("NODE_PATH") or str(harness.ROOT / "e2e/node/node_modules")
    (tools / "attestary").symlink_to(harness.binary())
    (tools / "npm").write_text(NPM.format(modules=modules))
    (tools / "npm").chmod(0o755)
    # `attestary dev` of a reader keeps its data beside the files of the guide.
    (work / "attestary-data").symlink_to(attestary.data)
    port = attestary.url.rsplit(":", 1)[1]
    commands = "\n".join(blocks((GUIDES / page).read_text())).replace("8080", port)
    assert "attestary" in commands
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATTESTARY")}
    variables |= {"PATH": f"{tools}:{os.environ['PATH']}", "NODE_PATH": modules}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=work, env=variables, capture_output=True,
                          text=True, timeout=harness.PATIENCE_SECONDS * 3)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for part in EXPECTED[page]:
        assert part in said, f"{part!r} is not in:\n{said}"
    if page == "easysend.md":
        made = json.loads((work / "certificate.json").read_text())
        assert [line["event"]["action"] for line in made["data"]] == ["OPENED", "COMPLETED"]
        assert (work / "certificate.pdf").read_bytes().startswith(b"%PDF-")


def test_every_page_is_tried_and_every_link_leads_somewhere():
    pages = {path.name for path in GUIDES.glob("*.md")}
    assert pages == {"README.md", *EXPECTED}
    for path in [*GUIDES.glob("*.md"), harness.ROOT / "deploy/compose/README.md"]:
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
            place = target.split("#")[0]
            assert target.startswith("http") or not place or (path.parent / place).exists(), f"{path.name}: {target}"
