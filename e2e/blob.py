"""Azure Blob Storage: Azurite of others (npm), signatures of shared access checked, and a client to look into it."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess

from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

import harness
import relay

COMPONENT = "Azurite (npm), signatures checked, behind a relay that injects faults"
# The account that every Azurite has; its key is public.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def command(port: int, directory: pathlib.Path) -> list[str]:
    """Returns what starts Azurite on a port of loopback."""
    program = pathlib.Path(os.environ["NODE_PATH"]) / "azurite/dist/src/blob/main.js"
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(directory)]
    return ["node", str(program), *place, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]


class Azure:
    def __init__(self, directory: pathlib.Path):
        directory.mkdir()
        self.port = harness.free_port()
        self.output = open(directory / "azurite.out", "wb")
        self.process = subprocess.Popen(command(self.port, directory), stdout=self.output, stderr=subprocess.STDOUT)
        self.relay = relay.Relay(self.port)
        self.containers: dict[str, ContainerClient] = {}

    def container(self, name: str) -> None:
        client = ContainerClient(f"http://127.0.0.1:{self.port}/{ACCOUNT}", name, credential=KEY, retry_total=0)

        def made() -> bool:
            assert self.process.poll() is None, pathlib.Path(self.output.name).read_text()
            try:
                client.create_container()
            except AzureError:
                return False
            return True

        harness.until("Azurite makes a container", made)
        self.containers[name] = client

    def sas(self, name: str, key: str = KEY, **rights: bool) -> str:
        rights = rights or {"create": True, "write": True, "read": True}
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return generate_container_sas(ACCOUNT, name, account_key=key, permission=ContainerSasPermissions(**rights), expiry=until)

    def config(self, name: str, **more) -> dict:
        return {"account": ACCOUNT, "container": name, "endpoint": f"{self.relay.url}/{ACCOUNT}", "sas": self.sas(name), **more}

    def objects(self, name: str) -> dict[str, list[dict]]:
        """Returns the events of every object by its key, in the order of the keys."""
        found = {}
        for key in sorted(self.containers[name].list_blob_names()):
            # The client unpacks what the blob says is packed.
            body = self.containers[name].download_blob(key).readall()
            found[key] = [json.loads(line) for line in body.decode().split("\n")[:-1]]
        return found

    def stop(self) -> None:
        self.relay.stop()
        self.process.kill()
        self.process.wait(harness.PATIENCE_SECONDS)
        self.output.close()
