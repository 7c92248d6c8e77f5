#!/bin/bash
# What the compose file relies on of the official image: the first start makes a cluster with the password of
# POSTGRES_PASSWORD_FILE and runs /docker-entrypoint-initdb.d/*.sh against a server that only its socket reaches.
set -euo pipefail
programs=/usr/lib/postgresql/18/bin
PATH="$programs:$PATH"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  initdb -D "$PGDATA" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 \
    --auth-local=trust --auth-host=scram-sha-256 --no-instructions
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -c unix_socket_directories=/run/postgresql" start
  export PGHOST=/run/postgresql
  for script in /docker-entrypoint-initdb.d/*.sh; do
    bash "$script"
  done
  unset PGHOST
  pg_ctl -D "$PGDATA" -w -m fast stop
fi

shift
exec "$programs/postgres" -D "$PGDATA" -c "listen_addresses=*" -c unix_socket_directories=/run/postgresql "$@"
