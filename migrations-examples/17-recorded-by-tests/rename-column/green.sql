-- name: register
INSERT INTO readers (display_name, email) VALUES ($1, $2) RETURNING id;

-- name: card
SELECT display_name, email FROM readers WHERE id = $1;
