# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making, proving, opening and removing the key container of a certificate: the steps, and what their results
mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Mapping, Sequence

from ...module_utils._findings import (
    BrokenLink,
    Link,
    ListingFailedError,
    NotConfiguredError,
    NotInstalledError,
    NotInStoreError,
    OutdatedError,
    ServiceStoppedError,
    UnexplainedError,
)
from ...module_utils._key import lookup as key_lookup
from ...module_utils._results import AccessResult, Failure, FolderResult, Result, RunResult
from ...module_utils._sdk import choose
from ...module_utils._steps import Each, ListFolder, MoveFile, RemoveFile, Run, Step
from .._client import provider_log
from .._formats import codes as hresult
from .._formats.sddl import denied_of, may_read, readers_of
from .._sdk import ClientSdk, Handles, meant
from .._tools import certutil
from .container import (
    FOLDER,
    Seen,
    Wanted,
    access_step,
    associated,
    check_accounts,
    existing,
    is_key,
    matching,
    read_containers,
    says_nothing,
    sid_of,
    tied_file,
)

ICACLS = "C:\\Windows\\System32\\icacls.exe"


def lookup(wanted: Wanted, sdk: ClientSdk) -> key_lookup.Lookup:
    """How the key pair is looked up where its handles were not given."""
    return key_lookup.Lookup(
        windows=True,
        backend=sdk.backend,
        cluster_id=wanted.cluster_id,
        public_key=sdk.public_key,
        user=wanted.user,
        timeout=wanted.timeout,
        scratch=wanted.scratch,
    )


# Proof
# ----------------------------------------------------------------------------------------------------------------


def prove_steps(wanted: Wanted, only_if_previous_ok: bool = False) -> list[Step]:
    """Lists the containers with their public keys. It opens every one of them, for which the provider logs
    in.
    """
    return [
        Run(
            certutil.PROGRAM,
            certutil.key_argv(wanted.provider),
            secret_environment=wanted.user.provider_environment,
            timeout=wanted.timeout,
            key_use=True,
            only_if_previous_ok=only_if_previous_ok,
        )
    ]


@dataclass(frozen=True)
class Proof:
    """``keys`` is None where certutil could not list them; ``problem`` says why."""

    keys: tuple[certutil.KeyContainer, ...] | None = None
    problem: str = ""
    code: int | None = None
    known: tuple[Link, str, str] | None = None
    """The provider's own words for it: link, sentence and advice."""
    answered: bool = False
    """Whether certutil ran to its end."""

    def matches(self, wanted: Wanted, containers: Sequence[str]) -> tuple[str, ...]:
        return matching(wanted, self.keys or (), containers)


def read_proof(result: Result) -> Proof:
    """What certutil -v -key said. Success is its exit code."""
    if isinstance(result, Failure):
        return Proof(None, f"certutil could not be started: {result.message.rstrip('.')}")
    if not isinstance(result, RunResult):
        return Proof(None, "certutil was not run")
    if result.timed_out:
        return Proof(None, "certutil did not end within its time limit")
    if result.exit_code:
        known = hresult.lookup(result.exit_code)
        meaning = f", {known.symbol}: {known.meaning.rstrip('.')}" if known else ""
        return Proof(
            None,
            f"certutil -key failed with {hresult.as_text(result.exit_code)}{meaning}",
            result.exit_code,
            provider_log.explanation(result),
            answered=True,
        )
    try:
        listing = certutil.parse_keys(result.stdout)
    except certutil.ParseError as error:
        return Proof(None, f"certutil's list of containers cannot be read: {error}", answered=True)
    if listing.damaged:
        return Proof(None, "certutil's list of containers is damaged", answered=True)
    return Proof(listing.keys, answered=True)


def may_go_on(sdk: ClientSdk, proof: Proof, seen: Seen) -> bool:
    """Whether a container may be made though those that are there cannot be listed. With Client SDK 5 the new
    one is known by its own new file, and the provider's listing is not needed for it. A file that holds
    nothing may be what the listing failed at, and it is moved aside before the next one.
    """
    return (sdk.makes_one_file or bool(seen.blank)) and proof.answered and proof.known is None


def unlisted(proof: Proof) -> str:
    """The warning for it."""
    return f"The containers that are there cannot be listed ({proof.problem}): if one of them holds the key already, it has two now."


def listing_failed(proof: Proof) -> BrokenLink:
    """certutil could not list the containers, so that nothing can be proven."""
    code = None if proof.code is None else hresult.as_text(proof.code)
    if proof.known:
        return ListingFailedError(*proof.known, code=code, reported=proof.problem)
    known = hresult.lookup(proof.code)
    advice = (
        known.advice
        if known
        else "Check the crypto user's credentials for this account, the client's service and the way to the HSM."
    )
    return ListingFailedError(
        known.link if known else "container",
        f"The containers of the provider cannot be read: {proof.problem}.",
        advice,
        code=code,
    )


# Making
# ---------------------------------------------------------------------------------------------------------------


def in_the_way(wanted: Wanted, seen: Seen, matches: Sequence[str]) -> tuple[str, ...]:
    """The containers that a new one takes the place of: files that hold nothing, where the certificate is tied
    to one or no certificate is; with ``force`` the one that the key has, which ``matches`` may tell.
    """
    tied = tied_file(wanted, seen)
    if wanted.force:
        return (tied,) if tied else tuple(matches[:1])
    if tied:
        return (tied,) if tied in seen.blank else ()
    return tuple(name for name in seen.blank if not seen.store.pointing_to(name, wanted.provider))


def _aside(name: str) -> str:
    """Where a container waits while it is made again: on the same volume, and in no folder that the provider
    takes for one of containers.
    """
    return f"{FOLDER.rpartition(chr(92))[0]}\\{name}{_ASIDE}"


_ASIDE = ".replaced"


def asides_step() -> Step:
    """Lists what runs have left aside that were cut off, or could not prove the new container."""
    return ListFolder(FOLDER.rpartition("\\")[0], f"*{_ASIDE}")


def asides(result: Result, chosen: Chosen) -> list[str]:
    """The containers among them that nobody needs: the new one is proven, so that it can be made again from the HSM."""
    if not isinstance(result, FolderResult) or chosen.proof != "public_key":
        return []
    return [one.name.removesuffix(_ASIDE) for one in result.files if one.name.endswith(_ASIDE)]


def without(seen: Seen, moved: Sequence[str]) -> Seen:
    """The host once those containers are moved aside."""
    return replace(seen, containers=tuple(name for name in seen.containers if name not in moved))


def aside_steps(moved: Sequence[str]) -> list[Step]:
    """Moves containers aside; where one cannot be moved, nothing that follows is done."""
    return [
        MoveFile(f"{FOLDER}\\{name}", _aside(name), only_if_previous_ok=number > 0)
        for number, name in enumerate(moved)
    ]


def check_aside(results: Sequence[Result], moved: Sequence[str]) -> None:
    """BrokenLink where a container could not be moved."""
    for name, result in zip(moved, results, strict=False):
        if isinstance(result, Failure):
            raise BrokenLink(
                "container",
                f"The container {name} could not be moved aside to be made again: {result.message.rstrip('.')}.",
                "Run the task as an administrator; stop what uses the key.",
                changed=False,
            )


def back_steps(moved: Sequence[str], results: Sequence[Result]) -> list[Step]:
    """Puts containers back, but for those whose place is taken in the listing that ends ``plan``'s results."""
    after = read_containers(results[-1])
    names = [name for name in moved if not existing(name, after)]
    return [MoveFile(_aside(name), f"{FOLDER}\\{name}") for name in names]


def check_back(results: Sequence[Result], steps: Sequence[Step], cause: BrokenLink) -> None:
    """BrokenLink where one could not be put back: beside ``cause`` a user has to know where it is."""
    for step, result in zip(steps, results, strict=False):
        if isinstance(result, Failure) and isinstance(step, MoveFile):
            raise BrokenLink(
                cause.link,
                f"{cause.problem} What was there before could not be put back: {result.message.rstrip('.')}.",
                f"Move {step.path} to {step.target}. {cause.advice}",
                **{**cause.details, "changed": True},
            )


def worthless(seen: Seen, chosen: Chosen, moved: Sequence[str]) -> list[str]:
    """Those that are not needed once the new container is there: what held nothing, and what a container that
    is proven to hold the key took the place of.
    """
    return [name for name in moved if name in seen.blank or chosen.proof == "public_key"]


def drop_steps(names: Sequence[str]) -> list[Step]:
    """Removes what was moved aside."""
    return [RemoveFile(_aside(name)) for name in names]


def dropped(names: Sequence[str], results: Sequence[Result]) -> list[str]:
    """Those that ``drop_steps`` removed."""
    return [name for name, result in zip(names, results, strict=True) if not isinstance(result, Failure)]


def kept_aside(names: Sequence[str]) -> str:
    """The warning for what was moved aside and stays."""
    return f"What was there before is kept: {', '.join(_aside(name) for name in names)}."


def plan(wanted: Wanted, seen: Seen, sdk: ClientSdk, handles: Handles, moved: bool = False) -> list[Step]:
    """Makes the container, reads all containers' public keys, and lists their files again; lets the readers
    in. ``moved``: it takes the place of another, whose move is the step before.

    After a failed import nothing logs in once more: five wrong logins lock the crypto user.
    """
    steps = [
        replace(sdk.import_step(wanted.key, handles, lookup(wanted, sdk)), only_if_previous_ok=moved),
        *prove_steps(wanted, only_if_previous_ok=True),
        ListFolder(FOLDER),
    ]
    if not wanted.readers:
        return steps
    # The new file's name is known on the host only. More than one new file is no case to give rights away in.
    sids = [sid_of(name, seen.access) for name in wanted.readers]
    grant = Each(
        FOLDER,
        "*",
        ICACLS,
        f'"{{path}}" /grant {_rights(sids)}',
        leave_out=seen.containers,
        most=1,
        changes=True,
        only_if_previous_ok=True,
    )
    return [steps[0], grant, *steps[1:], access_step(wanted.readers)]


def made_results(wanted: Wanted, results: Sequence[Result]) -> Sequence[Result]:
    """The results of ``plan`` that ``judge`` takes: without those of the readers' steps."""
    return [results[0], *results[2:-1]] if wanted.readers else results


@dataclass(frozen=True)
class Chosen:
    """The container that holds the key now, and how that is known. ``others`` are further containers of the
    same key.
    """

    container: str
    proof: Literal["association", "public_key", "new_file", "label"]
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    doubt: BrokenLink | None = None
    """Why certutil could not list the containers: worth a diagnosis, but no failure by itself."""


def tied(wanted: Wanted, seen: Seen) -> Chosen | None:
    """The container that the certificate is tied to already, unless it is to be made again."""
    name = "" if wanted.force else associated(wanted, seen)
    return Chosen(name, "association") if name else None


def judge(wanted: Wanted, sdk: ClientSdk, before: Seen, results: Sequence[Result]) -> Chosen:
    """What came of ``plan``'s steps. BrokenLink unless there is a container now that is known to hold the
    key.
    """
    ran, listed, folder = results
    sdk.check_import(ran, wanted.timeout)
    after = read_containers(folder)
    new = tuple(name for name in after if not existing(name, before.containers))
    proof = read_proof(listed)
    matches = proof.matches(wanted, after)
    unproven = proof.problem or "no public key matches"
    fresh = [name for name in matches if existing(name, new)]
    if len(matches) == 1 and len(new) == 1 and not existing(matches[0], after):
        # cloudhsm-cli 5.16.0: the file's name counts, certutil knows the container by another one.
        return Chosen(
            new[0],
            "public_key",
            (),
            (
                f"The file of the container is {new[0]}, its own name {matches[0]}: update cloudhsm-cli to 5.16.1 or newer.",
            ),
        )
    if matches:
        chosen = fresh[0] if fresh else matches[0]
        return Chosen(chosen, "public_key", tuple(name for name in matches if name != chosen))
    if len(new) == 1:
        wrong = [
            key
            for key in proof.keys or ()
            if not says_nothing(key)
            and not is_key(wanted.key, key)
            and existing(new[0], [key.name, key.unique_name or ""])
        ]
        if wrong:
            raise BrokenLink(
                "container",
                f"The new container {new[0]} holds another public key than the certificate.",
                "Check private_handle and public_handle.",
                container=new[0],
            )
        reason = proof.problem or "certutil shows no public key for it"
        doubt = listing_failed(proof) if proof.problem else None
        if doubt is not None:
            doubt.details["changed"] = True
        return Chosen(
            new[0],
            "new_file",
            (),
            (
                f"The container {new[0]} is known by its new file only: {reason}. A test signature is the proof (win_cert_repairstore, test_key).",
            ),
            doubt,
        )
    if not new:
        raise UnexplainedError(
            "container",
            f"The import reported success, but there is no new container in {FOLDER} and none that is proven to hold the key ({unproven}).",
            "With Client SDK 5 check that the SDK 3 compatibility mode is on (win_cloudhsm_client, key_access=reference); then look at the provider's log.",
        )
    raise BrokenLink(
        "container",
        f"{len(new)} new containers appeared at once ({', '.join(new)}), and which of them holds the key cannot be proven ({unproven}).",
        "Run the task again when nothing else makes containers on this host.",
        containers=list(new),
    )


def new_containers(before: Seen, results: Sequence[Result]) -> bool:
    """Whether ``plan``'s steps changed the host, whatever else came of them."""
    return bool(set(read_containers(results[-1])) - set(before.containers))


# Readers
# --------------------------------------------------------------------------------------------------------------


def missing_readers(access: Result | None, container: str, readers: Sequence[str]) -> dict[str, str]:
    """The accounts that the container's file does not let read: name -> SID. BrokenLink for an account that
    does not exist.
    """
    files = access.files if isinstance(access, AccessResult) else {}
    sddl = access if isinstance(access, Failure) else files.get(existing(container, tuple(files)), "")
    if not isinstance(access, AccessResult) or isinstance(sddl, Failure) or not sddl:
        why = sddl.message.rstrip(".") if isinstance(sddl, Failure) else "its file is not there"
        raise BrokenLink(
            "container",
            f"The access rights of container {container} cannot be read: {why}.",
            "Run the task as an administrator.",
        )
    check_accounts(access, readers)
    sids = {name: sid_of(name, access) for name in readers}
    return {name: sid for name, sid in sids.items() if not may_read(sid, readers_of(sddl))}


def check_not_denied(access: Result | None, container: str, missing: Mapping[str, str]) -> None:
    """BrokenLink for readers whom the container's file denies it: a grant would change nothing for them."""
    files = access.files if isinstance(access, AccessResult) else {}
    sddl = files.get(existing(container, tuple(files)), "")
    denied = denied_of(sddl) if isinstance(sddl, str) else ()
    who = [name for name, sid in missing.items() if sid in denied]
    if who:
        raise BrokenLink(
            "container",
            f"{', '.join(who)} may not read the key container {container}: the access list of its file denies it.",
            f"Take the denial off {FOLDER}\\{container}, or the account out of readers.",
            container=container,
        )


def _rights(sids: Sequence[str]) -> str:
    """icacls' words for the right to read. SIDs do not depend on the host's language."""
    return " ".join(f"*{sid}:R" for sid in sids)


def grant_steps(container: str, missing: Mapping[str, str], readers: Sequence[str]) -> list[Step]:
    """Lets the accounts read the file, and reads its rights again."""
    return [
        Run(
            ICACLS,
            (f"{FOLDER}\\{container}", "/grant", *_rights(list(missing.values())).split()),
            changes=True,
        ),
        access_step(readers),
    ]


def check_granted(result: Result, container: str, missing: Mapping[str, str], changed: bool) -> None:
    """BrokenLink unless those who were missing may read now. ``changed``: whether the host was changed
    before.
    """
    still = missing_readers(result, container, tuple(missing))
    if still:
        raise BrokenLink(
            "container",
            f"icacls did not let {', '.join(still)} read the container {container}.",
            "Run the task as an administrator.",
            changed=changed or len(still) < len(missing),
        )


# Removing
# -------------------------------------------------------------------------------------------------------------


def check_removal(wanted: Wanted, seen: Seen, containers: Sequence[str]) -> None:
    """BrokenLink while a certificate of the store still points to one of them, unless forced."""
    for container in containers:
        users = sorted(seen.store.pointing_to(container, wanted.provider))
        if users and not wanted.force:
            raise BrokenLink(
                "container",
                f"The container {container} is still in use: certificate {', '.join(users)} in {wanted.store_location}\\{wanted.store_name} points to it.",
                "Remove the association first (win_cert_repairstore, state=absent), or set force=true.",
                container=container,
                thumbprints=users,
            )


def remove_steps(containers: Sequence[str]) -> list[Step]:
    """Removes the containers' files. Not certutil -delkey: it asks the provider to delete the key, and the
    key stays on the HSM.
    """
    return [*(RemoveFile(f"{FOLDER}\\{container}") for container in containers), ListFolder(FOLDER)]


def check_removed(results: Sequence[Result], containers: Sequence[str]) -> tuple[str, ...]:
    """The containers that are left on the host. BrokenLink where one could not be removed."""
    left = read_containers(results[-1])
    for container, result in zip(containers, results, strict=False):
        if existing(container, left):
            why = result.message.rstrip(".") if isinstance(result, Failure) else "it is still there"
            raise BrokenLink(
                "container",
                f"The container {container} could not be removed: {why}.",
                "Run the task as an administrator; stop what uses the key.",
            )
    return left


# The result
# -----------------------------------------------------------------------------------------------------------


def comes_with_the_play(broken: BrokenLink) -> bool:
    """Whether what is missing is put there by tasks before this one, which check mode did not do."""
    return isinstance(broken, _COME_WITH_THE_PLAY)


_COME_WITH_THE_PLAY = (
    NotInstalledError,
    NotConfiguredError,
    OutdatedError,
    ServiceStoppedError,
    NotInStoreError,
)


def sdk_or_newest(wanted: Wanted, seen: Seen) -> ClientSdk:
    """The client SDK whose credentials the provider takes; for removing it matters no more than that."""
    return choose(wanted.client_sdk, seen.installed) or meant(wanted.client_sdk)[0]


def warnings(chosen: Chosen) -> tuple[str, ...]:
    """What a user should know of a container that is there now."""
    if not chosen.others:
        return chosen.warnings
    return (
        *chosen.warnings,
        f"The key has {len(chosen.others) + 1} containers: {chosen.container} is used, {', '.join(chosen.others)} could be removed.",
    )


def result(
    wanted: Wanted,
    sdk: ClientSdk | None,
    chosen: Chosen | None,
    before: Sequence[str],
    after: Sequence[str],
    removed: Sequence[str] = (),
) -> dict[str, Any]:
    """The module's result, without ``changed``."""
    direct = wanted.key_access == "direct"
    held_before = (
        chosen.container
        if chosen and (direct or existing(chosen.container, before))
        else (removed[0] if removed else None)
    )
    return {
        "container": chosen.container if chosen else None,
        "provider": wanted.provider,
        "key_access": wanted.key_access,
        "containers": [chosen.container, *chosen.others] if chosen else [],
        "removed": list(removed),
        "proof": chosen.proof if chosen else None,
        "client_sdk": sdk.name if sdk else None,
        "thumbprint": wanted.thumbprint,
        "diff": {
            "before": {"container": held_before, "containers_of_the_host": list(before)},
            "after": {
                "container": chosen.container if chosen else None,
                "containers_of_the_host": list(after),
            },
        },
    }
