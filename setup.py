"""What setup.cfg cannot say: the templates lie at the top of a checkout and inside the installed package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["detector", "detector.*"]), "detector.templates"],
    package_dir={"detector.templates": "templates"},
)
