-- name: register
INSERT INTO readers (name, display_name, email) VALUES ($1, $1, $2) RETURNING id;

-- name: card
SELECT coalesce(display_name, name), email FROM readers WHERE id = $1;
