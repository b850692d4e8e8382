"""``python -m livehub``: the same as the command ``livehub``."""

from livehub.cli import main

if __name__ == "__main__":
    main()
