"""Guards of transactions themselves: beyond the client's reach, tried again, the only writer of a file."""

from __future__ import annotations

from tests.database import test_engines, test_reserve
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut

GUARDS = (
    *on_both(
        Guard(
            of="a unit of work, beyond the reach of a client that goes away",
            out=(
                Cut(
                    "livehub.database.connections:unit",
                    "asyncio.shield(asyncio.ensure_future(_unit(work)))",
                    "_unit(work)",
                ),
            ),
            race=race(test_engines.test_a_unit_survives_the_client_that_went_away),
        )
    ),
    Guard(
        of="another try for who lost in a ring of waiting",
        out=(Cut("livehub.database.connections:_unit", "if attempt == ATTEMPTS - 1:", "if attempt >= 0:"),),
        race=race(test_engines.test_two_units_that_wait_in_a_ring_both_end_well),
    ),
    Guard(
        of="the connection that is kept apart",
        out=(
            Cut(
                "livehub.database.postgres:Client.lender",
                "return reserve if is_free or is_exhausted else pool",
                "return pool",
            ),
        ),
        race=race(test_reserve.test_a_reserved_question_is_answered_when_all_connections_are_taken),
    ),
    Guard(
        of="the patience of who waits for the file's lock",
        out=(Cut("livehub.database.sqlite:_patiently", "time.sleep(LOOK_SECONDS)", "time.sleep(2)"),),
        race=race(
            test_engines.test_who_writes_now_and_then_gets_in_beside_a_process_that_never_rests,
            write="a transaction",
        ),
        engine="sqlite",
    ),
    Guard(
        of="the write lock of a file, taken at the beginning",
        out=(Cut("livehub.database.sqlite:_begin", "BEGIN IMMEDIATE", "BEGIN"),),
        race=race(test_engines.test_a_transaction_on_a_file_is_the_only_writer_from_its_beginning),
        engine="sqlite",
    ),
)
