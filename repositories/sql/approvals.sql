-- Row-level security and grants of approvals: the platform's role alone. Running it again replaces everything.
ALTER TABLE approvals ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON approvals;
CREATE POLICY platform ON approvals TO bursar_platform USING (true) WITH CHECK (true);
REVOKE ALL ON approvals FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT ON approvals TO bursar_platform;
GRANT UPDATE (status, decided_by, decided_at, used_by, used_at) ON approvals TO bursar_platform;
DROP TRIGGER IF EXISTS refuse_truncate ON approvals;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON approvals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_delete ON approvals;
CREATE TRIGGER refuse_delete BEFORE DELETE ON approvals FOR EACH ROW EXECUTE FUNCTION refuse_change();
