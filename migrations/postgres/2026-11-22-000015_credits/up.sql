-- Money that the shop owes somebody: a gift card, for whoever has its code, or store credit, for an e-mail address.
-- code_hash: the code's HMAC with the shop's secret; last4 is all of the code that is kept. The balance follows from the entries.
CREATE TABLE credit_accounts (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('gift_card', 'store_credit')),
    code_hash text UNIQUE,
    last4 text,
    email text,
    currency text NOT NULL,
    balance bigint NOT NULL CONSTRAINT credit_never_negative CHECK (balance >= 0),
    status text NOT NULL CHECK (status IN ('active', 'disabled')),
    expires_at timestamptz,
    note text,
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((kind = 'gift_card') = (code_hash IS NOT NULL)),
    CHECK ((kind = 'gift_card') = (last4 IS NOT NULL)),
    CHECK (kind = 'gift_card' OR email IS NOT NULL)
);
CREATE UNIQUE INDEX store_credit_once ON credit_accounts (email, currency) WHERE kind = 'store_credit';
CREATE INDEX credit_accounts_by_email ON credit_accounts (email) WHERE email IS NOT NULL;
CREATE INDEX credit_accounts_by_last4 ON credit_accounts (last4) WHERE last4 IS NOT NULL;
CREATE INDEX credit_accounts_to_expire ON credit_accounts (expires_at) WHERE balance > 0 AND expires_at IS NOT NULL;

-- What came to an account and what left it. A payment redeems once, and an attempt to refund gives back once.
CREATE TABLE credit_entries (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES credit_accounts (id),
    kind text NOT NULL CHECK (kind IN ('issue', 'redeem', 'give_back', 'adjust', 'expire')),
    amount bigint NOT NULL CHECK (amount <> 0),
    reason text,
    payment_id uuid,
    attempt_id uuid,
    actor text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK ((kind IN ('redeem', 'give_back')) = (payment_id IS NOT NULL)),
    CHECK ((kind = 'give_back') = (attempt_id IS NOT NULL)),
    CHECK ((kind IN ('redeem', 'expire') AND amount < 0) OR (kind IN ('issue', 'give_back') AND amount > 0) OR kind = 'adjust')
);
CREATE INDEX credit_entries_by_account ON credit_entries (account_id, id);
CREATE INDEX credit_entries_by_payment ON credit_entries (payment_id) WHERE payment_id IS NOT NULL;
CREATE UNIQUE INDEX credit_redeemed_once ON credit_entries (payment_id) WHERE kind = 'redeem';
CREATE UNIQUE INDEX credit_given_back_once ON credit_entries (attempt_id) WHERE kind = 'give_back';
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
