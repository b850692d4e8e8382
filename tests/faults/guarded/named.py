"""Guards of names in calls: whose they are, before the domain asks the same once more."""

from __future__ import annotations

from tests.faults.guarding import Guard, race
from tests.faults.removing import Cut
from tests.web.api import test_named

GUARDS = (
    Guard(
        of="the bureau that is named, within the caller's scope",
        out=(Cut("livehub.web.api.named:bureau_id", " and (scope is None or number in scope)"),),
        race=race(test_named.test_a_bureau_is_named_by_those_who_act_for_it),
        engine="sqlite",
    ),
    Guard(
        of="the round that is named, whose campaign is the caller's",
        out=(
            Cut(
                "livehub.web.api.named:round_of",
                "bureau_id=campaign.bureau_id, centre_id=campaign.centre_id",
                "centre_id=campaign.centre_id",
            ),
        ),
        race=race(test_named.test_a_round_is_named_by_those_who_work_on_its_campaign),
        engine="sqlite",
    ),
    Guard(
        of="the round that is named, within the caller's centre",
        out=(Cut("livehub.web.api.named:round_of", ", centre_id=campaign.centre_id"),),
        race=race(test_named.test_a_round_is_named_by_those_who_work_on_its_campaign),
        engine="sqlite",
    ),
    Guard(
        of="the template that is named, within the caller's centre",
        out=(
            Cut(
                "livehub.web.api.named:template_id",
                " or found[1] != actor.centre_id",
            ),
        ),
        race=race(test_named.test_a_template_is_named_within_its_centre),
        engine="sqlite",
    ),
    Guard(
        of="the drop that is named, within the caller's centre",
        out=(Cut("livehub.web.api.named:drop_id", " or found.broadcast.centre_id != actor.centre_id"),),
        race=race(test_named.test_a_drop_is_named_within_its_centre),
        engine="sqlite",
    ),
)
