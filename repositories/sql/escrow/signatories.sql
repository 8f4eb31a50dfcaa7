-- Who is named as a signatory by contracts, once for each principal. A trigger writes, so no role does.

CREATE OR REPLACE FUNCTION write_signatories() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- In one order, so that contracts which name the same principals for the first time do not lock each other out.
    INSERT INTO public.signatories (org_id, principal)
    SELECT DISTINCT CASE WHEN s.name LIKE '%/%' THEN split_part(s.name, '/', 1) ELSE NEW.org_id END AS org_id,
           lower(regexp_replace(s.name, '^.*/', '')) AS principal
    FROM unnest(NEW.signatories) AS s (name)
    ORDER BY org_id, principal
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER write_signatories AFTER INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION write_signatories();
