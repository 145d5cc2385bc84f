# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's configuration files: read leniently, one field changed and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.client_config import (
    ClientConfig,
    ClusterConfig,
    ConfigError,
    Logging,
    read_sdk3_address,
    read_sdk5,
    with_hsm_type,
)

CA = "C:\\ProgramData\\Amazon\\CloudHSM\\customerCA.crt"
FULL = {
    "clusters": [
        {
            "type": "hsm1",
            "cluster": {
                "hsm_ca_file": CA,
                "servers": [
                    {"hostname": "10.0.1.17", "port": 2223, "enable": True},
                    {"hostname": "10.0.2.23", "port": 2223, "enable": True},
                    {"hostname": "10.0.3.99", "port": 2223, "enable": False},
                ],
                "options": {"disable_key_availability_check": True},
            },
        }
    ],
    "logging": {"log_type": "file", "log_file": "C:\\x.log", "log_level": "info", "log_interval": "daily"},
}


def encoded(data: object, **style: object) -> bytes:
    return json.dumps(data, **style).encode()  # type: ignore[arg-type]


def test_reads_what_the_configure_tools_write() -> None:
    assert read_sdk5(encoded(FULL)) == ClientConfig(
        (ClusterConfig(("10.0.1.17", "10.0.2.23"), "hsm1", CA, False),),
        None,
        None,
        Logging("file", "C:\\x.log", "info", "daily"),
    )


@pytest.mark.parametrize(
    ("data", "config"),
    [
        ({}, ClientConfig()),
        ({"clusters": []}, ClientConfig()),
        ({"clusters": [{}]}, ClientConfig((ClusterConfig(),))),
        ({"clusters": [{"type": 5, "cluster": []}]}, ClientConfig((ClusterConfig(),))),
        (
            {"clusters": [{"type": "hsm9", "cluster": {"servers": ["x", {"hostname": ""}]}}]},
            ClientConfig((ClusterConfig((), "hsm9"),)),
        ),
        ({"enable_sdk3_compatibility_mode": True}, ClientConfig((), True)),
        ({"ksp": {"SDK3_Compatibility": False}}, ClientConfig((), False)),
        ({"list": [{"disable_sdk3_compatibility_mode": False}]}, ClientConfig((), True)),
        ({"sdk3_compatibility_mode": "maybe"}, ClientConfig((), None)),
        ({"retry_policy": {"mode": "off"}}, ClientConfig((), None, "off")),
        (
            {"clusters": [], "options": [{"default_retry_mode": "standard"}]},
            ClientConfig((), None, "standard"),
        ),
        ({"retry": "sometimes", "mode": "off"}, ClientConfig()),
        ({"logging": "no"}, ClientConfig()),
        (
            {"clusters": [{"cluster": {"a": configure.TLS_KEY.upper(), "b": [configure.TLS_CERTIFICATE]}}]},
            ClientConfig((ClusterConfig(tls=True),)),
        ),
        ({"clusters": [{"cluster": {"a": configure.TLS_KEY}}]}, ClientConfig((ClusterConfig(),))),
        (
            {"clusters": [{"cluster": {"servers": [{"hostname": "2001:DB8:0::17"}]}}]},
            ClientConfig((ClusterConfig(("2001:db8::17",)),)),
        ),
    ],
)
def test_what_a_file_does_not_say_is_unknown(data: dict, config: ClientConfig) -> None:
    assert read_sdk5(encoded(data)) == config


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (encoded(FULL)[:-20], "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"clusters": {}}', "'clusters' is no list"),
        (b'{"clusters": ["x"]}', "'clusters' is no list of objects"),
        (b"\xff\xfe{\x00}\x00", "no UTF-8"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_damage_is_said(content: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_sdk5(content)


@pytest.mark.parametrize(
    ("data", "address"),
    [
        ({"client": {}, "server": {"hostname": "10.0.1.17", "port": 2223}}, "10.0.1.17"),
        ({"server": {"hostname": ""}}, None),
        ({"server": ["10.0.1.17"]}, None),
        ({}, None),
    ],
)
def test_sdk3_address(data: dict, address: str | None) -> None:
    assert read_sdk3_address(encoded(data)) == address


def test_the_type_is_the_only_byte_that_changes() -> None:
    before = encoded(FULL, indent=4).replace(b"\n", b"\r\n")
    after = with_hsm_type(b"\xef\xbb\xbf" + before, 0, "hsm2m")
    assert after == b"\xef\xbb\xbf" + before.replace(b'"type": "hsm1"', b'"type": "hsm2m"')


@pytest.mark.parametrize("index", [0, 1, 2, 3])
@pytest.mark.parametrize("style", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_the_type_of_one_of_several_clusters(index: int, style: dict) -> None:
    clusters = [
        {"type": "hsm1", "cluster": {"type": "not this"}},
        {"cluster": {}},
        {},
        {"a": [1, [2]], "type": None, "b": 'x"}]'},
    ]
    data = {"first": [{"clusters": 1}], "clusters": clusters, "last": "\u00fc"}
    after = json.loads(with_hsm_type(encoded(data, **style), index, "hsm2m"))
    expected = [dict(cluster) for cluster in clusters]
    expected[index]["type"] = "hsm2m"
    assert after == {**data, "clusters": expected}


def test_of_two_entries_of_one_name_the_last_counts_as_for_any_reader() -> None:
    after = with_hsm_type(b'{"clusters": [{"type": "hsm1"}], "clusters": [{"type": "hsm1"}]}', 0, "hsm2m")
    assert after == b'{"clusters": [{"type": "hsm1"}], "clusters": [{"type": "hsm2m"}]}'


@pytest.mark.parametrize(
    ("content", "index"), [(b"{}", 0), (b'{"clusters": [{}]}', 1), (b'{"clusters": ["x"]}', 0)]
)
def test_no_such_cluster(content: bytes, index: int) -> None:
    with pytest.raises(ConfigError, match="no cluster number"):
        with_hsm_type(content, index, "hsm2m")


SCALAR = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=3),
    st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=3),
    st.booleans(),
    st.data(),
)
def test_any_other_field_stays(rest: dict, clusters: list[dict], pretty: bool, data: st.DataObject) -> None:
    whole = {**rest, "clusters": clusters}
    index = data.draw(st.integers(0, len(clusters) - 1))
    after = json.loads(with_hsm_type(encoded(whole, indent=2 if pretty else None), index, "hsm2m"))
    assert after["clusters"][index].pop("type") == "hsm2m"
    clusters[index].pop("type", None)
    assert after == {**whole, "clusters": clusters}


@pytest.mark.parametrize(
    ("addresses", "index"),
    [(["10.0.2.1"], 1), (["10.0.9.9", "10.0.1.1"], 0), (["10.0.9.9"], None), ([], None)],
)
def test_the_cluster_of_addresses(addresses: list[str], index: int | None) -> None:
    config = ClientConfig((ClusterConfig(("10.0.1.1",)), ClusterConfig(("10.0.2.1", "10.0.2.2"))))
    assert config.cluster_of(addresses) == index
