# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's command lines: what is built, and what is refused as SignTool refuses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import (
    RefusedArgument,
    SignOptions,
    remove_argv,
    sign_argv,
    timestamp_argv,
    verify_argv,
    verify_each_arguments,
)

HASH = "184EFBD18B376F996FFD3D79C2622334481D4409"
URL = "http://tsa.example.com/ts"
PLAIN = SignOptions(HASH)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PLAIN, "sign /v /debug /fd sha256 /sm /s My /sha1 H a.exe"),
        (
            replace(PLAIN, machine_store=False, store_name="Code"),
            "sign /v /debug /fd sha256 /s Code /sha1 H a.exe",
        ),
        (
            replace(PLAIN, digest="sha384", append=True),
            "sign /v /debug /fd sha384 /sm /s My /sha1 H /as a.exe",
        ),
        (
            replace(PLAIN, timestamp_url=URL, timestamp_digest="sha512"),
            f"sign /v /debug /fd sha256 /sm /s My /sha1 H /tr {URL} /td sha512 a.exe",
        ),
        (
            replace(PLAIN, timestamp_url="HTTP://TSA/"),
            "sign /v /debug /fd sha256 /sm /s My /sha1 H /tr HTTP://TSA/ /td sha256 a.exe",
        ),
        (replace(PLAIN, page_hashes=True), "sign /v /debug /fd sha256 /sm /s My /sha1 H /ph a.exe"),
        (replace(PLAIN, page_hashes=False), "sign /v /debug /fd sha256 /sm /s My /sha1 H /nph a.exe"),
        (
            replace(PLAIN, description="D", url="U", additional_certificates=("x.cer",)),
            "sign /v /debug /fd sha256 /sm /s My /sha1 H /ac x.cer /d D /du U a.exe",
        ),
    ],
)
def test_sign(options: SignOptions, expected: str) -> None:
    assert list(sign_argv(options, ["a.exe"])) == expected.replace(" H ", f" {HASH} ").split(" ")


def test_others() -> None:
    assert timestamp_argv(URL, "sha256", ["a.exe", "b.exe"]) == (
        "timestamp",
        "/v",
        "/tr",
        URL,
        "/td",
        "sha256",
        "a.exe",
        "b.exe",
    )
    assert timestamp_argv(URL, "sha256", ["a.exe"], 1)[6:] == ("/tp", "1", "a.exe")
    assert verify_argv([".\\-a.exe"]) == ("verify", "/pa", "/all", "/v", ".\\-a.exe")
    several = verify_argv(["f1.exe", "f2.exe"], HASH, timestamped=True)
    assert several == ("verify", "/pa", "/all", "/v", "/sha1", HASH, "/tw", "f1.exe", "f2.exe")
    assert verify_each_arguments() == 'verify /pa /all /v "{path}"'
    assert remove_argv(["a.exe"]) == ("remove", "/s", "/v", "a.exe")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: sign_argv(PLAIN, []), "no file"),
        (lambda: sign_argv(PLAIN, [""]), "is empty"),
        (lambda: sign_argv(PLAIN, ["-a.exe"]), "for an option"),
        (lambda: verify_argv(["/a.exe"]), "for an option"),
        (lambda: verify_argv(["*.exe"]), "cannot have"),
        (lambda: verify_argv(["a.exe"], HASH[:39]), "no SHA-1 thumbprint"),
        (lambda: remove_argv(['a".exe']), "cannot have"),
        (lambda: sign_argv(replace(PLAIN, thumbprint=HASH[:39]), ["a.exe"]), "no SHA-1 thumbprint"),
        (lambda: sign_argv(replace(PLAIN, thumbprint="\u200e" + HASH), ["a.exe"]), "no SHA-1 thumbprint"),
        (lambda: sign_argv(replace(PLAIN, digest="md5"), ["a.exe"]), "no digest algorithm 'md5'"),
        (lambda: sign_argv(replace(PLAIN, timestamp_url="https://tsa/"), ["a.exe"]), "https included"),
        *(
            (lambda url=url: sign_argv(replace(PLAIN, timestamp_url=url), ["a.exe"]), words)
            for url, words in (
                (" ", "is empty"),
                (" http://tsa/", "' http://tsa/' holds a blank"),
                ("http://tsa/ ", "holds a blank"),
                ("http://a http://b", "holds a blank"),
                ("http://tsa/\u200e", r"'http://tsa/\\u200e' holds a blank or an invisible character"),
                ("http://a,http://b", "more than one"),
                ("http://", "names no host"),
                ("http:///tsa", "names no host"),
                ("http://tsa:99999/", "no port that there is"),
                ("http://[::1", "names no host"),
                ("tsa.example", "does not begin with http://"),
            )
        ),
        (
            lambda: sign_argv(replace(PLAIN, timestamp_url=URL, timestamp_digest="SHA-256"), ["a.exe"]),
            "no digest algorithm",
        ),
        (lambda: timestamp_argv("ftp://tsa/", "sha256", ["a.exe"]), "no other"),
        (lambda: timestamp_argv("", "sha256", ["a.exe"]), "address is empty"),
        (lambda: timestamp_argv(URL, "sha256", ["a.exe"], -1), "no signature -1"),
        (lambda: sign_argv(replace(PLAIN, store_name=""), ["a.exe"]), "no name"),
        (
            lambda: sign_argv(replace(PLAIN, additional_certificates=("",)), ["a.exe"]),
            "additional certificate is empty",
        ),
        (
            lambda: sign_argv(replace(PLAIN, additional_certificates=("x.cer", "y.cer")), ["a.exe"]),
            "one additional certificate",
        ),
        (lambda: sign_argv(replace(PLAIN, description="a\nb"), ["a.exe"]), "control character"),
    ],
)
def test_refused(build: Callable[[], Any], words: str) -> None:
    with pytest.raises(RefusedArgument, match=words):
        build()
