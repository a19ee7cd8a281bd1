#!/usr/bin/env bash
# torch 2.13.0: processes that torchrun restarts meet in the store of the attempt before, under the
# same keys.
#
# After a process has died, torchrun --max-restarts starts all of them again, with a higher
# TORCHELASTIC_RESTART_COUNT. One expects a rendezvous of their own: torch.distributed.rendezvous
# says so in a comment ("a new TCPStore for every retry so no need to add prefix for each attempt").
# But the store is that of the agent, which lives on, with everything that the former attempt wrote,
# gloo's addresses among it. A process that comes a little earlier than its peer reads the address of
# the peer that died. Of nine restarts of two gloo processes by hand, with the static, standalone and
# c10d rendezvous, three met; the others ended in "Connection refused" or waited for the timeout.
# A store with a prefix for each attempt, passed to init_process_group(store=...), mends it.
#
# Seen here: the key that attempt 0 wrote is there in attempt 1, with and without --standalone;
# behind a prefix with the attempt's number it is not.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat >"$work/see.py" <<'PY'
import os
import sys

import torch.distributed as dist

attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
store, _, _ = next(dist.rendezvous("env://"))
own = dist.PrefixStore(f"attempt-{attempt}", store)
if attempt == "0":
    store.set("address", "of a process that dies")
    own.set("address", "the same")
    sys.exit(1)
print(f"attempt 1 sees a key of attempt 0: {store.check(['address'])}; "
      f"behind a prefix: {own.check(['address'])}", flush=True)
PY
cd "$work"
for mode in "--master-addr=127.0.0.1 --master-port=29641" "--standalone"; do
  # shellcheck disable=SC2086
  OMP_NUM_THREADS=1 "$work/venv/bin/torchrun" $mode --nproc-per-node=1 --max-restarts=1 see.py \
    >out 2>err || { tail -3 err; exit 1; }
  cat out
  grep -qx "attempt 1 sees a key of attempt 0: True; behind a prefix: False" out
done
