"""ATT&CK techniques: what a finding may be the trace of, each named only where its condition was observed.

A count of requests shows behaviour, not intent: a technique is a possible cause, told apart from what was
seen. Volume alone names none, as too many harmless things raise it. Identifiers and names are those of MITRE
ATT&CK for Enterprise, https://attack.mitre.org/.
"""

from __future__ import annotations

from detector.model.finding import Technique

CATALOGUE = "ATT&CK Enterprise 17.1"


def access_token(condition: str) -> Technique:
    """A key in use that should not be: somebody else may hold it."""
    return Technique(
        "T1550.001", "Use Alternate Authentication Material: Application Access Token", CATALOGUE, condition
    )


def added_credentials(condition: str) -> Technique:
    """A key just made and at once in heavy use: stolen access may have made it, to stay."""
    return Technique("T1098.001", "Account Manipulation: Additional Cloud Credentials", CATALOGUE, condition)


def wordlist_scanning(condition: str) -> Technique:
    """Many endpoints tried that the key never used, and mostly refused: somebody may be guessing names."""
    return Technique("T1595.003", "Active Scanning: Wordlist Scanning", CATALOGUE, condition)
