"""Telling others whether nights are judged: a dead-man's switch that is pinged, and metrics in a file."""
