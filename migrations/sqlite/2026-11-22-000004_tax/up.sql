CREATE TABLE tax_classes (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE tax_zones (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    countries TEXT NOT NULL,
    regions TEXT NOT NULL
) STRICT;

-- The rate is in millionths: 200000 is 20 %.
CREATE TABLE tax_rates (
    id BLOB PRIMARY KEY,
    zone_id BLOB NOT NULL REFERENCES tax_zones (id) ON DELETE CASCADE,
    class_id BLOB NOT NULL REFERENCES tax_classes (id),
    name TEXT NOT NULL,
    rate_ppm INTEGER NOT NULL CHECK (rate_ppm BETWEEN 0 AND 1000000),
    UNIQUE (zone_id, class_id, name)
) STRICT;
CREATE INDEX tax_rates_by_class ON tax_rates (class_id);
