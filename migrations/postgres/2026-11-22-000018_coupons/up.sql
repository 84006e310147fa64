-- The coupons a shopper has entered, by their ids.
ALTER TABLE carts ADD COLUMN coupons jsonb NOT NULL DEFAULT '[]';

-- A code that takes something off: a percentage (in hundredths of a percent) or an amount. channel_ids: where it applies, all
-- channels where empty. used: by orders that were not called off.
CREATE TABLE coupons (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code = upper(code)),
    description text,
    basis_points bigint CHECK (basis_points BETWEEN 1 AND 10000),
    amount bigint CHECK (amount > 0),
    max_amount bigint CHECK (max_amount > 0),
    currency text,
    channel_ids jsonb NOT NULL,
    minimum bigint CHECK (minimum > 0),
    starts_at timestamptz,
    ends_at timestamptz,
    usage_limit bigint CHECK (usage_limit > 0),
    usage_limit_per_customer bigint CHECK (usage_limit_per_customer > 0),
    used bigint NOT NULL CHECK (used >= 0),
    status text NOT NULL CHECK (status IN ('active', 'disabled')),
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT coupon_within_limit CHECK (used <= usage_limit),
    CHECK ((basis_points IS NULL) <> (amount IS NULL)),
    CHECK (max_amount IS NULL OR basis_points IS NOT NULL),
    CHECK (currency IS NOT NULL OR (amount IS NULL AND max_amount IS NULL AND minimum IS NULL)),
    CHECK (starts_at < ends_at)
);

-- How often a customer, an e-mail address in lower case, has used a coupon.
CREATE TABLE coupon_customers (
    coupon_id uuid NOT NULL REFERENCES coupons (id),
    email text NOT NULL,
    used bigint NOT NULL CHECK (used >= 0),
    PRIMARY KEY (coupon_id, email)
);

-- An order's use of a coupon, and what it took off. returned_at: when the order was called off, and the use given back.
-- Written before the order (deferred key), as its lines are.
CREATE TABLE coupon_redemptions (
    order_id uuid NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    coupon_id uuid NOT NULL REFERENCES coupons (id),
    email text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    redeemed_at timestamptz NOT NULL,
    returned_at timestamptz,
    PRIMARY KEY (order_id, coupon_id)
);
