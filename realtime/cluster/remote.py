"""A recogniser that runs elsewhere, as the pipeline sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from models.arrays import Bools, Bytes
from models.crop.zones import Zone
from models.evidence import CropEvidence, Evidence, Explaining
from models.policy import Policy
from realtime.cluster.wire import Answer, Explained, bare, unpacked
from realtime.recogniser import Unanswered

APPLICATION, DEPLOYMENT = "spectaclear", "recogniser"
PATIENCE = 8.0  # seconds: what is answered later says nothing of a face that moves
_OF_EXPLAINING = 20.0
_PAUSE = 0.2  # seconds, where there is nobody to ask


@dataclass(frozen=True)
class Known:
    """What does not change about the recognisers of a cluster; see ``models.Recogniser``. ``batch``: crops per pass."""

    policy: Policy
    zones: tuple[Zone, ...]
    input_size: int
    engine: str
    batch: int


@dataclass(frozen=True)
class Asking:
    """How the others are asked. Both raise ``Unanswered``."""

    defend: Callable[[Bytes, Bools | None, Explaining], Answer]
    explain: Callable[[Bytes, CropEvidence], Explained]


class RemoteRecogniser:
    """``FaceRecogniser`` whose crops travel; frames do not."""

    def __init__(self, known: Known, asking: Asking) -> None:
        self.policy = known.policy
        self.zones = known.zones
        self._known, self._asking = known, asking

    @property
    def input_size(self) -> int:
        """The side of a crop in pixels."""
        return self._known.input_size

    @property
    def engine(self) -> str:
        """What the others run."""
        return self._known.engine

    def defend(
        self,
        crops: Bytes,
        *,
        quick: bool = True,
        looked: Bools | None = None,
        explaining: Explaining = "alarms",
        stage_ms: dict[str, float] | None = None,
    ) -> Evidence:
        """See ``FaceRecogniser``; it is always quick. ``stage_ms`` gets ``elsewhere``: the way there and back too."""
        started = time.perf_counter()
        evidence = unpacked(self._asking.defend(crops, looked, explaining), crops)
        if stage_ms is not None:
            stage_ms["elsewhere"] = (time.perf_counter() - started) * 1e3
        return evidence

    def explain(self, crop: Bytes, found: CropEvidence) -> CropEvidence:
        """See ``FaceRecogniser``."""
        one = self._asking.explain(crop, bare(found))
        return replace(found, saliency=one.saliency, mask=one.mask, masked_crop=one.masked_crop)


def asking_serve() -> Asking:
    """Asks the deployment of this cluster, from one of its processes."""
    from ray import serve

    handle = serve.get_deployment_handle(DEPLOYMENT, APPLICATION)

    def ask(method: str, patience: float, *given: Any) -> Any:
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        answer = getattr(handle, method).remote(*given)
        try:
            return answer.result(timeout_s=patience)
        except TimeoutError:
            answer.cancel()  # nobody waits for it any more: it must not hold up what came after it
            raise Unanswered("no answer in time") from None
        except Unanswered as overtaken:
            raise Unanswered(str(overtaken)) from None
        except RayTaskError as error:
            if isinstance(error.cause, Unanswered):
                raise Unanswered(str(error.cause)) from None
            raise
        except (RayError, RayServeException):
            time.sleep(_PAUSE)
            raise Unanswered("the recogniser went away") from None

    return Asking(
        lambda crops, looked, explaining: ask("defend", PATIENCE, crops, looked, explaining),
        lambda crop, found: ask("explain", _OF_EXPLAINING, crop, found),
    )
