"""What all tests share."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from models.bundle import Bundle
from realtime.system.threads import thread_budget, usable_cores

sys.path.insert(0, str(Path(__file__).parent / "models"))


def pytest_configure(config: pytest.Config) -> None:
    """Where the environment forbids compiled files beside the sources, they go to pytest's own cache folder.

    Without them every process that a test starts compiles torch and all else anew, which takes longer than the tests.
    """
    if sys.dont_write_bytecode and getattr(config, "cache", None) is not None:
        sys.pycache_prefix = str(config.cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow files come first: one that begins last would leave the other cores without work."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module")
def untried() -> Iterator[None]:
    """Engine ``auto`` is the default one at once: no other is tried in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.engines.registry.candidates", lambda bundle: [])
        patch.setattr("models.engines.registry._explaining", list)
        yield


@pytest.fixture(scope="module")
def narrow(untried: None) -> Iterator[None]:
    """VGG16 with a quarter of its channels: for tests of what happens around the network, at a tenth of the time.

    In this process only: what others load must have its ordinary width.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.network.architecture.BLOCKS", ((2, 16), (2, 32), (3, 64), (3, 128), (3, 128)))
        yield


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with random weights: the real code on a net that runs in milliseconds."""
    from small_bundle import make_small_bundle

    return make_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="session")
def small_gallery_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with a gallery in the place of a closed set."""
    from small_bundle import make_small_gallery_bundle

    return make_small_gallery_bundle(tmp_path_factory.mktemp("bundle") / "gallery")


@pytest.fixture(scope="module")
def narrow_bundle(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """``small_bundle`` with a quarter of its channels."""
    from small_bundle import make_small_bundle

    return make_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def narrow_gallery_bundle(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """``small_gallery_bundle`` with a quarter of its channels."""
    from small_bundle import make_small_gallery_bundle

    return make_small_gallery_bundle(tmp_path_factory.mktemp("bundle") / "gallery")


@pytest.fixture(scope="module")
def open_chrome() -> Iterator[Callable[..., Any]]:
    """Opens headless Chromiums, as ``tools.maintain.screenshot.open_browser``; without one the test is skipped."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    from models.errors import BadInput
    from tools.maintain.screenshot import open_browser

    opened: list[Any] = []

    def chrome(width: int, height: int, more: Sequence[str] = ()) -> Any:
        try:
            opened.append(open_browser(width, height, more=more))
        except BadInput as missing:
            pytest.skip(str(missing))
        return opened[-1]

    yield chrome
    for browser in opened:
        browser.quit()


@pytest.fixture(scope="module")
def chrome(open_chrome: Callable[..., Any]) -> Any:
    """A headless Chromium of a desktop's size."""
    return open_chrome(1280, 900)


@pytest.fixture(autouse=True)
def own_people(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own people are known to a test, and none of its are left."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("SPECTACLEAR_DATA", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_cores() -> None:
    """Workers of pytest share the cores: torch takes those of one, and what a test asks for ends with the test."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(max(1, usable_cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What tests derive from a bundle goes to a folder of their own, not to the user's cache; workers share it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECTACLEAR_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tried(own_cache: Path) -> None:
    """The default bundle's engines were tried for a run, by one worker: the others wait and find that in the cache."""
    from filelock import FileLock

    from models.bundle import load_bundle
    from models.engines.registry import engines_for

    own_cache.mkdir(parents=True, exist_ok=True)
    with FileLock(own_cache / "tried.lock"):
        engines_for(load_bundle(), threads=thread_budget().inference)
