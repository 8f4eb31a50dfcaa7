-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

-- What the outbox adds up to, by day (UTC) and by quarter of an hour, of which the days of every time zone are made.
-- The batch `accounting-days` adds each event once, in the order of the outbox; readers add later events themselves.
CREATE TABLE metric_sums (
    org_id text NOT NULL,
    measure text NOT NULL,
    seconds integer NOT NULL,
    starts_at timestamptz NOT NULL,
    asset text NOT NULL,
    labels jsonb NOT NULL,
    value numeric NOT NULL,
    CONSTRAINT pk_metric_sums PRIMARY KEY (org_id, measure, seconds, starts_at, asset, labels),
    CONSTRAINT ck_metric_sums_seconds CHECK (seconds IN (900, 86400))
) WITH (fillfactor = 50);
CREATE INDEX ix_metric_sums_measure ON metric_sums (measure, seconds, starts_at);
SELECT pg_temp.row_security('metric_sums');
SELECT pg_temp.tenant_reads_own('metric_sums');
GRANT SELECT ON metric_sums TO bursar_platform;

-- Who changed something on a day (UTC), by the audit log.
CREATE TABLE active_people (
    day date NOT NULL,
    org_id text NOT NULL,
    principal text NOT NULL,
    CONSTRAINT pk_active_people PRIMARY KEY (day, org_id, principal)
);
SELECT pg_temp.row_security('active_people');
SELECT pg_temp.tenant_reads_own('active_people');
GRANT SELECT ON active_people TO bursar_platform;

-- Up to which event the outbox is added up, and before which day the audit log is.
CREATE TABLE metric_place (
    id smallint DEFAULT 1 NOT NULL,
    written_in bigint DEFAULT 0 NOT NULL,
    event_id text DEFAULT '' NOT NULL,
    people_before date DEFAULT '1970-01-01' NOT NULL,
    CONSTRAINT pk_metric_place PRIMARY KEY (id),
    CONSTRAINT ck_metric_place_one CHECK (id = 1)
);
SELECT pg_temp.row_security('metric_place');
CREATE POLICY everyone ON metric_place FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON metric_place TO bursar_api, bursar_platform;
INSERT INTO metric_place DEFAULT VALUES;

\ir ../../repositories/sql/insight/metrics.sql


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
    look_again_at timestamptz,
    CONSTRAINT pk_report_runs PRIMARY KEY (report_id, number),
    CONSTRAINT uq_report_runs_version UNIQUE (report_id, period, version),
    CONSTRAINT ck_report_runs_sha256 CHECK (sha256 = encode(sha256(file), 'hex')),
    CONSTRAINT fk_report_runs_report_id_reports FOREIGN KEY (report_id) REFERENCES reports,
    CONSTRAINT fk_report_runs_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_report_runs_made_at ON report_runs (made_at);
CREATE INDEX ix_report_runs_look_again_at ON report_runs (look_again_at) WHERE look_again_at IS NOT NULL;
SELECT pg_temp.row_security('report_runs');
SELECT pg_temp.tenant_reads_own('report_runs');
-- Files go after their time; what a run says never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (look_again_at) ON report_runs TO bursar_platform;

-- The schema `reporting` and its role.
\ir ../../repositories/sql/insight/reporting.sql

-- Advice, and comparison with others.

CREATE TABLE insight_dismissals (
    org_id text NOT NULL,
    insight_id text NOT NULL,
    dismissed_by text NOT NULL,
    dismissed_at timestamptz NOT NULL,
    CONSTRAINT pk_insight_dismissals PRIMARY KEY (org_id, insight_id),
    CONSTRAINT fk_insight_dismissals_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('insight_dismissals');
CREATE POLICY tenant ON insight_dismissals TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('insight_dismissals');
GRANT SELECT, INSERT, UPDATE (dismissed_by, dismissed_at) ON insight_dismissals TO bursar_api, bursar_platform;

CREATE TABLE insight_takes (
    org_id text NOT NULL,
    insight_id text NOT NULL,
    month date NOT NULL,
    order_id text,
    policy jsonb,
    taken_by text NOT NULL,
    taken_at timestamptz NOT NULL,
    approved_by text,
    approved_at timestamptz,
    CONSTRAINT pk_insight_takes PRIMARY KEY (org_id, insight_id, month),
    CONSTRAINT ck_insight_takes_proposes CHECK (num_nonnulls(order_id, policy) = 1),
    CONSTRAINT ck_insight_takes_approved CHECK ((approved_by IS NULL) = (approved_at IS NULL)
        AND (approved_at IS NULL OR policy IS NOT NULL)),
    CONSTRAINT fk_insight_takes_order_id_purchase_orders FOREIGN KEY (order_id) REFERENCES purchase_orders,
    CONSTRAINT fk_insight_takes_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('insight_takes');
SELECT pg_temp.tenant_reads_own('insight_takes');
SELECT pg_temp.refuse_deletes('insight_takes');
GRANT SELECT, INSERT, UPDATE (policy, taken_by, taken_at, approved_by, approved_at) ON insight_takes TO bursar_platform;

-- Where a member of a group stood in a month. Written once for the whole group, so that nobody learns anything from
-- asking again; it holds no figure.
CREATE TABLE peer_positions (
    month date NOT NULL,
    metric text NOT NULL,
    category text NOT NULL,
    member_id text NOT NULL,
    org_id text NOT NULL,
    quarter smallint,
    reason text,
    CONSTRAINT pk_peer_positions PRIMARY KEY (month, metric, category, member_id),
    CONSTRAINT ck_peer_positions_quarter CHECK (quarter BETWEEN 1 AND 4),
    CONSTRAINT ck_peer_positions_reason CHECK (num_nonnulls(quarter, reason) = 1
        AND reason IN ('too_few', 'dominated', 'not_counted')),
    CONSTRAINT fk_peer_positions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('peer_positions');
SELECT pg_temp.tenant_reads_own('peer_positions');
SELECT pg_temp.append_only('peer_positions');
GRANT SELECT, INSERT ON peer_positions TO bursar_platform;
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
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('search-index', 0, ''),
    ('search-facts', 0, ''), ('search-sent', 0, '');
