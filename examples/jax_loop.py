# pip install glam-energy jax
"""A training loop of JAX under the meters; its work is queued, so windows wait for it."""

import jax
import jax.numpy as jnp

import energy


def loss_of(weights, rows):
    """Squared error of a network that learns a sum."""
    hidden = jnp.tanh(rows @ weights["in"])
    return ((hidden @ weights["out"] - rows.sum(1)) ** 2).mean()


@jax.jit
def descend(weights, rows):
    """One step of plain descent."""
    loss, slopes = jax.value_and_grad(loss_of)(weights, rows)
    return jax.tree.map(lambda w, g: w - 1e-2 * g, weights, slopes), loss


key = jax.random.key(0)
weights = {
    "in": jax.random.normal(key, (64, 256)) / 8,
    "out": jnp.zeros(256),
}
rows = jax.random.normal(key, (512, 64))

with energy.Tracker("runs/jax", zone="US") as tracker:
    with tracker.window("compilation", phase="compilation"):
        jax.block_until_ready(descend(weights, rows))
    for step in range(50):
        with tracker.window("step"):
            weights, loss = jax.block_until_ready(descend(weights, rows))
        tracker.mark("step", step=step)

record = energy.RunRecord.load("runs/jax")
for window in record.windows:
    print(f"{window.name} x {window.count}: {window.energy['chip']}")
print(f"loss {loss:.2f}, chip:", record.totals["chip"])
