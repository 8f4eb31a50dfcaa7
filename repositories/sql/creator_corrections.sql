-- Row-level security, grants and immutability of corrections of creators' statements, as for these themselves. Running it
-- again replaces everything.

SELECT pg_temp.row_security('creator_corrections');
SELECT pg_temp.tenant_reads_own('creator_corrections');
SELECT pg_temp.append_only('creator_corrections');
GRANT SELECT, INSERT ON creator_corrections TO bursar_platform;
