-- name: register
INSERT INTO readers (name, email) VALUES ($1, $2) RETURNING id;

-- name: card
SELECT name, email FROM readers WHERE id = $1;
