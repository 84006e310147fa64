CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    public_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('publishable', 'secret')),
    name TEXT NOT NULL,
    channel_id BLOB REFERENCES channels (id),
    scopes TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER,
    CHECK ((kind = 'publishable') = (channel_id IS NOT NULL))
) STRICT;
CREATE INDEX api_keys_by_channel ON api_keys (channel_id);
