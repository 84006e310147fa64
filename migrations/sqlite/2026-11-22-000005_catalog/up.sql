CREATE TABLE categories (
    id BLOB PRIMARY KEY,
    parent_id BLOB REFERENCES categories (id),
    handle TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    position INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX categories_by_parent ON categories (parent_id, position);

CREATE TABLE products (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    kind TEXT NOT NULL CHECK (kind IN ('physical', 'digital', 'gift_card', 'bundle')),
    options TEXT NOT NULL,
    attributes TEXT NOT NULL,
    media TEXT NOT NULL,
    category_ids TEXT NOT NULL,
    channel_ids TEXT NOT NULL,
    tax_class_id BLOB NOT NULL REFERENCES tax_classes (id),
    metadata TEXT NOT NULL,
    sort_title TEXT NOT NULL,
    search_text TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX products_by_title ON products (sort_title, id);
CREATE INDEX products_by_tax_class ON products (tax_class_id);

-- A product stands in a category and, with direct = false, in each of that category's ancestors.
CREATE TABLE product_categories (
    category_id BLOB NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    product_id BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    direct INTEGER NOT NULL,
    PRIMARY KEY (category_id, product_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX product_categories_by_product ON product_categories (product_id);

CREATE TABLE product_variants (
    id BLOB PRIMARY KEY,
    product_id BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sku TEXT NOT NULL UNIQUE,
    barcode TEXT,
    title TEXT NOT NULL,
    option_values TEXT NOT NULL,
    position INTEGER NOT NULL,
    weight_grams INTEGER NOT NULL CHECK (weight_grams >= 0),
    requires_shipping INTEGER NOT NULL,
    stock_policy TEXT NOT NULL CHECK (stock_policy IN ('deny', 'backorder', 'untracked')),
    backorder_limit INTEGER CHECK (backorder_limit >= 0),
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX product_variants_by_product ON product_variants (product_id, position);
CREATE INDEX product_variants_by_barcode ON product_variants (barcode);

CREATE TABLE publications (
    product_id BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    channel_id BLOB NOT NULL REFERENCES channels (id),
    published_at INTEGER NOT NULL,
    PRIMARY KEY (product_id, channel_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX publications_by_channel ON publications (channel_id);
