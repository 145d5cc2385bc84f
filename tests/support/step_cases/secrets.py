# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: where they arrive, and where they must not."""

from __future__ import annotations

import hashlib

from support.step_shell import Place, Play, ask, case, python, steps, typed

# The secrets of these tests are names or nobody's.
# ruff: noqa: S106

LOGIN = "loginHSM -u CU -s u -p 'p&q%\"ü'\nexit\n"
PIN = 'u:p&q% "ü$x`y^z\\'
LOOKED_FOR = "Secret-6f1d0a7e"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@case()
def secrets_arrive_whole(place: Place) -> Play:
    first, second, third = yield ask(
        python("cat", secret_stdin="login"),
        python("environment", "CLOUDHSM_PIN", secret_environment={"CLOUDHSM_PIN": "pin"}),
        python(
            "environment",
            "n3fips_password",
            environment={"CODESIGN_A": "a"},
            secret_environment={"n3fips_password": "pin", "CLOUDHSM_PIN": "login"},
        ),
        secrets={"login": LOGIN, "pin": PIN},
    )
    assert first.stdout_bytes.decode("utf-8") == LOGIN
    assert second.stdout_bytes.decode("utf-8") == PIN
    assert third.stdout_bytes.decode("utf-8") == PIN


@case()
def large_and_foreign_secrets(place: Place) -> Play:
    large, foreign = "s3cret-" * 3_000, "пароль-密码-🔑-ñ\u0301"
    by_input, by_variable = yield ask(
        python("digest_of_input", secret_stdin="large"),
        python("environment", "CLOUDHSM_PIN", secret_environment={"CLOUDHSM_PIN": "foreign"}),
        secrets={"large": large, "foreign": foreign},
    )
    assert by_input.stdout == digest(large)
    assert by_variable.stdout_bytes.decode("utf-8") == foreign


@case()
def secret_of_one_process_is_not_in_the_next(place: Place) -> Play:
    def with_secret(name: str) -> object:
        return python("environment", name, secret_environment={name: "pin"})

    def without(name: str) -> object:
        return python("environment", name)

    first, after, by_input, nothing = yield ask(
        with_secret("CODESIGN_S1"),
        without("CODESIGN_S1"),
        python("cat", secret_stdin="pin"),
        python("cat"),
        secrets={"pin": PIN},
    )
    assert first.stdout_bytes.decode("utf-8") == PIN
    assert after.stdout == "(not set)"
    assert by_input.stdout_bytes.decode("utf-8") == PIN
    assert nothing.stdout == ""
    (next_call,) = yield ask(without("CODESIGN_S1"))
    assert next_call.stdout == "(not set)"


@case()
def secret_of_one_run_is_not_in_the_others(place: Place) -> Play:
    def asks(name: str, **fields: object) -> object:
        return python("environment", name, **fields)

    together, later = yield ask(
        steps.Together(
            (
                asks("CODESIGN_S2", secret_environment={"CODESIGN_S2": "pin"}),
                asks("CODESIGN_S2"),
            ),
            jobs=1,
        ),
        asks("CODESIGN_S2"),
        secrets={"pin": PIN},
    )
    assert [one.stdout_bytes.decode("utf-8") for one in together.results] == [PIN, "(not set)"]
    assert later.stdout == "(not set)"


@case()
def secrets_are_in_no_result_and_no_command_line(place: Place) -> Play:
    """That no answer holds them in clear is asserted for every call (support.step_shell.send)."""
    by_variable, by_input = (
        {"secret_environment": {"CLOUDHSM_PIN": "looked_for"}},
        {"secret_stdin": "looked_for"},
    )
    one, two, missing = yield ask(
        python("exit", "1", **by_variable),
        python("exit", "0", **by_input),
        steps.Run("/no/such/tool", (), **by_input),
        secrets={"looked_for": LOOKED_FOR},
    )
    assert (one.exit_code, two.exit_code) == (1, 0)
    assert isinstance(missing, typed.Failure)
    assert LOOKED_FOR not in missing.message


@case("Linux")
def secrets_are_in_no_command_line_and_no_other_environment(place: Place) -> Play:
    lines, others = yield ask(
        python("command_lines", secret_environment={"CLOUDHSM_PIN": "looked_for"}),
        python("environments", LOOKED_FOR, secret_stdin="looked_for"),
        secrets={"looked_for": LOOKED_FOR},
    )
    assert b"stand_in.py" in lines.stdout_bytes
    # The program that looks has the secret in its own argument list, to know what to look for.
    assert LOOKED_FOR.encode() not in lines.stdout_bytes
    assert others.stdout == "0"


@case()
def unknown_secret_fails_with_its_name(place: Place) -> Play:
    by_input, by_variable = yield ask(
        python("cat", secret_stdin="nobody"),
        python("cat", secret_environment={"CODESIGN_A": "nobody2"}),
        secrets={"other": "value-of-other"},
    )
    for failure, name in ((by_input, "nobody"), (by_variable, "nobody2")):
        assert isinstance(failure, typed.Failure)
        assert name in failure.message


@case()
def unknown_secret_fails_one_of_several_runs(place: Place) -> Play:
    (together,) = yield ask(
        steps.Together((python("cat", secret_stdin="nobody3"), python("cat", stdin="well")), jobs=1),
        secrets={"other": "value-of-other"},
    )
    assert isinstance(together.results[0], typed.Failure)
    assert "nobody3" in together.results[0].message
    assert together.results[1].stdout == "well"


ACCEPTED = r'"error_code"\s*:\s*0\b'
GOOD, BAD = '{\n  "error_code": 0\n}', '{\n  "error_code": 1\n}'


def guard(what: str, *arguments: str, **fields: object) -> object:
    return python(
        what, *arguments, **{"secret_environment": {"CODESIGN_A": "pin"}, "guard": ACCEPTED, **fields}
    )


def with_pin(**fields: object) -> object:
    return python("environment", "CODESIGN_A", secret_environment={"CODESIGN_A": "pin"}, **fields)


@case(alone=True)
def guard_that_is_passed_lets_secrets_go_on(place: Place) -> Play:
    first, second, after, together, plain = yield ask(
        guard("cat", stdin=GOOD),
        guard("cat", stdin=GOOD),
        with_pin(),
        steps.Together((with_pin(), python("cat", stdin="no secret"))),
        python("cat", stdin="well"),
        secrets={"pin": PIN},
    )
    assert first.stdout == GOOD
    assert isinstance(second, typed.Skipped), "of two guards the first one decides"
    assert after.stdout_bytes.decode("utf-8") == PIN
    assert [one.stdout_bytes.decode("utf-8") for one in together.results] == [PIN, "no secret"]
    assert plain.stdout == "well"


def stopped(*guards: object) -> Play:
    results = yield ask(
        *guards,
        with_pin(),
        python("cat", secret_stdin="pin"),
        steps.Together((python("cat", stdin="x"), with_pin())),
        steps.Journaled((), (steps.Together((with_pin(),)),)),
        python("cat", stdin="only after", only_if_previous_ok=True),
        python("cat", stdin="well"),
        secrets={"pin": PIN},
    )
    *seen, one, two, together, journaled, chained, plain = results
    assert all(isinstance(result, typed.Skipped) for result in (one, two, together, journaled, chained))
    assert plain.stdout == "well"
    assert len(seen) == len(guards)


@case(alone=True)
def guard_whose_output_says_no_stops_secrets(place: Place) -> Play:
    yield from stopped(guard("cat", stdin=BAD), guard("cat", stdin=GOOD))


@case(alone=True)
def guard_that_ends_with_a_code_stops_secrets(place: Place) -> Play:
    yield from stopped(guard("exit", "1", guard="."), guard("cat", stdin=GOOD))


@case(alone=True)
def guard_that_hangs_stops_secrets(place: Place) -> Play:
    yield from stopped(guard("talk", GOOD, "", "30", timeout=1))


@case(alone=True)
def guard_whose_program_is_missing_leaves_it_to_the_next(place: Place) -> Play:
    missing = steps.Run("/no/such/tool", (), secret_environment={"CODESIGN_A": "pin"}, guard=ACCEPTED)
    first, second, after = yield ask(missing, guard("cat", stdin=GOOD), with_pin(), secrets={"pin": PIN})
    assert isinstance(first, typed.Failure)
    assert second.stdout == GOOD
    assert after.stdout_bytes.decode("utf-8") == PIN


@case(alone=True)
def guards_that_are_all_missing_stop_secrets(place: Place) -> Play:
    missing = steps.Run("/no/such/tool", (), secret_environment={"CODESIGN_A": "pin"}, guard=ACCEPTED)
    yield from stopped(missing, missing)
