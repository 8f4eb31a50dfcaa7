-- Row-level security and grants of where spends are. Running it again replaces everything. The platform's role writes
-- them with the days; a tenant reads its own.

SELECT pg_temp.row_security('spend_places');
SELECT pg_temp.tenant_reads_own('spend_places');
GRANT SELECT, INSERT, UPDATE ON spend_places TO bursar_platform;
