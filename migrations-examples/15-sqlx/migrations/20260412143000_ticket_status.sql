CREATE TYPE ticket_status AS ENUM ('open', 'waiting', 'closed');

ALTER TABLE tickets ADD COLUMN status ticket_status NOT NULL DEFAULT 'open';

-- Blue knows only closed, green only status. Whoever writes one writes both.
CREATE FUNCTION tickets_keep_status_in_step() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.closed IS DISTINCT FROM OLD.closed THEN
        NEW.status := CASE WHEN NEW.closed THEN 'closed' ELSE 'open' END;
    END IF;
    NEW.closed := NEW.status = 'closed';
    RETURN NEW;
END
$$;

CREATE TRIGGER tickets_status_in_step
    BEFORE INSERT OR UPDATE ON tickets
    FOR EACH ROW EXECUTE FUNCTION tickets_keep_status_in_step();

UPDATE tickets SET status = 'closed' WHERE closed AND status <> 'closed';
