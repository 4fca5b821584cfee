#!/bin/sh
# A dynamic plugin that is asked before a secret is made, and has nothing against it. lightningd writes a message in one line, its id without commas.
while read -r message; do
    id=${message#*'"id":'}
    id=${id%%,*}
    case $message in
    *'"method":"getmanifest"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{"options":[],"rpcmethods":[],"dynamic":true,"hooks":[{"name":"rpc_command","filters":["makesecret"]}]}}' "$id" ;;
    *'"method":"init"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{}}' "$id" ;;
    *'"method":"rpc_command"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{"result":"continue"}}' "$id" ;;
    esac
done
