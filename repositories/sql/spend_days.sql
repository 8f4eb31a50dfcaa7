-- Row-level security and grants of what was spent by day. Running it again replaces everything. The platform's role adds
-- days up and may add them up again; a tenant reads its own.

SELECT pg_temp.row_security('spend_rollups', 'spend_days');
SELECT pg_temp.tenant_reads_own('spend_rollups', 'spend_days');
GRANT SELECT, INSERT, DELETE ON spend_days TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON spend_rollups TO bursar_platform;
