-- name: issue_invoice
INSERT INTO invoices (number, amount_cents, due_on) VALUES ($1, $2, $3) RETURNING id;

-- name: invoice
SELECT id, number, amount_cents, due_on FROM invoices WHERE number = $1;

-- name: overdue_invoices
SELECT id, number, amount_cents FROM invoices WHERE due_on < current_date ORDER BY due_on;
