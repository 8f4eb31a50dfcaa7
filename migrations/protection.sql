-- What tables are protected by, in a word each: functions that end with the session that makes the schema.

-- Runs the statements for each of the tables, whose name replaces `%1$s`.
CREATE OR REPLACE FUNCTION pg_temp.each(p_statements text, p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format(p_statements, v_table);
    END LOOP;
END $$;

-- Lets a tenant read the rows of the tables that are its own.
CREATE OR REPLACE FUNCTION pg_temp.tenant_reads_own(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.each('CREATE POLICY tenant_reads ON %1$s FOR SELECT TO bursar_api USING (org_id = bursar_org());
        GRANT SELECT ON %1$s TO bursar_api', p_tables) $$;

-- No row of the tables is ever deleted, and none of them is emptied, whoever asks.
CREATE OR REPLACE FUNCTION pg_temp.refuse_deletes(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.each('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER refuse_delete BEFORE DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION refuse_change()', p_tables) $$;

-- No row of the tables is ever deleted or changed, and none of them is emptied, whoever asks.
CREATE OR REPLACE FUNCTION pg_temp.append_only(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.each('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %1$s
        FOR EACH ROW EXECUTE FUNCTION refuse_change()', p_tables) $$;

-- A row of the tables that is changed has another version afterwards.
CREATE OR REPLACE FUNCTION pg_temp.count_version(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.each('CREATE TRIGGER count_version BEFORE UPDATE ON %1$s
        FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version()', p_tables) $$;

-- No row of the tables of the books is ever deleted or changed.
CREATE OR REPLACE FUNCTION pg_temp.immutable(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.each('CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', p_tables) $$;

-- No row of a table of the books is ever deleted, and none but these columns changes.
CREATE OR REPLACE FUNCTION pg_temp.immutable_but(p_table regclass, VARIADIC p_columns text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_temp.each(format('CREATE TRIGGER immutable BEFORE UPDATE OF %s OR DELETE OR TRUNCATE ON %%1$s
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', string_agg(quote_ident(a.attname), ', ')),
        ARRAY[p_table])
    FROM (SELECT attname FROM pg_attribute WHERE attrelid = p_table AND attnum > 0 AND attname <> ALL (p_columns)
          ORDER BY attnum) a $$;
