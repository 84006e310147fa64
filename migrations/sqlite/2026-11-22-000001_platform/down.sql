DROP TABLE jobs;
DROP TABLE events;
DROP TABLE idempotency_keys;
DROP TABLE versions;
DROP TABLE secrets;
