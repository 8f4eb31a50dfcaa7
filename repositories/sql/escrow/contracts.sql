-- What keeps contracts and escrows as they were agreed.

-- Refuses every change of a contract but its end as a proposal: an acceptance or an expiry, once.
CREATE OR REPLACE FUNCTION contract_accepted_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    c_ends CONSTANT text[] := ARRAY['accepted_at', 'accepted_by', 'expired_at'];
    v_before jsonb := to_jsonb(OLD);
    v_after jsonb := to_jsonb(NEW);
BEGIN
    IF num_nonnulls(v_before ->> 'accepted_at', v_before ->> 'expired_at') <> 0
       OR num_nonnulls(v_after ->> 'accepted_at', v_after ->> 'expired_at') <> 1
       OR v_after - c_ends <> v_before - c_ends
    THEN
        RAISE EXCEPTION 'a contract takes nothing but one acceptance or its expiry'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER accepted_once BEFORE UPDATE ON contracts FOR EACH ROW EXECUTE FUNCTION contract_accepted_once();

-- Without an escrow nothing funds a contract, by whatever way. So this is where the acceptance is asked for last.
CREATE OR REPLACE FUNCTION escrow_needs_acceptance() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM public.contracts c
               WHERE c.id = NEW.contract_id AND c.accept_by IS NOT NULL AND c.accepted_at IS NULL) THEN
        RAISE EXCEPTION 'the payee has not accepted %', NEW.contract_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER needs_acceptance BEFORE INSERT ON escrows FOR EACH ROW EXECUTE FUNCTION escrow_needs_acceptance();

-- Keeps others from changing a contract, or what is written on it, until the transaction ends: the platform's role has no
-- right to change contracts, and locks none by itself.
CREATE OR REPLACE FUNCTION lock_contract(p_id text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT FROM public.contracts WHERE id = p_id FOR NO KEY UPDATE
$$;
GRANT EXECUTE ON FUNCTION lock_contract(text) TO bursar_platform;
