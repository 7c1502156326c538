DROP TRIGGER accounts_names_in_step ON accounts;
DROP FUNCTION accounts_keep_names_in_step();

ALTER TABLE accounts
    ALTER COLUMN full_name SET NOT NULL,
    DROP COLUMN name;
