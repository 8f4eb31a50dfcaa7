#!/bin/sh
# Brings Temporal's two databases to the schema of this release. A schema that is there already is left or updated.
set -eu
for database in temporal temporal_visibility; do
    tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_HOST -p 5432 -u temporal --db $database"
    $tool setup-schema -v 0.0
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/${database#temporal_}/versioned"
done
