"""An S3 server of others (moto) on loopback, with signatures checked, and a client to look into it."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import subprocess
import sys

import boto3
import requests
from botocore.config import Config

import harness
import relay

REGION = "eu-central-1"


class S3:
    """`moto_server`, with one user who may do everything in S3. Requests with a wrong signature are refused."""

    def __init__(self, directory: pathlib.Path):
        directory.mkdir()
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.output = open(directory / "moto.out", "wb")
        program = pathlib.Path(sys.executable).parent / "moto_server"
        # The first calls make the user; then every call must be signed by it.
        environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3"}
        self.process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)], stdout=self.output, stderr=subprocess.STDOUT, env=environment,
        )
        harness.until("the S3 server answers", self._answers)
        # What the service speaks to; the test's own client does without.
        self.relay = relay.Relay(port)
        iam = self._client("iam", "any", "any")
        iam.create_user(UserName="attestary")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "iam:*", "sts:*"], "Resource": "*"}]}
        iam.put_user_policy(UserName="attestary", PolicyName="s3", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="attestary")["AccessKey"]
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        self.client = self._client("s3", self.key, self.secret)

    def _answers(self) -> bool:
        assert self.process.poll() is None, pathlib.Path(self.output.name).read_text()
        try:
            return requests.get(f"{self.url}/moto-api/data.json", timeout=5).ok
        except requests.ConnectionError:
            return False

    def _client(self, service: str, key: str, secret: str):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}),
        )

    def bucket(self, name: str, lock: bool = False) -> None:
        self.client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, ObjectLockEnabledForBucket=lock,
        )

    def role(self, name: str) -> str:
        """Makes a role that may do everything in S3, and returns its ARN."""
        iam = self._client("iam", self.key, self.secret)
        principal = {"AWS": iam.get_user(UserName="attestary")["User"]["Arn"]}
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="s3", PolicyDocument=json.dumps(policy))
        return arn

    def assume(self, arn: str) -> dict:
        """Returns temporary credentials of a role."""
        return self._client("sts", self.key, self.secret).assume_role(RoleArn=arn, RoleSessionName="mock")["Credentials"]

    def config(self, bucket: str, **more) -> dict:
        return {
            "bucket": bucket, "region": REGION, "endpoint": self.relay.url, "access_key_id": self.key,
            "secret_access_key": self.secret, **more,
        }

    def keys(self, bucket: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def lines(self, bucket: str, key: str) -> list[dict]:
        body = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        body = gzip.decompress(body) if key.endswith(".gz") else body
        return [json.loads(line) for line in body.decode().split("\n")[:-1]]

    def objects(self, bucket: str) -> dict[str, list[dict]]:
        """Returns the events of every object by its key, in the order of the keys; what a test wrote is left out."""
        return {key: self.lines(bucket, key) for key in self.keys(bucket) if "attestary-test" not in key}

    def events(self, bucket: str) -> list[dict]:
        """Returns every event of every object, in the order of the keys."""
        return [event for events in self.objects(bucket).values() for event in events]

    def stop(self) -> None:
        self.relay.stop()
        self.process.terminate()
        self.process.wait(harness.PATIENCE_SECONDS)
        self.output.close()
