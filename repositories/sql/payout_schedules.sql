-- Row-level security and grants of payout schedules. Running it again replaces everything. A tenant reads its own; they are
-- written by the platform's role.
SELECT pg_temp.row_security('payout_schedules');
SELECT pg_temp.tenant_reads_own('payout_schedules');
GRANT SELECT, INSERT, UPDATE ON payout_schedules TO bursar_platform;
