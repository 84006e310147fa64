-- The coupons a shopper has entered, by their ids.
ALTER TABLE carts ADD COLUMN coupons TEXT NOT NULL DEFAULT '[]';

-- A code that takes something off: a percentage (in hundredths of a percent) or an amount. channel_ids: where it applies, all
-- channels where empty. used: by orders that were not called off.
CREATE TABLE coupons (
    id BLOB PRIMARY KEY,
    code TEXT NOT NULL UNIQUE CHECK (code = upper(code)),
    description TEXT,
    basis_points INTEGER CHECK (basis_points BETWEEN 1 AND 10000),
    amount INTEGER CHECK (amount > 0),
    max_amount INTEGER CHECK (max_amount > 0),
    currency TEXT,
    channel_ids TEXT NOT NULL,
    minimum INTEGER CHECK (minimum > 0),
    starts_at INTEGER,
    ends_at INTEGER,
    usage_limit INTEGER CHECK (usage_limit > 0),
    usage_limit_per_customer INTEGER CHECK (usage_limit_per_customer > 0),
    used INTEGER NOT NULL CHECK (used >= 0),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT coupon_within_limit CHECK (used <= usage_limit),
    CHECK ((basis_points IS NULL) <> (amount IS NULL)),
    CHECK (max_amount IS NULL OR basis_points IS NOT NULL),
    CHECK (currency IS NOT NULL OR (amount IS NULL AND max_amount IS NULL AND minimum IS NULL)),
    CHECK (starts_at < ends_at)
) STRICT;

-- How often a customer, an e-mail address in lower case, has used a coupon.
CREATE TABLE coupon_customers (
    coupon_id BLOB NOT NULL REFERENCES coupons (id),
    email TEXT NOT NULL,
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (coupon_id, email)
) STRICT, WITHOUT ROWID;

-- An order's use of a coupon, and what it took off. returned_at: when the order was called off, and the use given back.
-- Written before the order (deferred key), as its lines are.
CREATE TABLE coupon_redemptions (
    order_id BLOB NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    coupon_id BLOB NOT NULL REFERENCES coupons (id),
    email TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    redeemed_at INTEGER NOT NULL,
    returned_at INTEGER,
    PRIMARY KEY (order_id, coupon_id)
) STRICT, WITHOUT ROWID;
