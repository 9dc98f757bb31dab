"""From a panel to the findings of its last day, and to the report that says them.

Here belong completeness, thresholds, findings, triage, explanation and the summary. All of it is pure: the same
panel, configuration and earlier sightings give the same report.
"""
