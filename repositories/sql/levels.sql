-- Row-level security, grants and immutability of the levels by reputation. Operators write versions; everybody reads them.

SELECT pg_temp.row_security('reputation_ladders');
SELECT pg_temp.append_only('reputation_ladders');
CREATE POLICY tenant_reads ON reputation_ladders FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON reputation_ladders TO bursar_api;
GRANT SELECT, INSERT ON reputation_ladders TO bursar_platform;
