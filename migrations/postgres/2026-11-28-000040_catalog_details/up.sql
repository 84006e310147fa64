ALTER TABLE products ADD COLUMN vendor text NOT NULL DEFAULT '';
ALTER TABLE products ADD COLUMN product_type text NOT NULL DEFAULT '';
ALTER TABLE products ADD COLUMN tags jsonb NOT NULL DEFAULT '[]';
ALTER TABLE products ADD COLUMN seo_title text NOT NULL DEFAULT '';
ALTER TABLE products ADD COLUMN seo_description text NOT NULL DEFAULT '';
-- An archived variant is no longer sold; orders keep it.
ALTER TABLE product_variants ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived'));
ALTER TABLE product_variants ADD COLUMN media jsonb NOT NULL DEFAULT '[]';
