-- Row-level security, grants and immutability of rules of prices and of quotes. Run by the migration that makes the tables;
-- running it again replaces everything. Rules are the platform's; a tenant reads and uses its own quotes, and says what
-- it wants of its own agents' prices. Nothing is deleted.

SELECT pg_temp.row_security('pricing_book', 'pricing_rules', 'pricing_agents', 'pricing_quotes');
SELECT pg_temp.refuse_deletes('pricing_book', 'pricing_rules', 'pricing_agents', 'pricing_quotes');

CREATE POLICY tenant ON pricing_agents TO bursar_api
    USING (org_id = bursar_org())
    WITH CHECK (org_id = bursar_org()
                AND EXISTS (SELECT FROM public.agents a WHERE a.id = agent_id AND a.org_id = bursar_org()));
CREATE POLICY tenant ON pricing_quotes TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());

GRANT SELECT, UPDATE (version) ON pricing_book TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON pricing_rules TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (capacity, bears_discounts, updated_by, updated_at) ON pricing_agents
    TO bursar_api, bursar_platform;
-- The migration that makes this table runs before the one that adds this column.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'pricing_agents'::regclass AND attname = 'calls_per_day') THEN
        GRANT UPDATE (calls_per_day) ON pricing_agents TO bursar_api, bursar_platform;
    END IF;
END $$;
GRANT SELECT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_api;
GRANT SELECT, INSERT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_platform;

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

DROP TRIGGER IF EXISTS used_once ON pricing_quotes;
CREATE TRIGGER used_once BEFORE UPDATE ON pricing_quotes FOR EACH ROW EXECUTE FUNCTION quote_used_once();
