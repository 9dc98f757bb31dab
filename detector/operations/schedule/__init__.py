"""When the pipeline runs: the nightly job, the monthly job, retention, and the process that stays.

Here belongs the decision which days and months are due. What happens on one day is in ``detector.pipeline``.
"""
