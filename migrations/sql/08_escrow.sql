-- Contracts and escrows.

CREATE POLICY payee_accepts ON contracts FOR UPDATE TO bursar_api
    USING (payee_org_id = bursar_org()) WITH CHECK (payee_org_id = bursar_org());
CREATE POLICY tenant_reads ON contracts FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR (signatory_org_ids @> ARRAY[bursar_org()]));
-- A client cannot write a contract that its payee has accepted already.
CREATE POLICY tenant_writes ON contracts FOR INSERT TO bursar_api
    WITH CHECK (org_id = bursar_org() AND accepted_at IS NULL);
CREATE TRIGGER refuse_change BEFORE DELETE ON contracts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON contracts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (accepted_at, accepted_by) ON contracts TO bursar_api;
GRANT SELECT, INSERT, UPDATE (expired_at) ON contracts TO bursar_platform;

-- Triggers write who is a party and who signs, so no role does: see `parties.sql` and `signatories.sql`.
CREATE POLICY platform ON contract_parties FOR SELECT TO bursar_platform USING (true);
CREATE POLICY platform ON signatories FOR SELECT TO bursar_platform USING (true);
CREATE POLICY platform ON escrow_parties FOR SELECT TO bursar_platform USING (true);
CREATE POLICY tenant_reads ON escrows FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR (signatory_org_ids @> ARRAY[bursar_org()]));

-- The inner query is bound by the policy of escrows.
CREATE POLICY tenant_reads ON escrow_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM escrows WHERE escrows.id = escrow_events.escrow_id));

GRANT SELECT, INSERT, UPDATE (noted_at, deadline_at, settled_at), DELETE ON escrow_notices TO bursar_platform;

SELECT pg_temp.tenant_reads_own('contract_parties', 'escrow_parties');
SELECT pg_temp.append_only('escrow_events');
GRANT SELECT ON contract_parties, signatories, escrow_parties TO bursar_platform;
GRANT SELECT ON escrows, escrow_events TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON escrows TO bursar_platform;
GRANT SELECT, INSERT ON escrow_events TO bursar_platform;

\ir ../../repositories/sql/escrow/contracts.sql
\ir ../../repositories/sql/escrow/parties.sql
\ir ../../repositories/sql/escrow/signatories.sql
\ir ../../repositories/sql/escrow/party_names.sql
\ir ../../repositories/sql/escrow/tenant_contract.sql
\ir ../../repositories/sql/escrow/escrow.sql
