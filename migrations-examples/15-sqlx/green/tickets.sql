-- name: open_ticket
INSERT INTO tickets (subject) VALUES ($1) RETURNING id;

-- name: wait_for_customer
UPDATE tickets SET status = 'waiting' WHERE id = $1 AND status = 'open';

-- name: close_ticket
UPDATE tickets SET status = 'closed' WHERE id = $1;

-- name: open_tickets
SELECT id, subject, status FROM tickets WHERE status <> 'closed' ORDER BY id;
