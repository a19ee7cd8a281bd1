"""`python -m glam`: the command `glam` where only the interpreter is at hand."""

from glam.cli import main

if __name__ == "__main__":
    main()
