#!/bin/sh
# Runs once, when the volume is new: Temporal gets databases and a role of its own beside Bursar's, and backups may be
# taken over the network.
set -eu
: "${TEMPORAL_DATABASE_PASSWORD:?}"
psql -v ON_ERROR_STOP=1 -v password="$TEMPORAL_DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
SQL
echo 'host replication postgres all scram-sha-256' >>"$PGDATA/pg_hba.conf"
