-- What the files of row-level security say of their tables, in a word each. `migrations.scripts.run` makes these functions
-- for its session before it runs a file. What they make for a table replaces what they had made for it before.

-- Shows the tables to the platform's role alone, and takes every right from both roles: whoever calls this grants anew.
CREATE OR REPLACE FUNCTION pg_temp.row_security(VARIADIC p_tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
    v_policy text;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        FOREACH v_policy IN ARRAY ARRAY['platform', 'tenant', 'tenant_reads', 'tenant_writes'] LOOP
            EXECUTE format('DROP POLICY IF EXISTS %I ON %I', v_policy, v_table);
        END LOOP;
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
    END LOOP;
END $$;

-- Lets a tenant read the rows of the tables that are its own.
CREATE OR REPLACE FUNCTION pg_temp.tenant_reads_own(VARIADIC p_tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('CREATE POLICY tenant_reads ON %I FOR SELECT TO bursar_api USING (org_id = bursar_org())', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
    END LOOP;
END $$;

-- Refuses to empty the tables and what the trigger `refuse_<act>` is for, whoever asks.
CREATE OR REPLACE FUNCTION pg_temp.refuse(p_act text, p_events text, p_tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE %s ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       p_act, p_events, v_table);
    END LOOP;
END $$;

-- No row of the tables is ever deleted.
CREATE OR REPLACE FUNCTION pg_temp.refuse_deletes(VARIADIC p_tables text[]) RETURNS void LANGUAGE sql AS
    $$ SELECT pg_temp.refuse('refuse_delete', 'DELETE', p_tables) $$;

-- No row of the tables is ever deleted or changed.
CREATE OR REPLACE FUNCTION pg_temp.append_only(VARIADIC p_tables text[]) RETURNS void LANGUAGE sql AS
    $$ SELECT pg_temp.refuse('refuse_change', 'UPDATE OR DELETE', p_tables) $$;
