-- name: subscribe
INSERT INTO subscribers (email, list) VALUES ($1, $2);

-- name: subscribers_of_list
SELECT DISTINCT email FROM subscribers WHERE list = $1 ORDER BY email;
