-- Who is a party of a contract and of its escrow: the organizations that pay, are paid and sign. Lists are read from
-- here, because an index has one order and a party has three ways in. Until when a contract can be accepted stands
-- beside its parties, for lists by state. Triggers write, so no role does.

CREATE OR REPLACE FUNCTION write_contract_parties() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.contract_parties (org_id, contract_id, agent_id, accept_by)
        SELECT DISTINCT p.org_id, NEW.id, NEW.agent_id, CASE WHEN NEW.accepted_at IS NULL THEN NEW.accept_by END
        FROM unnest(NEW.signatory_org_ids || NEW.org_id || NEW.payee_org_id) AS p (org_id);
    ELSE
        UPDATE public.contract_parties p SET accept_by = CASE WHEN NEW.accepted_at IS NULL THEN NEW.accept_by END
        WHERE p.contract_id = NEW.id AND p.org_id = ANY (NEW.signatory_org_ids || NEW.org_id || NEW.payee_org_id);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER write_parties AFTER INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION write_contract_parties();
CREATE OR REPLACE TRIGGER update_parties AFTER UPDATE ON contracts FOR EACH ROW
    WHEN (OLD.accepted_at IS DISTINCT FROM NEW.accepted_at) EXECUTE FUNCTION write_contract_parties();

CREATE OR REPLACE FUNCTION write_escrow_parties() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.escrow_parties (org_id, escrow_id, status)
        SELECT DISTINCT p.org_id, NEW.id, NEW.status
        FROM unnest(NEW.signatory_org_ids || NEW.org_id || NEW.payee_org_id) AS p (org_id);
    ELSE
        UPDATE public.escrow_parties p SET status = NEW.status
        WHERE p.escrow_id = NEW.id AND p.org_id = ANY (NEW.signatory_org_ids || NEW.org_id || NEW.payee_org_id);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER write_parties AFTER INSERT ON escrows FOR EACH ROW EXECUTE FUNCTION write_escrow_parties();
CREATE OR REPLACE TRIGGER update_parties AFTER UPDATE ON escrows FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION write_escrow_parties();
