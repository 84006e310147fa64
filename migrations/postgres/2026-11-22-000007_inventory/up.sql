CREATE TABLE locations (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    name text NOT NULL,
    country text NOT NULL,
    active boolean NOT NULL,
    priority bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- held: promised to checkouts; allocated: promised to orders. What is promised never exceeds what is there and what may be
-- ordered back.
CREATE TABLE stock_levels (
    variant_id uuid NOT NULL REFERENCES product_variants (id),
    location_id uuid NOT NULL REFERENCES locations (id),
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    held bigint NOT NULL CHECK (held >= 0),
    allocated bigint NOT NULL CHECK (allocated >= 0),
    backorderable bigint NOT NULL CHECK (backorderable >= 0),
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (variant_id, location_id),
    CONSTRAINT never_oversold CHECK (held + allocated <= on_hand + backorderable)
);
CREATE INDEX stock_levels_by_location ON stock_levels (location_id);

-- The ledger that the levels follow from: the sum of a level's movements is the level.
CREATE TABLE stock_movements (
    id uuid PRIMARY KEY,
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL,
    kind text NOT NULL,
    on_hand bigint NOT NULL,
    held bigint NOT NULL,
    allocated bigint NOT NULL,
    reason text,
    reference uuid,
    actor text NOT NULL,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
);
CREATE INDEX stock_movements_by_level ON stock_movements (variant_id, location_id, id);
CREATE INDEX stock_movements_by_reference ON stock_movements (reference);
CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movements
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE stock_holds (
    id uuid PRIMARY KEY,
    reference uuid NOT NULL,
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
);
CREATE INDEX stock_holds_by_reference ON stock_holds (reference);
CREATE INDEX stock_holds_by_level ON stock_holds (variant_id, location_id);
CREATE INDEX stock_holds_by_expiry ON stock_holds (expires_at);
