"""The command `simulator`, and `python -m simulator` where only the interpreter is at hand."""

from energy import _ctrl_c  # noqa: F401  (before all else)
from simulator.cli import main

if __name__ == "__main__":
    main()
