"""ATT&CK techniques that may have caused a finding.

A detector names a technique only if it observed the technique's condition. A count of requests shows behaviour and
not intent, so a technique is a possible cause and stands apart from the observation. Volume alone names no
technique, because too many harmless causes raise it. Identifiers and names are those of MITRE ATT&CK for
Enterprise, https://attack.mitre.org/.
"""

from __future__ import annotations

from detector.model.finding import Technique

CATALOGUE = "ATT&CK Enterprise 17.1"


def access_token(condition: str) -> Technique:
    """For a key in use that should not be in use: somebody else may hold it."""
    return Technique(
        "T1550.001", "Use Alternate Authentication Material: Application Access Token", CATALOGUE, condition
    )


def added_credentials(condition: str) -> Technique:
    """For a new key in heavy use: an intruder may have created it, to keep access."""
    return Technique("T1098.001", "Account Manipulation: Additional Cloud Credentials", CATALOGUE, condition)


def wordlist_scanning(condition: str) -> Technique:
    """For many mostly refused requests to endpoints new to the key: somebody may be guessing their names."""
    return Technique("T1595.003", "Active Scanning: Wordlist Scanning", CATALOGUE, condition)
