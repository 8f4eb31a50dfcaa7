-- Row-level security and grants of creators' accounts. Running it again replaces everything. A tenant reads its own; they
-- are written by the platform's role, which asks the provider.
ALTER TABLE creator_accounts ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON creator_accounts;
CREATE POLICY platform ON creator_accounts TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON creator_accounts;
CREATE POLICY tenant_reads ON creator_accounts FOR SELECT TO bursar_api USING (org_id = bursar_org());
REVOKE ALL ON creator_accounts FROM bursar_api, bursar_platform;
GRANT SELECT ON creator_accounts TO bursar_api;
GRANT SELECT, INSERT ON creator_accounts TO bursar_platform;
-- Whose account it is never changes.
GRANT UPDATE (country, details_submitted, transfers_enabled, payouts_enabled, tax_profile, requirements_due,
    disabled_reason, destination, destination_last4, destination_currency, destination_changed_at, seen_at)
ON creator_accounts TO bursar_platform;
DROP TRIGGER IF EXISTS refuse_truncate ON creator_accounts;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON creator_accounts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_delete ON creator_accounts;
CREATE TRIGGER refuse_delete BEFORE DELETE ON creator_accounts FOR EACH ROW EXECUTE FUNCTION refuse_change();
