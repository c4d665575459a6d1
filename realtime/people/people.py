"""The people to be known, as every door changes them: the command line, the page, other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Floats
from models.bundle import Bundle
from models.errors import BadInput
from models.gallery.gallery import Gallery, Person
from models.gallery.names import checked_name
from models.gallery.report import Report, report_on
from models.gallery.store import GalleryStore
from models.policy import Policy
from realtime.people.kept import KeptPictures
from realtime.people.trial import Trial, tried_out

if TYPE_CHECKING:
    from realtime.people.judge import GoodFace

#: (N, S, S, 3) uint8 RGB crops -> (N, 1 + V, D): ``Recogniser.embed``
Embed = Callable[..., Floats]


@dataclass(frozen=True)
class Added:
    """What became of an addition: a ``trial`` of the new pictures, and the gallery's ``report`` on the person."""

    name: str
    pictures: int
    repeated: int  # pictures that the person had already
    trial: Trial
    report: Report


class People:
    """One gallery's file and what belongs to it.

    Args:
        file: the gallery's; where there is none yet the first change begins with ``start``.
        bundle: whose network and cohort it is compared by.
        from_scratch: begin with nobody, not with the people of the bundle.

    Raises:
        BadInput: the bundle knows a closed set of people.
    """

    def __init__(self, file: Path, bundle: Bundle, *, from_scratch: bool = False) -> None:
        if bundle.gallery is None or bundle.cohort is None or bundle.info.embedding is None:
            raise BadInput(
                f"bundle {bundle.info.name}: knows a closed set of people; take one with a gallery, as the embedded one"
            )
        self.store = GalleryStore(file)
        self.kept = KeptPictures(file)
        self.bundle = bundle
        self._embedded, self._cohort = bundle.gallery, bundle.cohort
        self._scale = bundle.info.embedding.scale
        self._from_scratch = from_scratch
        if from_scratch and file.exists():
            raise BadInput(f"{file}: holds people already; remove them, or give another file with --gallery")

    @property
    def policy(self) -> Policy:
        return self.bundle.info.policy.policy

    def gallery(self) -> Gallery:
        """Who is known now."""
        if not self.store.path.exists():
            return self._start()
        found = self.store.read()
        self.bundle.check_gallery(found, str(self.store.path))
        return found

    def report(self) -> Report:
        """See ``models.gallery.report``."""
        return report_on(self.gallery(), self._cohort[0], self._scale, self.policy.threshold)

    def add(
        self,
        name: str,
        faces: Sequence[GoodFace],
        embed: Embed,
        *,
        consent: str,
        more: bool = False,
        keep: bool = False,
        anyway: bool = False,
    ) -> Added:
        """Add a person, or with ``more`` further pictures of one who is there.

        Args:
            embed: ``Recogniser.embed`` of the bundle's network.
            consent: how and when it was given.
            keep: keep the aligned crops.
            anyway: also where all of the pictures are somebody else's already.

        Raises:
            BadInput: no face, no name, the name is taken or nobody's; all pictures are there under another name.
        """
        name = checked_name(name)
        if not faces:
            raise BadInput(f"{name}: no picture can be used; give at least one with a clear face")
        current = self.gallery()
        former = current.find(name)
        if more and former is None:
            current.person(name)  # raises
        _refuse_taken(former, more=more)
        new = _without_repeats(faces, former)
        if not new:
            raise BadInput(f"{name}: all {len(faces)} pictures are there already; give others")
        if not anyway:
            _refuse_somebody_else_s(current, name, new)
        embeddings = _stacked(embed, new)
        person = Person.of(name, embeddings, [face.digest for face in new], consent=consent)
        try:
            if keep:
                self.kept.keep(new)
            after = self._change(lambda people: people.add(person, join=more))
        except BadInput:
            self.kept.remove_unused(current)
            raise
        trial = tried_out(
            after, name, embeddings, self._cohort, self._scale, self.policy, self.bundle.info.policy.zones, former
        )
        found = report_on(after, self._cohort[0], self._scale, self.policy.threshold)
        shown = after.person(name).name
        return Added(
            shown,
            len(new),
            len(faces) - len(new),
            trial,
            found.of(shown),
        )

    def checked_new(self, name: str, *, more: bool = False) -> str:
        """The name as it is kept.

        Raises:
            BadInput: it is none, it is taken, or with ``more`` it is nobody's.
        """
        name = checked_name(name)
        former = self.gallery().find(name)
        if more and former is None:
            self.gallery().person(name)  # raises
        _refuse_taken(former, more=more)
        return name if former is None else former.name

    def remove_picture(self, name: str, digest: str) -> Gallery:
        """Take one picture of a person out. Their means lose it only as far as the whole face's vector says.

        Raises:
            BadInput: nobody has that name, there is no such picture, or it is the only one.
        """
        after = self._change(lambda people: people.without_picture(name, digest))
        self.kept.remove_unused(after)
        return after

    def remove(self, *names: str, for_good: bool = False) -> Gallery:
        """Remove people, their vectors and kept crops; ``for_good``: from every state kept for undo too.

        Raises:
            BadInput: nobody has one of the names.
        """

        def without(people: Gallery) -> Gallery:
            for name in names:
                people = people.remove(name)
            return people

        if for_good:
            if not self.store.path.exists():
                self._change(lambda people: people)
            for name in names:
                after = self.store.purge(name)
        else:
            after = self._change(without)
        self.kept.remove_unused(after)
        return after

    def rename(self, name: str, new: str) -> Gallery:
        """Raises ``BadInput`` as ``Gallery.rename``."""
        return self._change(lambda people: people.rename(name, new))

    def merge(self, name: str, *others: str) -> Gallery:
        """Raises ``BadInput`` as ``Gallery.merge``."""
        return self._change(lambda people: people.merge(name, *others))

    def undo(self) -> Gallery:
        """Raises ``BadInput`` where there is nothing to undo."""
        if not self.store.path.exists():
            raise BadInput(f"{self.store.path}: nothing was changed yet; there is nothing to undo")
        return self.store.undo()

    def take_in(self, others: Gallery, where: str, *, join: bool = False) -> Gallery:
        """Everybody of another gallery.

        Raises:
            BadInput: it was made with another network or cover, or somebody is there already (``join``: adds to them).
        """
        self.bundle.check_gallery(others, where)

        def with_them(people: Gallery) -> Gallery:
            for person in others.people:
                people = people.add(person, join=join)
            return people

        return self._change(with_them)

    def refresh(self, embed: Embed) -> tuple[list[str], list[str]]:
        """Make everybody of a gallery of another network or cover anew from their kept crops.

        Returns:
            the names that were made anew, and those of whom no crop is kept: they are gone (``undo`` has them).

        Raises:
            BadInput: nobody has kept crops.
        """
        done: list[Person] = []
        lost: list[str] = []
        for person in self.store.read().people:
            crops, digests = self.kept.crops(person)
            if not digests:
                lost.append(person.name)
                continue
            day, consent = date.fromisoformat(person.added[:10]), person.consent
            done.append(Person.of(person.name, embed(crops), digests, added=day, consent=consent))
        if not done:
            raise BadInput(f"{self.store.path}: no pictures were kept of anybody; add the people again")
        empty = self._empty()
        self.store.change(lambda people: replace(empty, people=tuple(done)))
        return [person.name for person in done], lost

    def _change(self, change: Callable[[Gallery], Gallery]) -> Gallery:
        def checked(people: Gallery) -> Gallery:
            self.bundle.check_gallery(people, str(self.store.path))
            return change(people)

        return self.store.change(checked, start=self._start)

    def _start(self) -> Gallery:
        return self._empty() if self._from_scratch else self._embedded

    def _empty(self) -> Gallery:
        return Gallery((), self.bundle.checksum, self.bundle.cover, self._embedded.views)


def _refuse_taken(former: Person | None, *, more: bool) -> None:
    if former is not None and not more:
        raise BadInput(f"{former.name}: is there already; add pictures to them with --more, or give another name")


def _without_repeats(faces: Iterable[GoodFace], former: Person | None) -> list[GoodFace]:
    """Each picture once, and none that the person has."""
    seen = set(former.digests if former is not None else ())
    kept = []
    for face in faces:
        if face.digest not in seen:
            seen.add(face.digest)
            kept.append(face)
    return kept


def _refuse_somebody_else_s(people: Gallery, name: str, faces: Sequence[GoodFace]) -> None:
    """The same pictures under two names halve the probability of both, and then neither is known."""
    given = {face.digest for face in faces}
    for person in people.people:
        if given <= set(person.digests):
            raise BadInput(
                f"{name}: all {len(faces)} pictures are {person.name}'s already; rename or merge {person.name}, or add"
                " them with --anyway"
            )


def _stacked(embed: Embed, faces: Sequence[GoodFace]) -> Floats:
    return embed(np.stack([face.crop for face in faces]))
