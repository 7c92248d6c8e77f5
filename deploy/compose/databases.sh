#!/bin/bash
# Runs once, when the server's folder is empty: a role for each database of $DATABASES, which alone may connect to it, a role that reads
# statistics, and one by which other servers follow this one.
set -euo pipefail

for name in $DATABASES; do
  psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v name="$name" -v password="$(cat "/keys/$name")" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done

psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v password="$(cat /keys/monitor)" \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE monitor LOGIN PASSWORD :'password';
GRANT pg_monitor TO monitor;
SQL

psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v password="$(cat /keys/replication)" \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE taskmesh_replication LOGIN REPLICATION PASSWORD :'password';
SQL
echo "host replication taskmesh_replication all scram-sha-256" >> "$PGDATA/pg_hba.conf"
