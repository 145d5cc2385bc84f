#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation's site into build/docs/html: the pages of docs/, the guides of docs/docsite and the
reference that antsibull-docs makes. Every warning is a failure, and so is a link within the site that leads nowhere.

``--external`` asks the addresses outside of it instead (skipped where there is no network). Ends with 77, and says why, where
the tools cannot be installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from provision import virtual
from provision.console import SetupError

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
VENV = BUILD / "docs-venv"
REQUIREMENTS = ROOT / "requirements" / "docs.txt"
SITE = BUILD / "docs"
SOURCE, HTML = SITE / "source", SITE / "html"
SKIPPED = 77
"""The exit code of what was not done, as Automake has it."""
PATIENCE = 900
"""Seconds for one tool. A quiet machine needs ten to thirty."""
BRANCH = "main"

REFERENCE = "reference"
"""The folder of what antsibull-docs makes."""


class DocsError(Exception):
    """The site could not be built; the text says why."""


# The tools
# -----------------------------------------------------------------------------------------------------------


def lacking() -> str:
    """Makes the environment of the site's tools, where it is not there yet. Why it cannot be made, or ""."""
    # Its programs name its folder, so that one that was moved is made anew.
    facts = (str(sys.version_info[:2]), str(ROOT))
    wanted = virtual.Environment(VENV, tuple(virtual.requirements(REQUIREMENTS)), (REQUIREMENTS,), facts)
    try:
        virtual.make(wanted, sys.executable, timeout=PATIENCE)
    except SetupError as error:
        return str(error)
    return ""


def run(argv: Sequence[str], fails: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a tool. DocsError with what it printed where it fails and ``fails`` is set, or where it does not end in PATIENCE."""
    try:
        done = _run(argv)
    except subprocess.TimeoutExpired as error:
        raise DocsError(f"{Path(argv[1]).name} did not end within {PATIENCE} seconds") from error
    if fails and done.returncode != 0:
        raise DocsError(f"{Path(argv[1]).name} ended with {done.returncode}:\n{done.stdout.rstrip()}")
    return done


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)]),
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(BUILD / "dev"), str(BUILD / "collections")]),
            "ANSIBLE_HOME": str(BUILD / "ansible"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def tool(name: str, *arguments: str) -> list[str]:
    """The command of a tool of the site's environment; by the interpreter, as a shebang cannot hold every folder's path."""
    return [str(VENV / "bin" / "python"), str(VENV / "bin" / name), *arguments]


# The sources
# --------------------------------------------------------------------------------------------------------


def repository() -> str:
    """The address below which the repository's files lie, as galaxy.yml names it: README and guides link to it, as they are
    read on Galaxy, too.
    """
    known = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    return f"{known['repository']}/blob/{BRANCH}/"


def raw() -> str:
    """The address of the files themselves: README's picture comes from there, as Galaxy shows no file of the collection."""
    return repository().replace("//github.com/", "//raw.githubusercontent.com/").replace("/blob/", "/")


def page_of(path: str) -> str:
    """Where a file of the repository is a page of the site, from the site's root and without an ending; "" for one that is none.

    >>> page_of("roles/client/README.md")
    'roles/client'
    """
    for pattern, page in (
        (r"docs/docsite/rst/(guide_\w+)\.rst", rf"{REFERENCE}/docsite/\1"),
        (r"docs/((?:\w+/)*\w+)\.md", r"\1"),
        (r"roles/(\w+)/README\.md", r"roles/\1"),
        (r"plugins/modules/(\w+)\.py", rf"{REFERENCE}/\1_module"),
        (r"README\.md", "readme"),
        (r"CONTRIBUTING\.md", "contributing"),
        (r"CHANGELOG\.rst", f"{REFERENCE}/changelog"),
    ):
        if found := re.fullmatch(pattern, path):
            return found.expand(page)
    return ""


def link(target: str, place: str, page: str, ending: str = "") -> str:
    """A link of the file ``place``, which is shown as ``page``, as the site has it: relative to that page where the target is one of
    its pages, else the address of the repository's file. One to elsewhere, or within the page, stays. ``ending``: of the pages that
    links name; by their sources unless given.

    >>> link("../roles/client/README.md#variables", "docs/drift.md", "drift")
    'roles/client.md#variables'
    """
    base = repository()
    if target.startswith(raw()):
        target = base + target.removeprefix(raw())
    if not target.startswith(base):
        if urlsplit(target).scheme or target.startswith("#"):
            return target
        name, _mark, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(place), unquote(name)))
    else:
        path, _mark, anchor = target.removeprefix(base).partition("#")
    mark = f"#{anchor}" if anchor else ""
    if path.startswith("docs/pictures/"):
        return os.path.relpath(path.removeprefix("docs/"), os.path.dirname(page) or ".")
    there = page_of(path)
    if not there:
        return base + path + mark
    ending = ending or (".rst" if there.startswith(REFERENCE) else ".md")
    return os.path.relpath(there + ending, os.path.dirname(page) or ".") + mark


def markdown(text: str, place: str, page: str) -> str:
    """A page with its links as the site has them; blocks of code stay."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    for number in range(0, len(parts), 2):
        part = re.sub(
            r"(\]\()([^)\s]+)(\))",
            lambda found: f"{found[1]}{link(found[2], place, page)}{found[3]}",
            parts[number],
        )
        # [name]: address, as README has it
        parts[number] = re.sub(
            r"^(\[[^\]]+\]: )(\S+)$",
            lambda found: f"{found[1]}{link(found[2], place, page)}",
            part,
            flags=re.MULTILINE,
        )
    return "".join(parts)


def restructured(text: str, place: str, page: str) -> str:
    """A guide with its links to the repository's files as the site has them."""
    return re.sub(
        rf"<({re.escape(repository())}[^>]+)>",
        lambda found: f"<{link(found[1], place, page, '.html')}>",
        text,
    )


def without_contents(text: str) -> str:
    """A page without the list of its own parts: the theme shows them beside each page."""
    return re.sub(r"^\.\. contents::.*\n(?:[ \t]+:.*\n)*", "", text, flags=re.MULTILINE)


MENU = (
    (
        "Begin",
        (
            f"{REFERENCE}/docsite/guide_quick_start",
            f"{REFERENCE}/docsite/guide_first_host",
            f"{REFERENCE}/docsite/guide_how_to",
            "troubleshooting",
        ),
    ),
    ("Use", ("playbooks", "sign_local", "drift", "chain", "examples/README", "fleets")),
    ("Your surroundings", ("connections", "aws", "proxies", "secrets", "security", "reliability")),
    (
        "Reference",
        (
            f"Modules and plug-ins <{REFERENCE}/index>",
            "README <readme>",
            f"Release notes <{REFERENCE}/changelog>",
        ),
    ),
    ("Roles", ("roles/*",)),
    (
        "How far to trust it",
        (
            "fidelity",
            "assumptions",
            "reliability",
            "performance",
            "lab",
            "architecture",
            "development",
            "contributing",
        ),
    ),
)
"""The site's menu: captions and pages, those that would have the collection's name with another one."""


def lay() -> None:
    """Everything that Sphinx reads, into SOURCE."""
    shutil.rmtree(SITE, ignore_errors=True)
    # antsibull-docs writes into no folder that others may write.
    (SOURCE / REFERENCE).mkdir(parents=True, mode=0o755)
    (SOURCE / REFERENCE).chmod(0o755)
    run(
        tool(
            "antsibull-docs",
            "collection",
            "--use-current",
            "--squash-hierarchy",
            "--fail-on-error",
            "--dest-dir",
            str(SOURCE / REFERENCE),
            "cloudhsm.codesign",
        )
    )
    for place in sorted(ROOT.glob("docs/docsite/rst/*.rst")):
        path = place.relative_to(ROOT).as_posix()
        page = page_of(path)
        write(f"{page}.rst", restructured(place.read_text(encoding="utf-8"), path, page))
    for generated in (SOURCE / REFERENCE).rglob("*.rst"):
        text = generated.read_text(encoding="utf-8")
        generated.write_text(without_contents(text), encoding="utf-8")
    pages = [
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("roles/*/README.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ]
    for place in pages:
        path = place.relative_to(ROOT).as_posix()
        page = page_of(path)
        write(
            f"{page}.md",
            markdown(place.read_text(encoding="utf-8"), path, page) + (menu() if page == "index" else ""),
        )
    shutil.copytree(ROOT / "docs" / "pictures", SOURCE / "pictures")
    shutil.copyfile(ROOT / "docs" / "site" / "conf.py", SOURCE / "conf.py")
    (SOURCE / "_static").mkdir()
    shutil.copyfile(ROOT / "docs" / "site" / "site.css", SOURCE / "_static" / "site.css")


def menu() -> str:
    return "".join(
        "\n\n```{toctree}\n:hidden:\n:glob:\n:maxdepth: 1\n:caption: "
        + caption
        + "\n\n"
        + "\n".join(pages)
        + "\n```\n"
        for caption, pages in MENU
    )


def write(name: str, text: str) -> None:
    file = SOURCE / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


# Links
# --------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The places of a page that a link can name, and its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def broken_links(site: Path) -> list[str]:
    """Links between the pages of a site that lead nowhere, each with the page that it stands on."""
    pages = {page: Page(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}
    found = []
    for page, content in pages.items():
        for target in dict.fromkeys(content.links):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not file.is_file():
                found.append(f"{page.relative_to(site)}: {target}: there is no such page")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].places:
                found.append(f"{page.relative_to(site)}: {target}: there is no such place on that page")
    return found


# The whole
# ----------------------------------------------------------------------------------------------------------


def sphinx(builder: str, target: Path) -> None:
    run(
        tool(
            "sphinx-build", "-b", builder, "-W", "--keep-going", "-q", "-d", str(SITE / "doctrees"), str(SOURCE), str(target)
        )
    )  # fmt: skip


def build() -> None:
    lay()
    sphinx("html", HTML)
    broken = broken_links(HTML)
    if broken:
        raise DocsError("links that lead nowhere:\n" + "\n".join(broken))


def is_online(host: str = "docs.ansible.com") -> bool:
    """Whether a name outside of this machine's network can be looked up."""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def addresses() -> set[str]:
    """The addresses outside of the site that its pages link to, as far as they are no file of the repository."""
    pages = [
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("docs/docsite/rst/*.rst"),
        *ROOT.glob("roles/*/README.md"),
    ]
    found = set()
    for page in (*pages, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        found.update(
            re.findall(r"(?<=\]\()https?://[^)\s]+|(?<=<)https?://[^>\s]+", page.read_text(encoding="utf-8"))
        )
    return {one for one in found if not one.startswith((repository(), raw()))}


def asked(record: str) -> tuple[int, list[str]]:
    """How many addresses answered, and those that nobody knows of, by Sphinx' record (output.json of its builder linkcheck: a JSON
    object a line, with ``uri`` and ``status``). What it calls broken or a timeout has ended the run already.
    """
    states: dict[str, str] = {}
    for line in record.splitlines():
        one = json.loads(line)
        if urlsplit(one["uri"]).scheme in ("http", "https"):
            states[one["uri"]] = one["status"]
    reached = [uri for uri, status in states.items() if status in ("working", "redirected")]
    return len(reached), sorted(f"{uri}: {status}" for uri, status in states.items() if uri not in reached)


def ask() -> str:
    """Asks the addresses outside of the site. What came of it; DocsError where one did not answer as it should."""
    lay()
    sphinx("linkcheck", SITE / "linkcheck")
    reached, unknown = asked((SITE / "linkcheck" / "output.json").read_text(encoding="utf-8"))
    if unknown:
        raise DocsError(f"{reached} addresses answered, {len(unknown)} did not:\n" + "\n".join(unknown))
    return f"{reached} addresses answered, 0 did not"


def main(arguments: Sequence[str]) -> int:
    external = "--external" in arguments
    if external and not is_online():
        count = len(addresses())
        print(
            f"docs: no network (docs.ansible.com has no address here): 0 addresses answered, {count} were not asked"
        )
        return SKIPPED
    if why := lacking():
        print(f"docs: not built: {why}")
        return SKIPPED
    try:
        if external:
            print(f"docs: {ask()}")
        else:
            build()
            print(f"docs: {HTML.relative_to(ROOT)}/index.html")
    except DocsError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
