-- New rows are checked from here on; old ones are not read.
ALTER TABLE invoices ADD CONSTRAINT invoices_due_on_present CHECK (due_on IS NOT NULL) NOT VALID;

UPDATE invoices SET due_on = current_date + 30 WHERE due_on IS NULL;

-- Reads all rows while writers go on.
ALTER TABLE invoices VALIDATE CONSTRAINT invoices_due_on_present;
