-- Whose request an attempt is, and the hash of it: repeated with its idempotency key, it goes on with the same attempt.
ALTER TABLE payment_attempts ADD COLUMN claim text;
ALTER TABLE payment_attempts ADD COLUMN claim_fingerprint bytea;
CREATE UNIQUE INDEX payment_attempts_by_claim ON payment_attempts (claim) WHERE claim IS NOT NULL;
