-- Earnings and money that goes out: accounts of creators, payouts, recoveries and statements.

SELECT pg_temp.row_security('creator_accounts');
SELECT pg_temp.tenant_reads_own('creator_accounts');
SELECT pg_temp.refuse_deletes('creator_accounts');
-- Whose account it is never changes.
GRANT SELECT, INSERT, UPDATE (ref, country, details_submitted, transfers_enabled, payouts_enabled, tax_profile,
    requirements_due, disabled_reason, destination, destination_last4, destination_currency, destination_changed_at,
    seen_at, created_by) ON creator_accounts TO bursar_platform;

SELECT pg_temp.row_security('payouts');
SELECT pg_temp.tenant_reads_own('payouts');
SELECT pg_temp.refuse_deletes('payouts');
GRANT SELECT, INSERT, UPDATE (transfer_ref, status, version, wake_at, state, updated_at) ON payouts TO bursar_platform;

SELECT pg_temp.row_security('payout_events');
CREATE POLICY tenant_reads ON payout_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM payouts p WHERE p.id = payout_events.payout_id));
SELECT pg_temp.refuse_deletes('payout_events');
GRANT SELECT ON payout_events TO bursar_api;
GRANT SELECT, INSERT ON payout_events TO bursar_platform;

SELECT pg_temp.row_security('payout_schedules');
SELECT pg_temp.tenant_reads_own('payout_schedules');
GRANT SELECT, INSERT, UPDATE ON payout_schedules TO bursar_platform;

SELECT pg_temp.row_security('recoveries');
SELECT pg_temp.refuse_deletes('recoveries');
GRANT SELECT, INSERT, UPDATE (closed_at) ON recoveries TO bursar_platform;

SELECT pg_temp.row_security('recovery_shares');
SELECT pg_temp.tenant_reads_own('recovery_shares');
SELECT pg_temp.refuse_deletes('recovery_shares');
GRANT SELECT, INSERT ON recovery_shares TO bursar_platform;

SELECT pg_temp.row_security('transfer_reversals');
SELECT pg_temp.tenant_reads_own('transfer_reversals');
SELECT pg_temp.refuse_deletes('transfer_reversals');
GRANT SELECT, INSERT, UPDATE (amount_minor, goods_minor, status, reversal_ref, failure, tries, next_at, transfer_id,
    updated_at) ON transfer_reversals TO bursar_platform;

SELECT pg_temp.row_security('creator_statements');
SELECT pg_temp.tenant_reads_own('creator_statements');
SELECT pg_temp.append_only('creator_statements');
GRANT SELECT, INSERT ON creator_statements TO bursar_platform;

SELECT pg_temp.row_security('creator_corrections');
SELECT pg_temp.tenant_reads_own('creator_corrections');
SELECT pg_temp.append_only('creator_corrections');
GRANT SELECT, INSERT ON creator_corrections TO bursar_platform;
