#!/bin/sh
# Makes a key for the application, a tenant, and the destination that prints the tenant's events as ECS lines.
# Runs where the server's data directory is; prints the application's key, once.
set -eu
TENANT=${1:-acme}
export ATTESTARY_URL=${ATTESTARY_URL:-http://127.0.0.1:8080} ATTESTARY_ENVIRONMENT=production
ATTESTARY_KEY=$(cat "${ATTESTARY__DATA_DIR:?}/operator.key")
export ATTESTARY_KEY
ADMIN_KEY=$(attestary keys create "set-up" --scopes admin,destinations --json | sed -n 's/.*"secret": *"\([^"]*\)".*/\1/p')
attestary keys create "my application" --scopes ingest,read
export ATTESTARY_KEY=$ADMIN_KEY
attestary tenants create "$TENANT"
attestary destinations create "standard output" --tenant "$TENANT" --type stdout --format ecs --start beginning
