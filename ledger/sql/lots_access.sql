-- Who may read lots, and who may end them. Run by migration 0014 after access.sql, which earlier migrations run as well.
ALTER TABLE ledger.lots ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.lot_uses ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.hold_lots ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS platform ON ledger.lots;
DROP POLICY IF EXISTS tenant ON ledger.lots;
DROP POLICY IF EXISTS platform ON ledger.lot_uses;
DROP POLICY IF EXISTS tenant ON ledger.lot_uses;
DROP POLICY IF EXISTS platform ON ledger.hold_lots;
DROP POLICY IF EXISTS tenant ON ledger.hold_lots;

CREATE POLICY platform ON ledger.lots TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.lot_uses TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON ledger.hold_lots TO bursar_platform USING (true) WITH CHECK (true);

CREATE POLICY tenant ON ledger.lots FOR SELECT TO bursar_api USING (org_id = public.bursar_org());
-- What was used of a lot, and what is held of it, is seen by whoever sees the lot.
CREATE POLICY tenant ON ledger.lot_uses FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_id)
);
CREATE POLICY tenant ON ledger.hold_lots FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_id)
);

GRANT SELECT ON ledger.lots, ledger.lot_uses, ledger.hold_lots TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION ledger.expire_lots, ledger.granted_part, ledger.due_credits, ledger.convertible,
    ledger.slice_cost
TO bursar_platform;

-- A lot keeps its terms and a use what it took; what is left of them changes with the balance.
CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF id, account_id, org_id, source, priority, opened_at, expires_at, lapses, amount, paid, paid_asset,
    payment_id, root_id, parent_id, transfer_id, extended OR DELETE OR TRUNCATE ON ledger.lots
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable
BEFORE UPDATE OF transfer_id, leg, lot_id, amount, cost, to_lot, outcome OR DELETE OR TRUNCATE ON ledger.lot_uses
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.hold_lots
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
