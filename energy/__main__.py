"""`python -m energy`: the command `energy` where only the interpreter is at hand."""

from energy.cli import main

if __name__ == "__main__":
    main()
