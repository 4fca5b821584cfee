#!/bin/sh
# A plugin whose method `die` it does not survive. lightningd writes a message in one line, its id without commas.
while read -r message; do
    id=${message#*'"id":'}
    id=${id%%,*}
    case $message in
    *'"method":"getmanifest"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{"options":[],"rpcmethods":[{"name":"die","usage":"","description":""}]}}' "$id" ;;
    *'"method":"init"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{}}' "$id" ;;
    *die*) exit 3 ;;
    esac
done
