"""`python -m simulator`: the command `simulator` where only the interpreter is at hand."""

from simulator.cli import main

if __name__ == "__main__":
    main()
