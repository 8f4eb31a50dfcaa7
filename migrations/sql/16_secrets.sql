-- Secrets, grants, their use, their access log and rotation.

-- Store

SELECT pg_temp.row_security('secrets');
SELECT pg_temp.tenant_reads_own('secrets');
SELECT pg_temp.refuse_deletes('secrets');
GRANT SELECT, INSERT, UPDATE (hosts, rotation, current_version, last_number) ON secrets TO bursar_platform;

SELECT pg_temp.row_security('secret_versions');
CREATE POLICY tenant_reads ON secret_versions FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT (secret_id, number, org_id, status, key_id, usable_until, created_by, command_id, created_at, destroyed_at)
    ON secret_versions TO bursar_api, bursar_platform;
SELECT pg_temp.refuse_deletes('secret_versions');
GRANT INSERT, UPDATE (status, sealed, wrapped_key, key_id, usable_until, destroyed_at) ON secret_versions
    TO bursar_platform;
-- A value is written once; what wraps its key may change.
CREATE TRIGGER refuse_other_value BEFORE UPDATE OF sealed ON secret_versions
    FOR EACH ROW WHEN (NEW.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed)
    EXECUTE FUNCTION refuse_change();

SELECT pg_temp.row_security('secret_grants');
SELECT pg_temp.tenant_reads_own('secret_grants');
SELECT pg_temp.refuse_deletes('secret_grants');
-- What was granted never changes; it ends, or is revoked.
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by) ON secret_grants TO bursar_platform;

SELECT pg_temp.row_security('secret_grant_days');
SELECT pg_temp.tenant_reads_own('secret_grant_days');
SELECT pg_temp.refuse_deletes('secret_grant_days');
GRANT SELECT ON secret_grant_days TO bursar_platform;

SELECT pg_temp.row_security('secret_access');
SELECT pg_temp.tenant_reads_own('secret_access');
SELECT pg_temp.append_only('secret_access');
GRANT SELECT ON secret_access TO bursar_platform;

SELECT pg_temp.row_security('secret_access_seals');
SELECT pg_temp.append_only('secret_access_seals');
GRANT SELECT, INSERT ON secret_access_seals TO bursar_platform;

\ir ../../repositories/sql/secrets/open_secret.sql
\ir ../../repositories/sql/secrets/wrapped_keys.sql
\ir ../../repositories/sql/secrets/end_grants.sql

-- Use

SELECT pg_temp.row_security('secret_uses');
SELECT pg_temp.tenant_reads_own('secret_uses');
SELECT pg_temp.refuse_deletes('secret_uses');
GRANT SELECT, INSERT, UPDATE (cost_minor, status, reason, status_code, ended_at) ON secret_uses TO bursar_platform;
\ir ../../repositories/sql/secrets/return_unsent_use.sql

-- Rotation

SELECT pg_temp.row_security('secret_rotations');
SELECT pg_temp.tenant_reads_own('secret_rotations');
SELECT pg_temp.refuse_deletes('secret_rotations');
GRANT SELECT, INSERT, UPDATE ON secret_rotations TO bursar_platform;
