-- What is told by the tables themselves: nouns that several statements write, and those of the books, whose
-- functions are their only writers. Types and fields are those of `domain/messages/events/rows.py`.
--
-- A trigger fires in the transaction of the fact, with the row locked, so the lock of a subject is its row, or for lots
-- the row of the organization's credits. The functions have their owner's rights, because what one party does, another one
-- may hear; nobody else may call them.

-- The decimals of an asset's minor unit, as `scale_of` in `domain/common/money.py`; a test compares them.
CREATE OR REPLACE FUNCTION asset_decimals(p_asset text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_asset IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF',
        'XOF', 'XPF', 'SLOT') THEN 0
    WHEN p_asset IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
    WHEN p_asset IN ('CREDIT', 'USDC') THEN 6
    WHEN p_asset = 'BTC' THEN 8
    WHEN p_asset IN ('ETH', 'TON') THEN 9
    ELSE 2 END;

-- Writes an amount in minor units as `format_amount` in `domain/common/money.py` does; a test compares them for every
-- asset.
CREATE OR REPLACE FUNCTION amount_text(p_minor bigint, p_asset text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN scale(exact) < least(decimals, 2) THEN round(exact, 2) ELSE exact END::text
    FROM (SELECT public.asset_decimals(p_asset) AS decimals) known,
        LATERAL (SELECT trim_scale(p_minor / power(10::numeric, decimals)) AS exact) amount
$$;

GRANT EXECUTE ON FUNCTION asset_decimals(text), amount_text(bigint, text) TO bursar_api, bursar_platform;

-- The id that the organization gave the subject is filled in where an event has a place for it.
CREATE OR REPLACE FUNCTION tell(p_type text, p_org text, p_subject text, p_at timestamptz, p_data jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.events (type, org_id, subject, subject_seq, at, data)
    SELECT p_type, p_org, p_subject,
        greatest((SELECT e.subject_seq FROM public.events e WHERE e.subject = p_subject AND e.org_id = p_org
                  ORDER BY e.subject_seq DESC LIMIT 1), public.event_floor()) + 1,
        coalesce(p_at, now()),
        CASE WHEN p_data -> 'external_id' = 'null' THEN p_data || jsonb_build_object('external_id', (
            SELECT m.external_id FROM public.object_metadata m
            WHERE m.object_id = p_subject AND m.org_id = p_org)) ELSE p_data END;
END $$;

CREATE OR REPLACE FUNCTION tell_invoice() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_before text := CASE TG_OP WHEN 'UPDATE' THEN OLD.status END;
    v_due bigint := NEW.total_minor - NEW.prepaid_minor - NEW.rounded_minor - NEW.credited_minor
        - NEW.written_off_minor - NEW.paid_minor;
    v_word text := CASE NEW.status
        WHEN 'draft' THEN 'created'
        WHEN 'open' THEN CASE WHEN coalesce(v_before, 'draft') = 'draft' THEN 'finalized' ELSE 'reopened' END
        WHEN 'void' THEN 'voided'
        WHEN 'uncollectible' THEN 'marked_uncollectible'
        ELSE NEW.status END;
BEGIN
    IF NEW.discarded_at IS NOT NULL THEN
        v_word := 'deleted';
    END IF;
    PERFORM public.tell('invoice.' || v_word, NEW.org_id, NEW.id, NEW.updated_at, jsonb_build_object(
        'invoice_id', NEW.id, 'status', NEW.status, 'currency', NEW.currency,
        'total', public.amount_text(NEW.total_minor, NEW.currency),
        'tax_amount', public.amount_text(NEW.tax_minor, NEW.currency),
        'paid_amount', public.amount_text(NEW.paid_minor, NEW.currency),
        'due_amount', public.amount_text(CASE NEW.status WHEN 'open' THEN v_due ELSE 0 END, NEW.currency),
        'paused_for', NEW.paused_for, 'due_at', NEW.due_at, 'external_id', NULL));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION tell_invoice();
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF status, discarded_at ON invoices FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.discarded_at IS DISTINCT FROM NEW.discarded_at)
    EXECUTE FUNCTION tell_invoice();

CREATE OR REPLACE FUNCTION tell_credit_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM public.tell('credit_note.created', NEW.org_id, NEW.id, NEW.issued_at, jsonb_build_object(
        'credit_note_id', NEW.id, 'invoice_id', NEW.invoice_id, 'currency', NEW.currency,
        'amount', public.amount_text(NEW.amount_minor, NEW.currency),
        'tax_amount', public.amount_text(NEW.tax_minor, NEW.currency)));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON credit_notes FOR EACH ROW EXECUTE FUNCTION tell_credit_note();

-- The seller hears what was sold and for how much, and not to whom.
CREATE OR REPLACE FUNCTION tell_purchase() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_word text := CASE WHEN TG_OP = 'INSERT' THEN 'created' WHEN NEW.status = 'active' THEN 'resumed' ELSE NEW.status END;
    v_data jsonb := jsonb_build_object(
        'purchase_id', NEW.id, 'agent_id', NEW.agent_id, 'model', NEW.model, 'status', NEW.status,
        'currency', NEW.currency, 'price', public.amount_text(NEW.price_minor, NEW.currency), 'ends_at', NEW.ends_at);
BEGIN
    PERFORM public.tell('purchase.' || v_word, NEW.org_id, NEW.id, NULL, v_data || '{"role": "buyer"}');
    IF NEW.payee_org_id <> NEW.org_id THEN
        PERFORM public.tell('purchase.' || v_word, NEW.payee_org_id, NEW.id, NULL, v_data || '{"role": "seller"}');
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON marketplace_purchases FOR EACH ROW EXECUTE FUNCTION tell_purchase();
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF status ON marketplace_purchases FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION tell_purchase();

CREATE OR REPLACE FUNCTION tell_project() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM public.tell(
        CASE WHEN TG_OP = 'INSERT' THEN 'project.created' WHEN NEW.deployed_at IS NULL THEN 'deployment.stopped'
            ELSE 'deployment.started' END,
        NEW.org_id, NEW.id, NEW.deployed_at, jsonb_build_object(
            'project_id', NEW.id, 'external_id', NULL, 'deploy_type', NEW.deploy_type,
            'deployed_at', NEW.deployed_at));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON projects FOR EACH ROW EXECUTE FUNCTION tell_project();
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF deployed_at ON projects FOR EACH ROW
    WHEN ((OLD.deployed_at IS NULL) <> (NEW.deployed_at IS NULL)) EXECUTE FUNCTION tell_project();

CREATE OR REPLACE FUNCTION tell_contract() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_type text := CASE WHEN TG_NAME = 'tell_expired' THEN 'contract.expired' WHEN TG_OP = 'UPDATE' THEN 'contract.accepted'
        WHEN NEW.accept_by IS NULL THEN 'contract.created' ELSE 'contract.proposed' END;
    v_at timestamptz := CASE WHEN TG_NAME = 'tell_expired' THEN NEW.accept_by
        ELSE coalesce(NEW.accepted_at, NEW.created_at) END;
    v_data jsonb := jsonb_build_object(
        'contract_id', NEW.id, 'agent_id', NEW.agent_id, 'currency', NEW.currency,
        'price', public.amount_text(NEW.price_minor, NEW.currency), 'accept_by', NEW.accept_by,
        'accepted_at', NEW.accepted_at, 'external_id', NULL);
    v_party record;
BEGIN
    FOR v_party IN
        SELECT p.org_id, (array_agg(p.role ORDER BY p.rank))[1] AS role
        FROM (SELECT NEW.org_id, 'payer', 1 UNION ALL SELECT NEW.payee_org_id, 'payee', 2
              UNION ALL SELECT s, 'signatory', 3 FROM unnest(NEW.signatory_org_ids) s) p (org_id, role, rank)
        GROUP BY p.org_id ORDER BY p.org_id
    LOOP
        PERFORM public.tell(v_type, v_party.org_id, NEW.id, v_at, v_data || jsonb_build_object('role', v_party.role));
    END LOOP;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION tell_contract();
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF accepted_at ON contracts FOR EACH ROW
    WHEN (OLD.accepted_at IS NULL AND NEW.accepted_at IS NOT NULL) EXECUTE FUNCTION tell_contract();
CREATE OR REPLACE TRIGGER tell_expired AFTER UPDATE OF expired_at ON contracts FOR EACH ROW
    WHEN (OLD.expired_at IS NULL AND NEW.expired_at IS NOT NULL) EXECUTE FUNCTION tell_contract();

CREATE OR REPLACE FUNCTION tell_alert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_word text := CASE TG_NAME WHEN 'tell_new' THEN 'raised' WHEN 'tell_changed' THEN 'acknowledged'
        ELSE replace(TG_NAME, 'tell_', '') END;
    v_data jsonb := jsonb_build_object('alert_id', NEW.id, 'kind', NEW.kind, 'subject', NEW.subject,
        'severity', NEW.severity);
BEGIN
    IF v_word = 'snoozed' THEN
        v_data := v_data || jsonb_build_object('snoozed_until', NEW.org_snoozed_until);
    END IF;
    PERFORM public.tell('alert.' || v_word, NEW.org_id, NEW.id, CASE TG_OP WHEN 'INSERT' THEN NEW.created_at END, v_data);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON alerts FOR EACH ROW
    WHEN (NEW.shared AND NEW.org_id IS NOT NULL) EXECUTE FUNCTION tell_alert();
-- An organization hears once that its alert is seen, by itself or by an operator, or resolved before anybody saw it.
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF acknowledged_at, org_acknowledged_at ON alerts FOR EACH ROW
    WHEN (NEW.shared AND NEW.org_id IS NOT NULL
        AND coalesce(OLD.acknowledged_at, OLD.org_acknowledged_at) IS NULL
        AND coalesce(NEW.acknowledged_at, NEW.org_acknowledged_at) IS NOT NULL)
    EXECUTE FUNCTION tell_alert();
CREATE OR REPLACE TRIGGER tell_resolved AFTER UPDATE OF resolved_at ON alerts FOR EACH ROW
    WHEN (NEW.shared AND NEW.org_id IS NOT NULL AND OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL)
    EXECUTE FUNCTION tell_alert();
-- When operators want to hear of it again is theirs.
CREATE OR REPLACE TRIGGER tell_snoozed AFTER UPDATE OF org_snoozed_until ON alerts FOR EACH ROW
    WHEN (NEW.shared AND NEW.org_id IS NOT NULL AND NEW.org_snoozed_until IS NOT NULL
        AND NEW.org_snoozed_until IS DISTINCT FROM OLD.org_snoozed_until)
    EXECUTE FUNCTION tell_alert();

CREATE OR REPLACE FUNCTION tell_lot() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM public.tell('credit_lot.created', NEW.org_id, NEW.id, NEW.created_at, jsonb_build_object(
        'lot_id', NEW.id, 'source', NEW.source, 'amount', public.amount_text(NEW.amount_minor, 'CREDIT'),
        'debt_paid', public.amount_text(NEW.debt_minor, 'CREDIT'), 'expires_at', NEW.expires_at,
        'external_id', NULL));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON credit_lots FOR EACH ROW EXECUTE FUNCTION tell_lot();

-- Lots of accounts that are none of an organization's wallet expire as well; theirs is the organization that they are of.
CREATE OR REPLACE FUNCTION tell_expired_lot() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_lot ledger.lots;
BEGIN
    SELECT * INTO v_lot FROM ledger.lots l WHERE l.id = NEW.lot_id;
    PERFORM public.tell('credit_lot.expired', v_lot.org_id, public.type_id('lot', v_lot.id), NULL, jsonb_build_object(
        'lot_id', public.type_id('lot', v_lot.id), 'source', v_lot.source,
        'amount', public.amount_text(NEW.amount, 'CREDIT'), 'expires_at', v_lot.expires_at, 'external_id', NULL));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_expired AFTER INSERT ON ledger.lot_uses FOR EACH ROW
    WHEN (NEW.outcome = 'expired') EXECUTE FUNCTION tell_expired_lot();

-- A charge is no state that somebody could miss: whoever made it has its answer. A reservation has several.
CREATE OR REPLACE FUNCTION tell_spend() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_id text := public.type_id(CASE WHEN NEW.expires_at IS NULL THEN 'spd' ELSE 'hold' END, NEW.id);
    v_is_refund boolean := TG_OP = 'UPDATE' AND TG_NAME = 'tell_refunded';
BEGIN
    PERFORM public.tell(
        CASE WHEN v_is_refund THEN 'spend.refunded' WHEN TG_OP = 'INSERT' THEN 'reservation.created'
            ELSE 'reservation.' || NEW.status END,
        NEW.org_id, v_id, NULL, jsonb_build_object(
            CASE WHEN v_is_refund THEN 'spend_id' ELSE 'reservation_id' END, v_id, 'status', NEW.status,
            'agent_id', NEW.agent_id, 'asset', NEW.asset, 'amount', public.amount_text(NEW.amount, NEW.asset),
            'captured_amount', public.amount_text(NEW.captured, NEW.asset),
            'released_amount', public.amount_text(NEW.released, NEW.asset),
            'refunded_amount', public.amount_text(NEW.refunded, NEW.asset), 'expires_at', NEW.held_until));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_new AFTER INSERT ON ledger.spends FOR EACH ROW
    WHEN (NEW.status = 'reserved') EXECUTE FUNCTION tell_spend();
CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE OF status ON ledger.spends FOR EACH ROW
    WHEN (OLD.status = 'reserved' AND NEW.status <> 'reserved') EXECUTE FUNCTION tell_spend();
CREATE OR REPLACE TRIGGER tell_refunded AFTER UPDATE OF refunded ON ledger.spends FOR EACH ROW
    WHEN (NEW.refunded > OLD.refunded) EXECUTE FUNCTION tell_spend();

-- A night's change of a score that shows in the first decimal of its stars. In one statement, because a night writes many.
CREATE OR REPLACE FUNCTION tell_scores() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    -- A change of an agent tells of it too: by the lock of its row, as that one does, no number is given twice.
    PERFORM FROM public.agents a WHERE a.id IN (SELECT n.agent_id FROM new_rows n WHERE abs(n.moved_e6) >= 100000)
    ORDER BY a.id FOR NO KEY UPDATE;
    INSERT INTO public.events (type, org_id, subject, subject_seq, at, data)
    SELECT 'score.changed', a.org_id, a.id, greatest((
            SELECT max(e.subject_seq) FROM public.events e WHERE e.subject = a.id AND e.org_id = a.org_id
        ), public.event_floor()) + 1, now(), jsonb_build_object(
            'agent_id', a.id, 'external_id', m.external_id, 'stars', round(n.stars_e6 / 1000000.0, 2)::text,
            'change', round(n.moved_e6 / 1000000.0, 2)::text, 'is_sudden', n.is_sudden, 'day', n.day)
    FROM new_rows n JOIN public.agents a ON a.id = n.agent_id
        LEFT JOIN public.object_metadata m ON m.object_id = a.id AND m.org_id = a.org_id
    WHERE abs(n.moved_e6) >= 100000;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_scores AFTER INSERT ON reputation_history REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tell_scores();
