"""Order-level amounts brought down to lines."""

import pytest

from livehub.platforms import shares


@pytest.mark.parametrize(
    ("own", "whole", "weights", "parts"),
    [
        ([5, 0], 999, [1, 1], [5, 0]),
        ([None, None], 5, [1, 1], [3, 2]),
        ([None, 7], 5, [3, 2], [3, 2]),
        ([None], 5, [0], [5]),
    ],
)
def test_the_lines_own_amounts_go_before_the_orders(own, whole, weights, parts):
    assert shares.per_line(own, whole=whole, weights=weights) == parts
