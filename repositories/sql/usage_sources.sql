-- Row-level security and grants of the sources that usage is pulled from. Running it again replaces everything. Only the
-- worker reads and writes them.

ALTER TABLE usage_sources ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON usage_sources;
CREATE POLICY platform ON usage_sources TO bursar_platform USING (true) WITH CHECK (true);
REVOKE ALL ON usage_sources FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT, UPDATE (reached) ON usage_sources TO bursar_platform;
