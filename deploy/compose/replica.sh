#!/bin/bash
# Copies the primary once, then follows it by a slot of its own; a copy that is there goes on from where it was.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  PGPASSWORD="$(cat /keys/replication)"
  export PGPASSWORD
  slot="${REPLICA//-/_}"
  primary="host=postgres user=taskmesh_replication application_name=$REPLICA"
  psql --no-psqlrc --quiet "$primary dbname=postgres replication=true" -c "DROP_REPLICATION_SLOT $slot" 2> /dev/null || true
  rm -rf "$PGDATA" "$PGDATA.draft"
  mkdir -p "$(dirname "$PGDATA")"
  # -R writes down whom to follow.
  pg_basebackup -d "$primary" -D "$PGDATA.draft" -X stream -R -C -S "$slot" --checkpoint=fast
  mv "$PGDATA.draft" "$PGDATA"
  unset PGPASSWORD
fi
exec docker-entrypoint.sh "$@"
