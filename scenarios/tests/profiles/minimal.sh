#!/bin/sh
# The least that is a plugin. It reads a line per request: lightningd's JSON is compact.
while IFS= read -r line; do
    # Requests end with an empty line.
    [ -n "$line" ] || continue
    id=$(printf '%s' "$line" | sed -n 's/.*"id": *\("[^"]*"\|[0-9][0-9]*\).*/\1/p')
    case $line in
    *'"getmanifest"'*) result='{"options":[],"rpcmethods":[],"subscriptions":[],"hooks":[],"dynamic":true}' ;;
    *) result='{}' ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n\n' "$id" "$result"
done
