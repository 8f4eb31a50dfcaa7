-- Row-level security and grants of what creators give back. Running it again replaces everything. A tenant reads what its
-- own agents gave back and what was taken back of its payouts; all of it is written by the platform's role.
SELECT pg_temp.row_security('recoveries', 'recovery_shares', 'transfer_reversals');
SELECT pg_temp.tenant_reads_own('recovery_shares', 'transfer_reversals');
SELECT pg_temp.refuse_deletes('recoveries', 'recovery_shares', 'transfer_reversals');
GRANT SELECT, INSERT ON recoveries, recovery_shares, transfer_reversals TO bursar_platform;
GRANT UPDATE (closed_at) ON recoveries TO bursar_platform;
GRANT UPDATE (status, amount_minor, goods_minor, reversal_ref, failure, tries, next_at, transfer_id, updated_at)
ON transfer_reversals TO bursar_platform;
