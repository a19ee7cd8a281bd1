# pip install 'glam-energy[train]'
"""Data parallel training, metered rank by rank and merged; no joule of a node counts twice.

torchrun --standalone --nproc-per-node=2 examples/torchrun_two_ranks.py
"""

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import energy

rank = int(os.environ["RANK"])
on_gpu = torch.cuda.is_available()
dist.init_process_group("nccl" if on_gpu else "gloo")
device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
torch.manual_seed(rank)  # each rank reads other rows

model = DistributedDataParallel(torch.nn.Linear(256, 256).to(device))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

with energy.Tracker(f"runs/torchrun/rank-{rank}", name="torchrun") as tracker:
    for step in range(20):
        with tracker.window("step"):
            rows = torch.randn(64, 256, device=device)
            loss = ((model(rows) - rows) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()  # gradients are summed over the ranks here
            optimizer.step()
        tracker.mark("step", step=step)

dist.barrier()  # all records are written
if rank == 0:
    job = energy.merge(["runs/torchrun"], "torchrun")
    for part in job.ranks:
        print(f"rank {part.rank}: {part.energy_j}, waited {part.waiting_share}")
    print("job, chip:", job.totals["chip"])
dist.destroy_process_group()
