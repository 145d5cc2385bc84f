# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about a CloudHSM client that is not as wanted, what the host looks like afterwards, and what is
said when it does not. With what state.py asks and compare.py compares this is the client as a Repairable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Container, Sequence

from ...module_utils._findings import BrokenLink, OutdatedError
from ...module_utils._results import Failure, Result, RunResult, ServiceResult
from ...module_utils._steps import MoveFile, Run, Step, WriteFile
from ...module_utils._texts import beginning
from ...module_utils._tools import configure
from .._formats.client_config import ClientConfig, ClusterConfig, Logging, with_hsm_type
from .._key import access
from .._sdk import SDK3, TAKES_VALUE, Setting, meant
from .._tools import ksp_config, net
from . import compare as comparison
from . import lookups, state, tls
from .compare import (
    ROLE,
    SDK3_ON_HSM2M,
    compare_known,
    customer_ca_differs,
    direct_in_sdk3,
    drift,
    hindering,
    missing_providers,
    outdated,
    provider_advice,
    settled,
    switch_refused,
    unfit_sdk,
    unfound,
    unfound_text,
    unreachable_advice,
)
from .state import PORT, Component, Connection, Seen, Wanted

observe, read, compare, report = state.observe, state.read, comparison.compare, comparison.report
"""The rest of the aspect: the plan is its last part."""

START_TIMEOUT = 120


def check(want: Wanted, seen: Seen) -> None:
    """Raises BrokenLink for what no configuring can put right."""
    if unfit_sdk(want, seen):
        raise BrokenLink(
            "client",
            SDK3_ON_HSM2M,
            "Install Client SDK 5 with the role cloudhsm.codesign.client and set client_sdk to 5.",
        )
    if direct_in_sdk3(want, seen):
        raise access.direct_in_sdk3()
    check_key_access(want, seen)
    sdk = seen.sdk
    one = want.key_availability_check and want.hsms == 1
    if one and sdk and sdk.sets(Setting.KEY_AVAILABILITY):
        raise BrokenLink(
            "argument",
            "With one HSM no key is on two of them, and the key availability check would refuse every key.",
            "Leave key_availability_check out, or name all HSMs of the cluster in hsm_addresses.",
        )
    if want.tls.state == "present":
        check_tls(want, seen)
    if any(one.present for one in want.lookups) and not any(
        part.adds_clusters for part in (sdk or meant(want.client_sdk)[0]).parts
    ):
        raise BrokenLink(
            "argument",
            "lookup_clusters is given, and Client SDK 3 knows one cluster only.",
            "Leave lookup_clusters out, or install Client SDK 5 (role cloudhsm.codesign.client).",
        )
    check_addresses(want, seen)
    for component in seen.components:
        if component.problem:
            raise BrokenLink(
                "client",
                f"The configuration file {component.file} cannot be used: {component.problem}.",
                "Check the account's rights on this host.",
            )


DAMAGED = ".damaged"
"""What is added to the name of a configuration file that is put aside."""


def set_aside(want: Wanted, seen: Seen) -> tuple[Seen, list[Step], list[str]]:
    """What is seen once configuration files that are none are out of the way, as a disk leaves them that was full while the
    configure tool wrote: it makes new ones. With it the steps that do so, and a warning each. Nothing where the wish does not
    say what a new one has to hold.
    """
    damaged = [one for one in seen.components if one.problem and one.content is not None]
    if not damaged or not (want.hsm_addresses or want.ask_aws):
        return seen, [], []
    parts = tuple(
        replace(one, content=None, config=None, problem="") if one in damaged else one
        for one in seen.components
    )
    moves: list[Step] = [MoveFile(one.file, one.file + DAMAGED) for one in damaged]
    told = [
        f"The configuration file {one.file} was damaged ({one.problem}). It lies as {one.file}{DAMAGED}, and a new one was made."
        for one in damaged
    ]
    return replace(seen, components=parts), moves, told


def check_tls(want: Wanted, seen: Seen) -> None:
    """BrokenLink where the client's own certificate would be of no use."""
    sdk = seen.sdk or meant(want.client_sdk)[0]
    if not sdk.sets(Setting.TLS):
        raise BrokenLink(
            "argument",
            f"tls_certificate is given, and Client SDK {sdk.name} knows HSMs of type hsm1 only, which take no certificate of a client.",
            "Leave tls_certificate and tls_key out, or install Client SDK 5 (role cloudhsm.codesign.client).",
        )
    if want.hsm_type == "hsm1":
        raise BrokenLink(
            "argument",
            "tls_certificate is given for a cluster of type hsm1: only HSMs of type hsm2m take a client's certificate.",
            "Leave tls_certificate and tls_key out, or correct hsm_type.",
        )
    tls.check(want.tls, seen.tls)


def check_providers(seen: Seen) -> tuple[str, ...]:
    """A warning where the client is there, and nobody can say what it registered."""
    if not comparison.is_unlisted(seen):
        return ()
    return (
        f"The key storage providers of this host could not be listed: {seen.unlisted}. {comparison.UNLISTED}",
    )


def check_key_access(want: Wanted, seen: Seen) -> None:
    """Raises BrokenLink where certificates need the way to the keys that would be left."""
    want = settled(want, seen)
    uses = hindering(want, seen)
    if uses:
        thumbprints = [use.thumbprint for use in uses]
        raise BrokenLink("provider", *switch_refused(want, uses), thumbprints=thumbprints)


def check_packages(want: Wanted, seen: Seen) -> None:
    """Raises BrokenLink for what only the client's packages put right."""
    check_installed(want, seen)
    for component in seen.components:
        if outdated(want, component):
            raise OutdatedError(
                "client",
                f"{component.program} is of version {component.version}, wanted is {want.minimum_version} or newer.",
                ROLE,
            )
    want = settled(want, seen)
    sdk, missing = seen.sdk, missing_providers(want, seen)
    if sdk and not sdk.registers and missing:
        other, advice = provider_advice(want, seen)
        which = f"{missing[0]} of" if other else "The key storage provider of"
        raise BrokenLink(
            "provider", f"{which} Client SDK {sdk.name} is not registered on this host{other}.", advice
        )


def check_addresses(want: Wanted, seen: Seen) -> None:
    """Raises BrokenLink for addresses that would be written and of which none answers: a client that works is
    not given them.
    """
    written = any(Setting.ADDRESSES in drift(want, component) for component in seen.components)
    if written and seen.connections and not any(item.reachable for item in seen.connections):
        raise BrokenLink(
            "cluster",
            f"No address of hsm_addresses answers on TCP {PORT} from this host ({_reasons(seen.connections)}): the client's configuration is left as it is.",
            f"Check the addresses. {unreachable_advice()} With check_connection=false they are written untried.",
        )


def check_installed(want: Wanted, seen: Seen) -> None:
    """Raises BrokenLink where a part of the client is missing."""
    if seen.missing:
        sdk = seen.sdk or meant(want.client_sdk)[0]
        lacking = [component.part for component in seen.components if not component.program]
        files = " and ".join(part.programs[0] for part in lacking)
        verb = "do" if len(seen.missing) > 1 else "does"
        how = "not" if len(seen.missing) == len(seen.components) else "not wholly"
        raise BrokenLink(
            "client",
            f"CloudHSM Client SDK {sdk.name} is {how} installed on this host: {files} {verb} not exist.",
            ROLE,
        )
    for component in seen.components:
        if component.lacking:
            what = f"CloudHSM Client SDK {seen.sdk.name if seen.sdk else ''} is not wholly installed on this host"
            verb = "do" if len(component.lacking) > 1 else "does"
            problem = f"{what}: {' and '.join(component.lacking)} {verb} not exist."
            raise BrokenLink("client", problem, ROLE)


def plan(want: Wanted, seen: Seen) -> list[Step]:
    """The steps that bring ``seen`` to ``want``; none where nothing differs.

    A cluster's type that differs beside something else is left for a second plan: the configure tool writes
    the file anew.
    """
    want = settled(want, seen)
    steps: list[Step] = []
    if customer_ca_differs(want, seen):
        steps.append(WriteFile(configure.CUSTOMER_CA, want.customer_ca))
    # No daemon reads these two, so that none has to be stopped for them.
    steps += tls.plan(want.tls, seen.tls)
    written, removed = lookups.plan_files(want.lookups, seen.lookups)
    steps += written
    for component in seen.components:
        steps += _component_steps(want, component)
    configured = bool(steps)
    steps += removed
    if seen.sdk and seen.sdk.registers:
        steps += [
            Run(ksp_config.PROGRAMS[name], ksp_config.register_argv(), timeout=want.timeout, changes=True)
            for name in missing_providers(want, seen)
        ]
    if seen.sdk and seen.sdk.service:
        steps = _around_service(
            want, seen.sdk.service, seen.service or ServiceResult(False), steps, configured
        )
    return steps + _idle_steps(want, seen)


def second_pass(want: Wanted, seen: Seen) -> list[Step]:
    """What a first pass leaves when all went well: the cluster's type in files that the configure tool has
    just written.
    """
    steps = [] if any(component.problem for component in seen.components) else plan(want, seen)
    return steps if all(isinstance(step, WriteFile) for step in steps) else []


def _component_steps(want: Wanted, component: Component) -> list[Step]:
    """Calls of the configure tool, else the clusters' types in its file: after a call they are looked at again."""
    differs = drift(want, component)
    anew = bool(set(differs) - {Setting.HSM_TYPE})
    known = want.lookups if component.part.adds_clusters else ()
    others = component.others(want.hsm_addresses, want.cluster_id)
    before, after = lookups.plan(known, others, component.program, anew, want.timeout)
    if anew:
        _check_known(component, lookups.strangers(known, others))
        return [*before, _configure(want, component, differs), *after]
    return before + after or _set_hsm_types(want, component, bool(differs), known)


def _check_known(component: Component, strangers: Sequence[ClusterConfig]) -> None:
    """BrokenLink for clusters that nobody asked for in a file that the configure tool would change."""
    if not strangers or component.config is None:
        return
    raise BrokenLink(
        "client",
        f"{component.file} names {len(component.config.clusters)} clusters, and which of them {component.program} would change is not documented.",
        "Name the further clusters of cloudhsm-cli in lookup_clusters (codesign_client_lookup_clusters); they are then removed for the change and added "
        "again. Else change that cluster with the tool's add-cluster and remove-cluster; a file that is as wanted is left alone.",
    )


def _configure(want: Wanted, component: Component, differs: Container[Setting]) -> Run:
    """Gives the tool what differs and no more: with ``-a`` it may write the cluster anew, and its type with
    it.
    """
    asks = want.asks_aws(component.part)
    if not want.hsm_addresses and not asks and component.content is None:
        raise BrokenLink(
            "argument",
            f"{component.file} does not exist yet, and without hsm_addresses it cannot be written.",
            "Give hsm_addresses.",
        )
    arguments = configure.argv(
        want.hsm_addresses[: component.part.most] if Setting.ADDRESSES in differs else (),
        configure.CUSTOMER_CA if _sets_customer_ca(want, component, differs) else "",
        want.key_availability if Setting.KEY_AVAILABILITY in differs else None,
        want.sdk3_compatibility_mode if Setting.SDK3_MODE in differs else None,
        [
            *(configure.TLS if Setting.TLS in differs else ()),
            *(
                (option, want.value(component.part, setting))
                for setting, option in TAKES_VALUE.items()
                if setting in differs
            ),
        ],
        want.cluster_id if asks and Setting.ADDRESSES in differs else "",
        want.region,
    )
    return Run(component.program, arguments, timeout=want.timeout, changes=True)


def _sets_customer_ca(want: Wanted, component: Component, differs: Container[Setting]) -> bool:
    return (
        bool(want.customer_ca)
        and Setting.CUSTOMER_CA in component.part.settings
        and (component.content is None or Setting.CUSTOMER_CA in differs)
    )


def _set_hsm_types(want: Wanted, component: Component, differs: bool, known: lookups.Wanted) -> list[Step]:
    """The file with the types of its clusters: of the one that is meant where that ``differs``, and of the further
    ones.
    """
    config, content = component.config, component.content
    types = lookups.types(known, config.clusters if config else ())
    if not differs and not types:
        return []
    index = config.cluster_of(want.hsm_addresses, want.cluster_id) if config else None
    if content is None or (differs and index is None):
        raise BrokenLink(
            "client",
            f"{component.file} has no cluster with the addresses {', '.join(want.hsm_addresses)}.",
            "Look at its list of clusters.",
        )
    if differs and index is not None:
        types.append((index, want.hsm_type or ""))
    for number, hsm_type in types:
        content = with_hsm_type(content, number, hsm_type)
    return [WriteFile(component.file, content)]


def _around_service(
    want: Wanted, name: str, service: ServiceResult, steps: list[Step], configured: bool
) -> list[Step]:
    """The steps with what the daemon needs: it reads its files at its start, and the documentation has it
    stopped while they change.
    """
    running = service.status == "Running"
    if configured and running:
        steps = [Run(net.NET, net.stop_argv(name), timeout=START_TIMEOUT, changes=True), *steps]
    if service.exists and not service.start_type.startswith("Automatic"):
        steps = [*steps, Run(net.SC, net.automatic_argv(name), timeout=want.timeout, changes=True)]
    if configured or not running:
        # After a failed step too: a daemon that ran before is not left stopped.
        steps = [*steps, Run(net.NET, net.start_argv(name), timeout=START_TIMEOUT, changes=True)]
    return steps


def _idle_steps(want: Wanted, seen: Seen) -> list[Step]:
    service, name = seen.idle_service, SDK3.service
    if service is None or want.idle_service != "disabled":
        return []
    steps: list[Step] = []
    if service.start_type != "Disabled":
        steps.append(Run(net.SC, net.disabled_argv(name), timeout=want.timeout, changes=True))
    if service.status != "Stopped":
        steps.append(Run(net.NET, net.stop_argv(name), timeout=START_TIMEOUT, changes=True))
    return steps


def predict(want: Wanted, seen: Seen) -> Seen:
    """What is there once the plan was done: for check mode and its diff."""
    want = settled(want, seen)
    after = replace(
        seen, components=tuple(_predict_component(want, component) for component in seen.components)
    )
    if customer_ca_differs(want, seen):
        after = replace(after, customer_ca=want.customer_ca)
    after = replace(after, tls=tls.predict(want.tls, seen.tls))
    after = replace(after, lookups=lookups.predict_files(want.lookups, seen.lookups))
    if seen.service is not None:
        start_type = seen.service.start_type
        after = replace(
            after,
            service=ServiceResult(
                True, "Running", start_type if start_type.startswith("Automatic") else "Automatic"
            ),
        )
    if seen.idle_service is not None and want.idle_service == "disabled":
        after = replace(after, idle_service=ServiceResult(True, "Stopped", "Disabled"))
    if seen.sdk and seen.sdk.registers and seen.providers is not None:
        after = replace(after, providers=seen.providers | frozenset(missing_providers(want, seen)))
    return after


def _predict_component(want: Wanted, component: Component) -> Component:
    differs, others = drift(want, component), component.others(want.hsm_addresses, want.cluster_id)
    further = lookups.predict(want.lookups if component.part.adds_clusters else (), others)
    if not differs and further == others:
        return component
    cluster = component.cluster(want.hsm_addresses, want.cluster_id)
    availability = want.key_availability if Setting.KEY_AVAILABILITY in differs else None
    addresses = want.hsm_addresses[: component.part.most] or cluster.addresses
    by_id = want.asks_aws(component.part) and Setting.ADDRESSES in differs
    changed = replace(
        cluster,
        addresses=addresses if Setting.ADDRESSES in differs else cluster.addresses,
        hsm_type=want.hsm_type if Setting.HSM_TYPE in differs else cluster.hsm_type,
        customer_ca_file=configure.CUSTOMER_CA
        if _sets_customer_ca(want, component, differs)
        else cluster.customer_ca_file,
        key_availability_check=cluster.key_availability_check if availability is None else availability,
        cluster_id=want.cluster_id if by_id else cluster.cluster_id,
        tls=cluster.tls or Setting.TLS in differs,
    )
    config = component.config or ClientConfig()

    def value(setting: Setting, there: str | None) -> str | None:
        return want.value(component.part, setting) if setting in differs else there

    log = Logging(
        value(Setting.LOG_TYPE, config.logging.type),
        value(Setting.LOG_FILE, config.logging.file),
        value(Setting.LOG_LEVEL, config.logging.level),
        value(Setting.LOG_ROTATION, config.logging.rotation),
    )
    mode: bool | None = (
        want.sdk3_compatibility_mode if Setting.SDK3_MODE in differs else config.sdk3_compatibility_mode
    )
    retry = value(Setting.RETRY_MODE, config.retry_mode)
    return replace(component, config=ClientConfig((changed, *further), mode, retry, log))


def judge(want: Wanted, seen: Seen, steps: Sequence[Step], results: Sequence[Result]) -> tuple[str, ...]:
    """Warnings about what was done. Raises BrokenLink where the host is not as wanted after it, with the
    tools' own words.
    """
    reports = tuple(
        text
        for step, result in zip(steps, results, strict=False)
        for text in [_trouble(step, result)]
        if text
    )
    # What cannot be listed is a warning of every host (check_providers), configured or not.
    left = [one for one in compare_known(want, seen) if one.severity == "error"]
    if left:
        first = left[0]
        problem = (
            f"After configuring, {first.what} is still '{first.seen}' where '{first.expected}' is wanted"
        )
        raise BrokenLink(
            first.link,
            f"{problem}: {'; '.join(reports)}." if reports else f"{problem}, and no tool reported a failure.",
            f"Look at the tool's log (*.log in {configure.LOGS}).",
            changed=True,
            findings=[finding.as_dict() for finding in left],
        )
    unseen = [f"{text[0].upper()}{text[1:]}." for text in map(unfound_text, unfound(seen)) if seen.reached]
    return (*reports, *unseen)


def check_connections(want: Wanted, seen: Seen) -> tuple[str, ...]:
    """A warning for each HSM that does not answer. Raises BrokenLink where none does."""
    down = [item for item in seen.connections if not item.reachable]
    if down and len(down) == len(seen.connections):
        raise BrokenLink(
            "cluster",
            f"This host reaches no HSM of the cluster on TCP {PORT} ({_reasons(down)}).",
            unreachable_advice(),
        )
    return tuple(
        f"The HSM {item.address} does not answer on TCP {PORT} ({item.error or 'no answer'}). {unreachable_advice()}"
        for item in down
    )


def _reasons(down: Sequence[Connection]) -> str:
    return "; ".join(f"{item.address}: {item.error or 'no answer'}" for item in down)


def _trouble(step: Step, result: Result) -> str:
    name = step.file.rsplit("\\", 1)[-1] if isinstance(step, Run) else getattr(step, "path", step.op)
    if isinstance(result, Failure):
        return f"{name}: {result.message.rstrip('.')}"
    if not isinstance(result, RunResult) or result.ok:
        return ""
    if result.timed_out:
        return f"{name} did not end in time and was stopped"
    lines = [line.strip() for line in (result.stderr + "\n" + result.stdout).splitlines() if line.strip()]
    return f"{name} exited with {result.exit_code}" + (f" ({beginning(lines[0], 300)})" if lines else "")
