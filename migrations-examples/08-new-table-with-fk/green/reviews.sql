-- name: write_review
INSERT INTO reviews (product_id, stars, body) VALUES ($1, $2, $3) RETURNING id;

-- name: reviews_of_product
SELECT stars, body, written_at FROM reviews WHERE product_id = $1 ORDER BY written_at DESC LIMIT 20;
