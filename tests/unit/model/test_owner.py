"""The owner of what is stored."""

from __future__ import annotations

from detector.model.owner import Owner


def test_owners_differ_in_their_organization_or_their_source() -> None:
    """Parts that touch never give the same text."""
    owners = [Owner("acme", "main"), Owner("globex", "main"), Owner("acme", "other"), Owner(None, "main")]
    owners += [Owner("a", "cmain"), Owner("ac", "main"), Owner(None, "1:amain")]
    assert len({owner.digest for owner in owners}) == len(owners)
    assert len({tuple(owner.key.items()) for owner in owners}) == len(owners)


def test_the_digest_of_an_owner_is_for_the_names_of_files() -> None:
    """It is the same in every process, whatever characters the names have."""
    assert Owner("acme", "main").digest == Owner("acme", "main").digest
    assert Owner("../\ud800", "a/b").digest.isalnum()
