# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm-cli of Client SDK 5 in single-command mode: key list, key generate-file, user list.

Output is one JSON object with error_code and data (AWS CloudHSM user guide). Assumed, as no source shows
them: the exit code is the error_code, the texts for a missing login, a failed login, no connection and no
match, file names of containers, a new container at each call. Of the encodings only ksp-key-reference is
here. The fault ``cli_exit_0`` ends failures with 0.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from ..hsm.cluster import HsmError, KeyObject, Session
from ..windows import client, ksp
from ..windows.errors import LabOSError
from .clap import Option, Refused, parse

if TYPE_CHECKING:
    from ..windows.process import Process

COMMON = {"--cluster-id": Option(), "--help": Option("0")}
LIST = {
    **COMMON,
    "--filter": Option("+"),
    "--max-items": Option(),
    "--starting-token": Option(),
    "--verbose": Option("0"),
}
GENERATE = {
    **COMMON,
    "--filter": Option("+"),
    "--encoding": Option(required=True),
    "--path": Option(),
    "--all": Option("0"),
}
SHORT = {"-v": "--verbose", "-h": "--help"}
FIRST_WITH_REFERENCES = (5, 16, 0)
WRITES_OTHER_NAME = (5, 16, 0)
CLASSES = {"private": "private-key", "public": "public-key"}
CURVES = {"P-256": "secp256r1", "P-384": "secp384r1"}


class CommandError(Exception):
    """A command that fails with error_code 1 and this text."""


def main(process: Process) -> int:
    argv = process.argv
    try:
        if argv in (["--version"], ["-V"]):
            process.out_bytes(f"cloudhsm-cli {_version_text(process)}\n".encode())
            return 0
        command = " ".join(argv[:2])
        if command == "key list":
            data = _key_list(process, parse(argv[2:], LIST, SHORT, "cloudhsm-cli.exe key list [OPTIONS]"))
        elif command == "key generate-file":
            data = _generate_file(process, argv[2:])
        elif command == "user list":
            data = _user_list(process, parse(argv[2:], COMMON, SHORT, "cloudhsm-cli.exe user list [OPTIONS]"))
        else:
            raise Refused(
                f"unrecognized subcommand '{argv[1] if argv[:1] == ['key'] and len(argv) > 1 else ''.join(argv[:1])}'",
                "cloudhsm-cli.exe <COMMAND>",
            )
    except Refused as refusal:
        process.err_bytes(str(refusal).encode())
        return 2
    except CommandError as error:
        _print(process, {"error_code": 1, "data": str(error)})
        return 0 if process.fault("cli_exit_0") is not None else 1
    _print(process, {"error_code": 0, "data": data})
    return 0


def _print(process: Process, answer: dict[str, Any]) -> None:
    # A Rust program writes UTF-8 whatever the code page.
    process.out_bytes((json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def _version_text(process: Process) -> str:
    info = process.host.program_info(process.program)
    return ".".join((info["product_version"] if info else "0.0.0").split(".")[:3])


def _version(process: Process) -> tuple[int, ...]:
    return tuple(int(part) for part in _version_text(process).split("."))


def _connect(process: Process, given: dict[str, list[str]]) -> Any:
    try:
        return client.connect(process.host, "cli", given.get("--cluster-id", [""])[0])[0]
    except client.ClientError as error:
        raise CommandError(f"Unable to connect to the cluster: {error}") from None


def _login(process: Process, given: dict[str, list[str]]) -> Session:
    """The crypto user of CLOUDHSM_PIN and CLOUDHSM_ROLE."""
    role, pin = process.env("CLOUDHSM_ROLE"), process.env("CLOUDHSM_PIN")
    cluster = _connect(process, given)
    if not role or not pin:
        raise CommandError("User is not logged in: set CLOUDHSM_ROLE and CLOUDHSM_PIN")
    if role not in ("crypto-user", "admin"):
        raise CommandError(f"{role} is not a role: crypto-user, admin")
    user, colon, password = pin.partition(":")
    if not colon:
        raise CommandError("CLOUDHSM_PIN must be of the form username:password")
    if role != "crypto-user":
        raise CommandError("This command can be run by a crypto-user only")
    try:
        session = cluster.login(user, password)
    except HsmError:
        raise CommandError(
            "Incorrect credentials are passed for this operation: Incorrect authentication credentials."
        ) from None
    assert isinstance(session, Session)
    return session


def _key_list(process: Process, given: dict[str, list[str]]) -> dict[str, Any]:
    limit = _number(given.get("--max-items", ["10"])[0], "--max-items")
    start = _number(given.get("--starting-token", ["0"])[0], "--starting-token")
    session = _login(process, given)
    found = _matching(session, given.get("--filter", []))
    page = found[start : start + limit]
    data: dict[str, Any] = {
        "matched_keys": [_describe(key, "--verbose" in given, len(session.cluster.addresses)) for key in page]
    }
    data["total_key_count"] = len(found)
    data["returned_key_count"] = len(page)
    if start + limit < len(found):
        data["next_token"] = str(start + limit)
    return data


def _number(text: str, option: str) -> int:
    if not text.isdigit():
        raise Refused(
            f"invalid value '{text}' for '{option}': invalid digit found in string",
            "cloudhsm-cli.exe key list [OPTIONS]",
        )
    return int(text)


def _generate_file(process: Process, argv: list[str]) -> dict[str, Any]:
    references = _version(process) >= FIRST_WITH_REFERENCES
    options = {
        **GENERATE,
        "--encoding": Option(
            required=True, allowed=("ksp-key-reference",) if references else ("reference-pem", "pem")
        ),
    }
    given = parse(argv, options, SHORT, "cloudhsm-cli.exe key generate-file [OPTIONS] --encoding <ENCODING>")
    if "--all" in given and "--filter" in given:
        raise Refused(
            "the argument '--all' cannot be used with '--filter'",
            "cloudhsm-cli.exe key generate-file [OPTIONS] --encoding <ENCODING>",
        )
    if not references:
        raise CommandError("This encoding is not part of the lab")
    session = _login(process, given)
    if "--all" in given:
        keys = session.find(cls="private")
    else:
        keys = _matching(session, given.get("--filter", []))
        if len(keys) != 1:
            raise CommandError(
                f"Key selection criteria matched {len(keys)} keys. Refine selection criteria to select a single key."
            )
        if keys[0].cls != "private":
            raise CommandError("The selected key is not a private key")
        if keys[0].hsms < len(session.cluster.addresses):
            raise CommandError("The selected key is not synchronized throughout the cluster")
    folder = process.resolve(given["--path"][0]) if "--path" in given else ksp.CONTAINERS
    if "--path" in given and not process.host.files.is_dir(folder):
        raise CommandError(f"The directory {folder} does not exist")
    for key in keys:
        name = process.fault("cli_file_name") or _new_name()
        inner = _new_name() if _version(process) == WRITES_OTHER_NAME else name
        try:
            ksp.write_container(process.host, name, key, folder=folder, inner=inner, by="cloudhsm-cli")
        except LabOSError as error:
            raise CommandError(f"The key file could not be written: {error.message}") from None
    return {"message": "Successfully generated key file"}


def _new_name() -> str:
    return f"{secrets.token_hex(2)}-{secrets.token_hex(2)}"


def _user_list(process: Process, given: dict[str, list[str]]) -> dict[str, Any]:
    """The one command here that needs no login."""
    cluster = _connect(process, given)
    roles = {"CU": "crypto-user", "CO": "admin"}
    users = [
        {
            "username": user.name,
            "role": roles[user.role],
            "locked": str(user.locked).lower(),
            "mfa": [],
            "cluster-coverage": "full",
        }
        for user in cluster.users.values()
    ]
    return {"users": users}


# Filters
# --------------------------------------------------------------------------------------------------------------


def _matching(session: Session, filters: list[str]) -> list[KeyObject]:
    wanted = [_filter(text) for text in filters]
    found = session.find()
    return [key for key in found if all(_value(key, name) == value for name, value in wanted)]


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    known = (
        "class",
        "modulus",
        "key-type",
        "label",
        "id",
        "curve",
        "ec-point",
        "sign",
        "verify",
        "token",
        "modulus-size-bits",
    )
    if (
        not equals
        or (name != "key-reference" and name.removeprefix("attr.") not in known)
        or (name != "key-reference" and not name.startswith("attr."))
    ):
        raise CommandError(f"Invalid filter {text}")
    name = name.removeprefix("attr.")
    if name in ("modulus", "ec-point", "id", "key-reference"):
        if not value.lower().startswith("0x"):
            raise CommandError(f"Invalid value for {name}: a hexadecimal number with the prefix 0x is needed")
        try:
            number = int(value[2:] or "0", 16)
        except ValueError:
            raise CommandError(f"Invalid value for {name}: {value}") from None
        return name, str(number)
    if name == "class" and value not in ("private-key", "public-key", "secret-key"):
        raise CommandError(f"Invalid value for class: {value}")
    return name, value


def _value(key: KeyObject, name: str) -> str:
    """A key's attribute in the form that ``_filter`` gives a wanted one."""
    values = {
        "key-reference": str(key.handle),
        "class": CLASSES[key.cls],
        "key-type": key.key_type,
        "label": key.label,
        "id": str(int.from_bytes(key.id, "big")),
        "modulus": str(key.modulus) if key.modulus else "",
        "modulus-size-bits": str(key.key_size) if key.modulus else "",
        "curve": CURVES.get(key.public.curve, ""),
        "ec-point": str(int.from_bytes(_point(key), "big")) if key.public.point else "",
        "sign": str(key.cls == "private").lower(),
        "verify": str(key.cls == "public").lower(),
        "token": "true",
    }
    return values[name]


def _point(key: KeyObject) -> bytes:
    """The EC point as PKCS#11 keeps it, in a DER octet string."""
    return bytes((4, len(key.public.point))) + key.public.point


def _describe(key: KeyObject, verbose: bool, hsms: int) -> dict[str, Any]:
    if not verbose:
        return {"key-reference": key.reference, "attributes": {"label": key.label}}
    coverage = "full" if key.hsms >= hsms else "partial"
    private = key.cls == "private"
    attributes: dict[str, Any] = {
        "key-type": key.key_type,
        "label": key.label,
        "id": f"0x{key.id.hex()}" if key.id else "0x",
        "check-value": f"0x{key.token_id.hex():>06}",
        "class": CLASSES[key.cls],
        "encrypt": False,
        "decrypt": False,
        "token": True,
        "always-sensitive": private,
        "derive": False,
        "destroyable": True,
        "extractable": not private,
        "local": True,
        "modifiable": True,
        "never-extractable": private,
        "private": private,
        "sensitive": private,
        "sign": private,
        "trusted": False,
        "unwrap": False,
        "verify": not private,
        "wrap": False,
        "wrap-with-trusted": False,
        "key-length-bytes": len(key.public_der),
    }
    if key.key_type == "rsa":
        digits = (key.modulus.bit_length() + 7) // 8 * 2
        attributes |= {
            "public-exponent": f"0x{key.exponent:06x}",
            "modulus": f"0x{key.modulus:0{digits}x}",
            "modulus-size-bits": key.key_size,
        }
    else:
        attributes |= {"ec-point": f"0x{_point(key).hex()}", "curve": CURVES[key.public.curve]}
    attributes |= key.attributes
    return {
        "key-reference": key.reference,
        "key-info": {
            "key-owners": [{"username": key.owner, "key-coverage": coverage}],
            "shared-users": [{"username": user, "key-coverage": coverage} for user in key.shared],
            "key-quorum-values": {"manage-key-quorum-value": 0, "use-key-quorum-value": 0},
            "cluster-coverage": coverage,
        },
        "attributes": attributes,
    }
