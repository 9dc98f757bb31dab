"""The command line, and with ``reference`` alone the configuration reference."""

import sys

from tests.plug_ins import register

register()
if sys.argv[1:] == ["reference"]:
    from docs.reference import configuration

    print(configuration())
else:
    from detector.cli.main import main

    main()
