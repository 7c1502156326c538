ALTER TABLE customers
    ADD COLUMN phone text,
    ADD COLUMN wants_newsletter boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN customers.phone IS 'E.164, for example +4930123456';
