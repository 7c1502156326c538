ALTER TABLE articles ADD COLUMN slug text;

UPDATE articles
SET slug = trim(BOTH '-' FROM regexp_replace(lower(title), '[^a-z0-9]+', '-', 'g')) || '-' || id
WHERE slug IS NULL;
