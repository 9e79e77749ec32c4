"""`python -m d2ltui` is the `d2ltui` command."""

from d2ltui.cli import main

if __name__ == "__main__":
    main()
