-- Row-level security, grants and the index of metadata, and the versions of what can be changed. Running it again replaces
-- everything. A tenant reads its own, and writes it with the objects that it makes; changes are the platform's role's.

SELECT pg_temp.row_security('object_metadata', 'metadata_pairs');
SELECT pg_temp.tenant_reads_own('object_metadata', 'metadata_pairs');
SELECT pg_temp.refuse_deletes('object_metadata');
CREATE POLICY tenant_writes ON object_metadata FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
GRANT INSERT ON object_metadata TO bursar_api;
GRANT SELECT, INSERT, UPDATE (external_id, metadata, version, command_id, updated_at) ON object_metadata TO bursar_platform;
GRANT SELECT ON metadata_pairs TO bursar_platform;

CREATE OR REPLACE FUNCTION write_metadata_pairs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM public.metadata_pairs p USING jsonb_each_text(OLD.metadata) o (key, value)
        WHERE p.prefix = NEW.prefix AND p.key = o.key AND p.value = o.value AND p.org_id = NEW.org_id
          AND p.object_id = NEW.object_id AND NEW.metadata ->> o.key IS DISTINCT FROM o.value;
    END IF;
    INSERT INTO public.metadata_pairs (prefix, key, value, org_id, object_id)
    SELECT NEW.prefix, n.key, n.value, NEW.org_id, NEW.object_id FROM jsonb_each_text(NEW.metadata) n (key, value)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER write_pairs AFTER INSERT ON object_metadata FOR EACH ROW
    WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION write_metadata_pairs();
CREATE OR REPLACE TRIGGER update_pairs AFTER UPDATE OF metadata ON object_metadata FOR EACH ROW
    WHEN (OLD.metadata <> NEW.metadata) EXECUTE FUNCTION write_metadata_pairs();
REVOKE ALL ON FUNCTION write_metadata_pairs() FROM PUBLIC;

-- Whoever changes such a row, it has another version afterwards.
CREATE OR REPLACE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['organizations', 'agents', 'projects'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER count_version BEFORE UPDATE ON %I FOR EACH ROW '
                       'WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version()', v_table);
        EXECUTE format('GRANT UPDATE (name, version) ON %I TO bursar_platform', v_table);
    END LOOP;
END $$;
GRANT UPDATE (description, pricing_model, price_minor, price_currency, terms) ON agents TO bursar_platform;

-- Keeps others from changing a contract, or what is written on it, until the transaction ends: the platform's role has no
-- right to change contracts, and locks none by itself.
CREATE OR REPLACE FUNCTION lock_contract(p_id text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT FROM public.contracts WHERE id = p_id FOR NO KEY UPDATE
$$;
REVOKE ALL ON FUNCTION lock_contract(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_contract(text) TO bursar_platform;

-- What an organization has written on an object, in one round trip: the tenant is set and the row read under its policy
-- within the statement's own transaction. No row where it has nothing.
CREATE OR REPLACE FUNCTION tenant_metadata(p_org text, p_object text) RETURNS SETOF public.object_metadata
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    RETURN QUERY SELECT m.* FROM public.object_metadata m WHERE m.object_id = p_object AND m.org_id = p_org;
END
$$;
REVOKE EXECUTE ON FUNCTION tenant_metadata(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_metadata(text, text) TO bursar_api;
