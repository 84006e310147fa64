ALTER TABLE product_variants DROP COLUMN media;
ALTER TABLE product_variants DROP COLUMN status;
ALTER TABLE products DROP COLUMN seo_description;
ALTER TABLE products DROP COLUMN seo_title;
ALTER TABLE products DROP COLUMN tags;
ALTER TABLE products DROP COLUMN product_type;
ALTER TABLE products DROP COLUMN vendor;
