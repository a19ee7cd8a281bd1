# pip install 'glam-energy[train]'
"""A training loop of PyTorch under the meters: joules of each step, of a token and in all."""

import torch

import energy

BATCH, LENGTH, STEPS = 16, 64, 40

model = torch.nn.Sequential(
    torch.nn.Embedding(256, 128),
    torch.nn.Linear(128, 512),
    torch.nn.GELU(),
    torch.nn.Linear(512, 256),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
loss_of = torch.nn.CrossEntropyLoss()
# A window ends when its work has ended, not when it is queued.
sync = torch.cuda.synchronize if torch.cuda.is_available() else None

tracker = energy.Tracker("runs/pytorch", zone="US", pue=1.2, sync=sync)
with tracker:
    for step in range(STEPS):
        with tracker.window("step"):
            tokens = torch.randint(0, 256, (BATCH, LENGTH))
            loss = loss_of(model(tokens).flatten(0, 1), tokens.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tracker.add_tokens(tokens.numel())
        tracker.mark("step", step=step)

record = energy.RunRecord.load("runs/pytorch")
steps = next(window for window in record.windows if window.name == "step")
print(f"{steps.count} steps, loss {loss.item():.2f}")
for boundary, joules in record.totals.items():
    print(f"{boundary}: {joules}")
print("CO2e, location:", record.co2_location_g)
