#!/bin/sh
# A plugin with an option and a method, for tests of the harness. It reads a line per request: lightningd's JSON is compact.
echo $$ >"$(dirname "$0")/pid"
greeting=
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n\n' "$id" "$1"; }
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id": *\("[^"]*"\|[0-9][0-9]*\).*/\1/p')
    case $line in
    *'"getmanifest"'*) answer '{"options":[{"name":"greeting","type":"string","default":"hi","description":"what it says"}],"rpcmethods":[{"name":"greet","usage":"","description":"greets"},{"name":"litter","usage":"","description":"leaves a process behind"}],"subscriptions":[],"hooks":[],"dynamic":true}' ;;
    *'"method":"init"'*)
        greeting=$(printf '%s' "$line" | sed -n 's/.*"greeting": *"\([^"]*\)".*/\1/p')
        answer '{}'
        ;;
    *'"litter"'*)
        # None of the plugin's pipes keeps it from living on.
        sleep 987 </dev/null >/dev/null 2>&1 &
        answer '{}'
        ;;
    *'"greet"'*) answer "{\"greeting\":\"$greeting\",\"cwd\":\"$(pwd)\"}" ;;
    esac
done
