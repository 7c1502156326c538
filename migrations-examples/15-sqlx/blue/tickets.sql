-- name: open_ticket
INSERT INTO tickets (subject) VALUES ($1) RETURNING id;

-- name: close_ticket
UPDATE tickets SET closed = true WHERE id = $1;

-- name: open_tickets
SELECT id, subject FROM tickets WHERE NOT closed ORDER BY id;
