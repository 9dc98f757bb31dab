"""Tests of the by-key endpoint, part by part."""
