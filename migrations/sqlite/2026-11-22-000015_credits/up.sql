-- Money that the shop owes somebody: a gift card, for whoever has its code, or store credit, for an e-mail address.
-- code_hash: the code's HMAC with the shop's secret; last4 is all of the code that is kept. The balance follows from the entries.
CREATE TABLE credit_accounts (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('gift_card', 'store_credit')),
    code_hash TEXT UNIQUE,
    last4 TEXT,
    email TEXT,
    currency TEXT NOT NULL,
    balance INTEGER NOT NULL CONSTRAINT credit_never_negative CHECK (balance >= 0),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    expires_at INTEGER,
    note TEXT,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((kind = 'gift_card') = (code_hash IS NOT NULL)),
    CHECK ((kind = 'gift_card') = (last4 IS NOT NULL)),
    CHECK (kind = 'gift_card' OR email IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX store_credit_once ON credit_accounts (email, currency) WHERE kind = 'store_credit';
CREATE INDEX credit_accounts_by_email ON credit_accounts (email) WHERE email IS NOT NULL;
CREATE INDEX credit_accounts_by_last4 ON credit_accounts (last4) WHERE last4 IS NOT NULL;
CREATE INDEX credit_accounts_to_expire ON credit_accounts (expires_at) WHERE balance > 0 AND expires_at IS NOT NULL;

-- What came to an account and what left it. A payment redeems once, and an attempt to refund gives back once.
CREATE TABLE credit_entries (
    id BLOB PRIMARY KEY,
    account_id BLOB NOT NULL REFERENCES credit_accounts (id),
    kind TEXT NOT NULL CHECK (kind IN ('issue', 'redeem', 'give_back', 'adjust', 'expire')),
    amount INTEGER NOT NULL CHECK (amount <> 0),
    reason TEXT,
    payment_id BLOB,
    attempt_id BLOB,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK ((kind IN ('redeem', 'give_back')) = (payment_id IS NOT NULL)),
    CHECK ((kind = 'give_back') = (attempt_id IS NOT NULL)),
    CHECK ((kind IN ('redeem', 'expire') AND amount < 0) OR (kind IN ('issue', 'give_back') AND amount > 0) OR kind = 'adjust')
) STRICT;
CREATE INDEX credit_entries_by_account ON credit_entries (account_id, id);
CREATE INDEX credit_entries_by_payment ON credit_entries (payment_id) WHERE payment_id IS NOT NULL;
CREATE UNIQUE INDEX credit_redeemed_once ON credit_entries (payment_id) WHERE kind = 'redeem';
CREATE UNIQUE INDEX credit_given_back_once ON credit_entries (attempt_id) WHERE kind = 'give_back';
CREATE TRIGGER credit_entries_no_update BEFORE UPDATE ON credit_entries
BEGIN SELECT RAISE(ABORT, 'credit_entries is append-only'); END;
CREATE TRIGGER credit_entries_no_delete BEFORE DELETE ON credit_entries
BEGIN SELECT RAISE(ABORT, 'credit_entries is append-only'); END;
