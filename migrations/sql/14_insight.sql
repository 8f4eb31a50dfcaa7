-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

SELECT pg_temp.row_security('metric_sums');
SELECT pg_temp.tenant_reads_own('metric_sums');
GRANT SELECT ON metric_sums TO bursar_platform;

SELECT pg_temp.row_security('active_people');
SELECT pg_temp.tenant_reads_own('active_people');
GRANT SELECT ON active_people TO bursar_platform;

SELECT pg_temp.row_security('metric_place');
CREATE POLICY everyone ON metric_place FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON metric_place TO bursar_api, bursar_platform;
INSERT INTO metric_place DEFAULT VALUES;

\ir ../../repositories/sql/insight/metrics.sql

-- Reports

SELECT pg_temp.row_security('reports');
SELECT pg_temp.tenant_reads_own('reports');
SELECT pg_temp.refuse_deletes('reports');
GRANT SELECT, INSERT, UPDATE (definition, next_definition, recipients, period_from, due_at, updated_at, ended_at)
    ON reports TO bursar_platform;

SELECT pg_temp.row_security('report_runs');
SELECT pg_temp.tenant_reads_own('report_runs');
-- Files go after their time; what a run says never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (look_again_at) ON report_runs TO bursar_platform;

-- The schema `reporting` and its role.
\ir ../../repositories/sql/insight/reporting.sql

-- Advice, and comparison with others.

SELECT pg_temp.row_security('insight_dismissals');
CREATE POLICY tenant ON insight_dismissals TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('insight_dismissals');
GRANT SELECT, INSERT, UPDATE (dismissed_by, dismissed_at) ON insight_dismissals TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('insight_takes');
SELECT pg_temp.tenant_reads_own('insight_takes');
SELECT pg_temp.refuse_deletes('insight_takes');
GRANT SELECT, INSERT, UPDATE (policy, taken_by, taken_at, approved_by, approved_at) ON insight_takes TO bursar_platform;

SELECT pg_temp.row_security('peer_positions');
SELECT pg_temp.tenant_reads_own('peer_positions');
SELECT pg_temp.append_only('peer_positions');
GRANT SELECT, INSERT ON peer_positions TO bursar_platform;
-- Exports, and events that the search index refused.

SELECT pg_temp.row_security('exports');
SELECT pg_temp.tenant_reads_own('exports');
CREATE POLICY tenant_orders ON exports FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('exports');
GRANT INSERT ON exports TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, horizon, rows_done, finished_at, expires_at) ON exports TO bursar_platform;

SELECT pg_temp.row_security('export_files');
SELECT pg_temp.tenant_reads_own('export_files');
SELECT pg_temp.append_only('export_files');
GRANT SELECT, INSERT ON export_files TO bursar_platform;

SELECT pg_temp.row_security('search_refusals');
GRANT SELECT, INSERT, UPDATE, DELETE ON search_refusals TO bursar_platform;
-- Where the reader of the outbox for the search index stands.
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('search-index', 0, ''),
    ('search-facts', 0, ''), ('search-sent', 0, '');
