ALTER TABLE readings ADD COLUMN watt_hours_wide bigint;

CREATE FUNCTION readings_keep_watt_hours_in_step() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.watt_hours IS DISTINCT FROM OLD.watt_hours THEN
        NEW.watt_hours_wide := NEW.watt_hours;
    END IF;
    NEW.watt_hours_wide := coalesce(NEW.watt_hours_wide, NEW.watt_hours);
    -- Blue reads an integer: what does not fit is shown to it as the largest one.
    NEW.watt_hours := least(NEW.watt_hours_wide, 2147483647);
    RETURN NEW;
END
$$;

CREATE TRIGGER readings_watt_hours_in_step
    BEFORE INSERT OR UPDATE ON readings
    FOR EACH ROW EXECUTE FUNCTION readings_keep_watt_hours_in_step();

UPDATE readings SET watt_hours_wide = watt_hours WHERE watt_hours_wide IS NULL;
