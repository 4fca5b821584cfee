# The watchdog of one net. Standard input is a pipe that only the test process holds open: when it closes, the test is over,
# however it ended, and everything registered here is killed.
trap '' HUP INT QUIT TERM PIPE TSTP
pids= groups= files= marker= dir=
newline='
'
without() { # the words of $1 without the word $2
    for word in $1; do
        [ "$word" = "$2" ] || printf '%s ' "$word"
    done
}
while IFS=' ' read -r verb value; do
    case $verb in
    pid) pids="$pids $value" ;;
    group) groups="$groups $value" ;;
    pidfile) files="$files$value$newline" ;;
    no-pid) pids=$(without "$pids" "$value") ;;
    no-group) groups=$(without "$groups" "$value") ;;
    no-pidfile) files=$(printf '%s' "$files" | grep -Fxv -e "$value")$newline ;;
    marker) marker=$value ;;
    dir) dir=$value ;;
    no-dir) dir= ;;
    esac
done

# One round; gives success if there was something to kill, or something that may yet come.
round() {
    busy=1
    for group in $groups; do kill -KILL "-$group" 2>/dev/null && busy=0; done
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null && busy=0; done
    while IFS= read -r file; do
        [ -n "$file" ] || continue
        # The file may appear a little after its process.
        if [ -s "$file" ]; then kill -KILL "$(cat "$file")" 2>/dev/null && busy=0; else busy=0; fi
    done <<FILES
$files
FILES
    # Whatever else the net has started, grandchildren included, where the system shows environments.
    for environ in $(grep -lzxF -e "$marker" /proc/[0-9]*/environ 2>/dev/null); do
        pid=${environ#/proc/}
        kill -KILL "${pid%/environ}" 2>/dev/null && busy=0
    done
    return $busy
}
rounds=0
while [ $rounds -lt 20 ] && round; do
    rounds=$((rounds + 1))
    sleep 0.05
done
case $dir in
*/leyden-*) rm -rf -- "$dir" ;;
esac
