CREATE TABLE categories (
    id uuid PRIMARY KEY,
    parent_id uuid REFERENCES categories (id),
    handle text NOT NULL UNIQUE,
    title text NOT NULL,
    description text NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX categories_by_parent ON categories (parent_id, position);

CREATE TABLE products (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    title text NOT NULL,
    description text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    kind text NOT NULL CHECK (kind IN ('physical', 'digital', 'gift_card', 'bundle')),
    options jsonb NOT NULL,
    attributes jsonb NOT NULL,
    media jsonb NOT NULL,
    category_ids jsonb NOT NULL,
    channel_ids jsonb NOT NULL,
    tax_class_id uuid NOT NULL REFERENCES tax_classes (id),
    metadata jsonb NOT NULL,
    sort_title text COLLATE "C" NOT NULL,
    search_text text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX products_by_title ON products (sort_title, id);
CREATE INDEX products_by_tax_class ON products (tax_class_id);

-- A product stands in a category and, with direct = false, in each of that category's ancestors.
CREATE TABLE product_categories (
    category_id uuid NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    product_id uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    direct boolean NOT NULL,
    PRIMARY KEY (category_id, product_id)
);
CREATE INDEX product_categories_by_product ON product_categories (product_id);

CREATE TABLE product_variants (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sku text NOT NULL UNIQUE,
    barcode text,
    title text NOT NULL,
    option_values jsonb NOT NULL,
    position bigint NOT NULL,
    weight_grams bigint NOT NULL CHECK (weight_grams >= 0),
    requires_shipping boolean NOT NULL,
    stock_policy text NOT NULL CHECK (stock_policy IN ('deny', 'backorder', 'untracked')),
    backorder_limit bigint CHECK (backorder_limit >= 0),
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX product_variants_by_product ON product_variants (product_id, position);
CREATE INDEX product_variants_by_barcode ON product_variants (barcode);

CREATE TABLE publications (
    product_id uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    channel_id uuid NOT NULL REFERENCES channels (id),
    published_at timestamptz NOT NULL,
    PRIMARY KEY (product_id, channel_id)
);
CREATE INDEX publications_by_channel ON publications (channel_id);
