# Rails' Active Record, from the system's packages. What cutover reads has the same versions as files of SQL.
# shellcheck shell=bash disable=SC2034,SC2154
label=Rails

get() {
    system_packages ruby-activerecord ruby-pg
    version=$(ruby -e 'require "active_record"; puts ActiveRecord.version')
}
file() {
    mkdir -p "$1/migrate" "$1/ours/migrate"
    local name
    name=$(sed -E 's/(^|_)(.)/\U\2/g' <<<"$3")
    printf 'class %s < ActiveRecord::Migration[6.1]\n  def up\n    execute <<~SQL\n%s\n    SQL\n  end\nend\n' "$name" "$4" \
        >"$1/migrate/2024010100000$2_$3.rb"
    printf '%s;\n' "$4" >"$1/ours/migrate/2024010100000$2_$3.sql"
}
ours() { printf '%s' "$1/ours"; }
migrate() {
    ruby -e 'require "active_record"
        ActiveRecord::Base.establish_connection(ARGV[0])
        ActiveRecord::MigrationContext.new(ARGV[1], ActiveRecord::SchemaMigration).migrate' "$(url | sed s/postgres:/postgresql:/)" "$1/migrate"
}
