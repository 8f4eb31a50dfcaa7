-- Row-level security, grants and immutability of the levels by reputation. Operators write versions; everybody reads them.

ALTER TABLE reputation_ladders ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON reputation_ladders;
CREATE POLICY platform ON reputation_ladders TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON reputation_ladders;
CREATE POLICY tenant_reads ON reputation_ladders FOR SELECT TO bursar_api USING (true);
REVOKE ALL ON reputation_ladders FROM bursar_api, bursar_platform;
GRANT SELECT ON reputation_ladders TO bursar_api;
GRANT SELECT, INSERT ON reputation_ladders TO bursar_platform;
DROP TRIGGER IF EXISTS refuse_change ON reputation_ladders;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON reputation_ladders FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON reputation_ladders;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reputation_ladders FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
