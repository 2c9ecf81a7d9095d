#!/bin/sh
# Makes the role and the schema of docs/storage.md when the database is made. The image of PostgreSQL runs it once.
set -eu
password=$(cat /run/secrets/holdfast.password)
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set "password=$password" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role holdfast login password :'password';
create schema holdfast authorization holdfast;
revoke create on schema public from public;
SQL
