-- CREATE ROLE has no IF NOT EXISTS, and roles are shared by all databases of a server.
-- cutover: before it makes a role that nobody uses yet
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'audit_report') THEN
        CREATE ROLE audit_report NOLOGIN;
    END IF;
END
$$;

GRANT SELECT ON audit_log TO audit_report;

CREATE INDEX CONCURRENTLY audit_log_by_actor ON audit_log (actor, logged_at DESC);
