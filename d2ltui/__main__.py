"""`python -m d2ltui` is the `d2ltui` command."""

from d2ltui.cli.app import main

if __name__ == "__main__":
    main()
