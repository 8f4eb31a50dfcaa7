-- Grants and immutability of the prices of models. Running it again replaces everything. They are public: tenants read
-- all of them, and only the platform's role adds some.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['model_prices', 'model_price_imports']
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_change ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;
