"""When the pipeline runs: the nightly job, the monthly one, retention, and the process that stays."""
