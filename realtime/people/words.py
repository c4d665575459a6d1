"""What people are told after a change: honestly, and in words that need no manual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.gallery.gallery import Gallery
from models.gallery.report import Duplicate, Lookalike, Report
from realtime.people.people import Added

if TYPE_CHECKING:
    from realtime.people.sources import Skipped

FEW = 3  # pictures; with fewer a person is often unknown


def lines_of(added: Added, skipped: Sequence[Skipped]) -> list[str]:
    """The report on one addition."""
    taken = f"{added.name}: {_pictures(added.pictures)} added"
    lines = [taken + (f", {added.repeated} were there already" if added.repeated else "")]
    if skipped:
        lines.append(f"skipped {_pictures(len(skipped))}:")
        lines += [f"  {one.name}: {one.reason}" for one in skipped]
    trial = added.trial
    if trial.tried:
        lines.append(f"left out one by one, {trial.known} of {_pictures(trial.tried)} are known as {added.name}")
        for other in dict.fromkeys(name for name in trial.taken_for if name and name != added.name):
            lines.append(f"  {trial.taken_for.count(other)} taken for {other}")
    else:
        lines.append(
            "one picture only: it cannot be left out to try it, and about half as many faces are known as with twenty"
        )
    if 1 < added.pictures < FEW:
        lines.append("two pictures are few: more, on different days and in different light, make a face known oftener")
    for misfit in added.report.misfits:
        fits = f"fits {misfit.instead}" if misfit.instead else "fits nobody"
        lines.append(
            f"  picture {misfit.picture + 1} ({misfit.digest[:8]}) {fits} better than {added.name}: look at it"
        )
    lines += [_lookalike(one) for one in added.report.lookalikes] + _duplicates(added.report.duplicates)
    named, of = added.report.strangers_named, added.report.strangers
    lines.append(f"strangers: {named} of {of} pictures of other people get a name now (whole face, no view's veto)")
    return lines


def print_report(report: Report, console: Console) -> None:
    """The whole gallery, person by person."""
    table = Table("name", "pictures", "right when left out", "taken for")
    for one in report.people:
        share = f"{one.right} of {one.tried}" if one.tried else "one picture only"
        table.add_row(Text(one.name), str(one.pictures), share, Text(", ".join(one.taken_for[:3])))
    console.print(table)
    if report.tried:
        console.print(f"right when left out: {report.right} of {report.tried} pictures (whole face, no view's veto)")
    console.print(f"strangers named: {report.strangers_named} of {report.strangers} pictures of other people")
    for misfit in report.misfits:
        fits = f"fits {misfit.instead}" if misfit.instead else "fits nobody"
        console.print(f"{misfit.name}, picture {misfit.picture + 1} ({misfit.digest[:8]}): {fits} better")
    for line in [_lookalike(one) for one in report.lookalikes] + _duplicates(report.duplicates):
        console.print(line)


def people_table(gallery: Gallery) -> Table:
    """Everybody, one row each."""
    table = Table("name", "pictures", "added", "consent")
    for person in gallery.people:
        table.add_row(Text(person.name), str(person.counts), person.added, "yes" if person.consent else "not recorded")
    return table


def _pictures(count: int) -> str:
    return f"{count} picture" + ("" if count == 1 else "s")


def _lookalike(one: Lookalike) -> str:
    return f"look-alikes: without {one.name} their pictures would be taken for {one.other} ({one.probability:.0%})"


def _duplicates(found: Sequence[Duplicate]) -> list[str]:
    """One line for each pair of people, however many pictures they share."""
    shared: dict[tuple[str, str], int] = {}
    for one in found:
        pair = (one.first[0], one.second[0])
        shared[pair] = shared.get(pair, 0) + 1
    return [
        f"{first} has {_pictures(count)} twice"
        if first == second
        else f"{first} and {second} share {_pictures(count)}: are they one person? then merge them"
        for (first, second), count in shared.items()
    ]
