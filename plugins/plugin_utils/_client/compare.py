# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not as wanted of a host's CloudHSM client, and what is to be done about it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Sequence, assert_never

from ...module_utils._certificate import pem_certificates
from ...module_utils._findings import Finding
from ...module_utils._results import ServiceResult
from ...module_utils._steps import Transport, went_well
from ...module_utils._tools import configure
from .._aspect import ANYWHERE, Context
from .._formats.client_config import ClientConfig
from .._key import access
from .._sdk import SDK3, SDKS, ClientSdk, Setting, meant, version_of
from . import lookups, tls
from .state import PORT, Component, Seen, Wanted

ROLE = "Run the role cloudhsm.codesign.client."
MODULE = "Run the module cloudhsm.codesign.win_cloudhsm_client."
PROVIDERS = "the list of key storage providers"
UNLISTED = "Run certutil -csplist on the host: a provider of another product that hangs or fails there is to be removed or repaired; then this again."
REINSTALL = "Install the KSP package of Client SDK 5 again (role cloudhsm.codesign.client): its installer registers the provider."
SDK3_ON_HSM2M = "Client SDK 3 cannot work with a cluster of type hsm2m: AWS supports it on hsm1.medium only."


def report(want: Wanted, seen: Seen) -> dict[str, Any]:
    """For a module's result."""
    want = settled(want, seen)
    shown = seen.as_dict(want)
    for component, data in zip(seen.components, shown["components"], strict=True):
        data["needs"] = needs(want, seen, component)
    return {
        "client": {
            **shown,
            "key_access": want.key_access,
            "connections": [asdict(item) for item in seen.connections],
        }
    }


def needs(want: Wanted, seen: Seen, component: Component) -> str | None:
    """What its package has to do for a part of the client; None where nothing is to be installed."""
    if not component.program:
        return "install"
    if outdated(want, component):
        return "upgrade"
    if component.lacking or is_service_lost(seen):
        return "reinstall"
    lost = bool(missing_providers(want, seen)) and not seen.providers
    if lost and component.part.brings_provider and not (seen.sdk and seen.sdk.registers):
        return "reinstall"
    return None


def is_service_lost(seen: Seen) -> bool:
    """Whether the client is there and its service is not, which only its installer makes."""
    return seen.sdk is not None and bool(seen.sdk.service) and not (seen.service and seen.service.exists)


def outdated(want: Wanted, component: Component) -> bool:
    """Whether a part is older than wanted. A number that is none of its client SDK's says nothing."""
    version, oldest = version_of(component.version), version_of(want.minimum_version)
    return bool(version and oldest) and version[0] == oldest[0] and version < oldest


def settled(want: Wanted, seen: Seen) -> Wanted:
    """``want`` with the way to the keys and the provider's name that it leaves to the host."""
    sdk = seen.sdk or meant(want.client_sdk)[0]
    # That a client cannot go the wanted way is said for itself.
    wanted = "reference" if direct_in_sdk3(want, seen) else want.key_access
    way = access.settle(wanted, sdk.sets(Setting.SDK3_MODE), seen.uses, seen.compatibility_mode)
    usual = access.usual_provider(way) if want.usual_provider else ""
    return replace(want, key_access=way, provider=want.provider or usual)


def drift(want: Wanted, component: Component) -> dict[Setting, tuple[str, str]]:
    """What differs in one component's configuration: setting -> (expected, seen)."""
    wished = ((setting, _differs(want, component, setting)) for setting in component.part.settings)
    return {setting: differs for setting, differs in wished if differs}


def _differs(want: Wanted, component: Component, setting: Setting) -> tuple[str, str] | None:
    cluster, config = component.cluster(want.hsm_addresses, want.cluster_id), component.config
    match setting:
        case Setting.ADDRESSES:
            expected, seen = want.hsm_addresses, cluster.addresses
            if want.asks_aws(component.part) and not want.ask_aws:
                if cluster.cluster_id.lower() != want.cluster_id.lower() or not seen:
                    return f"those of {want.cluster_id}", cluster.cluster_id or "those of no id"
                # AWS knows them all, the variables perhaps one.
                return None if set(expected) <= set(seen) else (", ".join(expected), ", ".join(seen))
            if want.ask_aws and not expected:
                other = bool(cluster.cluster_id) and cluster.cluster_id.lower() != want.cluster_id.lower()
                there = cluster.cluster_id if other else "none"
                return (f"those of {want.cluster_id}", there) if other or not seen else None
            one = component.part.most == 1
            as_wanted = bool(seen) and seen[0] in expected if one else set(expected) == set(seen)
            if expected and not as_wanted:
                return ("one of " if one else "") + ", ".join(expected), ", ".join(seen) or "none"
        case Setting.HSM_TYPE:
            if want.hsm_type and cluster.hsm_type != want.hsm_type:
                return want.hsm_type, cluster.hsm_type or "none"
        case Setting.CUSTOMER_CA:
            file = cluster.customer_ca_file
            if want.customer_ca and file and file.lower() != configure.CUSTOMER_CA.lower():
                return configure.CUSTOMER_CA, file
        case Setting.KEY_AVAILABILITY:
            wish = want.key_availability
            if wish is not None and (config is None or cluster.key_availability_check != wish):
                return _on(wish), _on(cluster.key_availability_check if config else None)
        case Setting.SDK3_MODE:
            mode = config.sdk3_compatibility_mode if config else None
            if mode is not want.sdk3_compatibility_mode:
                return _on(want.sdk3_compatibility_mode), _on(mode)
        case Setting.TLS:
            if want.tls.state == "present" and not cluster.tls:
                return configure.TLS_CERTIFICATE, "none"
        case (
            Setting.RETRY_MODE
            | Setting.LOG_TYPE
            | Setting.LOG_FILE
            | Setting.LOG_LEVEL
            | Setting.LOG_ROTATION
        ):
            named, value = want.value(component.part, setting), _value(config, setting)
            if named and named.lower() != (value or "").lower():
                return named, value or "unknown"
        case _:
            assert_never(setting)
    return None


def _value(config: ClientConfig | None, setting: Setting) -> str | None:
    """What the file says of a setting of one value; None where it says nothing of it."""
    if config is None:
        return None
    log = config.logging
    return {
        Setting.RETRY_MODE: config.retry_mode,
        Setting.LOG_TYPE: log.type,
        Setting.LOG_FILE: log.file,
        Setting.LOG_LEVEL: log.level,
        Setting.LOG_ROTATION: log.rotation,
    }[setting]


def _on(value: bool | None) -> str:
    return "unknown" if value is None else "on" if value else "off"


def customer_ca_differs(want: Wanted, seen: Seen) -> bool:
    """Whether the file holds another certificate than the wanted one; how it is wrapped into lines does not
    matter.
    """
    there = pem_certificates(seen.customer_ca or b"")
    return bool(want.customer_ca) and pem_certificates(want.customer_ca) != there


def missing_providers(want: Wanted, seen: Seen) -> tuple[str, ...]:
    """The providers that are not registered, where the client is there as a whole and they could be listed."""
    if seen.sdk is None or seen.providers is None or seen.missing:
        return ()
    return seen.sdk.missing_providers(seen.providers, want.provider)


def direct_in_sdk3(want: Wanted, seen: Seen) -> bool:
    """Whether keys are to be opened directly by a client that cannot."""
    sdk = seen.sdk or meant(want.client_sdk)[0]
    return want.key_access == "direct" and not sdk.sets(Setting.SDK3_MODE)


def hindering(want: Wanted, seen: Seen) -> tuple[access.Use, ...]:
    """The certificates that stand against the wanted way to the keys, unless it was asked for in spite of them."""
    way: access.Access = "reference" if want.sdk3_compatibility_mode else "direct"
    return () if want.switch_key_access else access.hindering(way, seen.uses, seen.compatibility_mode)


def switch_refused(want: Wanted, uses: Sequence[access.Use]) -> tuple[str, str]:
    """Why the mode is not changed under certificates, and what is to be done."""
    turned, there, how = (
        ("on", "direct", "directly by their names")
        if want.sdk3_compatibility_mode
        else ("off", "reference", "by key reference files")
    )
    problem = (
        f"The SDK 3 compatibility mode of the provider would be turned {turned}, and certificates whose keys are opened {how} "
        f"could not sign any more: {access.named(uses)}."
    )
    advice = (
        f"Leave key_access at {there}, or set switch_key_access to true: the role key_container then ties the certificates "
        "of the host's identities anew, and no others."
    )
    return problem, advice


def unfit_sdk(want: Wanted, seen: Seen) -> ClientSdk | None:
    """The installed or else the wanted client SDK, where it does not work with the cluster's type."""
    named = meant(want.client_sdk)
    sdk = seen.sdk or (named[0] if len(named) == 1 else None)
    return sdk if sdk and want.hsm_type and want.hsm_type not in sdk.hsm_types else None


def compare(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted."""
    return [*compare_client(want, seen, context), *compare_connections(seen)]


def is_unlisted(seen: Seen) -> bool:
    """Whether the client is there, and what it registered is not known."""
    return seen.sdk is not None and seen.providers is None and not seen.missing


def compare_client(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted of the host itself."""
    return [*compare_known(want, seen, context), *_compare_listing(seen)]


def _compare_listing(seen: Seen) -> list[Finding]:
    """That nobody can say what the client registered."""
    if not is_unlisted(seen):
        return []
    sentence = f"the key storage providers of this host could not be listed: {seen.unlisted}"
    return [Finding("provider", PROVIDERS, "listed", seen.unlisted, UNLISTED, sentence=sentence)]


def compare_known(want: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    """What is not as wanted of what could be seen of the host: it can be configured though its providers cannot be
    listed, which is said beside it.
    """
    findings: list[Finding] = []
    if direct_in_sdk3(want, seen):
        why = access.direct_in_sdk3()
        sentence = why.problem
        findings.append(Finding("client", "key access", "direct", "reference", why.advice, sentence=sentence))
    want = settled(want, seen)
    unfit = unfit_sdk(want, seen)
    if unfit:
        fit = ", ".join(sdk.name for sdk in SDKS if want.hsm_type in sdk.hsm_types)
        advice = f"{SDK3_ON_HSM2M} Install Client SDK {fit} (role cloudhsm.codesign.client)."
        findings.append(Finding("client", "client SDK", fit, unfit.name, advice))
    for component in seen.components:
        findings += _compare_component(want, seen, component)
    if customer_ca_differs(want, seen):
        wish = "the cluster's issuing certificate"
        findings.append(Finding("client", configure.CUSTOMER_CA, wish, _ca_seen(seen), MODULE))
    if seen.sdk and seen.sdk.service:
        findings += _compare_service(seen.sdk.service, seen.service or ServiceResult(False))
    findings += _compare_idle_service(want, seen)
    findings += tls.compare(want.tls, seen.tls, context)
    other, advice = provider_advice(want, seen)
    for name in missing_providers(want, seen):
        findings.append(Finding("provider", name, "registered", f"not registered{other}", advice))
    return findings


def provider_advice(want: Wanted, seen: Seen) -> tuple[str, str]:
    """What else is registered, and what is to be done about a provider that is not."""
    if seen.sdk and seen.sdk.registers:
        return "", MODULE
    if not seen.providers:
        return "", REINSTALL
    others = " and ".join(sorted(seen.providers))
    return f" ({others} is)", f"Set the provider (codesign_provider) to {others}. {REINSTALL}"


def _compare_idle_service(want: Wanted, seen: Seen) -> list[Finding]:
    """The daemon of SDK 3 beside SDK 5: nothing there needs it."""
    service = seen.idle_service
    if service is None or (service.status == "Stopped" and service.start_type == "Disabled"):
        return []
    if want.idle_service == "disabled":
        state = f"{service.status}, {service.start_type}"
        return [Finding("service", SDK3.service, "Stopped, Disabled", state, MODULE)]
    if service.status != "Running":
        return []
    sentence = f"the daemon of Client SDK 3 ({SDK3.service}) runs beside Client SDK 5, which does not need it"
    advice = "Set idle_service of cloudhsm.codesign.win_cloudhsm_client (codesign_client_idle_service) to disabled, or remove Client SDK 3."
    return [
        Finding(
            "service", SDK3.service, "Stopped", service.status, advice, sentence=sentence, severity="notice"
        )
    ]


def unfound(seen: Seen) -> tuple[Component, ...]:
    """The installed parts whose configuration files were found nowhere. Where that of one part is in a known folder, they all
    belong there: one that is not is missing.
    """
    there = [one for one in seen.components if one.program]
    lost = tuple(one for one in there if one.content is None and not one.problem)
    return lost if len(lost) == len(there) else ()


def with_reach(host: Transport, want: Wanted, seen: Seen) -> Seen:
    """``seen``, and whether the client reaches the cluster where a part's file was found nowhere: one more call
    there, in which nothing logs in.
    """
    steps = seen.sdk.reach_steps(want.cluster_id, want.timeout) if seen.sdk and unfound(seen) else []
    return replace(seen, reached=all(map(went_well, host.run(steps).results))) if steps else seen


def _compare_component(want: Wanted, seen: Seen, component: Component) -> list[Finding]:
    name, config, problem = component.part.name, component.config, component.problem
    if not component.program:
        return [Finding("client", f"CloudHSM client ({name})", "installed", "not installed", ROLE)]
    if problem:
        sentence = f"{component.file} cannot be read as a configuration file: {problem}"
        advice = "Check the account's rights on this host." if component.content is None else ROLE
        return [Finding("client", component.file, "a configuration file", problem, advice, sentence=sentence)]
    findings = [Finding("client", one, "installed", "missing", ROLE) for one in component.lacking]
    if outdated(want, component):
        wish = f"{want.minimum_version} or newer"
        findings.append(
            Finding("client", f"version of the CloudHSM client ({name})", wish, component.version, ROLE)
        )
    if seen.reached and component in unfound(seen):
        sentence = unfound_text(component)
        advice = "Give its folder (configuration_folder, codesign_client_configuration_folder) to have it compared."
        notice = Finding(
            "client", component.part.file, "found", "not found", advice, sentence=sentence, severity="notice"
        )
        return [*findings, notice]
    differs, against = drift(want, component), hindering(want, seen)
    if config and config.sdk3_compatibility_mode is None and not against:
        # Nothing can be said where the file does not speak of it: the tool is run then, but that is no
        # difference yet.
        differs.pop(Setting.SDK3_MODE, None)
    if config and config.retry_mode is None:
        differs.pop(Setting.RETRY_MODE, None)
    if len(config.clusters if config else ()) > 1 and component.part.brings_provider:
        count = f"{len(config.clusters) if config else 0}"
        advice = f"Move {component.file} away and run the module cloudhsm.codesign.win_cloudhsm_client: the provider works with one cluster."
        findings.append(Finding("client", f"clusters in the configuration ({name})", "1", count, advice))
    refused = {Setting.SDK3_MODE: " ".join(switch_refused(want, against))} if against else {}
    findings += [
        Finding("client", f"{setting.value} ({name})", expected, found, refused.get(setting, MODULE))
        for setting, (expected, found) in differs.items()
    ]
    others = component.others(want.hsm_addresses, want.cluster_id)
    further = lookups.compare(want.lookups, seen.lookups, others) if component.part.adds_clusters else []
    return findings + further


def unfound_text(component: Component) -> str:
    """That a configuration is taken as it is."""
    return f"the configuration file {component.part.file} is in none of the folders that are known, and the client reaches the cluster"


def compare_connections(seen: Seen) -> list[Finding]:
    """The HSMs that do not answer: no state of the host, and nothing that a module puts right."""
    findings = []
    for item in (item for item in seen.connections if not item.reachable):
        what, why = f"TCP connection to {item.address}:{PORT}", item.error or "not reachable"
        sentence = f"this host cannot reach {item.address} on TCP port {PORT}{f': {item.error}' if item.error else ''}"
        findings.append(Finding("cluster", what, "reachable", why, unreachable_advice(), sentence=sentence))
    return findings


def _compare_service(name: str, seen: ServiceResult) -> list[Finding]:
    findings = []
    if seen.status != "Running":
        repair = MODULE if seen.exists else ROLE
        findings.append(Finding("service", name, "Running", seen.status or "not installed", repair))
    if seen.exists and not seen.start_type.startswith("Automatic"):
        findings.append(Finding("service", f"start type of {name}", "Automatic", seen.start_type, MODULE))
    return findings


def _ca_seen(seen: Seen) -> str:
    if seen.customer_ca is None:
        return "no such file"
    return "another certificate" if pem_certificates(seen.customer_ca) else "no certificate"


def unreachable_advice() -> str:
    return (
        f"Make the instance a member of the cluster's own security group (cloudhsm-<cluster id>-sg), which opens TCP {PORT} "
        "between its members, and check the route to the HSM's subnet."
    )
