#!/usr/bin/env bash
# The usual shell way to refresh users: a queue file that every worker pops its next user
# from under a lock, and one psql for each user.
#
#   shell_way.sh QUEUE WORKERS AS_OF
#
# QUEUE has the id of one user in each line. psql connects as the PG* variables say.
set -euo pipefail

queue=$1
workers=$2
as_of=$3

pop() {
  {
    flock 9
    head -n 1 "$queue"
    sed -i 1d "$queue"
  } 9>"$queue.lock"
}

work() {
  local id
  while id=$(pop) && [[ -n $id ]]; do
    psql -qX -v ON_ERROR_STOP=1 >/dev/null <<SQL
BEGIN;
CALL dwh.update_datamart_user($id, '$as_of');
UPDATE dwh.dimension_users SET modified = FALSE WHERE dimension_user_id = $id;
COMMIT;
SQL
  done
}

for ((worker = 0; worker < workers; worker++)); do
  work &
done
wait
