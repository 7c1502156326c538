-- name: write_article
INSERT INTO articles (title, body, slug) VALUES ($1, $2, $3) RETURNING id;

-- name: publish_article
UPDATE articles SET published_at = now() WHERE id = $1;

-- Green falls back to the number for articles that have no slug yet.
-- name: article_by_slug
SELECT id, title, body, published_at FROM articles WHERE slug = $1 OR (slug IS NULL AND id::text = $1);
