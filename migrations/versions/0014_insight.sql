-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

-- Exports, and events that the search index refused.

CREATE TABLE exports (
    id text NOT NULL,
    org_id text,
    dataset text NOT NULL,
    format text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    status text NOT NULL,
    horizon bigint,
    rows_done bigint DEFAULT 0 NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz,
    CONSTRAINT pk_exports PRIMARY KEY (id),
    CONSTRAINT uq_exports_command_id UNIQUE (command_id),
    CONSTRAINT fk_exports_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_exports_org_id_id ON exports (org_id, id);
CREATE INDEX ix_exports_kept ON exports (org_id) WHERE status <> 'expired';
SELECT pg_temp.row_security('exports');
SELECT pg_temp.tenant_reads_own('exports');
CREATE POLICY tenant_orders ON exports FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('exports');
GRANT INSERT ON exports TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, horizon, rows_done, finished_at, expires_at) ON exports TO bursar_platform;

CREATE TABLE export_files (
    export_id text NOT NULL,
    number bigint NOT NULL,
    org_id text,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    sums jsonb NOT NULL,
    last jsonb NOT NULL,
    CONSTRAINT pk_export_files PRIMARY KEY (export_id, number),
    CONSTRAINT fk_export_files_export_id_exports FOREIGN KEY (export_id) REFERENCES exports
);
SELECT pg_temp.row_security('export_files');
SELECT pg_temp.tenant_reads_own('export_files');
SELECT pg_temp.append_only('export_files');
GRANT SELECT, INSERT ON export_files TO bursar_platform;

CREATE TABLE search_refusals (
    event_id text NOT NULL,
    index_name text NOT NULL,
    reason text NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_search_refusals PRIMARY KEY (event_id)
);
CREATE INDEX ix_search_refusals_at ON search_refusals (at);
SELECT pg_temp.row_security('search_refusals');
GRANT SELECT, INSERT, UPDATE, DELETE ON search_refusals TO bursar_platform;
-- Where the reader of the outbox for the search index stands.
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('search-index', 0, '');
