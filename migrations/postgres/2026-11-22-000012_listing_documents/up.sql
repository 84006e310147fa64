-- A listing's product as shop fronts get it. It is read as it stands, so that a list is one statement. A document of an
-- older format is made anew by a job, and not shown until then.
CREATE TABLE listing_documents (
    channel_id uuid NOT NULL,
    currency text NOT NULL,
    product_id uuid NOT NULL,
    format bigint NOT NULL,
    version bigint NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (channel_id, currency, product_id),
    FOREIGN KEY (channel_id, currency, product_id) REFERENCES listings (channel_id, currency, product_id) ON DELETE CASCADE
);
CREATE INDEX listing_documents_by_format ON listing_documents (format);

INSERT INTO listing_documents (channel_id, currency, product_id, format, version, document)
SELECT channel_id, currency, product_id, 0, 0, '' FROM listings;
