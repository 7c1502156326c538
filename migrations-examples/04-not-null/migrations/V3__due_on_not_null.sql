-- Reads no rows: the validated check proves it.
ALTER TABLE invoices ALTER COLUMN due_on SET NOT NULL;
ALTER TABLE invoices DROP CONSTRAINT invoices_due_on_present;
