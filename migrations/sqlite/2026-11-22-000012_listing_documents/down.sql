DROP TABLE listing_documents;
