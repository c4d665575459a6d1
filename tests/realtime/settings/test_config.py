"""Mistakes in a configuration: one line with file, key, what was found and what is allowed."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import BadInput
from realtime.assembly import service_settings
from realtime.cameras.address import parse_address
from realtime.settings.config import Config, find_config, load_config, shipped_configs
from realtime.system.redact import forget_secrets


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_secrets()
    yield
    forget_secrets()


@pytest.fixture
def mistake(tmp_path):
    def check(text):
        path = tmp_path / "my.yaml"
        path.write_text(text)
        with pytest.raises(BadInput) as caught:
            load_config(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return message.removeprefix(f"{path}: ")

    return check


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("verdict: {windw: 8}", "verdict.windw: unknown key; did you mean 'window'?"),
        ("record: {zzz: 8}", "record.zzz: unknown key; allowed are file, fps"),
        ("verdict: {window: eight}", "verdict.window: found 'eight', expected a whole number from 1 to 100"),
        ("verdict: {window: true}", "verdict.window: found true, expected a whole number from 1 to 100"),
        ("verdict: {window: 8.5}", "verdict.window: found 8.5, expected a whole number from 1 to 100"),
        ("verdict: {confidence: 1.5}", "verdict.confidence: found 1.5, expected a number from 0 to 1"),
        ("verdict: {max_age: 0}", "verdict.max_age: found 0, expected a number above 0 to 60"),
        ("overlay: {thumbnails: maybe}", "overlay.thumbnails: found 'maybe', expected true or false"),
        ("detection: {detector: mtccn}", "detection.detector: found 'mtccn', expected one of mtcnn, yunet"),
        ("detection: 5", "detection: found 5, expected keys with values"),
        ("detection:", "detection: found nothing, expected keys with values"),
        ("cameras: {name: a}", "cameras: found keys with values, expected a list of at least 1 of at most 64"),
        ("cameras: []", "cameras: found a list of 0, expected a list of at least 1 of at most 64"),
        ("cameras: [{nmae: a}]", "cameras.0.nmae: unknown key; did you mean 'name'?"),
        ("defence: {kernel: 4}", "defence.kernel: found 4, expected one of 1, 3, 5, 7, 9"),
        ("[1, 2]", "found a list of 2 at the top, expected keys with values, such as 'cameras:'"),
        ("verdict: {window: 3, window: 4}", "is no valid YAML in line 1: the key 'window' is given twice"),
        ("verdict: {window: 4}", "verdict: agreement is 5, more than the window of 4; lower it"),
        (
            "detection: {detector: yunet}",
            "detection: detector is yunet, but yunet_file is not given; name the .onnx file",
        ),
        (
            "web: {certificate: a.pem}",
            "web: certificate is given without key, and https needs both; give key too",
        ),
        (
            "web: {key: a.pem, certificate: ''}",
            "web: key is given without certificate, and https needs both; give certificate too",
        ),
        ("mqtt: {topic: ''}", "mqtt.topic: found '', expected text of at least 1 character"),
        ("cameras: [{}, {}]", "cameras: 2 cameras are named 'camera'; give each its own name"),
        ("on: 1", "on: unknown key; allowed are " + ", ".join(Config.model_fields)),
        (
            "verdict: {window: 0, confidence: 2}",
            "verdict.window: found 0, expected a whole number from 1 to 100 (and 1 more)",
        ),
    ],
)
def test_a_mistake_is_one_line(mistake, text, expected):
    assert mistake(text) == expected


def test_broken_yaml_names_the_line(mistake):
    assert mistake("verdict:\n  window: [1\n").startswith("is no valid YAML in line 3: ")


def test_a_wrong_value_is_shown_without_credentials(mistake):
    assert "hunter22" not in mistake("cameras: [{name: 'rtsp://u:hunter22@h/'}]")


@pytest.mark.parametrize("key", ["web.token", "webhook.secret", "mqtt.password"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("93847561", "found a value without quotes (not shown), expected text"),
        ("010", "found a value without quotes (not shown), expected text"),
        *[
            (value, "is no valid YAML in line 2: a value that begins with &, * or ! needs quotes")
            for value in ("*hunter2", "!hunter2", "!!int hunter2", "!!timestamp hunter2", "!!bool hunter2", "&hunter2")
        ],
    ],
)
def test_a_secret_that_is_no_text_is_never_shown(mistake, key, value, found):
    section, name = key.split(".")
    message = mistake(f"{section}:\n  {name}: {value}\n")
    assert found in message
    assert value not in message
    assert "hunter2" not in message


def test_a_token_that_is_too_short_is_not_shown_and_its_length_is_said(mistake):
    assert mistake("web: {token: hunter2secret}") == (
        "web.token: found text (not shown), expected text of at least 16 characters"
    )


def test_secrets_reach_the_parts_that_need_them_and_no_representation(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(
        "events: {folder: e}\nweb: {enabled: true, token: hunter2-hunter2-hunter2}\n"
        "webhook: {url: 'http://h/', secret: hunter2}\nmqtt: {host: h, user: a, password: hunter2}\n"
    )
    config = load_config(path)
    assert "hunter2" not in repr(config)
    settings = service_settings(config)
    assert settings.page.token == "hunter2-hunter2-hunter2"
    webhook, mqtt = (settings.deliveries[name] for name in ("webhook", "mqtt"))
    assert (webhook._secret, mqtt._new_client()._password) == ("hunter2", b"hunter2")


def test_credentials_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CAM_PASSWORD", "p@ss/w:o%rd")
    path = tmp_path / "a.yaml"
    path.write_text("cameras: [{source: 'rtsp://admin:${CAM_PASSWORD}@10.0.0.7:554/x'}]")
    source = load_config(path).cameras[0].source
    assert source == "rtsp://admin:p%40ss%2Fw%3Ao%25rd@10.0.0.7:554/x"
    assert parse_address(source).url == source
    assert parse_address(source).shown == "rtsp://***@10.0.0.7:554/x"


def test_a_whole_source_from_the_environment_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CAM_URL", "rtsp://a:b@h/x")
    path = tmp_path / "a.yaml"
    path.write_text("cameras: [{source: '${CAM_URL}'}]")
    assert load_config(path).cameras[0].source == "rtsp://a:b@h/x"


def test_sources_that_are_not_opened_need_no_environment_and_everything_else_does(tmp_path, monkeypatch):
    for name in ("CAMERA_USER", "CAMERA_PASSWORD", "CAMERA_HOST", "TOKEN"):
        monkeypatch.delenv(name, raising=False)
    config = load_config("cctv", sources=False).with_source("clip.mp4")
    assert (config.cameras[0].name, config.cameras[0].read_timeout) == ("entrance", 2)
    path = tmp_path / "a.yaml"
    path.write_text("cameras: [{source: 'rtsp://${CAMERA_HOST}/x'}]\nweb: {token: '${TOKEN}'}")
    with pytest.raises(BadInput, match=r"web\.token: the environment variable TOKEN is not set"):
        load_config(path, sources=False)


def test_an_escaped_placeholder_stays(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("record: {file: '$${HOME}.mp4'}")
    assert load_config(path).record.file == str(tmp_path / "${HOME}.mp4")


@pytest.mark.parametrize(("value", "trouble"), [(None, "is not set"), ("", "is empty")])
def test_a_missing_environment_variable_is_named(mistake, monkeypatch, value, trouble):
    monkeypatch.delenv("CAM_X", raising=False)
    if value is not None:
        monkeypatch.setenv("CAM_X", value)
    message = mistake("cameras: [{source: 'rtsp://u:${CAM_X}@h/'}]")
    assert message == f"cameras.0.source: the environment variable CAM_X {trouble}; set it before starting"


def test_a_number_as_source_means_a_webcam(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("cameras: [{source: 2}]")
    assert load_config(path).cameras[0].source == "2"


def test_an_empty_file_and_no_file_give_the_defaults(tmp_path):
    (tmp_path / "a.yaml").write_text("")
    assert load_config(tmp_path / "a.yaml") == load_config(None) == Config()


def test_every_field_says_what_it_is_for():
    schema = Config.model_json_schema()
    for name, section in schema["$defs"].items():
        for key, field in section["properties"].items():
            assert field.get("description"), f"{name}.{key}"


def test_every_shipped_configuration_loads(monkeypatch):
    for name in ("CAMERA_USER", "CAMERA_PASSWORD", "CAMERA_HOST"):
        monkeypatch.setenv(name, "x")
    assert set(shipped_configs()) >= {"webcam", "cctv", "published_method"}
    for name in shipped_configs():
        assert load_config(name).cameras


@pytest.mark.parametrize("name", ["webcam", "webcam.yaml", "configs/webcam.yaml"])
def test_a_shipped_configuration_is_found_from_anywhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert find_config(name).name == "webcam.yaml"


@pytest.mark.parametrize("password", ["geheim99 #1", "geheim99\t#1", "99 #1"])
def test_an_address_that_yaml_would_cut_is_refused_and_not_shown(mistake, password):
    found = mistake(f"cameras:\n  - source: rtsp://admin:{password}@192.168.1.20/x\n")
    assert found == "an address is cut at ' #', where a comment begins; put the whole address in quotes"


def test_a_password_with_a_sharp_sign_in_quotes_is_whole(tmp_path):
    (tmp_path / "a.yaml").write_text("cameras: [{source: 'rtsp://admin:geheim99%20#1@10.0.0.7/x'}]  # mail me@home")
    source = load_config(tmp_path / "a.yaml").cameras[0].source
    assert parse_address(source).url == "rtsp://admin:geheim99%20%231@10.0.0.7/x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("events: {max_age_days: 1:30}", "events.max_age_days: found '1:30', expected a number above 0 to 3650"),
        ("mqtt: {topic: 010}", "mqtt.topic: found 10, expected text of at least 1 character; put it in quotes"),
        ("web: {host: ~}", "web.host: found nothing, expected text of at least 1 character"),
        ("overlay: {landmarks: yes}", "overlay.landmarks: found 'yes', expected true or false"),
    ],
)  # fmt: skip
def test_what_yaml_takes_for_something_else_is_said(mistake, text, expected):
    assert mistake(text) == expected


def test_numbers_and_words_mean_what_they_look_like(tmp_path):
    (tmp_path / "a.yaml").write_text("web: {port: 010}\ncameras: [{name: no}]\nrecord: {file: ~}\nmqtt: {user: 1:30}")
    config = load_config(tmp_path / "a.yaml")
    assert (config.web.port, config.cameras[0].name, config.record.file, config.mqtt.user) == (10, "no", None, "1:30")


def test_relative_paths_lie_beside_the_file_and_a_tilde_is_the_home(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "site" / "clip").write_bytes(b"")
    (tmp_path / "site" / "a.yaml").write_text(
        "cameras: [{name: a, source: clips/x.mp4}, {name: b, source: x.mp4}, {name: c, source: clip}]\n"
        "detection: {yunet_file: yunet.onnx}\nrecognition: {bundle: mine}\nrecord: {file: ../seen.mp4}\n"
        "output: {json_file: /tmp/out.json}\nevents: {folder: ~/events}\nweb: {certificate: c.pem, key: k.pem}\n"
    )
    config = load_config("../site/a.yaml")
    named = [*(camera.source for camera in config.cameras), config.detection.yunet_file, config.recognition.bundle]
    named += [config.web.certificate, config.web.key, config.record.file]
    expected = ["clips/x.mp4", "x.mp4", "clip", "yunet.onnx", "mine", "c.pem", "k.pem", "../seen.mp4"]
    assert [os.path.realpath(name) for name in named] == [os.path.realpath(tmp_path / "site" / e) for e in expected]
    assert config.output.json_file == "/tmp/out.json"
    assert config.events.folder == str(tmp_path / "home" / "events")


@pytest.mark.parametrize("source", ["0", "demo", "rtsp://cam/x.mp4", "/dev/video0", "/clips/x.mp4"])
def test_a_source_that_is_no_relative_path_stays(tmp_path, source):
    (tmp_path / "a.yaml").write_text(f"cameras: [{{source: {source}}}]\nrecognition: {{bundle: plain}}")
    config = load_config(tmp_path / "a.yaml")
    assert (config.cameras[0].source, config.recognition.bundle) == (source, "plain")


def test_an_unknown_configuration_names_the_shipped_ones():
    with pytest.raises(
        BadInput, match=r"nowhere\.yaml: there is no such configuration.*cctv, published_method, webcam"
    ):
        load_config("nowhere.yaml")


def test_the_published_parameters_are_those_of_the_method_at_112():
    from models.saliency_mask import MaskParameters

    published = load_config("published_method")
    assert MaskParameters(**published.defence.overrides()) == MaskParameters.published(112)
    assert (published.recognition.bundle, published.defence.zones) == ("plain", [])


def test_a_source_given_by_hand_replaces_all_cameras():
    config = load_config("webcam").with_source("clip.mp4", every_frame=True)
    assert [(c.source, c.every_frame, c.width) for c in config.cameras] == [("clip.mp4", True, 1280)]


def test_a_bomb_of_aliases_is_refused(mistake):
    levels = ["a: &a [1,1,1,1,1,1,1,1,1]"] + [
        f"{n}: &{n} [{','.join('*' + p for _ in range(9))}]" for p, n in zip("abcdef", "bcdefg", strict=True)
    ]
    assert "more values" in mistake("\n".join(levels))


def test_deep_nesting_is_refused(mistake):
    assert mistake("[" * 5000) != ""


def _outcome(path):
    try:
        load_config(path)
    except BadInput as error:
        return str(error)
    return ""


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_trees = st.recursive(
    _scalars, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=10), c, max_size=3)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*Config.model_fields, "x"]), _trees, max_size=3) | _trees)
def test_any_yaml_loads_or_is_one_line(tmp_path, tree):
    import yaml

    path = tmp_path / "fuzz.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    assert "\n" not in _outcome(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_load_or_are_one_line(tmp_path, content):
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(content)
    assert "\n" not in _outcome(path)
