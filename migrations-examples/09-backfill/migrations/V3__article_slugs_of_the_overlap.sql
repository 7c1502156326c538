-- Blue went on writing articles without a slug until it was drained.
-- cutover: after the second pass for rows that blue wrote in the overlap
UPDATE articles
SET slug = trim(BOTH '-' FROM regexp_replace(lower(title), '[^a-z0-9]+', '-', 'g')) || '-' || id
WHERE slug IS NULL;
