-- A tenant's session reads what is its principal's, which it names beside its organization (`bursar.principal`):
-- without that nothing is visible, and nobody reads what another one of the same organization was told.

CREATE OR REPLACE FUNCTION bursar_principal() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(lower(current_setting('bursar.principal', true)), '')
$$;
GRANT EXECUTE ON FUNCTION bursar_principal() TO bursar_api, bursar_platform;

-- A principal that gets a key while it has none may be somebody else by now: it begins without the channels, the preferences
-- and the inbox of whoever had the name before. The addresses of an owner are kept for a while, because a thief may have
-- replaced the key, and mails about where money goes still have to reach the owner.
CREATE OR REPLACE FUNCTION forget_recipient() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_principal text := lower(NEW.principal);
    v_recipient text := coalesce(NEW.org_id, 'platform') || '/' || v_principal;
    v_owner boolean;
BEGIN
    IF EXISTS (
        SELECT FROM public.api_keys k
        WHERE k.id <> NEW.id AND k.revoked_at IS NULL AND lower(k.principal) = v_principal
            AND (k.org_id = NEW.org_id OR k.org_id IS NULL AND NEW.org_id IS NULL)
    ) THEN
        RETURN NULL;
    END IF;
    v_owner := EXISTS (
        SELECT FROM public.api_keys k
        WHERE k.id <> NEW.id AND k.role = 'owner' AND lower(k.principal) = v_principal AND k.org_id = NEW.org_id
    );
    UPDATE public.notification_channels SET status = 'deleted', hook = NULL, code = NULL, shown = '', removed_at = now(),
            address = CASE WHEN v_owner AND status = 'verified' THEN address END
        WHERE recipient = v_recipient AND status <> 'deleted';
    DELETE FROM public.notification_preferences WHERE recipient = v_recipient;
    UPDATE public.notifications SET hidden_at = now(),
            status = CASE WHEN status IN ('queued', 'waiting') THEN 'dropped' ELSE status END,
            digest = CASE WHEN status = 'waiting' THEN NULL ELSE digest END
        WHERE recipient = v_recipient AND hidden_at IS NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER forget_recipient AFTER INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION forget_recipient();
