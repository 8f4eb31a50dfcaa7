-- Cards, their authorizations and transactions.

-- An organization as the holder of its cards at the issuer.
CREATE TABLE cardholders (
    org_id text NOT NULL,
    ref text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_cardholders PRIMARY KEY (org_id),
    CONSTRAINT uq_cardholders_ref UNIQUE (ref),
    CONSTRAINT fk_cardholders_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('cardholders');
SELECT pg_temp.append_only('cardholders');
GRANT SELECT, INSERT ON cardholders TO bursar_platform;

CREATE TABLE cards (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    order_id text,
    name text NOT NULL,
    currency text NOT NULL,
    per_authorization_minor bigint,
    per_month_minor bigint,
    categories jsonb NOT NULL,
    status text NOT NULL,
    ref text,
    brand text,
    last4 text,
    expires_year integer,
    expires_month integer,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_cards PRIMARY KEY (id),
    CONSTRAINT uq_cards_command_id UNIQUE (command_id),
    CONSTRAINT uq_cards_ref UNIQUE (ref),
    CONSTRAINT fk_cards_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_cards_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_cards_order_id_purchase_orders FOREIGN KEY (order_id) REFERENCES purchase_orders,
    CONSTRAINT ck_cards_status CHECK (status IN ('pending', 'active', 'frozen', 'closed')),
    CONSTRAINT ck_cards_made CHECK (status IN ('pending', 'closed') OR num_nulls(ref, last4) = 0),
    CONSTRAINT ck_cards_limits CHECK (per_authorization_minor > 0 AND per_month_minor > 0)
);
CREATE INDEX ix_cards_org_id_id ON cards (org_id, id);
CREATE INDEX ix_cards_org_id_agent_id_id ON cards (org_id, agent_id, id);
-- A purchase has one card.
CREATE UNIQUE INDEX uq_cards_order_id ON cards (order_id) WHERE status <> 'closed';
SELECT pg_temp.row_security('cards');
SELECT pg_temp.tenant_reads_own('cards');
SELECT pg_temp.refuse_deletes('cards');
GRANT SELECT, INSERT, UPDATE (status, ref, brand, last4, expires_year, expires_month) ON cards TO bursar_platform;

-- What merchants have asked for. A capture or refund that has no authorization has a row of its own, under its own ref.
CREATE TABLE card_authorizations (
    id text NOT NULL,
    org_id text NOT NULL,
    card_id text NOT NULL,
    ref text NOT NULL,
    status text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    merchant jsonb NOT NULL,
    -- The answers: amount_minor, approved, reason, spend_id and at of each request, in their order.
    requests jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_card_authorizations PRIMARY KEY (id),
    CONSTRAINT uq_card_authorizations_ref UNIQUE (ref),
    CONSTRAINT fk_card_authorizations_card_id_cards FOREIGN KEY (card_id) REFERENCES cards,
    CONSTRAINT ck_card_authorizations_status
        CHECK (status IN ('pending', 'declined', 'closed', 'reversed', 'expired', 'none'))
);
CREATE INDEX ix_card_authorizations_card_id_id ON card_authorizations (card_id, id);
SELECT pg_temp.row_security('card_authorizations');
SELECT pg_temp.tenant_reads_own('card_authorizations');
SELECT pg_temp.refuse_deletes('card_authorizations');
GRANT SELECT, INSERT, UPDATE (status, amount_minor, requests) ON card_authorizations TO bursar_platform;

-- The spends by which credits pay for a card: the hold of each approved request, and what was forced. Amounts are in the
-- card's currency; `credits` is what the ledger took for the whole amount, `captured_credits` what it has captured.
CREATE TABLE card_spends (
    spend_id uuid NOT NULL,
    org_id text NOT NULL,
    card_id text NOT NULL,
    authorization_id text NOT NULL,
    is_forced boolean NOT NULL,
    amount_minor bigint NOT NULL,
    credits bigint NOT NULL,
    captured_minor bigint DEFAULT 0 NOT NULL,
    captured_credits bigint DEFAULT 0 NOT NULL,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_card_spends PRIMARY KEY (spend_id),
    CONSTRAINT fk_card_spends_authorization_id_card_authorizations
        FOREIGN KEY (authorization_id) REFERENCES card_authorizations,
    CONSTRAINT ck_card_spends_amounts CHECK (amount_minor > 0 AND credits > 0
        AND captured_minor BETWEEN 0 AND amount_minor AND refunded_minor BETWEEN 0 AND captured_minor
        AND captured_credits BETWEEN 0 AND credits)
);
CREATE INDEX ix_card_spends_authorization_id ON card_spends (authorization_id);
CREATE INDEX ix_card_spends_card_id_spend_id ON card_spends (card_id, spend_id) WHERE refunded_minor < captured_minor;
SELECT pg_temp.row_security('card_spends');
SELECT pg_temp.tenant_reads_own('card_spends');
SELECT pg_temp.refuse_deletes('card_spends');
GRANT SELECT, INSERT, UPDATE (amount_minor, captured_minor, captured_credits, refunded_minor) ON card_spends TO bursar_platform;

CREATE TABLE card_transactions (
    ref text NOT NULL,
    org_id text NOT NULL,
    card_id text NOT NULL,
    authorization_id text NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    -- Of a capture, what was beyond the authorization; of a refund, what no capture was left for.
    beyond_minor bigint NOT NULL,
    currency text NOT NULL,
    merchant jsonb NOT NULL,
    is_booked boolean DEFAULT false NOT NULL,
    dispute_ref text,
    dispute_status text,
    -- What a won dispute has given back.
    returned_minor bigint DEFAULT 0 NOT NULL,
    occurred_at timestamptz NOT NULL,
    CONSTRAINT pk_card_transactions PRIMARY KEY (ref),
    CONSTRAINT fk_card_transactions_authorization_id_card_authorizations
        FOREIGN KEY (authorization_id) REFERENCES card_authorizations,
    CONSTRAINT ck_card_transactions_kind CHECK (kind IN ('capture', 'refund')),
    CONSTRAINT ck_card_transactions_amounts CHECK (amount_minor > 0 AND beyond_minor BETWEEN 0 AND amount_minor
        AND returned_minor BETWEEN 0 AND amount_minor)
);
CREATE INDEX ix_card_transactions_authorization_id ON card_transactions (authorization_id);
SELECT pg_temp.row_security('card_transactions');
SELECT pg_temp.tenant_reads_own('card_transactions');
SELECT pg_temp.refuse_deletes('card_transactions');
GRANT SELECT, INSERT, UPDATE (beyond_minor, is_booked, dispute_ref, dispute_status, returned_minor)
    ON card_transactions TO bursar_platform;
