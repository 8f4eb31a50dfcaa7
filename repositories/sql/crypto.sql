-- Row-level security, grants and immutability of the tables of deposits. Run by migration 0005; running it again replaces
-- everything. Only the platform sees and writes them. Nothing can be deleted, so no index of a key is ever free again.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['crypto_indexes', 'crypto_deposits', 'crypto_receipts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (next_index) ON crypto_indexes TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (scanned_height, cancelled_at, version) ON crypto_deposits TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (height, block_hash, reversed_at) ON crypto_receipts TO bursar_platform;
