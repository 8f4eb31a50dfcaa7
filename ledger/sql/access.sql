-- Who may do what. Tenants read their own rows, the platform reads all, and money moves through functions only: no
-- role but the owner has INSERT or UPDATE on a table of the books. Running it again replaces everything.
ALTER TABLE ledger.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.balances ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.transfers ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.holds ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS platform ON ledger.accounts;
DROP POLICY IF EXISTS tenant ON ledger.accounts;
DROP POLICY IF EXISTS platform ON ledger.balances;
DROP POLICY IF EXISTS tenant ON ledger.balances;
DROP POLICY IF EXISTS platform ON ledger.transfers;
DROP POLICY IF EXISTS tenant ON ledger.transfers;
DROP POLICY IF EXISTS platform ON ledger.entries;
DROP POLICY IF EXISTS tenant ON ledger.entries;
DROP POLICY IF EXISTS platform ON ledger.holds;
DROP POLICY IF EXISTS tenant ON ledger.holds;

CREATE POLICY platform ON ledger.accounts TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.balances TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.transfers TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.entries TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.holds TO bursar_platform USING (true) WITH CHECK (true);

CREATE POLICY tenant ON ledger.accounts FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
-- Balances and entries carry the organization of their account: a look at the account would be one for each row.
CREATE POLICY tenant ON ledger.balances FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
CREATE POLICY tenant ON ledger.holds FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM ledger.accounts a WHERE a.id = account_id AND a.org_id = public.bursar_org())
);
-- Of transfers a tenant sees those with an entry that it can see, so either side of a transfer sees it.
CREATE POLICY tenant ON ledger.transfers FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM ledger.entries e WHERE e.transfer_id = id)
);

GRANT USAGE ON SCHEMA ledger TO bursar_api, bursar_platform;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO bursar_api, bursar_platform;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
-- Nor may everybody call what is made later, until somebody is granted it. Not for a schema: what is granted for all of
-- them, which EXECUTE is to PUBLIC, can only be taken back for all of them.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger.open_account, ledger.post, ledger.post_legs, ledger.post_batch, ledger.lock_balances,
    ledger.hold, ledger.capture_hold, ledger.void_hold, ledger.expire_holds, ledger.balance_as_of, ledger.bucket_of
TO bursar_platform;
GRANT EXECUTE ON FUNCTION ledger.balance_as_of TO bursar_api;
-- A tenant spends its own credits by the functions of `spend_tenants.sql`, and moves no other money by itself.

REVOKE EXECUTE ON FUNCTION public.tenant_balance, public.bursar_org FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.bursar_org TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION public.tenant_balance TO bursar_api;
