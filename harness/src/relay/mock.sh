#!/bin/sh
# Leyden wrote this: a plugin whose other end is a mock in the test process. See harness/src/relay.rs.
session="$RELAYS"/$$
mkfifo "$session.from-node" "$session.to-node" || exit 126
{ printf '%s\n' "$RELAY" "$PWD" "$#" "$@"; env; } >"$session.start"
echo "$session" >"$RELAYS"/control
# The last FIFO that is opened is `to-node`: the test process then takes their names away.
# A background command of sh reads /dev/null unless its input is another descriptor.
exec 3<&0 5>"$session.from-node"
cat <&3 3<&- >&5 5>&- &
exec cat <"$session.to-node" 3<&- 5>&-
