ALTER TABLE readers ADD COLUMN home_branch text NOT NULL;
