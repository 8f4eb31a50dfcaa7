-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

CREATE POLICY everyone ON metric_place FOR SELECT TO bursar_api USING (true);
INSERT INTO metric_place DEFAULT VALUES;
GRANT SELECT, INSERT, UPDATE (definition, next_definition, recipients, period_from, due_at, updated_at, ended_at)
    ON reports TO bursar_platform;

-- Files go after their time; what a run says never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (look_again_at) ON report_runs TO bursar_platform;

CREATE POLICY tenant ON insight_dismissals TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (dismissed_by, dismissed_at) ON insight_dismissals TO bursar_api, bursar_platform;
GRANT SELECT, INSERT, UPDATE (policy, taken_by, taken_at, approved_by, approved_at) ON insight_takes TO bursar_platform;
CREATE POLICY tenant_orders ON exports FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (status, horizon, rows_done, finished_at, expires_at) ON exports TO bursar_platform;

-- Where the reader of the outbox for the search index stands.
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('search-index', 0, ''),
    ('search-facts', 0, ''), ('search-sent', 0, '');

SELECT pg_temp.tenant_reads_own('metric_sums', 'active_people', 'reports', 'report_runs', 'insight_takes',
    'peer_positions', 'exports', 'export_files');
SELECT pg_temp.refuse_deletes('reports', 'insight_dismissals', 'insight_takes', 'exports');
SELECT pg_temp.append_only('peer_positions', 'export_files');
GRANT SELECT ON metric_sums, active_people TO bursar_platform;
GRANT SELECT ON metric_place TO bursar_api, bursar_platform;
GRANT SELECT, INSERT ON peer_positions, export_files TO bursar_platform;
GRANT INSERT ON exports TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON search_refusals TO bursar_platform;

\ir ../../repositories/sql/insight/metrics.sql
-- The schema `reporting` and its role.
\ir ../../repositories/sql/insight/reporting.sql
