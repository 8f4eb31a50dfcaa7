-- Row-level security, grants and immutability of contracts. Run by migration 0013; running it again replaces everything.
-- A contract is written once by its client. The payee, and nobody else, adds its acceptance to it, once; or the platform
-- notes that the time to do so is over.

SELECT pg_temp.row_security('contracts');
DROP POLICY IF EXISTS payee_accepts ON contracts;
CREATE POLICY tenant_reads ON contracts FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR signatory_org_ids @> ARRAY[bursar_org()]);
-- A client cannot write a contract that its payee has accepted already.
CREATE POLICY tenant_writes ON contracts FOR INSERT TO bursar_api
    WITH CHECK (org_id = bursar_org() AND accepted_at IS NULL);
CREATE POLICY payee_accepts ON contracts FOR UPDATE TO bursar_api
    USING (payee_org_id = bursar_org()) WITH CHECK (payee_org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (accepted_at, accepted_by) ON contracts TO bursar_api;
GRANT SELECT, INSERT ON contracts TO bursar_platform;
-- Migration 0003 runs this before contracts are marked when they have expired.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'contracts'::regclass AND attname = 'expired_at') THEN
        GRANT UPDATE (expired_at) ON contracts TO bursar_platform;
    END IF;
END $$;

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

DROP TRIGGER IF EXISTS refuse_change ON contracts;
CREATE TRIGGER refuse_change BEFORE DELETE ON contracts FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON contracts;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON contracts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS accepted_once ON contracts;
CREATE TRIGGER accepted_once BEFORE UPDATE ON contracts FOR EACH ROW EXECUTE FUNCTION contract_accepted_once();

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

DROP TRIGGER IF EXISTS needs_acceptance ON escrows;
CREATE TRIGGER needs_acceptance BEFORE INSERT ON escrows FOR EACH ROW EXECUTE FUNCTION escrow_needs_acceptance();
