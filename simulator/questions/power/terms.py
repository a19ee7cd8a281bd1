"""How the load of a site came about."""

from __future__ import annotations

from simulator.questions.power.answer import LoadProfile
from simulator.terms import Term


def terms(profile: LoadProfile) -> dict[str, Term]:
    """The mean watts of the facility."""
    return {"": profile.prediction.account.facility_w}
