#!/bin/sh
# Makes what deploy/compose.yaml and compose-cluster.yaml keep secret, in deploy/secrets: keys, certificates, passwords. Nothing that is there
# already is made again; what was taken away is. HOLDFAST names the program when it is not in PATH.
#
# The files can be read by every user because those of the containers are not this one; the directory can be entered by this one only.
set -eu
program=${HOLDFAST:-holdfast}
for needed in openssl "$program"; do
	command -v "$needed" >/dev/null || {
		echo "secrets.sh: there is no program $needed; HOLDFAST=PATH names holdfast" >&2
		exit 1
	}
done
program=$(command -v "$program")
case $program in /*) ;; *) program=$PWD/$program ;; esac
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
chmod 700 secrets
cd secrets

# quiet runs a command whose chatter matters only when it fails.
quiet() {
	"$@" 2>messages || {
		cat messages >&2
		rm -f messages
		exit 1
	}
	rm -f messages
}

[ -e cert.pem ] || quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=holdfast \
	-addext 'subjectAltName=DNS:holdfast,DNS:n1,DNS:n2,DNS:n3,DNS:localhost,IP:127.0.0.1' -keyout key.pem -out cert.pem

for key in shop:order ops:admin health:admin prometheus:admin; do
	name=${key%:*}
	[ -e "$name.key" ] || quiet "$program" keys new --name "$name" --role "${key#*:}" --key-file "$name.key" >>keys.yaml
done

for name in postgres holdfast grafana; do
	[ -e "$name.password" ] || openssl rand -hex 24 | tr -d '\n' >"$name.password"
done
[ -e pgpass ] || printf 'postgres:5432:shop:holdfast:%s\n' "$(cat holdfast.password)" >pgpass

for node in n1 n2 n3; do
	[ -e peers/node-$node.crt ] || quiet "$program" cluster certs peers --node $node >/dev/null
done

chmod 755 peers
chmod 644 peers/*.crt peers/node-*.key cert.pem key.pem keys.yaml health.key prometheus.key pgpass ./*.password
ls -l
