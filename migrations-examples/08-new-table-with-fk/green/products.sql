-- name: add_product
INSERT INTO products (title) VALUES ($1) RETURNING id;

-- name: remove_product
DELETE FROM products WHERE id = $1;

-- name: product_with_rating
SELECT p.id, p.title, count(r.id) AS reviews, avg(r.stars) AS rating
FROM products p LEFT JOIN reviews r ON r.product_id = p.id
WHERE p.id = $1
GROUP BY p.id;
