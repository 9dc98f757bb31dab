"""The owner of what is stored: one installation, named by its organization and its source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """The installation that rows and locks of the state belong to.

    ``organization`` is None where the configuration names none. ``source`` is the name of the source.
    """

    organization: str | None
    source: str

    @property
    def key(self) -> dict[str, str]:
        """The columns of the state that hold the owner, with their values."""
        # The configuration refuses an empty organization, so the empty text is free for None.
        return {"organization": self.organization or "", "source": self.source}

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that follow from the owner alone, for the names of its locks."""
        organization = (self.organization or "").encode("utf-8", "surrogatepass")
        text = b"%d:%b%b" % (len(organization), organization, self.source.encode("utf-8", "surrogatepass"))
        return hashlib.sha256(text).hexdigest()[:16]
