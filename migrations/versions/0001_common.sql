-- What every area needs: the roles, the guards of tables, idempotency keys, approvals, and when the API was there.

-- Nobody may call a function until somebody is granted it. Not for a schema: what is granted for all of them, which
-- EXECUTE is to PUBLIC, can only be taken back for all of them.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE SCHEMA ledger;
-- Months are tables of a schema of their own, which nobody names: everybody reads and writes through their parent.
CREATE SCHEMA partitions;
\ir ../../ledger/sql/roles.sql
\ir ../../ledger/sql/refuse_change.sql
\ir ../../repositories/sql/common/guards.sql
GRANT USAGE ON SCHEMA ledger TO bursar_api, bursar_platform;

CREATE TABLE idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    state text NOT NULL,
    owner text NOT NULL,
    locked_until timestamptz NOT NULL,
    status integer,
    content_type text,
    body bytea,
    created_at timestamptz DEFAULT now() NOT NULL,
    version bigint,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope, key),
    CONSTRAINT ck_idempotency_keys_answer CHECK ((state = 'done') = (status IS NOT NULL)),
    CONSTRAINT ck_idempotency_keys_state CHECK (state IN ('running', 'done'))
);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
SELECT pg_temp.row_security('idempotency_keys');
CREATE POLICY tenant ON idempotency_keys TO bursar_api USING (scope = bursar_org()) WITH CHECK (scope = bursar_org());
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO bursar_api, bursar_platform;

CREATE TABLE approvals (
    id text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    content jsonb NOT NULL,
    digest text NOT NULL,
    status text NOT NULL,
    requested_by text NOT NULL,
    requested_key text,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    used_by text,
    used_at timestamptz,
    CONSTRAINT pk_approvals PRIMARY KEY (id)
);
CREATE INDEX ix_approvals_subject ON approvals (subject);
CREATE UNIQUE INDEX uq_approvals_open ON approvals (action, subject, digest) WHERE status IN ('requested', 'approved');
SELECT pg_temp.row_security('approvals');
SELECT pg_temp.refuse_deletes('approvals');
GRANT SELECT, INSERT, UPDATE (status, decided_by, decided_at, used_by, used_at) ON approvals TO bursar_platform;

CREATE TABLE api_presence (
    id smallint DEFAULT 1 NOT NULL,
    seen_at timestamptz NOT NULL,
    away_from timestamptz,
    away_until timestamptz,
    owed interval,
    owed_from timestamptz,
    CONSTRAINT pk_api_presence PRIMARY KEY (id),
    CONSTRAINT ck_api_presence_one CHECK (id = 1)
);
SELECT pg_temp.row_security('api_presence');
GRANT SELECT, INSERT, UPDATE ON api_presence TO bursar_platform;

\ir ../../repositories/sql/common/idempotency.sql
\ir ../../repositories/sql/common/idempotency_versions.sql
