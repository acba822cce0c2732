"""A backup that is older than what was signed is restored by the command line: the server signs nothing over the fork, an operator
lets the logs go on under new names, and an auditor who kept a checkpoint is told what happened."""

import shutil

import harness
from test_evidence import Auditor, fill


def run(auditor: Auditor, *arguments: object, code: int = 0) -> str:
    done = auditor.run(*arguments)
    assert done.returncode == code, f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_a_restored_directory_goes_on_under_new_names_and_says_what_is_lost(tmp_path):
    data, copy, backup = tmp_path / "data", tmp_path / "copy", tmp_path / "backup"
    server = harness.Attestary(data)
    tenant = server.tenant
    auditor = Auditor(tmp_path, server)
    fill(server, 0, 700)
    kept = auditor.export(tenant, "kept.zip")
    assert auditor.verify(kept)[0] == 0
    early = auditor.state.read_text()
    run(auditor, "backup", backup, "--data", data)
    fill(server, 700, 300)
    auditor.trust.unlink()
    assert auditor.verify(auditor.export(tenant, "lost.zip"))[0] == 0
    late = auditor.state.read_text()
    old_trust = tmp_path / "old.trust"
    shutil.copy(auditor.trust, old_trust)
    assert server.stop() == 0

    run(auditor, "restore", backup, copy)
    # What stands apart from the data is not restored with it.
    shutil.copytree(data / "register", copy / "register")
    server = harness.Attestary(copy)
    try:
        refused = server.call("GET", f"/v1/tenants/{tenant}/checkpoint", key="read_key")
        assert refused.status_code == 503 and "signing-refused" in refused.text
        # Nobody renews what is being served.
        assert "in use" in run(auditor, "renew", "--data", copy, code=2)
    finally:
        assert server.stop() == 0
    said = run(auditor, "renew", "--data", copy)
    assert "began anew" in said and tenant in said
    assert "nothing had to begin anew" in run(auditor, "renew", "--data", copy)
    run(auditor, "fsck", "--data", copy)

    server = harness.Attestary(copy)
    try:
        auditor.environment |= {"ATTESTARY_URL": server.url, "ATTESTARY_KEY": server.facts["read_key"]}
        fill(server, 2_000, 50)
        auditor.trust.unlink()
        bundle = auditor.export(tenant, "restored.zip")
        auditor.state.write_text(early)
        code, text = auditor.verify(bundle)
        assert code == 0 and "restored: goes on from" in text and "1 known checkpoints of that log agree" in text, text
        auditor.state.write_text(late)
        code, text = auditor.verify(bundle)
        assert code == 2 and "are lost" in text, text
        code, text = auditor.verify(bundle, "--accept-loss")
        assert code == 0 and "are lost" in text, text
        # The server itself, as a log of tiles under its new name.
        code, text = auditor.verify(f"{server.url}/v1/tenants/{tenant}")
        assert code == 0, text
        # The older name keeps what was said under it, and does not speak for the new log.
        auditor.trust = old_trust
        assert auditor.verify(tmp_path / "lost.zip")[0] == 0
        assert auditor.verify(bundle)[0] == 1
        told = [event for event in server.events(tenant) if event["action"] == "attestary.restored"]
        assert len(told) == 1 and told[0]["metadata"]["previous_size"] >= 700
    finally:
        assert server.stop() == 0
    run(auditor, "fsck", "--data", copy)
