"""Guards of packs and of rosters: a pack is never torn, a household is given its vouchers once."""

from __future__ import annotations

from tests.faults.guarded.claims import POSTGRES, SQLITE, without
from tests.faults.guarded.vouchers import CLAIM_ANSWERS, PERSON, STOCK_CHECKS, TEMPLATE_LOCK, UNDER_LOCK
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.vouchers import test_direct, test_packs

LAST_PACK = race(test_packs.test_the_last_pack_goes_whole_to_one_of_two_desks)
LEFT = race(test_packs.test_another_desk_sees_what_packs_are_left)
ONE_ROSTER = race(test_direct.test_a_roster_taken_twice_at_one_moment_gives_each_household_its_vouchers_once)
ONE_HOUSEHOLD = race(test_direct.test_one_household_of_two_rosters_with_two_phones_is_given_once)
PHONE = Unique("direct_household", "round_id, person_key")
NUMBER = Unique("direct_household", "round_id, household_index")
ENOUGH = "t.issued + wt.n <= t.quantity"

GUARDS = (
    Guard(
        of="the lock of a pack's templates, for the last pack",
        out=(without(" FOR UPDATE OF t FOR SHARE OF r, c"),),
        behind=STOCK_CHECKS,
        race=LAST_PACK,
    ),
    Guard(
        of="the lock of a pack's templates, where it is settled under lock",
        out=(TEMPLATE_LOCK,),
        behind=STOCK_CHECKS,
        meets=(UNDER_LOCK,),
        race=LAST_PACK,
    ),
    *(
        Guard(
            of="enough of each of a pack's templates",
            out=(without(ENOUGH, "true", where=where),),
            behind=STOCK_CHECKS,
            race=LEFT,
            engine=engine,
        )
        for where, engine in ((POSTGRES, "postgres"), (SQLITE, "sqlite"))
    ),
    *on_both(
        Guard(
            of="the one pack of a person",
            out=(
                Cut("livehub.vouchers.claim_deciding:Settling._give", "prior.taken + self.given[slot]", "0"),
            ),
            behind=(PERSON[1],),
            race=race(test_packs.test_one_person_with_many_requests_gets_one_pack, workers=1),
        )
    )[:1],
    Guard(
        of="the lock under which a roster is held against what was given",
        out=(TEMPLATE_LOCK,),
        behind=(PHONE, NUMBER, PERSON[1], CLAIM_ANSWERS[1]),
        race=ONE_ROSTER,
    ),
    Guard(
        of="the one time a phone of a roster is given its vouchers",
        out=(PHONE,),
        behind=(TEMPLATE_LOCK, NUMBER, PERSON[1], CLAIM_ANSWERS[1]),
        race=ONE_ROSTER,
    ),
    Guard(
        of="the one time a household is given its vouchers, whatever its phone",
        out=(NUMBER,),
        behind=(TEMPLATE_LOCK,),
        race=ONE_HOUSEHOLD,
    ),
)
