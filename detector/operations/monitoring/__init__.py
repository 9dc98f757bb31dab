"""How others see that the job runs: log lines, metrics and the dead-man's switch.

Here belongs what reports on runs. What a run found belongs to ``reports`` and ``delivery``.
"""
