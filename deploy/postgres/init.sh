#!/bin/sh
# Runs once, when the volume is new: Temporal gets databases and a role of its own beside Bursar's.
set -eu
: "${TEMPORAL_DATABASE_PASSWORD:?}"
psql -v ON_ERROR_STOP=1 -v password="$TEMPORAL_DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
SQL
