"""A chip of the catalog: what a row of `chips.csv`, or a file of one's own, says of it."""

from __future__ import annotations

from dataclasses import dataclass

from energy.errors import MissingDataError
from energy.quantity import Boundary


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A device, a node or a memory, from `chips.csv`. SI units; None is unknown.

    Attributes:
        id: name of the row.
        aliases: other spellings of the name.
        name: as its vendor writes it.
        vendor: who makes it.
        kind: gpu, tpu, cpu, node or memory.
        architecture: generation, whose chips reach similar fractions of their peaks.
        year: of its introduction.
        peak_bf16_flop_per_s: dense peak; the other peaks likewise, never with sparsity.
        peak_fp16_flop_per_s: dense peak.
        peak_tf32_flop_per_s: dense peak.
        peak_fp32_flop_per_s: dense peak.
        peak_fp8_flop_per_s: dense peak.
        peak_int8_op_per_s: dense peak.
        peak_fp4_flop_per_s: dense peak.
        measured_matmul_bf16_flop_per_s: the best measured throughput of a matrix product.
        memory_bytes: of its own memory. Of a TPU what its compiler lets a program use, 0.25 to 1.25
            GiB less than the GiB of its name; of others the GB of their name, 5 to 7 % less than
            drivers report, about what a context and communication buffers take of it.
        memory_bytes_per_s: bandwidth of that memory.
        link: kind of the fast link between chips.
        link_bytes_per_s: bandwidth of that link, all lanes of a chip, one direction.
        link_domain_chips: how many chips the fast link connects.
        link_axes: axes of a torus; 0 for a switch.
        network_bytes_per_s: a chip's share of the network of its usual node, one direction.
        tdp_w: design power.
        tdp_term: what the vendor calls `tdp_w`.
        idle_w: measured idle power.
        min_w: lowest power in production.
        mean_w: mean power in training.
        max_w: highest measured power.
        power_boundary: where idle, min, mean and max were measured: chip, or node for a node.
        power_scope: circumstances of those measurements.
        host_w: a chip's share of what its node draws besides the chips.
        host_low_w: lower end of `host_w`.
        host_high_w: upper end of `host_w`.
        host_scope: what that share includes, and its source.
        system_w: mean power in training with the chip's share of host and network; boundary it.
        system_scope: what that share includes, and its source.
        embodied_kg: kgCO2e of its manufacture.
        embodied_scope: what `embodied_kg` includes.
        source: where the row comes from.
        status: one of `energy.facts.rows.STATUSES`.
        unconfirmed_fields: cells of a mixed row that are from memory.
        notes: conflicts between sources, and warnings.
        price_usd_per_h: of one chip, in a file of one's own.
    """

    id: str
    aliases: tuple[str, ...]
    name: str
    vendor: str | None
    kind: str
    architecture: str | None
    year: int | None
    peak_bf16_flop_per_s: float | None
    peak_fp16_flop_per_s: float | None
    peak_tf32_flop_per_s: float | None
    peak_fp32_flop_per_s: float | None
    peak_fp8_flop_per_s: float | None
    peak_int8_op_per_s: float | None
    peak_fp4_flop_per_s: float | None
    measured_matmul_bf16_flop_per_s: float | None
    memory_bytes: float | None
    memory_bytes_per_s: float | None
    link: str | None
    link_bytes_per_s: float | None
    link_domain_chips: int | None
    link_axes: int | None
    network_bytes_per_s: float | None
    tdp_w: float | None
    tdp_term: str | None
    idle_w: float | None
    min_w: float | None
    mean_w: float | None
    max_w: float | None
    power_boundary: Boundary | None
    power_scope: str | None
    host_w: float | None
    host_low_w: float | None
    host_high_w: float | None
    host_scope: str | None
    system_w: float | None
    system_scope: str | None
    embodied_kg: float | None
    embodied_scope: str | None
    source: str
    status: str
    unconfirmed_fields: str
    notes: str | None
    price_usd_per_h: float | None = None

    def peak_flop_per_s(self, precision: str) -> float:
        """Dense peak at a precision: bf16, fp16, tf32, fp32, fp8, int8, fp4.

        Where a peak is unknown, bf16 and fp16 substitute for each other, and fp8 for int8.

        Raises:
            MissingDataError: no peak is known at that precision.
        """
        substitutes = {"bf16": "fp16", "fp16": "bf16", "int8": "fp8"}
        for name in (precision, substitutes.get(precision, precision)):
            peak = getattr(self, f"peak_{name}_{'op' if name == 'int8' else 'flop'}_per_s", None)
            if peak is not None:
                return float(peak)
        raise MissingDataError(
            f"expected a {precision} peak of {self.id}",
            "unknown",
            "choose another precision, or a chip of your own: simulator chips init",
        )
