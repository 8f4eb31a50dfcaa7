-- Row-level security, grants and immutability of the intents of payments. Run by migration 0007; running it again
-- replaces everything. A tenant writes its own, before anything is asked of a provider.

DROP TRIGGER IF EXISTS refuse_change ON payment_commands;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON payment_commands
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON payment_commands;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payment_commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE payment_commands ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON payment_commands;
DROP POLICY IF EXISTS tenant_reads ON payment_commands;
DROP POLICY IF EXISTS tenant_writes ON payment_commands;
CREATE POLICY platform ON payment_commands TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON payment_commands FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_writes ON payment_commands FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());

REVOKE ALL ON payment_commands FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT ON payment_commands TO bursar_api, bursar_platform;
