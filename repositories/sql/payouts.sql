-- Row-level security and grants of payouts. Running it again replaces everything. A tenant reads its own; they are written by
-- the platform's role, which moves the money.
SELECT pg_temp.row_security('payouts', 'payout_events');
SELECT pg_temp.tenant_reads_own('payouts');
SELECT pg_temp.refuse_deletes('payouts', 'payout_events');
CREATE POLICY tenant_reads ON payout_events FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM payouts p WHERE p.id = payout_id)
);
GRANT SELECT ON payout_events TO bursar_api;
GRANT SELECT, INSERT ON payouts, payout_events TO bursar_platform;
GRANT UPDATE (transfer_ref, status, version, wake_at, state, updated_at) ON payouts TO bursar_platform;
