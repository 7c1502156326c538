ALTER TABLE readers ADD COLUMN display_name text;
