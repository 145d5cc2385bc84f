# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the steps of every room."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps


def test_a_step_of_no_kind_can_do_nothing() -> None:
    with pytest.raises(NotImplementedError):
        steps.Step().fields()
    with pytest.raises(NotImplementedError):
        steps.Step().read({}, "utf-8")


@pytest.mark.parametrize("room", sorted(one.name for one in pkgutil.iter_modules(steps.__path__)))
def test_every_step_is_imported_from_the_package(room: str) -> None:
    module = importlib.import_module(f"{steps.__name__}.{room}")
    its_steps = {
        name
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, steps.Step) and one.__module__ == module.__name__
    }
    assert its_steps <= set(steps.__all__)


def test_no_two_steps_have_the_same_name_on_the_host() -> None:
    every = [one for one in map(vars(steps).get, steps.__all__) if isinstance(one, type)]
    ops = [one.op for one in every if issubclass(one, steps.Step)]
    assert len(ops) == len(set(ops))
