-- A listing's product as shop fronts get it. It is read as it stands, so that a list is one statement. A document of an
-- older format is made anew by a job, and not shown until then.
CREATE TABLE listing_documents (
    channel_id BLOB NOT NULL,
    currency TEXT NOT NULL,
    product_id BLOB NOT NULL,
    format INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (channel_id, currency, product_id),
    FOREIGN KEY (channel_id, currency, product_id) REFERENCES listings (channel_id, currency, product_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX listing_documents_by_format ON listing_documents (format);

INSERT INTO listing_documents (channel_id, currency, product_id, format, version, document)
SELECT channel_id, currency, product_id, 0, 0, '' FROM listings;
