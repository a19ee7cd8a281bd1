"""`python -m energy` runs the command `energy`."""

from energy.cli import main

if __name__ == "__main__":
    main()
