-- cutover: after blue writes invoices without a due date until it is drained
UPDATE invoices SET due_on = current_date + 30 WHERE due_on IS NULL;

-- Reads all rows while writers go on.
ALTER TABLE invoices VALIDATE CONSTRAINT invoices_due_on_present;
