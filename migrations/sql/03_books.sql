-- The books: accounts, balances, transfers, entries, holds and lots; what they come to by day; their comparison with
-- providers. Nobody but the owner writes a table of the schema `ledger`: money moves through its functions.

CREATE SEQUENCE ledger.account_numbers;

SELECT pg_temp.row_security('ledger.accounts');
CREATE POLICY tenant ON ledger.accounts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, path, asset, org_id, kind, stripes, lots, lots_lapse, opened_in,
    created_at OR DELETE OR TRUNCATE ON ledger.accounts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.accounts TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.entries');
CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.entries TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.transfers');
-- Of transfers a tenant sees those with an entry that it can see, so either side of a transfer sees it.
CREATE POLICY tenant ON ledger.transfers FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.entries e WHERE e.transfer_id = transfers.id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.transfers TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.balances');
-- Balances and entries carry the organization of their account: a look at the account would be one for each row.
CREATE POLICY tenant ON ledger.balances FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF account_id, stripe, asset, org_id, lots OR DELETE
    OR TRUNCATE ON ledger.balances FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.balances TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.holds');
CREATE POLICY tenant ON ledger.holds FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.accounts a WHERE a.id = holds.account_id AND a.org_id = bursar_org()));
-- A hold ends once: a row that has ended never changes again.
CREATE TRIGGER ends_once BEFORE UPDATE ON ledger.holds
    FOR EACH ROW WHEN (OLD.status <> 'pending') EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OF id, account_id, amount, held_at, expires_at, recorded_at, idempotency_key,
    request_hash, reference, metadata OR DELETE OR TRUNCATE ON ledger.holds
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.holds TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.lots');
CREATE POLICY tenant ON ledger.lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
-- A lot keeps its terms and a use what it took; what is left of them changes with the balance.
CREATE TRIGGER immutable BEFORE UPDATE OF id, account_id, org_id, source, priority, opened_at, expires_at, lapses,
    amount, paid, paid_asset, payment_id, root_id, parent_id, transfer_id, extended OR DELETE OR TRUNCATE ON ledger.lots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lots TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.lot_uses');
-- What was used of a lot, and what is held of it, is seen by whoever sees the lot.
CREATE POLICY tenant ON ledger.lot_uses FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_uses.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OF transfer_id, leg, lot_id, amount, cost, to_lot, outcome OR DELETE
    OR TRUNCATE ON ledger.lot_uses FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lot_uses TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.hold_lots');
CREATE POLICY tenant ON ledger.hold_lots FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = hold_lots.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.hold_lots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.hold_lots TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.lot_returns');
CREATE POLICY tenant ON ledger.lot_returns FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_returns.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lot_returns
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lot_returns TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.revenue_place');
CREATE TRIGGER immutable BEFORE UPDATE OF begun OR DELETE OR TRUNCATE ON ledger.revenue_place
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.revenue_place TO bursar_api, bursar_platform;
INSERT INTO ledger.revenue_place (booked, settled, mark, mark_in) VALUES
    ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-000000000000', 0);

SELECT pg_temp.row_security('ledger.accounting_days');
CREATE TRIGGER immutable BEFORE UPDATE OF day, line, kind, asset OR DELETE OR TRUNCATE ON ledger.accounting_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- No policy shows a tenant any row.
GRANT SELECT ON ledger.accounting_days TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.accounting_place');
CREATE POLICY everyone ON ledger.accounting_place FOR SELECT TO bursar_api USING (true);
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.accounting_place
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.accounting_place TO bursar_api, bursar_platform;
INSERT INTO ledger.accounting_place (summed) VALUES ('00000000-0000-0000-0000-000000000000');

SELECT pg_temp.row_security('ledger.earning_days');
CREATE POLICY tenant ON ledger.earning_days FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.accounts a WHERE a.id = account_id AND a.org_id = bursar_org()));
CREATE TRIGGER immutable BEFORE UPDATE OF account_id, day OR DELETE OR TRUNCATE ON ledger.earning_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.earning_days TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.revenue_days');
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day, line, asset OR DELETE OR TRUNCATE ON ledger.revenue_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.revenue_days TO bursar_platform;

SELECT pg_temp.row_security('ledger.cost_days');
CREATE POLICY tenant ON ledger.cost_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day, line, agent_id, asset OR DELETE OR TRUNCATE ON ledger.cost_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.cost_days TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.credit_days');
CREATE POLICY tenant ON ledger.credit_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day OR DELETE OR TRUNCATE ON ledger.credit_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.credit_days TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('credit_lots');
CREATE POLICY tenant ON credit_lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
SELECT pg_temp.append_only('credit_lots');
GRANT SELECT ON credit_lots TO bursar_api;
GRANT SELECT, INSERT ON credit_lots TO bursar_platform;

SELECT pg_temp.row_security('reconciliation_runs');
GRANT SELECT, INSERT, UPDATE ON reconciliation_runs TO bursar_platform;

SELECT pg_temp.row_security('reconciliation_differences');
GRANT SELECT, INSERT, UPDATE ON reconciliation_differences TO bursar_platform;

SELECT pg_temp.row_security('reconciliation_lines');
GRANT SELECT, INSERT, DELETE ON reconciliation_lines TO bursar_platform;

SELECT pg_temp.row_security('reconciliation_corrections');
SELECT pg_temp.append_only('reconciliation_corrections');
GRANT SELECT, INSERT ON reconciliation_corrections TO bursar_platform;

\ir ../../ledger/sql/accounts.sql
\ir ../../ledger/sql/guards.sql
\ir ../../ledger/sql/post.sql
\ir ../../ledger/sql/batch.sql
\ir ../../ledger/sql/holds.sql
\ir ../../ledger/sql/lots.sql
\ir ../../ledger/sql/read.sql
\ir ../../ledger/sql/revenue.sql
\ir ../../ledger/sql/accounting.sql
\ir ../../ledger/sql/earning_days.sql
\ir ../../ledger/sql/revenue_days.sql
\ir ../../ledger/sql/access.sql
\ir ../../repositories/sql/books/balance.sql
