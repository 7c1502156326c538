DROP TRIGGER readings_watt_hours_in_step ON readings;
DROP FUNCTION readings_keep_watt_hours_in_step();

ALTER TABLE readings
    DROP COLUMN watt_hours,
    ALTER COLUMN watt_hours_wide SET NOT NULL;
