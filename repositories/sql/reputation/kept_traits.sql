-- The traits that stand in rows of the organization's own: its tax id and where it is paid out. Written where those
-- rows change, whoever changes them.

-- What is kept of a tax id or a payout account. It is `domain.reputation.traits.digest` without a key: the value stands in
-- the table that this is called for, so that no setting is needed for organizations to be related by it.
CREATE OR REPLACE FUNCTION organization_trait_digest(p_kind text, p_value text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(decode(repeat('5c', 64), 'hex') || sha256(decode(repeat('36', 64), 'hex')
        || convert_to(p_kind || E'\n' || lower(regexp_replace(p_value, '\s', '', 'g')), 'UTF8'))), 'hex')
$$;

-- The tax id that an organization states relates it while it is stated: who states another's is related to nobody once
-- the number is taken back.
CREATE OR REPLACE FUNCTION keep_tax_id() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.vat_id IS NOT DISTINCT FROM NEW.vat_id THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.vat_id IS NOT NULL THEN
        UPDATE organization_traits SET ended_at = clock_timestamp()
        WHERE org_id = OLD.org_id AND kind = 'tax_id' AND ended_at IS NULL;
    END IF;
    IF NEW.vat_id IS NOT NULL THEN
        INSERT INTO organization_traits (org_id, kind, digest)
        VALUES (NEW.org_id, 'tax_id', organization_trait_digest('tax_id', NEW.vat_id))
        ON CONFLICT (org_id, kind, digest) DO UPDATE
        SET last_seen = EXCLUDED.last_seen, ended_at = NULL, judged_at = NULL;
    END IF;
    RETURN NULL;
END $$;

-- A payout account relates for good, as a card does: money went there.
CREATE OR REPLACE FUNCTION keep_payout_account() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.destination IS DISTINCT FROM NEW.destination THEN
        INSERT INTO organization_traits (org_id, kind, digest)
        VALUES (NEW.org_id, 'payout_account', organization_trait_digest('payout_account', NEW.destination))
        ON CONFLICT (org_id, kind, digest) DO UPDATE SET last_seen = EXCLUDED.last_seen;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER keep_tax_id AFTER INSERT OR UPDATE OF vat_id ON billing_profiles
    FOR EACH ROW EXECUTE FUNCTION keep_tax_id();
CREATE OR REPLACE TRIGGER keep_payout_account AFTER INSERT OR UPDATE OF destination ON creator_accounts
    FOR EACH ROW WHEN (NEW.destination IS NOT NULL) EXECUTE FUNCTION keep_payout_account();

GRANT EXECUTE ON FUNCTION organization_trait_digest TO bursar_platform;
