# Alembic, from PyPI. cutover reads what `alembic upgrade --sql` prints.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.20.1
label=Alembic

get() { kept "alembic-$version" python_packages "alembic==$version" "psycopg[binary]==3.3.9"; }
file() {
    mkdir -p "$1/alembic/versions"
    local below=None statement
    [ "$2" = 1 ] || below="'r$(($2 - 1))'"
    {
        printf 'from alembic import op\nrevision = "r%s"\ndown_revision = %s\ndef upgrade():\n' "$2" "$below"
        printf '    op.execute("""%s""")\n' "$4"
    } >"$1/alembic/versions/r$2_$3.py"
}
ready() {
    printf '[alembic]\nscript_location = %%(here)s/alembic\n' >"$1/alembic.ini"
    cat >"$1/alembic/env.py" <<'PY'
import os
from alembic import context
from sqlalchemy import create_engine
url = os.environ["TOOL_URL"].replace("postgres://", "postgresql+psycopg://")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
PY
}
alembic() { (cd "$1" && TOOL_URL=$(url) "$CACHE/alembic-$version/bin/python" -m alembic "${@:2}"); }
ours() {
    mkdir -p "$1/sql"
    alembic "$1" upgrade head --sql >"$1/sql/all.sql" 2>/dev/null
    printf '%s' "$1/sql"
}
migrate() { alembic "$1" upgrade head; }
