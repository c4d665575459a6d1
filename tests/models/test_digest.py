"""Arrays are named by what they hold and how it is laid out."""

import numpy as np

from models.digest import digest_of


def test_other_values_another_shape_and_another_order_have_another_name() -> None:
    first, second = np.arange(6, dtype=np.int64), np.ones((2, 3), np.float32)
    name = digest_of([first, second])
    assert name == digest_of([first.copy(), np.asfortranarray(second)])
    others = [[first + 1, second], [first.reshape(2, 3), second], [second, first], [first]]
    assert len({name, *(digest_of(other) for other in others)}) == 5
