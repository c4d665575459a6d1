"""The oblivious attack that adaptive ones begin from runs once for each picture and target."""

from __future__ import annotations

import numpy as np
from tiny_nets import convolutional, other_classes, pictures

from tools.attacks import Sharif
from tools.attacks.remembered import Remembered


def test_only_what_was_not_attacked_before_is_attacked_and_results_are_the_attacks_own():
    net, crops = convolutional(), pictures(3, 12)
    own, other = other_classes(net, crops)
    mask = np.zeros((3, 12, 12), bool)
    mask[:, 3:7, 1:11] = True
    sharif = Sharif(steps=5)
    wanted = sharif.run(net, crops, own, other, mask=mask, seed=[7, 8, 9]).adversarial
    asked: list[int] = []
    run = sharif.run

    def counting(model, some, *arguments, **options):
        asked.append(len(some))
        return run(model, some, *arguments, **options)

    sharif.run = counting
    remembered = Remembered(sharif)
    first = remembered.adversarial(net, crops[:2], own[:2], other[:2], mask=mask[:2], seed=[7, 8])
    every = remembered.adversarial(net, crops, own, other, mask=mask, seed=[7, 8, 9])
    again = remembered.adversarial(net, crops[::-1], own[::-1], other[::-1], mask=mask, seed=[9, 8, 7])
    assert asked == [2, 1]
    np.testing.assert_array_equal(every, wanted)
    np.testing.assert_array_equal(first, wanted[:2])
    np.testing.assert_array_equal(again, wanted[::-1])
    remembered.adversarial(net, crops, own, None, mask=mask, seed=[7, 8, 9])  # dodging is another task
    assert asked == [2, 1, 3]
