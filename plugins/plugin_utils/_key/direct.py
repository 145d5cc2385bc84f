# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that is opened directly: its container is its own name on the HSM, so nothing is made. The key is found by
its public key, its name has to be unique, and the provider has to open the certificate's key by it.
"""

from __future__ import annotations

from typing import Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._key.backends import cloudhsm_cli as cli_backend
from ...module_utils._key.lookup import Lookup
from ...module_utils._key.pair import SeenKey, WantedKey
from ...module_utils._key.pair import judge as judge_pair
from ...module_utils._results import Result
from ...module_utils._steps import Run, Step
from .._tools import certutil
from .container import Seen, Wanted, existing, is_key, says_nothing, tied_to
from .making import Chosen, listing_failed, read_proof

READERS = "Keys are opened directly: there is no key reference file that readers could be let in to, and whoever has the crypto user's login can use the key."
NOTHING_TO_REMOVE = "Keys are opened directly: the container is the key itself, which stays on the HSM."
OTHER_LABEL = "cloudhsm-cli key set-attribute --name label"


def tied(wanted: Wanted, seen: Seen) -> Chosen | None:
    """The name that the certificate is tied to already. Where a key reference file bears it too, it may be that
    file which was meant: the key is asked then.
    """
    key = None if wanted.force else tied_to(wanted, seen)
    if key is None or not key.container or key.provider.lower() != wanted.provider.lower():
        return None
    return None if existing(key.container, seen.containers) else Chosen(key.container, "association")


def private_key(wanted: Wanted, keys: Sequence[SeenKey]) -> SeenKey:
    """The one private key of the certificate, with a name by which it can be opened. BrokenLink otherwise."""
    key = judge_pair(wanted.key, keys, "ignored").private
    if wanted.private_handle not in (None, key.handle):
        raise BrokenLink(
            "argument",
            f"private_handle is {wanted.private_handle}, and the certificate's private key has the handle {key.handle}.",
            "Leave it out: a key that is opened directly is found by its public key.",
        )
    if not key.label:
        raise BrokenLink(
            "key",
            f"The private key {key.reference} has no label on the HSM, and without it no name by which it could be opened directly.",
            f"Give it one that no other private key bears ({OTHER_LABEL}), or set key_access to reference.",
            handles=[key.handle],
        )
    problem = certutil.check_container(key.label)
    if problem:
        raise BrokenLink(
            "container",
            f"The label of the private key {key.reference} can be no key container: {problem}.",
            f"Give it another one ({OTHER_LABEL}), or set key_access to reference.",
            handles=[key.handle],
        )
    return key


def prove_steps(wanted: Wanted, key: SeenKey, asking: Lookup) -> list[Step]:
    """Asks the HSM which private keys bear the name, then the provider for the public key that it opens by it."""
    return [
        cli_backend.labelled_step(key.label, asking),
        Run(
            certutil.PROGRAM,
            certutil.key_argv(wanted.provider, container=key.label),
            secret_environment=wanted.user.provider_environment,
            timeout=wanted.timeout,
            key_use=True,
            only_if_previous_ok=True,
        ),
    ]


def judge(wanted: Wanted, key: SeenKey, asking: Lookup, results: Sequence[Result]) -> Chosen:
    """What came of ``prove_steps``. BrokenLink unless the name is the key's alone and the provider opens it."""
    handles = cli_backend.read_labelled(results[0], asking)
    others = [handle for handle in handles if handle != key.handle]
    if others:
        found = sorted({key.handle, *others})
        raise BrokenLink(
            "key",
            f"{len(found)} private keys bear the label '{key.label}' (handles {', '.join(map(str, found))}): "
            "a key is opened directly by a name that is its alone.",
            f"Give the others another label ({OTHER_LABEL}), or set key_access to reference.",
            container=key.label,
            handles=found,
            count=len(found),
        )
    proof = read_proof(results[1])
    if proof.keys is None:
        raise listing_failed(proof)
    opened = [one for one in proof.keys if key.label in (one.name, one.unique_name)]
    if any(_is_other(wanted.key, one) for one in opened):
        raise BrokenLink(
            "container",
            f"By the name '{key.label}' the provider {wanted.provider} opens another key than the certificate's.",
            f'Look for its namesake: certutil -v -csp "{wanted.provider}" -key "{key.label}".',
            container=key.label,
        )
    if any(is_key(wanted.key, one) for one in opened):
        return Chosen(key.label, "public_key")
    warning = (
        f"That the provider opens the key by its name '{key.label}' is not proven: certutil shows no public key for it. "
        "A test signature is the proof (win_cert_repairstore, test_key)."
    )
    return Chosen(key.label, "label", (), (warning,))


def _is_other(wanted: WantedKey, shown: certutil.KeyContainer) -> bool:
    return not says_nothing(shown) and not is_key(wanted, shown)
