"""Judge the days that are due and write their reports: ``python jobs/nightly.py [CONFIG]``."""

from detector.operations.schedule.nightly import main

if __name__ == "__main__":
    main()
