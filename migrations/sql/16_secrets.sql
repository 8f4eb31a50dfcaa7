-- Secrets, grants, their use, their access log and rotation.

GRANT SELECT, INSERT, UPDATE (hosts, rotation, current_version, last_number) ON secrets TO bursar_platform;

CREATE POLICY tenant_reads ON secret_versions FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT (secret_id, number, org_id, status, key_id, usable_until, created_by, command_id, created_at, destroyed_at)
    ON secret_versions TO bursar_api, bursar_platform;
GRANT INSERT, UPDATE (status, sealed, wrapped_key, key_id, usable_until, destroyed_at) ON secret_versions
    TO bursar_platform;
-- A value is written once; what wraps its key may change.
CREATE TRIGGER refuse_other_value BEFORE UPDATE OF sealed ON secret_versions
    FOR EACH ROW WHEN (NEW.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed)
    EXECUTE FUNCTION refuse_change();

-- What was granted never changes; it ends, or is revoked.
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by) ON secret_grants TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (cost_minor, status, reason, status_code, ended_at) ON secret_uses TO bursar_platform;

SELECT pg_temp.tenant_reads_own('secrets', 'secret_grants', 'secret_grant_days', 'secret_access', 'secret_uses',
    'secret_rotations');
SELECT pg_temp.refuse_deletes('secrets', 'secret_versions', 'secret_grants', 'secret_grant_days', 'secret_uses',
    'secret_rotations');
SELECT pg_temp.append_only('secret_access', 'secret_access_seals');
GRANT SELECT ON secret_grant_days, secret_access TO bursar_platform;
GRANT SELECT, INSERT ON secret_access_seals TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON secret_rotations TO bursar_platform;

\ir ../../repositories/sql/secrets/open_secret.sql
\ir ../../repositories/sql/secrets/wrapped_keys.sql
\ir ../../repositories/sql/secrets/end_grants.sql
\ir ../../repositories/sql/secrets/return_unsent_use.sql
