-- The books: accounts, balances, transfers, entries, holds and lots; what they come to by day; their comparison with
-- providers. Nobody but the owner writes a table of the schema `ledger`: money moves through its functions.

CREATE SEQUENCE ledger.account_numbers;

-- Of transfers a tenant sees those with an entry that it can see, so either side of a transfer sees it.
CREATE POLICY tenant ON ledger.transfers FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.entries e WHERE e.transfer_id = transfers.id));

-- Balances and entries carry the organization of their account: a look at the account would be one for each row.
CREATE POLICY tenant ON ledger.balances FOR SELECT TO bursar_api USING (org_id = bursar_org());

CREATE POLICY tenant ON ledger.holds FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.accounts a WHERE a.id = holds.account_id AND a.org_id = bursar_org()));
-- A hold ends once: a row that has ended never changes again.
CREATE TRIGGER ends_once BEFORE UPDATE ON ledger.holds
    FOR EACH ROW WHEN (OLD.status <> 'pending') EXECUTE FUNCTION ledger.refuse_change();

-- What was used of a lot, and what is held of it, is seen by whoever sees the lot.
CREATE POLICY tenant ON ledger.lot_uses FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_uses.lot_id));

CREATE POLICY tenant ON ledger.hold_lots FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = hold_lots.lot_id));
CREATE POLICY tenant ON ledger.lot_returns FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_returns.lot_id));
INSERT INTO ledger.revenue_place (booked, settled, mark, mark_in) VALUES
    ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-000000000000', 0);

-- No policy shows a tenant any row.
GRANT SELECT ON ledger.accounting_days TO bursar_api, bursar_platform;

CREATE POLICY everyone ON ledger.accounting_place FOR SELECT TO bursar_api USING (true);
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.accounting_place
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
INSERT INTO ledger.accounting_place (summed) VALUES ('00000000-0000-0000-0000-000000000000');
CREATE POLICY tenant ON ledger.earning_days FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.accounts a WHERE a.id = account_id AND a.org_id = bursar_org()));

CREATE POLICY tenant ON ledger.accounts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.cost_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.credit_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON credit_lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
SELECT pg_temp.append_only('credit_lots', 'reconciliation_corrections');
SELECT pg_temp.immutable('ledger.entries', 'ledger.transfers', 'ledger.hold_lots', 'ledger.lot_returns');
SELECT pg_temp.immutable_but('ledger.accounts', 'floor');
SELECT pg_temp.immutable_but('ledger.balances', 'posted', 'pending_out', 'version', 'floor');
SELECT pg_temp.immutable_but('ledger.holds', 'captured', 'ended_at', 'ended_transfer_id', 'status', 'ended_key');
-- A lot keeps its terms and a use what it took; what is left of them changes with the balance.
SELECT pg_temp.immutable_but('ledger.lots', 'remaining', 'held', 'costed', 'is_open', 'taxed');
SELECT pg_temp.immutable_but('ledger.lot_uses', 'returned', 'cost_returned', 'passed', 'cost_passed');
SELECT pg_temp.immutable_but('ledger.revenue_place', 'id', 'booked', 'settled', 'mark', 'mark_in');
SELECT pg_temp.immutable_but('ledger.accounting_days', 'debits', 'credits');
SELECT pg_temp.immutable_but('ledger.earning_days', 'earned', 'paid_out');
SELECT pg_temp.immutable_but('ledger.revenue_days', 'amount');
SELECT pg_temp.immutable_but('ledger.cost_days', 'came', 'went');
SELECT pg_temp.immutable_but('ledger.credit_days', 'used', 'refunded', 'expired', 'spends', 'granted_cost');
GRANT SELECT ON ledger.accounts, ledger.entries, ledger.transfers, ledger.balances, ledger.holds, ledger.lots,
    ledger.lot_uses, ledger.hold_lots, ledger.lot_returns, ledger.revenue_place, ledger.accounting_place,
    ledger.earning_days, ledger.cost_days, ledger.credit_days TO bursar_api, bursar_platform;
GRANT SELECT ON ledger.revenue_days TO bursar_platform;
GRANT SELECT ON credit_lots TO bursar_api;
GRANT SELECT, INSERT ON credit_lots, reconciliation_corrections TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON reconciliation_runs, reconciliation_differences TO bursar_platform;
GRANT SELECT, INSERT, DELETE ON reconciliation_lines TO bursar_platform;

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
