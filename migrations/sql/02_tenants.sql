-- Organizations, their contacts and metadata, keys, sessions and the audit trail.

CREATE POLICY tenant ON organizations TO bursar_api USING (id = bursar_org());
GRANT SELECT, INSERT, UPDATE (name, tier, version, status, status_reason, status_by, status_at, timed_exits,
    peers_agreed_at, picture_sha256) ON organizations TO bursar_platform;
CREATE POLICY tenant_reads ON pictures FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR EXISTS (SELECT FROM agents a WHERE a.id = pictures.subject));
CREATE POLICY tenant ON organization_contacts TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (language, contacts, updated_by, updated_at, command_id)
    ON organization_contacts TO bursar_api, bursar_platform;
CREATE POLICY tenant_writes ON object_metadata FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (external_id, metadata, version, command_id, updated_at)
    ON object_metadata TO bursar_platform;

-- A tenant's session writes no key, and neither a session nor a link: it could clear `revoked_at` or `ended_at`, or
-- write a secret that it knows.
GRANT SELECT ON api_keys TO bursar_api;
GRANT SELECT, INSERT,
    UPDATE (secret_hash, expires_at, accepted_at, revoked_at, last_used_at, department_id, project_id)
    ON api_keys TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (used_at, ended_at, ended_by), DELETE ON session_links TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (last_used_at, ended_at, ended_by), DELETE ON sessions TO bursar_platform;
CREATE POLICY tenant ON audit_log TO bursar_api
    USING (org_id = bursar_org() OR actor_org_id = bursar_org()) WITH CHECK (org_id = bursar_org());

CREATE POLICY tenant ON api_keys FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON session_links FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON sessions FOR SELECT TO bursar_api USING (org_id = bursar_org());
SELECT pg_temp.tenant_reads_own('object_metadata', 'metadata_pairs');
SELECT pg_temp.refuse_deletes('organization_contacts', 'object_metadata');
SELECT pg_temp.append_only('audit_log');
SELECT pg_temp.count_version('organizations', 'organization_contacts');
GRANT SELECT ON organizations, pictures, session_links, sessions TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON pictures TO bursar_platform;
GRANT INSERT ON object_metadata TO bursar_api;
GRANT SELECT ON metadata_pairs TO bursar_platform;
GRANT SELECT, INSERT ON audit_log TO bursar_api, bursar_platform;

\ir ../../repositories/sql/tenants/organization_status.sql
\ir ../../repositories/sql/tenants/api_keys.sql
\ir ../../repositories/sql/tenants/api_key_permissions.sql
\ir ../../repositories/sql/tenants/metadata.sql
\ir ../../repositories/sql/tenants/sessions.sql
