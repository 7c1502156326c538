-- name: write_article
INSERT INTO articles (title, body) VALUES ($1, $2) RETURNING id;

-- name: publish_article
UPDATE articles SET published_at = now() WHERE id = $1;

-- name: article_by_id
SELECT id, title, body, published_at FROM articles WHERE id = $1;
