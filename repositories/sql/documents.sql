-- Row-level security, grants and immutability of documents. Running it again replaces everything. A tenant reads its own;
-- they are written once by the platform's role and never changed.

SELECT pg_temp.row_security('documents');
SELECT pg_temp.tenant_reads_own('documents');
SELECT pg_temp.append_only('documents');
GRANT SELECT, INSERT ON documents TO bursar_platform;
