CREATE TABLE shipping_zones (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    countries TEXT NOT NULL
) STRICT;

CREATE TABLE shipping_methods (
    id BLOB PRIMARY KEY,
    zone_id BLOB NOT NULL REFERENCES shipping_zones (id) ON DELETE CASCADE,
    channel_id BLOB NOT NULL REFERENCES channels (id),
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    tax_class_id BLOB NOT NULL REFERENCES tax_classes (id),
    rate_by TEXT NOT NULL CHECK (rate_by IN ('weight', 'value')),
    rates TEXT NOT NULL,
    min_days INTEGER NOT NULL CHECK (min_days >= 0),
    max_days INTEGER NOT NULL,
    active INTEGER NOT NULL,
    UNIQUE (zone_id, channel_id, handle),
    CHECK (max_days >= min_days)
) STRICT;
CREATE INDEX shipping_methods_by_channel ON shipping_methods (channel_id);
CREATE INDEX shipping_methods_by_tax_class ON shipping_methods (tax_class_id);
