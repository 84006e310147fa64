CREATE TABLE tax_classes (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE tax_zones (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    name text NOT NULL,
    countries jsonb NOT NULL,
    regions jsonb NOT NULL
);

-- The rate is in millionths: 200000 is 20 %.
CREATE TABLE tax_rates (
    id uuid PRIMARY KEY,
    zone_id uuid NOT NULL REFERENCES tax_zones (id) ON DELETE CASCADE,
    class_id uuid NOT NULL REFERENCES tax_classes (id),
    name text NOT NULL,
    rate_ppm bigint NOT NULL CHECK (rate_ppm BETWEEN 0 AND 1000000),
    UNIQUE (zone_id, class_id, name)
);
CREATE INDEX tax_rates_by_class ON tax_rates (class_id);
