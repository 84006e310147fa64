CREATE TABLE shipping_zones (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    name text NOT NULL,
    countries jsonb NOT NULL
);

CREATE TABLE shipping_methods (
    id uuid PRIMARY KEY,
    zone_id uuid NOT NULL REFERENCES shipping_zones (id) ON DELETE CASCADE,
    channel_id uuid NOT NULL REFERENCES channels (id),
    handle text NOT NULL,
    name text NOT NULL,
    tax_class_id uuid NOT NULL REFERENCES tax_classes (id),
    rate_by text NOT NULL CHECK (rate_by IN ('weight', 'value')),
    rates jsonb NOT NULL,
    min_days bigint NOT NULL CHECK (min_days >= 0),
    max_days bigint NOT NULL,
    active boolean NOT NULL,
    UNIQUE (zone_id, channel_id, handle),
    CHECK (max_days >= min_days)
);
CREATE INDEX shipping_methods_by_channel ON shipping_methods (channel_id);
CREATE INDEX shipping_methods_by_tax_class ON shipping_methods (tax_class_id);
