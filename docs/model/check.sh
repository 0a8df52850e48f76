#!/bin/bash
# Checks protocol.pml in every configuration of the table below; the exit code says whether all came out as expected.
# check.sh [NAME ...]: only these. check.sh show NAME: the steps that refuted it, from the last run.
set -euo pipefail
model=$(realpath "$(dirname "$0")")/protocol.pml
work=${MODEL_DIR:-${TMPDIR:-/tmp}/kanfunc-model-$UID}
megabytes=1900 seconds=${MODEL_SECONDS:-240} workers=${WORKERS:-2}

# name | expected | what of configuration and mutant.
#   holds    every state was visited, and no assertion failed
#   refuted  a mutant: one line of the protocol is changed, and an assertion has to fail
#   open     what the product still does, though the model refutes it: told of, see README.md
table() {
	cat <<-'TABLE'
	calm|holds|CALM
	calm-edb|holds|CALM EDB
	crash|holds|CRASH=1 ABANDON=1
	crash-edb|holds|CRASH=2 EDB
	again|holds|CRASH=1 AGAIN=1
	retry|holds|CRASH=1 ATTEMPTS=2 CALM
	retry-edb|holds|CRASH=1 ATTEMPTS=2 REELECT=1 EDB CALM
	person|holds|HUMAN=1 CRASH=1
	person-edb|holds|HUMAN=1 CRASH=1 EDB
	stray|holds|STRAY=1
	loss|holds|LOSS=1 P3
	loss-edb|holds|LOSS=1 EDB P3
	loss-two|holds|LOSS=1 CRASH=1 SMALL P3
	loss-two-edb|holds|LOSS=1 CRASH=1 SMALL EDB P3
	unfence-leaderless|refuted|M_UNFENCE_WITHOUT_LEADER LOSS=1 SMALL P3
	unfence-leaderless-loses|refuted|M_UNFENCE_WITHOUT_LEADER LOSS=1 SMALL
	roll-back-leaderless|refuted|M_ROLL_BACK_WITHOUT_LEADER LOSS=1 CRASH=1 SMALL P3
	roll-back-leaderless-loses|refuted|M_ROLL_BACK_WITHOUT_LEADER LOSS=1 CRASH=1 SMALL
	watchdog-leaderless|refuted|M_WATCHDOG_WITHOUT_LEADER LOSS=1 SMALL P3
	watchdog-early|refuted|M_ENDED_BEFORE_DEADLINE CALM
	watchdog-overwrites|refuted|M_VERDICT_OVERWRITTEN CRASH=1
	seal-inexact|refuted|M_SEAL_INEXACT HUMAN=2
	place-inexact|refuted|M_PLACE_INEXACT LOSS=1
	late-unowned|refuted|M_LATE_UNOWNED CRASH=1 EDB
	late-dropped|refuted|M_LATE_DROPPED CRASH=1 ATTEMPTS=2 REELECT=1 EDB
	late-forever|refuted|M_LATE_FOREVER CRASH=1 HUMAN=1 EDB
	owned-while-placing|refuted|M_OWNED_WHILE_PLACING HUMAN=1
	no-bound|refuted|M_NO_BOUND
	snapshots-by-time|refuted|M_SNAPSHOTS_BY_TIME STRAY=1
	repeated-whatever-came|refuted|M_REPEATED_WHATEVER_CAME AGAIN=1 ABANDON=1
	exec-before-snapshots|refuted|M_EXEC_BEFORE_SNAPSHOTS HUMAN=2
	late-forgotten|refuted|M_LATE_FORGOTTEN CRASH=1 ATTEMPTS=2 REELECT=1 EDB
	look-before-exec-unfence|refuted|M_LOOK_BEFORE_EXEC_UNFENCE LOSS=1 SMALL
	look-before-exec-unfence-edb|refuted|M_LOOK_BEFORE_EXEC_UNFENCE LOSS=1 SMALL EDB
	look-before-exec-roll-back|refuted|M_LOOK_BEFORE_EXEC_ROLL_BACK LOSS=1 CRASH=1 SMALL
	look-before-exec-watchdog|refuted|M_LOOK_BEFORE_EXEC_WATCHDOG LOSS=1 SMALL
	predecessor-without-look|refuted|M_PREDECESSOR_WITHOUT_LOOK LOSS=1 CRASH=1 ATTEMPTS=2 SMALL CALM
	on-error-without-look|refuted|M_ON_ERROR_WITHOUT_LOOK LOSS=1 CRASH=1 SMALL EDB
	looks-at-one-instance|refuted|M_LOOKS_AT_ONE_INSTANCE LOSS=1 CRASH=1 ATTEMPTS=2 REELECT=1 EDB
	command-unchecked|refuted|M_COMMAND_UNCHECKED HUMAN=1 EDB
	late-of-others|open|STRICT CRASH=1 HUMAN=1 ATTEMPTS=2 REELECT=1 EDB
	TABLE
}

flags() { for each in $1; do printf -- '-D%s ' "$each"; done; }

check() {  # one line of the table
	IFS='|' read -r name expected configuration <<<"$1"
	rm -rf "${work:?}/$name" && mkdir -p "$work/$name" && cd "$work/$name"
	# shellcheck disable=SC2046 # words are meant
	spin -a $(flags "$configuration") "$model" >spin.log
	gcc -O1 -w -DSAFETY -DBFS -DCOLLAPSE -DMEMLIM=$megabytes -o pan pan.c
	timeout "$seconds" ./pan -w20 -m1000000 >pan.log 2>&1 || true
	if grep -q 'assertion violated' pan.log; then found=refuted
	elif grep -q 'errors: 0' pan.log && ! grep -qE 'not completed|max search depth|out of memory|memory limit' pan.log; then found=holds
	else found='not finished'; fi
	states=$(awk '/states, stored/ {print $1}' pan.log)
	taken=$(grep -oE 'elapsed time [0-9.]+' pan.log | grep -oE '[0-9.]+' || echo "?")
	told=ok; case $expected/$found in "$found/$found") ;; open/refuted) told=OPEN ;; *) told=WRONG ;; esac
	printf '%-5s %-28s %-12s %10s states %6s s  %s\n' "$told" "$name" "$found" "$states" "$taken" "$configuration"
	[ $told != WRONG ]
}

if [ "${1:-}" = show ]; then
	cd "$work/$2"
	# shellcheck disable=SC2046
	spin -t -p -k protocol.pml.trail $(flags "$(table | awk -F'|' -v name="$2" '$1 == name {print $3}')") "$model" |
		sed -nE 's/^ *[0-9]+:.*proc +[0-9]+ \(([A-Za-z]+):[0-9]+\) [^:]*pml:([0-9]+) \(state [0-9]+\)/\1 \2/p' | grep -vE '\[(else|\(1\))\]|\[x'
	exit
fi
for tool in spin gcc; do
	command -v $tool >/dev/null && continue
	[ "$UID" = 0 ] && command -v apt-get >/dev/null || { echo "$tool is needed (Debian packages spin, gcc)"; exit 1; }
	apt-get update -qq && apt-get install -yqq --no-install-recommends spin gcc libc6-dev >/dev/null
done
export -f check flags && export model work megabytes seconds
table | { [ $# = 0 ] && cat || grep -E "^($(IFS='|'; echo "$*"))\|"; } |
	xargs -r -P"$workers" -d '\n' -n1 bash -c 'set -euo pipefail; check "$0"'
