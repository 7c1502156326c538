-- name: issue_invoice
INSERT INTO invoices (number, amount_cents) VALUES ($1, $2) RETURNING id;

-- name: invoice
SELECT id, number, amount_cents, due_on FROM invoices WHERE number = $1;
