"""What comes from outside gives a result or one clear line, never another error: found by random search.

A few hundred cases here; ``SPECTACLEAR_FUZZ=10000 pytest tests/test_untrusted_input.py`` looks at 10,000 of each kind.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import zlib
from pathlib import Path
from urllib.parse import quote, urlsplit

import cv2
import numpy as np
import onnx
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from models.bundle import CLASSIFIER, DESCRIPTION, Bundle, load_bundle
from models.errors import BadInput
from models.graphs.builder import read_weights
from realtime.cameras.address import parse_address
from realtime.cameras.open import is_file
from realtime.people.photo import MAX_PIXELS, read_photo
from realtime.settings.config import Config, load_config
from realtime.system.redact import forget_secrets, redact

CASES = int(os.environ.get("SPECTACLEAR_FUZZ", "150"))
search = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


def one_line(error: BadInput) -> str:
    assert str(error)
    assert "\n" not in str(error)
    return str(error)


# -- configurations: shipped ones with values replaced, so that the search gets past the first check --

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("${HOME}")
_trees = st.recursive(
    _scalars, lambda kids: st.lists(kids, max_size=3) | st.dictionaries(st.text(max_size=8), kids, max_size=3)
)
_paths = [(section, key) for section, field in Config.model_fields.items() if section != "cameras"
          for key in field.annotation.model_fields]  # fmt: skip


@search
@given(st.dictionaries(st.sampled_from(_paths), _trees, max_size=4), st.lists(_trees, max_size=2))
def test_any_value_of_any_setting_loads_or_is_one_line(tmp_path: Path, changes, cameras) -> None:
    content: dict = {"cameras": cameras} if cameras else {}
    for (section, key), value in changes.items():
        content.setdefault(section, {})[key] = value
    path = tmp_path / "fuzz.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    try:
        assert isinstance(load_config(path), Config)
    except BadInput as error:
        one_line(error)


@search
@given(st.text(st.characters(codec="utf-8"), max_size=200) | st.text("{}[]&*!|>%@`'\",:-? \n\t#ab01", max_size=80))
def test_any_text_as_a_configuration_loads_or_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(text.encode())
    try:
        assert isinstance(load_config(path), Config)
    except BadInput as error:
        one_line(error)


# -- addresses --

_schemes = st.sampled_from(["rtsp", "RTSP", "http", "https", "rtsps"])
_odd = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
_hosts = st.sampled_from(["camera.local", "10.0.0.7", "localhost", "[::1]", "cam"])


@search
@given(_schemes, st.text(max_size=60))
def test_any_address_is_read_or_is_one_line(scheme: str, rest: str) -> None:
    source = f"{scheme}://{rest}"
    is_file(source)
    try:
        address = parse_address(source)
    except BadInput as error:
        one_line(error)
    else:
        assert urlsplit(address.url).scheme == scheme.lower()
        assert urlsplit(address.url).hostname


@search
@given(_schemes, _odd, _hosts, st.integers(1, 65535), _odd)
def test_any_password_is_hidden_and_reaches_the_camera(scheme: str, word: str, host: str, port: int, path: str) -> None:
    """Marked at both ends, so that a piece of it cannot be mistaken for a piece of the host."""
    forget_secrets()
    password = f"qX9{word}9Xq"
    path = quote(path, safe="")  # what is ambiguous in the path is another test's matter
    source = f"{scheme}://admin:{password}@{host}:{port}/{path}"
    address = parse_address(source)
    for text in (address.shown, repr(address), redact(source), redact(f"x {address.url} y"), str(address)):
        assert "qX9" not in text
        assert "9Xq" not in text
    parts = urlsplit(address.url)
    assert parts.hostname is not None
    assert parts.hostname == host.strip("[]")
    assert parts.port == port


# -- bundles: whoever changes a description can also make its checksum right --


@pytest.fixture(scope="module")
def described(small_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A folder with the small bundle's weights, and a good description of them."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copy(small_bundle.classifier_path, folder / CLASSIFIER)
    content = yaml.safe_load((small_bundle.folder / DESCRIPTION).read_text())
    content.pop("checksum")
    return folder, content


def describe(folder: Path, content: dict) -> None:
    text = json.dumps(content, sort_keys=True, default=str)
    signed = (
        {**content, "checksum": hashlib.sha256(text.encode()).hexdigest()} if isinstance(content, dict) else content
    )
    (folder / DESCRIPTION).write_text(yaml.safe_dump(signed, sort_keys=False, allow_unicode=True), encoding="utf-8")


def test_the_good_description_is_read(described) -> None:
    describe(*described)
    assert load_bundle(described[0]).info.name == "small"


_keys = ["name", "labels", "input_size", "hidden", "trunk", "defence", "policy", "calibration", "sha256", "format"]
_keys += ["trunk.mean", "trunk.scale", "trunk.channel_order", "defence.threshold", "defence.kernel", "defence.fill"]
_keys += ["defence.iterations", "defence.min_area", "defence.percentile", "policy.threshold", "another"]
_files = st.dictionaries(
    st.text(max_size=12) | st.sampled_from(["../secret", "/etc/passwd", "a/../b", CLASSIFIER, "..", "", "\0"]),
    st.text("0123456789abcdef", max_size=64),
    max_size=3,
)


_near = st.integers(-2, 40) | st.floats(-2, 300) | st.lists(st.floats(-10, 400), min_size=3, max_size=3)


@search
@given(st.dictionaries(st.sampled_from(_keys), _trees | _files | _near, max_size=3))
@example({"defence.kernel": 2})
@example({"trunk.mean": [float("nan")] * 3})
@example({"trunk.mean": [300.0, 1.0, 1.0]})
@example({"hidden": 1_000_000})
@example({"labels": ["A", "B", "C", "D", "E"]})
@example({"sha256": {"a\0b": "0"}})
def test_any_signed_description_gives_a_bundle_or_one_line(described, changes) -> None:
    folder, good = described
    content = json.loads(json.dumps(good))
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if name and isinstance(content.get(section), dict):
            content[section][name] = value
        else:
            content[section] = value
    describe(folder, content)
    try:
        bundle = load_bundle(folder)
    except BadInput as error:
        one_line(error)
    else:
        assert set(bundle.info.sha256) == {CLASSIFIER}
        assert 32 <= bundle.info.input_size <= 1024
        bundle.info.defence.parameters  # noqa: B018 (would raise)
        assert all(0 <= level <= 255 for level in bundle.info.trunk.spec.fill_rgb)
        assert bundle.torch_model().classes == len(bundle.info.labels)


@pytest.fixture(scope="module")
def graph() -> bytes:
    arrays = {
        "a.int8": np.ones((4, 3), np.int8),
        "a.scale": np.ones((4, 1), np.float32),
        "a.bias": np.ones(4, np.float32),
    }
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])]
    return bytes(helper.make_model(helper.make_graph([], "g", [], outputs, tensors)).SerializeToString())


def read_graph(content: bytes) -> dict:
    """The weights; none where there is an error, which ``Bundle.torch_model`` turns into one line."""
    try:
        return read_weights(onnx.ModelProto.FromString(content))
    except MemoryError:
        raise AssertionError("a small graph asked for more memory than there is") from None
    except Exception:
        return {}


@search
@given(st.data())
def test_a_damaged_graph_gives_weights_of_bounded_size_or_an_error(graph: bytes, data) -> None:
    content = bytearray(graph)
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(graph) - 1), st.integers(0, 255)), max_size=8)):
        content[place] = byte
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    weights = read_graph(bytes(content))
    assert sum(array.nbytes for array in weights.values()) <= 16 * len(graph)


@pytest.mark.parametrize("shape", [(1, 1000), (4, 1000), (2, 4, 3), (5, 1), ()])
def test_a_scale_that_would_widen_its_weights_is_refused(graph: bytes, shape) -> None:
    proto = onnx.ModelProto.FromString(graph)
    proto.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.ones(shape, np.float32), "a.scale"))
    if shape == ():
        assert read_weights(proto)["a"].shape == (4, 3)
    else:
        with pytest.raises(BadInput, match="no scale that fits"):
            read_weights(proto)


# -- pictures --

_suffixes = (".jpg", ".png", ".bmp", ".tiff", ".webp")


@pytest.fixture(scope="module")
def encoded() -> dict[str, bytes]:
    picture = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    return {suffix: cv2.imencode(suffix, picture)[1].tobytes() for suffix in _suffixes}


@search
@given(st.sampled_from(_suffixes), st.data())
def test_any_damaged_picture_is_read_or_is_one_line(tmp_path: Path, encoded, suffix: str, data) -> None:
    content = bytearray(encoded[suffix])
    near_the_head = st.integers(0, min(80, len(content) - 1)) | st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.lists(st.tuples(near_the_head, st.integers(0, 255)), max_size=6)):
        content[place] = byte
    content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    try:
        picture = read_photo(path)
    except BadInput as error:
        one_line(error)
    else:
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert 0 < picture.shape[0] * picture.shape[1] <= MAX_PIXELS


@pytest.mark.parametrize("suffix", _suffixes)
def test_a_whole_picture_is_read(tmp_path: Path, encoded, suffix: str) -> None:
    (tmp_path / f"good{suffix}").write_bytes(encoded[suffix])
    assert read_photo(tmp_path / f"good{suffix}").shape == (24, 40, 3)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    """30,000 x 30,000 black pixels are 2.7 GB, and compress to a few megabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(90_001 * 10), 9)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    with pytest.raises(BadInput, match="100 million pixels"):
        read_photo(tmp_path / "bomb.png")
