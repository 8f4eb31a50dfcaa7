-- Row-level security and grants of creators' accounts. Running it again replaces everything. A tenant reads its own; they
-- are written by the platform's role, which asks the provider.
SELECT pg_temp.row_security('creator_accounts');
SELECT pg_temp.tenant_reads_own('creator_accounts');
SELECT pg_temp.refuse_deletes('creator_accounts');
GRANT SELECT, INSERT ON creator_accounts TO bursar_platform;
-- Whose account it is never changes.
GRANT UPDATE (country, details_submitted, transfers_enabled, payouts_enabled, tax_profile, requirements_due,
    disabled_reason, destination, destination_last4, destination_currency, destination_changed_at, seen_at)
ON creator_accounts TO bursar_platform;
