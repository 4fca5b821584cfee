#!/bin/sh
# Leyden wrote this: it becomes the plugin, whose bytes go through the test process. See harness/src/relay.rs.
session="$RELAYS"/$$
mkfifo "$session.from-node" "$session.to-node" "$session.to-plugin" "$session.from-plugin" || exit 126
{ printf '%s\n' "$RELAY" "$PWD" "$#" "$@"; env; } >"$session.start"
echo "$session" >"$RELAYS"/control
# The last FIFO that is opened is `to-plugin`: the test process then takes their names away.
# A background command of sh reads /dev/null unless its input is another descriptor.
exec 3<&0 4>&1 5>"$session.from-node"
cat <&3 3<&- 4>&- >&5 5>&- &
cat <"$session.to-node" 3<&- 5>&- >&4 4>&- &
exec "$PLUGIN" "$@" >"$session.from-plugin" <"$session.to-plugin" 3<&- 4>&- 5>&-
