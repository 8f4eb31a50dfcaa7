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
GRANT EXECUTE ON FUNCTION tenant_metadata(text, text) TO bursar_api;
