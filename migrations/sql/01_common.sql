-- Idempotency keys, approvals, and when the API was there.

CREATE POLICY tenant ON idempotency_keys TO bursar_api USING (scope = bursar_org()) WITH CHECK (scope = bursar_org());
GRANT SELECT, INSERT, UPDATE (status, decided_by, decided_at, used_by, used_at) ON approvals TO bursar_platform;

SELECT pg_temp.refuse_deletes('approvals');
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO bursar_api, bursar_platform;
GRANT SELECT, INSERT, UPDATE ON api_presence TO bursar_platform;

\ir ../../repositories/sql/common/idempotency.sql
\ir ../../repositories/sql/common/idempotency_versions.sql
