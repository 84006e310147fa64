CREATE TABLE locations (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    active INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- held: promised to checkouts; allocated: promised to orders. What is promised never exceeds what is there and what may be
-- ordered back.
CREATE TABLE stock_levels (
    variant_id BLOB NOT NULL REFERENCES product_variants (id),
    location_id BLOB NOT NULL REFERENCES locations (id),
    on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    allocated INTEGER NOT NULL CHECK (allocated >= 0),
    backorderable INTEGER NOT NULL CHECK (backorderable >= 0),
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (variant_id, location_id),
    CONSTRAINT never_oversold CHECK (held + allocated <= on_hand + backorderable)
) STRICT, WITHOUT ROWID;
CREATE INDEX stock_levels_by_location ON stock_levels (location_id);

-- The ledger that the levels follow from: the sum of a level's movements is the level.
CREATE TABLE stock_movements (
    id BLOB PRIMARY KEY,
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    on_hand INTEGER NOT NULL,
    held INTEGER NOT NULL,
    allocated INTEGER NOT NULL,
    reason TEXT,
    reference BLOB,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
) STRICT;
CREATE INDEX stock_movements_by_level ON stock_movements (variant_id, location_id, id);
CREATE INDEX stock_movements_by_reference ON stock_movements (reference);
CREATE TRIGGER stock_movements_no_update BEFORE UPDATE ON stock_movements
BEGIN SELECT RAISE(ABORT, 'stock_movements is append-only'); END;
CREATE TRIGGER stock_movements_no_delete BEFORE DELETE ON stock_movements
BEGIN SELECT RAISE(ABORT, 'stock_movements is append-only'); END;

CREATE TABLE stock_holds (
    id BLOB PRIMARY KEY,
    reference BLOB NOT NULL,
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
) STRICT;
CREATE INDEX stock_holds_by_reference ON stock_holds (reference);
CREATE INDEX stock_holds_by_level ON stock_holds (variant_id, location_id);
CREATE INDEX stock_holds_by_expiry ON stock_holds (expires_at);
