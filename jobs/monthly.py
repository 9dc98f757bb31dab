"""Write the statement of the last month: ``python jobs/monthly.py [CONFIG]``."""

from detector.operations.schedule.monthly import main

if __name__ == "__main__":
    main()
