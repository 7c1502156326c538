-- name: register
INSERT INTO readers (name, email, home_branch) VALUES ($1, $2, $3) RETURNING id;

-- name: card
SELECT name, email, home_branch FROM readers WHERE id = $1;
