ALTER TABLE readers RENAME COLUMN name TO display_name;
