"""The mathematics that detectors share: baselines, error rates, endpoint distributions, signs of an environment.

This package holds pure functions over arrays. They know no detector and decide nothing.
"""
