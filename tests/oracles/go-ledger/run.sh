#!/usr/bin/env bash
# Checks the ledger crate with verifiers written in Go that are not ours: tests/oracles/go-ledger/run.sh
# Go and the module proxy are needed once; modules are pinned by go.sum. Exits 1 at a difference, 2 without Go.
set -euo pipefail
cd "$(dirname "$0")"
command -v go >/dev/null || { echo "go is not installed" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd ../../.. && cargo run --locked --quiet --package attestary-ledger --example ledger_vectors -- "$folder" --log)
# What is frozen is what is checked, not only what is made now.
diff -r --exclude=log ../../../crates/ledger/vectors "$folder"
GOFLAGS=-mod=readonly go run . "$folder"
