#!/usr/bin/env bash
# Checks the ledger crate with a Python verifier that is not ours: tests/oracles/py-ledger/run.sh
# Its environment lies under ATTESTARY_CACHE (default: ~/.cache/attestary). Exits 1 at a difference.
set -euo pipefail
cd "$(dirname "$0")"
environment=${ATTESTARY_CACHE:-$HOME/.cache/attestary}/venv-ledger
stamp=$environment/$(cat requirements.txt requirements-hashed.txt | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement requirements.txt
    "$environment/bin/pip" install --quiet --no-deps --ignore-requires-python --require-hashes \
        --requirement requirements-hashed.txt
    touch "$stamp"
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd ../../.. && cargo run --locked --quiet --package attestary-ledger --example ledger_vectors -- "$folder" --log)
"$environment/bin/python" check.py "$folder"
