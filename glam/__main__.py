"""`python -m glam`, the same as the command `glam`."""

from glam.cli import main

if __name__ == "__main__":
    main()
