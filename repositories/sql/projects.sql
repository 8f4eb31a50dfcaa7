-- Row-level security, grants and immutability of the projects' tables. Run by migration 0009; running it again replaces
-- everything. A deployment moves slots in the books, so only the platform's role writes; a tenant reads its own.

SELECT pg_temp.row_security('projects', 'deployment_events');
SELECT pg_temp.tenant_reads_own('projects', 'deployment_events');
SELECT pg_temp.refuse_deletes('projects');
SELECT pg_temp.append_only('deployment_events');
GRANT SELECT, INSERT, UPDATE (deployed_at, occupies_slot) ON projects TO bursar_platform;
GRANT SELECT, INSERT ON deployment_events TO bursar_platform;
GRANT UPDATE (tier) ON organizations TO bursar_platform;
