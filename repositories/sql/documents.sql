-- Row-level security, grants and immutability of documents. Running it again replaces everything. A tenant reads its own;
-- they are written once by the platform's role and never changed.

ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON documents;
CREATE POLICY platform ON documents TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON documents;
CREATE POLICY tenant_reads ON documents FOR SELECT TO bursar_api USING (org_id = bursar_org());
REVOKE ALL ON documents FROM bursar_api, bursar_platform;
GRANT SELECT ON documents TO bursar_api;
GRANT SELECT, INSERT ON documents TO bursar_platform;

DROP TRIGGER IF EXISTS refuse_truncate ON documents;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON documents FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_change ON documents;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION refuse_change();
