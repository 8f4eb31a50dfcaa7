-- Row-level security, grants and immutability of the tables of deposits. Run by migration 0005; running it again replaces
-- everything. Only the platform sees and writes them. Nothing can be deleted, so no index of a key is ever free again.

SELECT pg_temp.row_security('crypto_indexes', 'crypto_deposits', 'crypto_receipts');
SELECT pg_temp.refuse_deletes('crypto_indexes', 'crypto_deposits', 'crypto_receipts');

GRANT SELECT, INSERT, UPDATE (next_index) ON crypto_indexes TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (scanned_height, cancelled_at, version) ON crypto_deposits TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (height, block_hash, reversed_at) ON crypto_receipts TO bursar_platform;
