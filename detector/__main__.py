"""``python -m detector``."""

from detector.cli.main import main

if __name__ == "__main__":
    main()
