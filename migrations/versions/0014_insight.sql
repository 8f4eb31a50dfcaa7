-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.


-- Reports

CREATE TABLE reports (
    id text NOT NULL,
    org_id text,
    definition jsonb NOT NULL,
    next_definition jsonb,
    recipients text[] NOT NULL,
    period_from timestamptz NOT NULL,
    due_at timestamptz,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_reports PRIMARY KEY (id),
    CONSTRAINT uq_reports_command_id UNIQUE (command_id),
    CONSTRAINT ck_reports_due CHECK ((due_at IS NULL) = (ended_at IS NOT NULL)),
    CONSTRAINT fk_reports_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_reports_org_id_id ON reports (org_id, id);
CREATE INDEX ix_reports_due_at ON reports (due_at) WHERE due_at IS NOT NULL;
SELECT pg_temp.row_security('reports');
SELECT pg_temp.tenant_reads_own('reports');
SELECT pg_temp.refuse_deletes('reports');
GRANT SELECT, INSERT, UPDATE (definition, next_definition, recipients, period_from, due_at, updated_at, ended_at)
    ON reports TO bursar_platform;

CREATE TABLE report_runs (
    report_id text NOT NULL,
    number bigint NOT NULL,
    org_id text,
    period text NOT NULL,
    version bigint NOT NULL,
    definition jsonb NOT NULL,
    content jsonb NOT NULL,
    file bytea NOT NULL,
    sha256 text NOT NULL,
    told text[] NOT NULL,
    left_out jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT pk_report_runs PRIMARY KEY (report_id, number),
    CONSTRAINT uq_report_runs_version UNIQUE (report_id, period, version),
    CONSTRAINT ck_report_runs_sha256 CHECK (sha256 = encode(sha256(file), 'hex')),
    CONSTRAINT fk_report_runs_report_id_reports FOREIGN KEY (report_id) REFERENCES reports,
    CONSTRAINT fk_report_runs_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_report_runs_made_at ON report_runs (made_at);
SELECT pg_temp.row_security('report_runs');
SELECT pg_temp.tenant_reads_own('report_runs');
-- Files go after their time; what a run says never changes.
GRANT SELECT, INSERT, DELETE ON report_runs TO bursar_platform;
