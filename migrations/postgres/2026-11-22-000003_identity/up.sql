CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('publishable', 'secret')),
    name text NOT NULL,
    channel_id uuid REFERENCES channels (id),
    scopes jsonb NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CHECK ((kind = 'publishable') = (channel_id IS NOT NULL))
);
CREATE INDEX api_keys_by_channel ON api_keys (channel_id);
