-- What a tenant sees of the entries: those of its own accounts, by the organization that each entry carries. A look at
-- its account would be one for each row, or one at all accounts of the organization.
DROP POLICY IF EXISTS tenant ON ledger.entries;
CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
