-- What is there before any table: schemas, roles, and the functions that guard tables.

-- Nobody may call a function until somebody is granted it. Not for a schema: what is granted for all of them, which
-- EXECUTE is to PUBLIC, can only be taken back for all of them.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE SCHEMA ledger;
-- Months are tables of a schema of their own, which nobody names: everybody reads and writes through their parent.
CREATE SCHEMA partitions;
\ir ../ledger/sql/roles.sql
\ir ../ledger/sql/refuse_change.sql
\ir ../repositories/sql/common/guards.sql
\ir ../repositories/sql/messages/event_ids.sql
GRANT USAGE ON SCHEMA ledger TO bursar_api, bursar_platform;
