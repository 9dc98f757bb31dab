"""The mathematics that several detectors share: baselines, rates, mixes, evidence of an environment.

Here belong pure functions over arrays. They know no detector and decide nothing.
"""
