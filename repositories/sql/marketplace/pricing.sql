-- A quote is used once, by a contract that names it and says what it says.
CREATE OR REPLACE FUNCTION quote_used_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.used_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM public.contracts c
        WHERE c.id = NEW.contract_id AND c.quote_id = NEW.id AND c.org_id = NEW.org_id AND c.agent_id = NEW.agent_id
          AND c.price_minor = NEW.price_minor AND c.currency = NEW.currency)
    THEN
        RAISE EXCEPTION 'a quote takes nothing but one contract at its price'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER used_once BEFORE UPDATE ON pricing_quotes FOR EACH ROW EXECUTE FUNCTION quote_used_once();
