"""`python -m pingmon`: the command `pingmon`, where no script of that name is in sight."""

from pingmon.cli import main

if __name__ == "__main__":
    main()
