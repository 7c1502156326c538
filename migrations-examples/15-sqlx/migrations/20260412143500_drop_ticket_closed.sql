DROP TRIGGER tickets_status_in_step ON tickets;
DROP FUNCTION tickets_keep_status_in_step();
ALTER TABLE tickets DROP COLUMN closed;
