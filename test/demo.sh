#!/usr/bin/env bash
# A master with a proxymap and a proxywrite service in a private directory, and postmap as its client. Each command and
# what it prints is shown; the script fails when one does not do what is said here. It needs no root; root runs the
# services as the user nobody.
set -euo pipefail
umask 022
bin=$(cd "${1:-bin}" && pwd)

dir=$(mktemp -d "${TMPDIR:-/tmp}/pmXXXXXX")
if [ "$(id -u)" -eq 0 ]; then owner=nobody; else owner=$(id -un); fi
group=$(id -gn "$owner")

# A user's private directories are often closed to others, so the programs get a place that nobody can enter.
mkdir -p "$dir"/{etc,data,libexec,log,tables} "$dir"/queue/{pid,private,public}
cp "$bin"/{master,proxymap,postmap} "$dir/libexec/"
log=$dir/log/mail.log

cat >"$dir/etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
daemon_directory = $dir/libexec
mail_owner = $owner
setgid_group = $group
myhostname = demo.example
maillog_file = $log
maillog_file_prefixes = $dir
max_use = 3
proxy_read_maps = proxy:cdb:$dir/tables/users proxy:inline:{postmaster=alice}
    proxy:bolt:$dir/tables/seen
proxy_write_maps = proxy:bolt:$dir/tables/seen
CF
cat >"$dir/etc/master.cf" <<'CF'
# service  type  private unpriv chroot wakeup maxproc command
proxymap   unix  -       -      n      -      1       proxymap
proxywrite unix  -       -      n      -      1       proxymap
CF
export MAIL_CONFIG=$dir/etc PATH=$bin:$PATH

master_pid() { tr -d ' ' <"$dir/queue/pid/master.pid" 2>/dev/null; }

finish() {
  status=$?
  trap - EXIT
  pid=$(master_pid) && kill "$pid" 2>/dev/null || true
  if [ $status -ne 0 ]; then
    echo "the demo has failed (status $status); the log:"
    cat "$log" 2>/dev/null || true
  fi
  rm -rf "$dir"
  exit $status
}
trap finish EXIT

say() { printf '\n# %s\n' "$*"; }

# run STATUS OUTPUT COMMAND...: shows the command and what it prints; both must be as said. OUTPUT is a pattern.
run() {
  local want_status=$1 want=$2 status=0 output
  shift 2
  if [ "$1" = sh ]; then printf '$ %s\n' "${3//$dir\//}"; else printf '$ %s\n' "${*//$dir\//}"; fi
  output=$("$@" 2>&1) || status=$?
  [ -z "$output" ] || printf '%s\n' "${output//$dir\//}"
  [ $status -eq 0 ] || echo "(exit status $status)"
  # shellcheck disable=SC2053
  if [ $status -ne "$want_status" ] || [[ $output != $want ]]; then
    echo "expected exit status $want_status and: $want"
    exit 1
  fi
}

# worker SERVICE: the process id of the service's worker. Master starts it in the queue directory, with -n and the name
# of the service where that is not the name of the program.
worker() {
  local proc args service
  for proc in /proc/[0-9]*; do
    [ "$(readlink "$proc/cwd" 2>/dev/null)" = "$dir/queue" ] || continue
    args=$(tr '\0' ' ' <"$proc/cmdline" 2>/dev/null) || continue
    case $args in
      "proxymap "*"-n proxywrite "*) service=proxywrite ;;
      "proxymap "*) service=proxymap ;;
      *) continue ;;
    esac
    if [ $service = "$1" ]; then
      echo "${proc#/proc/}"
      return
    fi
  done
}

say "Build a table, and start the master as $owner, in $dir"
printf 'alice /home/alice/mail\nbob   /home/bob/mail\n' >"$dir/tables/users"
run 0 '' postmap "cdb:$dir/tables/users"
touch "$log"
if [ "$owner" != "$(id -un)" ]; then chown -R "$owner" "$dir"/{data,log,tables} "$dir"/queue/{private,public}; fi
chmod 755 "$dir"
run 0 '' "$dir/libexec/master" -w

say "Lookups through the proxymap service: found, found in another type of table, and not found"
run 0 '/home/alice/mail' postmap -q alice "proxy:cdb:$dir/tables/users"
run 0 'alice' postmap -q postmaster 'proxy:inline:{postmaster=alice}'
run 1 '' postmap -q carol "proxy:cdb:$dir/tables/users"

say "An update, a look at it through the reader, a deletion: through the proxywrite service"
run 0 '' sh -c "echo '192.0.2.1 seen-on-monday' | postmap -i proxy:bolt:$dir/tables/seen"
run 0 'seen-on-monday' postmap -q 192.0.2.1 "proxy:bolt:$dir/tables/seen"
run 0 '' postmap -d 192.0.2.1 "proxy:bolt:$dir/tables/seen"
run 1 '' postmap -q 192.0.2.1 "proxy:bolt:$dir/tables/seen"

say "A table that main.cf does not approve is refused, and the log says what to add"
run 1 '*proxymap service is not configured for table "static:secret"*' postmap -q alice proxy:static:secret
run 0 '*list proxy:static:secret in main.cf:proxy_read_maps*' grep approve "$log"

say "With max_use = 3 a worker serves three clients and makes room for a new one; no client notices"
seen=
for client in 1 2 3 4 5 6; do
  run 0 '/home/bob/mail' postmap -q bob "proxy:cdb:$dir/tables/users"
  pid=$(worker proxymap)
  if [ -n "$pid" ]; then
    case " $seen " in *" $pid "*) ;; *) seen="$seen $pid"; echo "# client $client: worker $pid" ;; esac
  fi
done
set -- $seen
if [ $# -lt 2 ]; then echo "expected more than one worker, saw:$seen"; exit 1; fi

say "Stop the master: no process stays behind"
pid=$(master_pid)
run 0 '' kill "$pid"
for _ in $(seq 200); do
  # What has ended but is not yet forgotten by the process that adopted it has no command line.
  left=$(worker proxymap; worker proxywrite; tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || true)
  if [ -z "$left" ]; then
    echo '# all gone'
    exit 0
  fi
  sleep 0.05
done
echo "left behind: $left"
exit 1
