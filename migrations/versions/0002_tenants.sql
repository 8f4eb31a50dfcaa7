-- Organizations, their contacts and metadata, keys, sessions and the audit trail.

CREATE TABLE organizations (
    id text NOT NULL,
    name text NOT NULL,
    tier text DEFAULT 'free' NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    status text DEFAULT 'active' NOT NULL,
    status_reason text,
    status_by text,
    status_at timestamptz,
    timed_exits text DEFAULT 'continue' NOT NULL,
    peers_agreed_at timestamptz,
    CONSTRAINT pk_organizations PRIMARY KEY (id),
    CONSTRAINT uq_organizations_command_id UNIQUE (command_id),
    CONSTRAINT ck_organizations_status CHECK (status IN ('active', 'suspended', 'closed')),
    CONSTRAINT ck_organizations_status_by CHECK ((status_at IS NULL) = (status_by IS NULL)),
    CONSTRAINT ck_organizations_tier CHECK (tier ~ '^[a-z][a-z0-9_]{0,39}$'),
    CONSTRAINT ck_organizations_timed_exits CHECK (timed_exits IN ('continue', 'pause'))
);
CREATE INDEX ix_organizations_stopped ON organizations (id) WHERE status <> 'active';
SELECT pg_temp.row_security('organizations');
CREATE POLICY tenant ON organizations TO bursar_api USING (id = bursar_org());
CREATE TRIGGER count_version BEFORE UPDATE ON organizations
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT ON organizations TO bursar_api;
GRANT SELECT, INSERT, UPDATE (name, tier, version, status, status_reason, status_by, status_at, timed_exits,
    peers_agreed_at) ON organizations TO bursar_platform;

CREATE TABLE organization_contacts (
    org_id text NOT NULL,
    language text NOT NULL,
    contacts jsonb NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    command_id text,
    CONSTRAINT pk_organization_contacts PRIMARY KEY (org_id),
    CONSTRAINT fk_organization_contacts_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('organization_contacts');
CREATE POLICY tenant ON organization_contacts TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('organization_contacts');
CREATE TRIGGER count_version BEFORE UPDATE ON organization_contacts
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT, INSERT, UPDATE (language, contacts, updated_by, updated_at, command_id)
    ON organization_contacts TO bursar_api, bursar_platform;

CREATE TABLE object_metadata (
    object_id text NOT NULL,
    org_id text NOT NULL,
    prefix text GENERATED ALWAYS AS (split_part(object_id, '_', 1)) STORED NOT NULL,
    external_id text,
    metadata jsonb DEFAULT '{}' NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    command_id text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_object_metadata PRIMARY KEY (object_id, org_id),
    CONSTRAINT ck_object_metadata_external_id CHECK (length(external_id) BETWEEN 1 AND 200),
    CONSTRAINT ck_object_metadata_metadata CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT fk_object_metadata_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE UNIQUE INDEX uq_object_metadata_external_id ON object_metadata (prefix, external_id, org_id)
    WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX uq_object_metadata_organization ON object_metadata (external_id)
    WHERE external_id IS NOT NULL AND prefix = 'org';
SELECT pg_temp.row_security('object_metadata');
SELECT pg_temp.tenant_reads_own('object_metadata');
CREATE POLICY tenant_writes ON object_metadata FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('object_metadata');
GRANT INSERT ON object_metadata TO bursar_api;
GRANT SELECT, INSERT, UPDATE (external_id, metadata, version, command_id, updated_at)
    ON object_metadata TO bursar_platform;

CREATE TABLE metadata_pairs (
    prefix text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    org_id text NOT NULL,
    object_id text NOT NULL,
    CONSTRAINT pk_metadata_pairs PRIMARY KEY (prefix, key, value, org_id, object_id)
);
SELECT pg_temp.row_security('metadata_pairs');
SELECT pg_temp.tenant_reads_own('metadata_pairs');
GRANT SELECT ON metadata_pairs TO bursar_platform;

CREATE TABLE api_keys (
    id text NOT NULL,
    org_id text,
    principal text NOT NULL,
    place smallint DEFAULT 1 NOT NULL,
    role text NOT NULL,
    agent_id text,
    secret_hash bytea,
    created_by text NOT NULL,
    issued_by text,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    department_id text,
    project_id text,
    permissions text[] DEFAULT '{}' NOT NULL,
    accepted_at timestamptz,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_command_id UNIQUE (command_id),
    CONSTRAINT ck_api_keys_accepted CHECK (accepted_at IS NULL OR secret_hash IS NULL),
    CONSTRAINT ck_api_keys_agent_role CHECK ((agent_id IS NOT NULL) = (role = 'agent')),
    CONSTRAINT ck_api_keys_people CHECK (secret_hash IS NOT NULL OR (org_id IS NOT NULL AND role <> 'agent')),
    CONSTRAINT ck_api_keys_permissions
        CHECK (permissions = '{}' OR role = 'agent' AND permissions <@ '{read_billing,accept,refund}'),
    CONSTRAINT ck_api_keys_platform_roles
        CHECK ((org_id IS NULL) = (role IN ('operator', 'arbiter', 'validator', 'accountant', 'platform_auditor'))),
    CONSTRAINT ck_api_keys_spends CHECK (org_id IS NOT NULL OR (department_id IS NULL AND project_id IS NULL)),
    CONSTRAINT fk_api_keys_issued_by_api_keys FOREIGN KEY (issued_by) REFERENCES api_keys,
    CONSTRAINT fk_api_keys_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_api_keys_active ON api_keys (id) WHERE revoked_at IS NULL;
CREATE INDEX ix_api_keys_department_id ON api_keys (department_id) WHERE department_id IS NOT NULL;
CREATE INDEX ix_api_keys_issued_by ON api_keys (issued_by) WHERE issued_by IS NOT NULL;
CREATE INDEX ix_api_keys_org_id ON api_keys (org_id, id);
CREATE INDEX ix_api_keys_org_id_active ON api_keys (org_id, id) WHERE revoked_at IS NULL;
CREATE INDEX ix_api_keys_people ON api_keys (lower(principal)) WHERE secret_hash IS NULL AND revoked_at IS NULL;
-- Every key that a principal ever had: each new key asks for them, see `forget_recipient`.
CREATE INDEX ix_api_keys_principal ON api_keys (org_id, lower(principal));
CREATE INDEX ix_api_keys_qualified ON api_keys (lower(coalesce(org_id || '/', '') || principal), place, created_at);
CREATE UNIQUE INDEX uq_api_keys_platform_principal ON api_keys (lower(principal), place)
    WHERE revoked_at IS NULL AND org_id IS NULL;
CREATE UNIQUE INDEX uq_api_keys_principal ON api_keys (org_id, lower(principal), place)
    WHERE revoked_at IS NULL AND org_id IS NOT NULL;
SELECT pg_temp.row_security('api_keys');
CREATE POLICY tenant ON api_keys FOR SELECT TO bursar_api USING (org_id = bursar_org());
-- A tenant's session writes no key, and neither a session nor a link: it could clear `revoked_at` or `ended_at`, or
-- write a secret that it knows.
GRANT SELECT ON api_keys TO bursar_api;
GRANT SELECT, INSERT,
    UPDATE (secret_hash, expires_at, accepted_at, revoked_at, last_used_at, department_id, project_id)
    ON api_keys TO bursar_platform;

CREATE TABLE session_links (
    id text NOT NULL,
    secret_hash bytea NOT NULL,
    key_id text NOT NULL,
    org_id text NOT NULL,
    principal text NOT NULL,
    role text NOT NULL,
    agent_id text,
    path text NOT NULL,
    return_url text,
    made_by text NOT NULL,
    by_mail boolean DEFAULT false NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT pk_session_links PRIMARY KEY (id),
    CONSTRAINT ck_session_links_agent_role CHECK ((agent_id IS NOT NULL) = (role = 'agent')),
    CONSTRAINT ck_session_links_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT ck_session_links_tenant_roles
        CHECK (role NOT IN ('operator', 'arbiter', 'validator', 'accountant', 'platform_auditor')),
    CONSTRAINT fk_session_links_key_id_api_keys FOREIGN KEY (key_id) REFERENCES api_keys,
    CONSTRAINT fk_session_links_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_session_links_expires_at ON session_links (expires_at);
CREATE INDEX ix_session_links_key_id ON session_links (key_id) WHERE ended_at IS NULL;
CREATE INDEX ix_session_links_org_id ON session_links (org_id, id);
SELECT pg_temp.row_security('session_links');
CREATE POLICY tenant ON session_links FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT ON session_links TO bursar_api;
GRANT SELECT, INSERT, UPDATE (used_at, ended_at, ended_by), DELETE ON session_links TO bursar_platform;

CREATE TABLE sessions (
    id text NOT NULL,
    secret_hash bytea NOT NULL,
    key_id text NOT NULL,
    org_id text,
    principal text NOT NULL,
    role text NOT NULL,
    agent_id text,
    link_id text,
    made_by text,
    browser text NOT NULL,
    address text,
    idle_seconds integer NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    last_used_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT uq_sessions_link_id UNIQUE (link_id),
    CONSTRAINT ck_sessions_agent_role CHECK ((agent_id IS NOT NULL) = (role = 'agent')),
    CONSTRAINT ck_sessions_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT ck_sessions_links CHECK (link_id IS NULL OR org_id IS NOT NULL),
    CONSTRAINT ck_sessions_made_by CHECK ((link_id IS NULL) = (made_by IS NULL)),
    CONSTRAINT ck_sessions_platform_roles
        CHECK ((org_id IS NULL) = (role IN ('operator', 'arbiter', 'validator', 'accountant', 'platform_auditor'))),
    CONSTRAINT fk_sessions_key_id_api_keys FOREIGN KEY (key_id) REFERENCES api_keys,
    CONSTRAINT fk_sessions_link_id_session_links FOREIGN KEY (link_id) REFERENCES session_links,
    CONSTRAINT fk_sessions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);
CREATE INDEX ix_sessions_key_id ON sessions (key_id) WHERE ended_at IS NULL;
CREATE INDEX ix_sessions_org_id ON sessions (org_id, id);
CREATE INDEX ix_sessions_principal ON sessions (org_id, lower(principal)) WHERE ended_at IS NULL;
SELECT pg_temp.row_security('sessions');
CREATE POLICY tenant ON sessions FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT ON sessions TO bursar_api;
GRANT SELECT, INSERT, UPDATE (last_used_at, ended_at, ended_by), DELETE ON sessions TO bursar_platform;

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT now() NOT NULL,
    org_id text,
    principal text NOT NULL,
    role text NOT NULL,
    actor_org_id text,
    key_id text,
    action text NOT NULL,
    target text NOT NULL,
    request_id text,
    address text,
    details jsonb NOT NULL,
    session_id text,
    made_by text,
    CONSTRAINT pk_audit_log PRIMARY KEY (id)
);
CREATE INDEX ix_audit_log_action_id ON audit_log (action, id);
CREATE INDEX ix_audit_log_actor_org_id ON audit_log (actor_org_id, id) WHERE org_id IS DISTINCT FROM actor_org_id;
CREATE INDEX ix_audit_log_actor_org_id_action_id ON audit_log (actor_org_id, action, id)
    WHERE org_id IS DISTINCT FROM actor_org_id;
CREATE INDEX ix_audit_log_actor_org_id_target_id ON audit_log (actor_org_id, target, id)
    WHERE org_id IS DISTINCT FROM actor_org_id;
CREATE INDEX ix_audit_log_at ON audit_log (timezone('UTC'::text, at));
CREATE INDEX ix_audit_log_org_id ON audit_log (org_id, id);
CREATE INDEX ix_audit_log_org_id_action_id ON audit_log (org_id, action, id);
CREATE INDEX ix_audit_log_org_id_at ON audit_log (org_id, at);
CREATE INDEX ix_audit_log_org_id_target_id ON audit_log (org_id, target, id);
CREATE INDEX ix_audit_log_target_id ON audit_log (target, id);
SELECT pg_temp.row_security('audit_log');
CREATE POLICY tenant ON audit_log TO bursar_api
    USING (org_id = bursar_org() OR actor_org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.append_only('audit_log');
GRANT SELECT, INSERT ON audit_log TO bursar_api, bursar_platform;

\ir ../../repositories/sql/tenants/organization_status.sql
\ir ../../repositories/sql/tenants/api_keys.sql
\ir ../../repositories/sql/tenants/api_key_permissions.sql
\ir ../../repositories/sql/tenants/metadata.sql
