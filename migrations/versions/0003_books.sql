-- The books: accounts, balances, transfers, entries, holds and lots; what they come to by day; their comparison with
-- providers. Nobody but the owner writes a table of the schema `ledger`: money moves through its functions.

CREATE SEQUENCE ledger.account_numbers;

CREATE TABLE ledger.accounts (
    id bigint NOT NULL,
    path text NOT NULL,
    asset text NOT NULL,
    org_id text,
    kind text NOT NULL,
    floor bigint,
    stripes smallint DEFAULT 1 NOT NULL,
    opened_in bigint DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    -- Which accounts carry lots, and where lots that are due are not spent any more. Balances say the first as well, so
    -- that a posting sees it in the row that it changes and an account without lots costs nothing more.
    lots boolean DEFAULT false NOT NULL,
    lots_lapse boolean DEFAULT false NOT NULL,
    CONSTRAINT pk_accounts PRIMARY KEY (id),
    CONSTRAINT uq_accounts_id_asset UNIQUE (id, asset),
    CONSTRAINT uq_accounts_path_asset UNIQUE (path, asset),
    CONSTRAINT ck_accounts_floor_unstriped CHECK (floor IS NULL OR stripes = 1),
    CONSTRAINT ck_accounts_kind CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')),
    CONSTRAINT ck_accounts_stripes CHECK (stripes BETWEEN 1 AND 256 AND stripes = (id & 255) + 1)
);
CREATE INDEX ix_accounts_org_id ON ledger.accounts (org_id) WHERE org_id IS NOT NULL;
CREATE INDEX ix_accounts_standing ON ledger.accounts (org_id) WHERE path NOT LIKE 'escrow/%';
SELECT pg_temp.row_security('ledger.accounts');
CREATE POLICY tenant ON ledger.accounts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, path, asset, org_id, kind, stripes, lots, lots_lapse, opened_in,
    created_at OR DELETE OR TRUNCATE ON ledger.accounts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.accounts TO bursar_api, bursar_platform;

CREATE TABLE ledger.entries (
    account_id bigint NOT NULL,
    version bigint NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    effective_at timestamptz NOT NULL,
    transfer_id uuid NOT NULL,
    stripe smallint NOT NULL,
    asset text NOT NULL,
    org_id text,
    CONSTRAINT pk_entries PRIMARY KEY (account_id, version, stripe)
);
CREATE INDEX ix_entries_org_id ON ledger.entries (org_id, transfer_id, account_id, version) WHERE org_id IS NOT NULL;
CREATE INDEX ix_entries_transfer_id ON ledger.entries (transfer_id);
SELECT pg_temp.row_security('ledger.entries');
CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.entries TO bursar_api, bursar_platform;

CREATE TABLE ledger.transfers (
    id uuid DEFAULT uuidv7() NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    hold_id uuid,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    kind text NOT NULL,
    reference text,
    org_id text,
    metadata jsonb,
    CONSTRAINT pk_transfers PRIMARY KEY (id),
    CONSTRAINT uq_transfers_idempotency_key UNIQUE (idempotency_key)
);
-- Transfers lie in the order of their time but for a few that are booked late: a summary of each range of pages
-- finds a day, and postings pay nothing for it.
CREATE INDEX ix_transfers_effective_at ON ledger.transfers USING brin (effective_at) WITH (pages_per_range = 32,
    autosummarize = true);
CREATE INDEX ix_transfers_reference ON ledger.transfers (reference, id) WHERE reference IS NOT NULL;
SELECT pg_temp.row_security('ledger.transfers');
-- Of transfers a tenant sees those with an entry that it can see, so either side of a transfer sees it.
CREATE POLICY tenant ON ledger.transfers FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.entries e WHERE e.transfer_id = transfers.id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.transfers TO bursar_api, bursar_platform;

CREATE TABLE ledger.balances (
    account_id bigint NOT NULL,
    stripe smallint NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    pending_out bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    floor bigint,
    asset text NOT NULL,
    org_id text,
    lots boolean DEFAULT false NOT NULL,
    CONSTRAINT pk_balances PRIMARY KEY (account_id, stripe),
    -- Short, because every statement that changes a balance parses it again.
    CONSTRAINT ck_balances_floor CHECK (posted - pending_out >= floor),
    CONSTRAINT fk_balances_account_id_asset_accounts
        FOREIGN KEY (account_id, asset) REFERENCES ledger.accounts (id, asset)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('ledger.balances');
-- Balances and entries carry the organization of their account: a look at the account would be one for each row.
CREATE POLICY tenant ON ledger.balances FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF account_id, stripe, asset, org_id, lots OR DELETE
    OR TRUNCATE ON ledger.balances FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.balances TO bursar_api, bursar_platform;

CREATE TABLE ledger.holds (
    id uuid DEFAULT uuidv7() NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    captured bigint DEFAULT 0 NOT NULL,
    held_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    ended_transfer_id uuid,
    status text DEFAULT 'pending' NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    ended_key text,
    reference text,
    metadata jsonb,
    CONSTRAINT pk_holds PRIMARY KEY (id),
    CONSTRAINT uq_holds_ended_key UNIQUE (ended_key),
    CONSTRAINT uq_holds_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT ck_holds_amount CHECK (amount >= 0),
    CONSTRAINT ck_holds_captured CHECK (CASE status
        WHEN 'posted' THEN captured BETWEEN 1 AND amount AND ended_transfer_id IS NOT NULL
        ELSE captured = 0 AND ended_transfer_id IS NULL END),
    CONSTRAINT ck_holds_ended CHECK ((status = 'pending') = (ended_at IS NULL)),
    CONSTRAINT ck_holds_status CHECK (status IN ('pending', 'posted', 'voided', 'expired')),
    CONSTRAINT fk_holds_ended_transfer_id_transfers FOREIGN KEY (ended_transfer_id) REFERENCES ledger.transfers
) WITH (fillfactor = 80);
CREATE INDEX ix_holds_account_id ON ledger.holds (account_id);
CREATE INDEX ix_holds_expires_at ON ledger.holds (expires_at, id) WHERE status = 'pending';
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

CREATE TABLE ledger.lots (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    org_id text NOT NULL,
    source text NOT NULL,
    priority smallint NOT NULL,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz,
    lapses boolean NOT NULL,
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    paid bigint NOT NULL,
    paid_asset text,
    costed bigint DEFAULT 0 NOT NULL,
    payment_id text,
    root_id uuid NOT NULL,
    parent_id uuid,
    transfer_id uuid NOT NULL,
    is_open boolean DEFAULT true NOT NULL,
    -- How much longer a lot, and those that it came from, may be spent than was said at first.
    extended interval DEFAULT '00:00:00' NOT NULL,
    -- Whether tax was charged when the credits were sold. What somebody else earned with them was not sold to them.
    taxed boolean DEFAULT false NOT NULL,
    CONSTRAINT pk_lots PRIMARY KEY (id),
    -- What must never be whoever is wrong; `python -m ledger verify` proves the rest.
    CONSTRAINT ck_lots_amounts CHECK (held >= 0 AND remaining >= held AND amount >= remaining AND paid >= costed)
) WITH (fillfactor = 70);
CREATE INDEX ix_lots_due ON ledger.lots (expires_at) WHERE is_open AND lapses AND expires_at IS NOT NULL AND amount > 0;
CREATE INDEX ix_lots_expiring ON ledger.lots (account_id, expires_at)
    WHERE is_open AND lapses AND expires_at IS NOT NULL;
CREATE INDEX ix_lots_org_id ON ledger.lots (org_id, id);
CREATE INDEX ix_lots_payment_id ON ledger.lots (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX ix_lots_root_id ON ledger.lots (root_id)
    WHERE parent_id IS NOT NULL AND source IN ('subscription', 'refund');
CREATE INDEX ix_lots_spending ON ledger.lots (account_id, priority, expires_at, (paid > 0), id) WHERE is_open;
SELECT pg_temp.row_security('ledger.lots');
CREATE POLICY tenant ON ledger.lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
-- A lot keeps its terms and a use what it took; what is left of them changes with the balance.
CREATE TRIGGER immutable BEFORE UPDATE OF id, account_id, org_id, source, priority, opened_at, expires_at, lapses,
    amount, paid, paid_asset, payment_id, root_id, parent_id, transfer_id, extended OR DELETE OR TRUNCATE ON ledger.lots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lots TO bursar_api, bursar_platform;

CREATE TABLE ledger.lot_uses (
    transfer_id uuid NOT NULL,
    leg bigint NOT NULL,
    lot_id uuid NOT NULL,
    amount bigint NOT NULL,
    cost bigint NOT NULL,
    to_lot uuid,
    outcome text NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    cost_returned bigint DEFAULT 0 NOT NULL,
    passed bigint DEFAULT 0 NOT NULL,
    cost_passed bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_lot_uses PRIMARY KEY (transfer_id, leg, lot_id)
) WITH (fillfactor = 90);
CREATE INDEX ix_lot_uses_expired ON ledger.lot_uses (lot_id) WHERE outcome = 'expired';
SELECT pg_temp.row_security('ledger.lot_uses');
-- What was used of a lot, and what is held of it, is seen by whoever sees the lot.
CREATE POLICY tenant ON ledger.lot_uses FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_uses.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OF transfer_id, leg, lot_id, amount, cost, to_lot, outcome OR DELETE
    OR TRUNCATE ON ledger.lot_uses FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lot_uses TO bursar_api, bursar_platform;

CREATE TABLE ledger.hold_lots (
    hold_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT pk_hold_lots PRIMARY KEY (hold_id, lot_id),
    CONSTRAINT ck_hold_lots_amount CHECK (amount > 0)
);
SELECT pg_temp.row_security('ledger.hold_lots');
CREATE POLICY tenant ON ledger.hold_lots FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = hold_lots.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.hold_lots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.hold_lots TO bursar_api, bursar_platform;

CREATE TABLE ledger.lot_returns (
    transfer_id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    used_by uuid NOT NULL,
    leg bigint NOT NULL,
    lot_id uuid NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    cost bigint NOT NULL,
    CONSTRAINT pk_lot_returns PRIMARY KEY (transfer_id, number),
    CONSTRAINT ck_lot_returns_amount CHECK (amount > 0 AND cost >= 0)
);
SELECT pg_temp.row_security('ledger.lot_returns');
CREATE POLICY tenant ON ledger.lot_returns FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.lots l WHERE l.id = lot_returns.lot_id));
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lot_returns
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.lot_returns TO bursar_api, bursar_platform;

CREATE TABLE ledger.revenue_place (
    id smallint DEFAULT 1 NOT NULL,
    begun uuid DEFAULT uuidv7() NOT NULL,
    booked uuid NOT NULL,
    settled uuid NOT NULL,
    mark uuid NOT NULL,
    mark_in bigint NOT NULL,
    CONSTRAINT pk_revenue_place PRIMARY KEY (id),
    CONSTRAINT ck_revenue_place_id CHECK (id = 1)
);
SELECT pg_temp.row_security('ledger.revenue_place');
CREATE TRIGGER immutable BEFORE UPDATE OF begun OR DELETE OR TRUNCATE ON ledger.revenue_place
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.revenue_place TO bursar_api, bursar_platform;
INSERT INTO ledger.revenue_place (booked, settled, mark, mark_in) VALUES
    ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-000000000000', 0);

CREATE TABLE ledger.accounting_days (
    day date NOT NULL,
    line text NOT NULL,
    kind text NOT NULL,
    asset text NOT NULL,
    debits numeric NOT NULL,
    credits numeric NOT NULL,
    CONSTRAINT pk_accounting_days PRIMARY KEY (day, line, kind, asset),
    CONSTRAINT ck_accounting_days_counted CHECK (least(debits, credits) >= 0)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('ledger.accounting_days');
CREATE TRIGGER immutable BEFORE UPDATE OF day, line, kind, asset OR DELETE OR TRUNCATE ON ledger.accounting_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- No policy shows a tenant any row.
GRANT SELECT ON ledger.accounting_days TO bursar_api, bursar_platform;

CREATE TABLE ledger.accounting_place (
    id smallint DEFAULT 1 NOT NULL,
    summed uuid NOT NULL,
    CONSTRAINT pk_accounting_place PRIMARY KEY (id),
    CONSTRAINT ck_accounting_place_id CHECK (id = 1)
);
SELECT pg_temp.row_security('ledger.accounting_place');
CREATE POLICY everyone ON ledger.accounting_place FOR SELECT TO bursar_api USING (true);
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.accounting_place
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.accounting_place TO bursar_api, bursar_platform;
INSERT INTO ledger.accounting_place (summed) VALUES ('00000000-0000-0000-0000-000000000000');

CREATE TABLE ledger.earning_days (
    account_id bigint NOT NULL,
    day date NOT NULL,
    earned bigint NOT NULL,
    paid_out bigint NOT NULL,
    CONSTRAINT pk_earning_days PRIMARY KEY (account_id, day),
    CONSTRAINT ck_earning_days_counted CHECK (earned >= 0)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('ledger.earning_days');
CREATE POLICY tenant ON ledger.earning_days FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM ledger.accounts a WHERE a.id = account_id AND a.org_id = bursar_org()));
CREATE TRIGGER immutable BEFORE UPDATE OF account_id, day OR DELETE OR TRUNCATE ON ledger.earning_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.earning_days TO bursar_api, bursar_platform;

CREATE TABLE ledger.revenue_days (
    org_id text NOT NULL,
    day date NOT NULL,
    line text NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT pk_revenue_days PRIMARY KEY (day, org_id, line, asset)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('ledger.revenue_days');
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day, line, asset OR DELETE OR TRUNCATE ON ledger.revenue_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.revenue_days TO bursar_platform;

CREATE TABLE ledger.cost_days (
    org_id text NOT NULL,
    day date NOT NULL,
    line text NOT NULL,
    agent_id text NOT NULL,
    asset text NOT NULL,
    came bigint NOT NULL,
    went bigint NOT NULL,
    CONSTRAINT pk_cost_days PRIMARY KEY (org_id, day, line, agent_id, asset)
) WITH (fillfactor = 50);
CREATE INDEX ix_cost_days_day ON ledger.cost_days (day);
SELECT pg_temp.row_security('ledger.cost_days');
CREATE POLICY tenant ON ledger.cost_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day, line, agent_id, asset OR DELETE OR TRUNCATE ON ledger.cost_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.cost_days TO bursar_api, bursar_platform;

CREATE TABLE ledger.credit_days (
    org_id text NOT NULL,
    day date NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    expired bigint DEFAULT 0 NOT NULL,
    spends bigint DEFAULT 0 NOT NULL,
    granted_cost numeric DEFAULT 0 NOT NULL,
    CONSTRAINT pk_credit_days PRIMARY KEY (org_id, day),
    CONSTRAINT ck_credit_days_counted CHECK (least(used, refunded, expired, spends) >= 0)
) WITH (fillfactor = 50);
CREATE INDEX ix_credit_days_day ON ledger.credit_days (day);
SELECT pg_temp.row_security('ledger.credit_days');
CREATE POLICY tenant ON ledger.credit_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, day OR DELETE OR TRUNCATE ON ledger.credit_days
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.credit_days TO bursar_api, bursar_platform;

CREATE TABLE credit_lots (
    id text NOT NULL,
    org_id text NOT NULL,
    source text NOT NULL,
    amount_minor bigint NOT NULL,
    expires_at timestamptz,
    note text,
    payment_id text,
    paid_minor bigint,
    paid_currency text,
    transfer_id uuid NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    debt_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_credit_lots PRIMARY KEY (id),
    CONSTRAINT uq_credit_lots_command_id UNIQUE (command_id),
    CONSTRAINT uq_credit_lots_transfer_id UNIQUE (transfer_id),
    CONSTRAINT ck_credit_lots_amount CHECK (amount_minor > 0),
    CONSTRAINT ck_credit_lots_debt CHECK (debt_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT fk_credit_lots_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_credit_lots_org_id ON credit_lots (org_id, expires_at);
CREATE INDEX ix_credit_lots_org_id_id ON credit_lots (org_id, id);
SELECT pg_temp.row_security('credit_lots');
CREATE POLICY tenant ON credit_lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
SELECT pg_temp.append_only('credit_lots');
GRANT SELECT ON credit_lots TO bursar_api;
GRANT SELECT, INSERT ON credit_lots TO bursar_platform;

CREATE TABLE reconciliation_runs (
    id text NOT NULL,
    provider text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    status text NOT NULL,
    requested_by text NOT NULL,
    command_id text NOT NULL,
    compared bigint NOT NULL,
    differences bigint NOT NULL,
    report jsonb,
    failure text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT pk_reconciliation_runs PRIMARY KEY (id),
    CONSTRAINT uq_reconciliation_runs_command_id UNIQUE (command_id)
);
CREATE INDEX ix_reconciliation_runs_provider_started_at_id ON reconciliation_runs (provider, started_at, id);
CREATE INDEX ix_reconciliation_runs_provider_until ON reconciliation_runs (provider, until);
CREATE INDEX ix_reconciliation_runs_started_at_id ON reconciliation_runs (started_at, id);
SELECT pg_temp.row_security('reconciliation_runs');
GRANT SELECT, INSERT, UPDATE ON reconciliation_runs TO bursar_platform;

CREATE TABLE reconciliation_differences (
    id text NOT NULL,
    provider text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    movement jsonb NOT NULL,
    booked jsonb NOT NULL,
    listed jsonb,
    payment_id text,
    run_id text NOT NULL,
    times_opened bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    resolution text,
    note text,
    resolved_by text,
    resolved_at timestamptz,
    transfer_id uuid,
    command_id text,
    CONSTRAINT pk_reconciliation_differences PRIMARY KEY (id),
    CONSTRAINT ck_reconciliation_differences_resolution CHECK ((status = 'open') = (resolution IS NULL)),
    CONSTRAINT fk_reconciliation_differences_run_id_reconciliation_runs
        FOREIGN KEY (run_id) REFERENCES reconciliation_runs
);
CREATE INDEX ix_reconciliation_differences_provider_status_id ON reconciliation_differences (provider, status, id);
CREATE INDEX ix_reconciliation_differences_status_id ON reconciliation_differences (status, id);
CREATE UNIQUE INDEX uq_reconciliation_differences_provider_key_kind ON reconciliation_differences (provider, key, kind);
SELECT pg_temp.row_security('reconciliation_differences');
GRANT SELECT, INSERT, UPDATE ON reconciliation_differences TO bursar_platform;

CREATE TABLE reconciliation_lines (
    run_id text NOT NULL,
    key text NOT NULL,
    movement jsonb NOT NULL,
    CONSTRAINT pk_reconciliation_lines PRIMARY KEY (run_id, key),
    CONSTRAINT fk_reconciliation_lines_run_id_reconciliation_runs FOREIGN KEY (run_id) REFERENCES reconciliation_runs
);
SELECT pg_temp.row_security('reconciliation_lines');
GRANT SELECT, INSERT, DELETE ON reconciliation_lines TO bursar_platform;

CREATE TABLE reconciliation_corrections (
    provider text NOT NULL,
    movement_key text NOT NULL,
    key text NOT NULL,
    difference_id text NOT NULL,
    CONSTRAINT pk_reconciliation_corrections PRIMARY KEY (provider, movement_key),
    CONSTRAINT fk_reconciliation_corrections_difference
        FOREIGN KEY (difference_id) REFERENCES reconciliation_differences
);
CREATE INDEX ix_reconciliation_corrections_provider_key ON reconciliation_corrections (provider, key);
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
