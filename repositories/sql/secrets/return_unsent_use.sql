-- A use that was never sent is none of its grant's day. One whose process was lost stays counted: nobody knows.
CREATE OR REPLACE FUNCTION return_unsent_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.secret_grant_days SET uses = uses - 1
        WHERE grant_id = NEW.grant_id AND day = (NEW.created_at AT TIME ZONE 'UTC')::date;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER return_unsent_use AFTER UPDATE ON secret_uses FOR EACH ROW
    WHEN (NEW.status = 'failed' AND NEW.reason <> 'lost' AND (OLD.status <> 'failed' OR OLD.reason = 'lost'))
    EXECUTE FUNCTION return_unsent_use();
