-- Row-level security, grants and immutability of creators' statements and their corrections. Running it again replaces everything. A tenant reads its
-- own; they are written once by the platform's role and never changed, so their numbers have no gaps.

SELECT pg_temp.row_security('creator_statements');
SELECT pg_temp.tenant_reads_own('creator_statements');
SELECT pg_temp.append_only('creator_statements');
GRANT SELECT, INSERT ON creator_statements TO bursar_platform;
