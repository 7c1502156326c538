-- New rows are checked from here on; old ones are not read.
ALTER TABLE invoices ADD CONSTRAINT invoices_due_on_present CHECK (due_on IS NOT NULL) NOT VALID;
