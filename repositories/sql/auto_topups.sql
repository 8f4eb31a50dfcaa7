-- Row-level security and grants of credits that are bought by themselves. Running it again replaces everything. A tenant reads
-- its own rows; they are written by the platform's role, which also makes the payments.

SELECT pg_temp.row_security('auto_topups', 'auto_topup_crossings');
SELECT pg_temp.tenant_reads_own('auto_topups', 'auto_topup_crossings');
SELECT pg_temp.refuse_deletes('auto_topups', 'auto_topup_crossings');
GRANT SELECT, INSERT, UPDATE ON auto_topups TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (payment_id, outcome) ON auto_topup_crossings TO bursar_platform;
