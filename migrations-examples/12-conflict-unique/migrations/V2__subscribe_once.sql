CREATE UNIQUE INDEX CONCURRENTLY subscribers_email_list ON subscribers (email, list);
