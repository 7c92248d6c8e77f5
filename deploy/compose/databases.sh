#!/bin/bash
# Runs once, when the server's folder is empty: a role for each database of $DATABASES, which alone may connect to it, and a role that reads
# statistics.
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
