"""The command `glam`, and `python -m glam` where only the interpreter is at hand."""

from energy import _ctrl_c  # noqa: F401  (before all else)
from glam.cli import main

if __name__ == "__main__":
    main()
