-- Secrets, grants, their use, their access log and rotation.

-- Store

-- Where a value is kept; what it is used for stands in its path. A path keeps its row when its values are destroyed.
CREATE TABLE secrets (
    id text NOT NULL,
    org_id text NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    backend text NOT NULL,
    hosts text[] NOT NULL,
    rotation jsonb,
    current_version integer,
    -- The number that was given last. A number is given before its value is sealed for it, and never twice.
    last_number integer NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_secrets PRIMARY KEY (id),
    CONSTRAINT uq_secrets_org_id_path UNIQUE (org_id, path),
    CONSTRAINT fk_secrets_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_secrets_path CHECK (path ~ '^(payments|api_keys|access_credentials)/[a-z0-9_./-]+$'
        AND length(path) <= 200),
    CONSTRAINT ck_secrets_kind CHECK (kind IN ('reference', 'api_key', 'password', 'login', 'other')
        AND (kind = 'reference') = (path LIKE 'payments/%')),
    CONSTRAINT ck_secrets_backend CHECK (backend IN ('postgres', 'vault')),
    CONSTRAINT ck_secrets_current_version CHECK (current_version BETWEEN 1 AND last_number)
);
CREATE INDEX ix_secrets_org_id_id ON secrets (org_id, id);
SELECT pg_temp.row_security('secrets');
SELECT pg_temp.tenant_reads_own('secrets');
SELECT pg_temp.refuse_deletes('secrets');
GRANT SELECT, INSERT, UPDATE (hosts, rotation, current_version, last_number) ON secrets TO bursar_platform;

-- The values, sealed. No role may select what is sealed: `open_secret` returns it, and writes who had it.
CREATE TABLE secret_versions (
    secret_id text NOT NULL,
    number integer NOT NULL,
    org_id text NOT NULL,
    status text NOT NULL,
    sealed bytea,
    wrapped_key bytea,
    key_id text,
    usable_until timestamptz,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT pk_secret_versions PRIMARY KEY (secret_id, number),
    CONSTRAINT uq_secret_versions_command_id UNIQUE (command_id),
    CONSTRAINT fk_secret_versions_secret_id_secrets FOREIGN KEY (secret_id) REFERENCES secrets,
    CONSTRAINT fk_secret_versions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_secret_versions_number CHECK (number > 0),
    CONSTRAINT ck_secret_versions_status CHECK (status IN ('pending', 'current', 'previous', 'retired', 'destroyed')
        AND (status = 'previous') = (usable_until IS NOT NULL) AND (status = 'destroyed') = (destroyed_at IS NOT NULL)),
    CONSTRAINT ck_secret_versions_destroyed
        CHECK (destroyed_at IS NULL OR num_nonnulls(sealed, wrapped_key, key_id) = 0)
);
CREATE UNIQUE INDEX uq_secret_versions_one ON secret_versions (secret_id, status)
    WHERE status IN ('pending', 'current', 'previous');
CREATE INDEX ix_secret_versions_org_id ON secret_versions (org_id);
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

-- Who may use or read which paths: a principal of the organization, or one of its agents.
CREATE TABLE secret_grants (
    id text NOT NULL,
    org_id text NOT NULL,
    principal text,
    agent_id text,
    paths text[] NOT NULL,
    verbs text[] NOT NULL,
    hosts text[] NOT NULL,
    methods text[] NOT NULL,
    -- Where in a request the value may stand, see `domain.secrets.secret_use.placing`: the user does not choose, or it
    -- could have a host keep the value as a content of its own and read it there.
    places text[] DEFAULT '{basic,header:authorization}' NOT NULL,
    -- Which headers a use may set beside those that every use may, see `domain.secrets.secret_use.request`.
    headers text[] DEFAULT '{}' NOT NULL,
    uses_per_day integer,
    -- What one use costs, in minor units of credits; with a meter, what is held for it, and what it costs if its answer
    -- has no usage that the prices of this provider's models tell the cost of.
    price_minor bigint,
    meter text,
    -- The answers that are charged: a status, or a class such as `2xx`.
    charged_statuses text[] DEFAULT '{2xx}' NOT NULL,
    ends_at timestamptz NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CONSTRAINT pk_secret_grants PRIMARY KEY (id),
    CONSTRAINT uq_secret_grants_command_id UNIQUE (command_id),
    CONSTRAINT fk_secret_grants_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_secret_grants_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT ck_secret_grants_who CHECK (num_nonnulls(principal, agent_id) = 1),
    CONSTRAINT ck_secret_grants_verbs CHECK (verbs <@ '{use,read}' AND verbs <> '{}' AND paths <> '{}'
        AND (NOT 'use' = ANY (verbs) OR (hosts <> '{}' AND methods <> '{}'))),
    CONSTRAINT ck_secret_grants_price CHECK (price_minor > 0 AND (meter IS NULL OR price_minor IS NOT NULL)),
    CONSTRAINT ck_secret_grants_uses_per_day CHECK (uses_per_day > 0),
    CONSTRAINT ck_secret_grants_revoked CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX ix_secret_grants_org_id_id ON secret_grants (org_id, id);
CREATE INDEX ix_secret_grants_agent_id ON secret_grants (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX ix_secret_grants_principal ON secret_grants (org_id, lower(principal)) WHERE principal IS NOT NULL;
SELECT pg_temp.row_security('secret_grants');
SELECT pg_temp.tenant_reads_own('secret_grants');
SELECT pg_temp.refuse_deletes('secret_grants');
-- What was granted never changes; it ends, or is revoked.
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by) ON secret_grants TO bursar_platform;

-- How often each grant was used on a UTC day. `open_secret` counts, `return_unsent_use` takes one back.
CREATE TABLE secret_grant_days (
    grant_id text NOT NULL,
    day date NOT NULL,
    org_id text NOT NULL,
    uses integer NOT NULL,
    CONSTRAINT pk_secret_grant_days PRIMARY KEY (grant_id, day),
    CONSTRAINT fk_secret_grant_days_grant_id_secret_grants FOREIGN KEY (grant_id) REFERENCES secret_grants,
    CONSTRAINT ck_secret_grant_days_uses CHECK (uses >= 0)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('secret_grant_days');
SELECT pg_temp.tenant_reads_own('secret_grant_days');
SELECT pg_temp.refuse_deletes('secret_grant_days');
GRANT SELECT ON secret_grant_days TO bursar_platform;

-- Who asked for which secret, and what they were answered. `open_secret` alone writes.
CREATE TABLE secret_access (
    number bigint GENERATED ALWAYS AS IDENTITY,
    written_in bigint DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    org_id text NOT NULL,
    secret_id text,
    path text NOT NULL,
    version integer,
    verb text NOT NULL,
    outcome text NOT NULL,
    grant_id text,
    principal text NOT NULL,
    key_id text,
    agent_id text,
    host text,
    method text,
    purpose text,
    reference text,
    at timestamptz NOT NULL,
    CONSTRAINT pk_secret_access PRIMARY KEY (number),
    CONSTRAINT ck_secret_access_verb CHECK (verb IN ('use', 'read', 'rotate', 'check')),
    CONSTRAINT ck_secret_access_outcome CHECK (outcome IN ('opened', 'not_found', 'no_grant', 'no_version', 'host',
        'method', 'place', 'header', 'uses', 'operator'))
);
CREATE INDEX ix_secret_access_org_id_path_number ON secret_access (org_id, path, number);
CREATE INDEX ix_secret_access_written_in_number ON secret_access (written_in, number);
SELECT pg_temp.row_security('secret_access');
SELECT pg_temp.tenant_reads_own('secret_access');
SELECT pg_temp.append_only('secret_access');
GRANT SELECT ON secret_access TO bursar_platform;

-- Each seal covers the entries behind the seal before it, up to and with its own position, in the order of transactions.
CREATE TABLE secret_access_seals (
    number bigint NOT NULL,
    last_written_in bigint NOT NULL,
    last_number bigint NOT NULL,
    entries integer NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    CONSTRAINT pk_secret_access_seals PRIMARY KEY (number),
    CONSTRAINT ck_secret_access_seals_entries CHECK (entries > 0 AND number > 0 AND length(hash) = 32)
);
SELECT pg_temp.row_security('secret_access_seals');
SELECT pg_temp.append_only('secret_access_seals');
GRANT SELECT, INSERT ON secret_access_seals TO bursar_platform;

\ir ../../repositories/sql/secrets/open_secret.sql
\ir ../../repositories/sql/secrets/wrapped_keys.sql
\ir ../../repositories/sql/secrets/end_grants.sql

-- Use

-- Requests made with secrets: their outcome and cost. Neither the request nor its answer is kept.
CREATE TABLE secret_uses (
    id text NOT NULL,
    org_id text NOT NULL,
    secret_id text NOT NULL,
    version integer NOT NULL,
    grant_id text NOT NULL,
    agent_id text,
    host text NOT NULL,
    method text NOT NULL,
    meter text,
    price_minor bigint,
    cost_minor bigint,
    status text NOT NULL,
    reason text,
    status_code integer,
    command_id text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_secret_uses PRIMARY KEY (id),
    CONSTRAINT uq_secret_uses_command_id UNIQUE (command_id),
    CONSTRAINT fk_secret_uses_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_secret_uses_secret_id_secrets FOREIGN KEY (secret_id) REFERENCES secrets,
    CONSTRAINT fk_secret_uses_grant_id_secret_grants FOREIGN KEY (grant_id) REFERENCES secret_grants,
    CONSTRAINT ck_secret_uses_status CHECK (status IN ('requested', 'answered', 'failed', 'unknown')
        AND (status = 'requested') = (ended_at IS NULL) AND (status = 'answered') = (status_code IS NOT NULL)
        AND (status IN ('failed', 'unknown')) = (reason IS NOT NULL)),
    CONSTRAINT ck_secret_uses_cost CHECK (price_minor > 0 AND cost_minor >= 0
        AND (cost_minor IS NOT NULL) = (status <> 'requested' AND price_minor IS NOT NULL))
);
CREATE INDEX ix_secret_uses_org_id ON secret_uses (org_id);
CREATE INDEX ix_secret_uses_ended_at ON secret_uses (ended_at);
CREATE INDEX ix_secret_uses_requested ON secret_uses (created_at) WHERE status = 'requested';
SELECT pg_temp.row_security('secret_uses');
SELECT pg_temp.tenant_reads_own('secret_uses');
SELECT pg_temp.refuse_deletes('secret_uses');
GRANT SELECT, INSERT, UPDATE (cost_minor, status, reason, status_code, ended_at) ON secret_uses TO bursar_platform;
\ir ../../repositories/sql/secrets/return_unsent_use.sql

-- Rotation

-- Where the rotation of a secret stands; how it is rotated stands in `secrets.rotation`.
CREATE TABLE secret_rotations (
    secret_id text NOT NULL,
    org_id text NOT NULL,
    status text NOT NULL,
    number integer NOT NULL,
    replaced integer NOT NULL,
    since timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    grace_seconds integer,
    asked boolean NOT NULL,
    failures integer NOT NULL,
    detail text,
    reported boolean NOT NULL,
    -- When its run has something to do next; null where the secret is not rotated any more.
    wake_at timestamptz,
    CONSTRAINT pk_secret_rotations PRIMARY KEY (secret_id),
    CONSTRAINT fk_secret_rotations_secret_id_secrets FOREIGN KEY (secret_id) REFERENCES secrets,
    CONSTRAINT fk_secret_rotations_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_secret_rotations_status
        CHECK (status IN ('idle', 'waiting', 'created', 'applied', 'tested', 'promoted', 'failed')),
    CONSTRAINT ck_secret_rotations_numbers
        CHECK (number >= 0 AND replaced >= 0 AND failures >= 0 AND grace_seconds >= 0)
);
CREATE INDEX ix_secret_rotations_org_id ON secret_rotations (org_id);
CREATE INDEX ix_secret_rotations_wake_at ON secret_rotations (wake_at) WHERE wake_at IS NOT NULL;
SELECT pg_temp.row_security('secret_rotations');
SELECT pg_temp.tenant_reads_own('secret_rotations');
SELECT pg_temp.refuse_deletes('secret_rotations');
GRANT SELECT, INSERT, UPDATE ON secret_rotations TO bursar_platform;
