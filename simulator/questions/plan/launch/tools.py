"""What a plan can be launched with; light, for it is checked before a search begins."""

from __future__ import annotations

from energy.errors import InputError, require_choice

TOOLS = ("torchrun", "megatron", "torchtitan", "slurm")


def require_tool(tool: str | None, *, explain: bool = False, as_csv: bool = False) -> None:
    """Check the word of --launch, if any, and that nothing else is to be printed beside it.

    Raises:
        InputError: no such tool, or --explain or --csv beside it.
    """
    if tool is None:
        return
    require_choice("--launch", tool, TOOLS)
    for option, chosen in (("--explain", explain), ("--csv", as_csv)):
        if chosen:
            raise InputError(
                f"expected --launch or {option}, which print different things",
                "both",
                "run the command once with each",
            )
