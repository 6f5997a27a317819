#!/bin/bash
# A service that is denied something tries to do it, whenever it is asked to: a line into the pipe `ask` of its runtime
# directory. The pipe `answer` then says `denied`, or `got through`.
set -uo pipefail

attempt() {
	case $1 in
	devices) head --bytes=1 /dev/vda ;;
	addresses | interfaces) echo hello >/dev/udp/127.0.0.1/9 ;;
	binds)
		perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0) or die;
			bind(S, sockaddr_in(7001, INADDR_ANY)) or exit 1'
		;;
	filesystems) head --bytes=1 /sys/kernel/tracing/trace_options ;;
	esac
}

cd "$RUNTIME_DIRECTORY" && mkfifo ask answer || exit
while read -r _ <ask; do
	if attempt "$1" >/dev/null 2>&1; then
		echo "got through" >answer
	else
		echo denied >answer
	fi
done
