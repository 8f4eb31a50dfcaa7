-- Earnings and money that goes out: accounts of creators, payouts, recoveries and statements.

-- Whose account it is never changes.
GRANT SELECT, INSERT, UPDATE (ref, country, details_submitted, transfers_enabled, payouts_enabled, tax_profile,
    requirements_due, disabled_reason, destination, destination_last4, destination_currency, destination_changed_at,
    seen_at, created_by) ON creator_accounts TO bursar_platform;

GRANT SELECT, INSERT, UPDATE (transfer_ref, status, version, wake_at, state, updated_at) ON payouts TO bursar_platform;
CREATE POLICY tenant_reads ON payout_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM payouts p WHERE p.id = payout_events.payout_id));
GRANT SELECT, INSERT, UPDATE (closed_at) ON recoveries TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (amount_minor, goods_minor, status, reversal_ref, failure, tries, next_at, transfer_id,
    updated_at) ON transfer_reversals TO bursar_platform;

SELECT pg_temp.tenant_reads_own('creator_accounts', 'payouts', 'payout_schedules', 'recovery_shares',
    'transfer_reversals', 'creator_statements', 'creator_corrections');
SELECT pg_temp.refuse_deletes('creator_accounts', 'payouts', 'payout_events', 'recoveries', 'recovery_shares',
    'transfer_reversals');
SELECT pg_temp.append_only('creator_statements', 'creator_corrections');
GRANT SELECT ON payout_events TO bursar_api;
GRANT SELECT, INSERT ON payout_events, recovery_shares, creator_statements, creator_corrections TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON payout_schedules TO bursar_platform;
