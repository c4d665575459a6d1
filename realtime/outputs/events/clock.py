"""The time by which events grow old: one that a wrong clock cannot push.

What is deleted for its age is gone, so the system's clock has to prove itself first. The proven time goes on while
the program runs, measured by the monotonic clock, and follows the system's clock in small steps. A clock that tells
another time than that - set wrongly, of a camera box without a battery, or simply right after weeks without power - is
believed once the program has run for three days under it. Events are dated by the proven time as well.
"""

from __future__ import annotations

from dataclasses import dataclass

#: 2026-01-01; this program did not exist before, so a clock that tells an earlier time was never set
NEVER_SET_BEFORE = 1_767_225_600.0
_ON_TRIAL_FOR = 3 * 86_400.0
_SLACK = 60.0  # seconds that a clock may go back and still be the same: it is set right in small steps


@dataclass
class ProvenClock:
    """``proven``: seconds since the epoch. A clock on trial: its time when last looked at, and how long it ran.

    ``step``: seconds that the clock may have gone on, beyond what the program ran, and be believed at once.
    """

    proven: float
    on_trial: float | None = None
    tried: float = 0.0
    step: float = 86_400.0

    def tick(self, clock: float, ran: float) -> float:
        """The program ran for ``ran`` seconds, and the system's clock tells ``clock``.

        Gives the seconds by which everything dated until now has to be dated later (or earlier, where negative): the
        new time is proven, and the one before was not the time at all. Time that passed without power is none of this.
        """
        self.proven += ran
        ahead = clock - self.proven
        if -_SLACK <= ahead <= self.step:
            self.proven += max(0.0, ahead)
            self.on_trial, self.tried = None, 0.0
            return 0.0
        goes_on = self.on_trial is not None and -_SLACK <= clock - self.on_trial - ran <= self.step
        self.tried = self.tried + ran if goes_on else 0.0
        self.on_trial = clock
        if self.tried < _ON_TRIAL_FOR:
            return 0.0
        was_none = ahead < 0 or self.proven < NEVER_SET_BEFORE
        self.proven, self.on_trial, self.tried = clock, None, 0.0
        return ahead if was_none else 0.0
