ALTER TABLE orders DROP COLUMN fax_number;
