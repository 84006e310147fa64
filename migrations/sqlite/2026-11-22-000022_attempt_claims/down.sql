DROP INDEX payment_attempts_by_claim;
ALTER TABLE payment_attempts DROP COLUMN claim_fingerprint;
ALTER TABLE payment_attempts DROP COLUMN claim;
