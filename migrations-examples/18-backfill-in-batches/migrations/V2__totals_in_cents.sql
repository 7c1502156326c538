ALTER TABLE orders ADD COLUMN total_cents bigint;

-- cutover: backfill key=id rows=2000
UPDATE orders SET total_cents = round(total * 100) WHERE total_cents IS NULL;

-- cutover: after blue writes orders without it
-- cutover: check every order has its total in cents
SELECT NOT EXISTS (SELECT FROM orders WHERE total_cents IS NULL);

-- cutover: allow(blocking-scan) the check before has read the table, and it fits into memory
ALTER TABLE orders ALTER COLUMN total_cents SET NOT NULL;
