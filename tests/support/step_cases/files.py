# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders: read, written, moved, listed, each with a run of its own."""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.server
import io
import json
import os
import stat
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from support.inotify import Watch
from support.programs import program
from support.step_shell import Place, Play, ask, case, command_line, python, steps, typed


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@case()
def written_read_and_removed(place: Place) -> Play:
    path, data = str(place.folder / "f ä [x].bin"), bytes(range(256)) * 50
    done, read, _again, second, removed, gone, missing, _empty, nothing = yield ask(
        steps.WriteFile(path, data),
        steps.ReadFile(path),
        steps.WriteFile(path, b"2"),
        steps.ReadFile(path),
        steps.RemoveFile(path),
        steps.RemoveFile(path),
        steps.ReadFile(path),
        steps.WriteFile(path, b""),
        steps.ReadFile(path),
    )
    assert isinstance(done, typed.Done)
    assert read.content == data
    assert second.content == b"2"
    assert (removed.existed, gone.existed) == (True, False)
    assert not missing.exists
    assert nothing.exists
    assert nothing.content == b""


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


@case()
def package_is_unpacked_where_it_is_the_one(place: Place) -> Play:
    package, target = place.folder / "package.zip", place.folder / "out"
    content = zipped(**{"bin/1.0/x64/tool.txt": b"tool", "read me.txt": b"", "bin/": b""})
    package.write_bytes(content)
    other, missing, good, tool, empty = yield ask(
        steps.Unpack(str(package), "0" * 64, str(target)),
        steps.Unpack(str(place.folder / "no package.zip"), digest(content), str(target)),
        steps.Unpack(str(package), digest(content), str(target)),
        steps.ReadFile(str(target / "bin" / "1.0" / "x64" / "tool.txt")),
        steps.ReadFile(str(target / "read me.txt")),
    )
    assert (other.sha256, other.files) == (digest(content), 0)
    assert isinstance(missing, typed.Failure)
    assert (good.sha256, good.files) == (digest(content), 2)
    assert tool.content == b"tool"
    assert (empty.exists, empty.content) == (True, b"")


@case()
def package_brings_a_program_whose_digest_is_noted(place: Place) -> Play:
    package, target = place.folder / "package.zip", place.folder / "out"
    package.write_bytes(zipped(**{"1.0/tool.exe": b"old", "2.0/tool.exe": b"new", "2.0/other.txt": b""}))
    sha256, program = digest(package.read_bytes()), str(target / "*" / "tool.exe")
    unpack = steps.Unpack(str(package), sha256, str(target), program=program, keep=True)
    good, note, older, kept, again, noted = yield ask(
        unpack,
        steps.ReadFile(str(target / "2.0" / "tool.exe.sha256")),
        steps.ReadFile(str(target / "1.0" / "tool.exe.sha256")),
        unpack,
        replace(unpack, keep=False),
        steps.ReadFile(str(target / "2.0" / "tool.exe.sha256")),
    )
    assert (good.files, good.kept) == (3, False)
    assert note.content == f"{digest(b'new')}\r\n".encode()
    assert not older.exists
    assert (kept.files, kept.kept) == (0, True)
    assert (again.files, again.kept) == (3, False)
    assert noted.content == note.content


@case()
def package_without_the_program_notes_nothing(place: Place) -> Play:
    package, target = place.folder / "package.zip", place.folder / "out"
    package.write_bytes(zipped(**{"1.0/other.exe": b"other"}))
    sha256, program = digest(package.read_bytes()), str(target / "*" / "tool.exe")
    good, other, left_out, listed = yield ask(
        steps.Unpack(str(package), sha256, str(target), program=program, keep=True),
        steps.Unpack(str(package), "0" * 64, str(target), program=program, keep=True),
        steps.Unpack(str(package), sha256, str(target / "never"), only_if_previous_ok=True),
        steps.ListFolder(str(target / "1.0")),
    )
    assert (good.files, good.kept) == (1, False)
    assert other.files == 0
    assert isinstance(left_out, typed.Skipped)
    assert [file.name for file in listed.files] == ["other.exe"]


@case()
def package_that_is_not_the_one_leaves_nothing(place: Place) -> Play:
    package, target = place.folder / "package.zip", place.folder / "out"
    package.write_bytes(zipped(**{"tool.txt": b"tool"}))
    outside = place.folder / "outside.zip"
    outside.write_bytes(zipped(**{"tool.txt": b"tool", "../escaped.txt": b"x"}))
    _other, failed, tool, escaped = yield ask(
        steps.Unpack(str(package), "0" * 64, str(target)),
        steps.Unpack(str(outside), digest(outside.read_bytes()), str(target)),
        steps.ReadFile(str(target / "tool.txt")),
        steps.ReadFile(str(place.folder / "escaped.txt")),
    )
    assert isinstance(failed, typed.Failure)
    assert "outside of its folder" in failed.message
    assert not tool.exists
    assert not escaped.exists


@case()
def package_that_breaks_on_its_way_leaves_nothing_of_it(place: Place) -> Play:
    package, target = place.folder / "package.zip", place.folder / "out"
    package.write_bytes(zipped(**{"1.0/x64/tool.exe": b"tool", "1.0/a.txt": b"a", "1.0/b.txt": b"b"}))
    (target / "1.0" / "b.txt").mkdir(parents=True)
    failed, left, program = yield ask(
        steps.Unpack(
            str(package),
            digest(package.read_bytes()),
            str(target),
            program=str(target / "*" / "x64" / "tool.exe"),
        ),
        steps.ListFolder(str(target / "1.0")),
        steps.ReadFile(str(target / "1.0" / "x64" / "tool.exe")),
    )
    assert isinstance(failed, typed.Failure)
    assert left.files == ()
    assert not program.exists, "the program comes last"


@case()
def package_comes_from_an_address(place: Place) -> Play:
    content = zipped(**{"tool.txt": b"tool"})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A proxy is asked for the whole address.
            there = self.path in ("/package", "http://packages.example/package")
            self.send_response(200 if there else 404)
            self.end_headers()
            if there:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, target = f"http://127.0.0.1:{server.server_port}", place.folder / "out"
        missing, good, tool, by_proxy, no_proxy = yield ask(
            steps.Unpack(f"{address}/none", digest(content), str(target)),
            steps.Unpack(f"{address}/package", digest(content), str(target)),
            steps.ReadFile(str(target / "tool.txt")),
            steps.Unpack("http://packages.example/package", digest(content), str(target), proxy=address),
            steps.Unpack(
                f"{address}/package", digest(content), str(target), proxy="http://127.0.0.1:9", timeout=20
            ),
        )
        server.shutdown()
    assert by_proxy.files == 1
    assert isinstance(no_proxy, typed.Failure)
    assert isinstance(missing, typed.Failure)
    assert "404" in missing.message
    assert good.files == 1
    assert tool.content == b"tool"


@case()
def package_comes_by_a_proxy_that_asks_who_it_is(place: Place) -> Play:
    content, name, password = zipped(**{"tool.txt": b"tool"}), "CORP\\builder", "p:right-w0rd"
    wanted = base64.b64encode(f"{name}:{password}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Proxy-Authorization", "").removeprefix("Basic ")
            known = given == wanted
            self.send_response(200 if known else 407)
            if not known:
                self.send_header("Proxy-Authenticate", 'Basic realm="the proxy"')
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy, target = f"http://127.0.0.1:{server.server_port}", str(place.folder / "out")
        package = ("http://packages.example/package", digest(content), target)

        def asking(secret: str) -> steps.Unpack:
            return steps.Unpack(*package, proxy=proxy, proxy_user=name, proxy_secret=secret)

        known, unknown, wrong, nobody = yield ask(
            asking("proxy_right"),
            steps.Unpack(*package, proxy=proxy),
            asking("proxy_wrong"),
            asking("proxy_none"),
            secrets={"proxy_right": password, "proxy_wrong": "wr0ng-w0rd"},
        )
        server.shutdown()
    assert (known.sha256, known.files) == (digest(content), 1)
    for failure in (unknown, wrong):
        assert isinstance(failure, typed.Failure)
        assert "407" in failure.message
    assert isinstance(nobody, typed.Failure)
    assert "no secret named 'proxy_none'" in nobody.message


@case()
def limit_of_what_is_read(place: Place) -> Play:
    path = place.folder / "two.bin"
    path.write_bytes(b"12")
    none, one, just = yield ask(
        steps.ReadFile(str(path), limit=0),
        steps.ReadFile(str(path), limit=1),
        steps.ReadFile(str(path), limit=2),
    )
    for failure in (none, one):
        assert isinstance(failure, typed.Failure)
        assert "limit" in failure.message
    assert just.content == b"12"


@case()
def digest_of_a_file(place: Place) -> Play:
    path, empty, data = place.folder / "f ä [x].bin", place.folder / "empty", bytes(range(256)) * 50
    path.write_bytes(data)
    empty.write_bytes(b"")
    seen, of_nothing, missing, folder = yield ask(
        *(steps.Digest(str(one)) for one in (path, empty, place.folder / "none", place.folder))
    )
    assert (seen.exists, seen.size, seen.sha256) == (True, len(data), digest(data))
    assert (of_nothing.exists, of_nothing.size, of_nothing.sha256) == (True, 0, digest(b""))
    assert not missing.exists
    assert not folder.exists


@case()
def list_of_a_folder(place: Place) -> Play:
    (place.folder / "f ä [x].bin").write_bytes(b"1")
    listed, none, of_a_file = yield ask(
        steps.ListFolder(str(place.folder)),
        steps.ListFolder(str(place.folder / "none")),
        steps.ListFolder(str(place.folder / "f ä [x].bin")),
    )
    assert [(one.name, one.size) for one in listed.files] == [("f ä [x].bin", 1)]
    assert not none.exists
    assert not of_a_file.exists


@case()
def empty_folder_is_there(place: Place) -> Play:
    (place.folder / "empty").mkdir()
    (empty,) = yield ask(steps.ListFolder(str(place.folder / "empty")))
    assert empty.exists
    assert empty.files == ()


@case()
def refused_reads_and_writes(place: Place) -> Play:
    folder, file = place.folder / "folder", place.folder / "file"
    folder.mkdir()
    file.write_bytes(b"x")
    no_folder, on_folder, in_file, read_folder, remove_folder = yield ask(
        steps.WriteFile(str(place.folder / "none" / "x"), b"x"),
        steps.WriteFile(str(folder), b"x"),
        steps.WriteFile(str(file / "x"), b"x"),
        steps.ReadFile(str(folder)),
        steps.RemoveFile(str(folder)),
    )
    for failure in (no_folder, on_folder, in_file, remove_folder):
        assert isinstance(failure, typed.Failure)
        assert failure.code
    assert not read_folder.exists
    assert sorted(path.name for path in place.folder.iterdir()) == ["file", "folder"], (
        "what was written under another name first is gone"
    )
    assert list(folder.iterdir()) == []


@case()
def append_to_a_folder_is_refused(place: Place) -> Play:
    (failure,) = yield ask(steps.AppendFile(str(place.folder), b"x"))
    assert isinstance(failure, typed.Failure)
    assert failure.code


@case("Linux")
def what_may_not_be_read_is_not_absent(place: Place) -> Play:
    """A folder that is no folder to this account, and a link that leads in a circle: neither is missing."""
    circle = place.folder / "circle"
    circle.symlink_to(circle)
    (read,) = yield ask(steps.ReadFile(str(circle / "x")))
    assert isinstance(read, typed.Failure)


@case("Linux")
def what_may_not_be_looked_at_is_not_absent(place: Place) -> Play:
    circle = place.folder / "circle"
    circle.symlink_to(circle)
    inside = str(circle / "x")
    results = yield ask(
        steps.Digest(inside),
        steps.ListFolder(inside),
        steps.ReadFolder(inside),
        steps.Version(inside),
        steps.ReadAccess(inside),
        steps.Version(str(circle / "x" / "*" / "tool")),
    )
    assert [type(one) for one in results] == [typed.Failure] * len(results), results


@case()
def times_are_utc(place: Place) -> Play:
    path = place.folder / "old.txt"
    path.write_bytes(b"x")
    moment = datetime.datetime(2026, 7, 1, 12, 34, 56, tzinfo=datetime.timezone.utc)
    os.utime(path, (moment.timestamp(), moment.timestamp()))
    (listed,) = yield ask(steps.ListFolder(str(place.folder)))
    assert listed.files[0].modified == "2026-07-01T12:34:56.0000000Z"


@case()
def pattern_of_a_list(place: Place) -> Play:
    for name in ("a.txt", "b.txt", "c.bin", ".hidden"):
        (place.folder / name).write_bytes(b"x")
    (place.folder / "folder.txt").mkdir()
    texts, everything = yield ask(
        steps.ListFolder(str(place.folder), "*.txt"), steps.ListFolder(str(place.folder))
    )
    assert sorted(one.name for one in texts.files) == ["a.txt", "b.txt"]
    assert sorted(one.name for one in everything.files) == [".hidden", "a.txt", "b.txt", "c.bin"]


@case()
def copy_refuses_an_existing_target_and_move_replaces_it(place: Place) -> Play:
    old, new, copy = place.folder / "old.bin", place.folder / "new.bin", place.folder / "copy.bin"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    copied, refused, moved, read, elsewhere, nothing = yield ask(
        steps.CopyFile(str(old), str(copy)),
        steps.CopyFile(str(old), str(new)),
        steps.MoveFile(str(new), str(old)),
        steps.ReadFile(str(old)),
        steps.MoveFile(str(copy), str(place.folder / "moved.bin")),
        steps.MoveFile(str(copy), str(old)),
    )
    assert isinstance(copied, typed.Done)
    assert isinstance(refused, typed.Failure)
    assert refused.code
    assert isinstance(moved, typed.Done)
    assert read.content == b"new"
    assert isinstance(elsewhere, typed.Done)
    assert isinstance(nothing, typed.Failure)
    assert not new.exists()
    assert old.read_bytes() == b"new", "a move of nothing leaves the target"
    assert (place.folder / "moved.bin").read_bytes() == b"old"


@case()
def copy_of_a_read_only_file_can_be_written(place: Place) -> Play:
    path, copy = place.folder / "read-only.bin", place.folder / "copy.bin"
    path.write_bytes(b"x")
    path.chmod(stat.S_IREAD)
    (copied,) = yield ask(steps.CopyFile(str(path), str(copy)))
    assert isinstance(copied, typed.Done)
    assert copy.stat().st_mode & stat.S_IWRITE
    assert not path.stat().st_mode & stat.S_IWRITE
    path.chmod(stat.S_IREAD | stat.S_IWRITE)


@case("Linux")
def written_and_moved_in_one_stroke(place: Place) -> Play:
    """Nobody who looks meanwhile finds no file, or half of one: the kernel tells each thing that happens to
    the names of the folder.
    """
    folder = place.folder / "stroke"
    folder.mkdir()
    written, target, source = folder / "written.bin", folder / "target.bin", folder / "source.bin"
    for path in (written, target, source):
        path.write_bytes(path.name.encode())
    with Watch(folder) as watch:
        yield ask(steps.WriteFile(str(written), b"new"), steps.MoveFile(str(source), str(target)))
        events = watch.events()
    for path, content in ((written, b"new"), (target, b"source.bin")):
        assert path.read_bytes() == content
        assert [what for what, name in events if name == path.name] == ["moved to"], events
    assert sorted(path.name for path in folder.iterdir()) == ["target.bin", "written.bin"]


@case("Linux")
def temporary_name_is_short_and_fits_no_pattern(place: Place) -> Play:
    """Windows PowerShell 5.1 has no paths of 260 characters: a name that is longer than the file's own would
    be one too long.
    """
    folder = place.folder / "short"
    folder.mkdir()
    with Watch(folder) as watch:
        yield ask(
            steps.WriteFile(str(folder / "config.json"), b"1"),
            steps.WriteFile(str(folder / "a"), b"2"),
            steps.WriteFile(str(folder / ("n" * 200)), b"3"),
        )
        names = {name for what, name in watch.events() if what == "created"} - {"config.json", "a", "n" * 200}
    assert len(names) >= 2, names
    assert max(len(name) for name in names) <= 12
    assert not any("." in name for name in names)
    assert (folder / "a").read_bytes() == b"2"


@case()
def append(place: Place) -> Play:
    path, cut = place.folder / "log.jsonl", place.folder / "cut.jsonl"
    cut.write_bytes(b"one\ntw")
    yield ask(
        steps.AppendFile(str(path), b"one\n"),
        steps.AppendFile(str(path), b"two\n"),
        steps.AppendFile(str(cut), b"three\n"),
        steps.AppendFile(str(cut), b""),
    )
    assert path.read_bytes() == b"one\ntwo\n"
    assert cut.read_bytes() == b"one\ntw\nthree\n"


@case()
def append_of_nothing_asks_and_changes_nothing(place: Place) -> Play:
    none, cut = place.folder / "none.jsonl", place.folder / "cut.jsonl"
    cut.write_bytes(b"one\ntw")
    can, there, cannot = yield ask(
        steps.AppendFile(str(none), b""),
        steps.AppendFile(str(cut), b""),
        steps.AppendFile(str(place.folder / "no folder" / "none.jsonl"), b""),
    )
    assert isinstance(can, typed.Done)
    assert isinstance(there, typed.Done)
    assert isinstance(cannot, typed.Failure)
    assert cannot.code
    assert not none.exists()
    assert cut.read_bytes() == b"one\ntw"


@case("Linux")
def append_lets_readers_in_and_writers_out(place: Place) -> Play:
    shared, held = place.folder / "shared.log", place.folder / "held.log"
    shared.write_bytes(b"one\n")
    held.write_bytes(b"one\n")
    with place.held(shared, True), place.held(held, False):
        well, refused = yield ask(
            steps.AppendFile(str(shared), b"two\n"), steps.AppendFile(str(held), b"two\n")
        )
    assert isinstance(well, typed.Done), "who reads along does not keep the line out"
    assert shared.read_bytes() == b"one\ntwo\n"
    assert isinstance(refused, typed.Failure)
    assert held.read_bytes() == b"one\n"


@case("Linux")
def held_file_has_no_digest_and_the_others_are_not_lost(place: Place) -> Play:
    for name in ("a.exe", "held.exe"):
        (place.folder / name).write_bytes(name.encode())
    with place.held(place.folder / "held.exe", False):
        each, alone = yield ask(
            steps.Each(str(place.folder), "*.exe", sys.executable, command_line("exit", "0")),
            steps.Digest(str(place.folder / "held.exe")),
        )
    found = {one.name: one.digest for one in each.files}
    assert found["a.exe"].sha256 == digest(b"a.exe")
    for failure in (found["held.exe"], alone):
        assert isinstance(failure, typed.Failure)
        assert "used by another process" in failure.message


@case()
def each_file_of_a_folder(place: Place) -> Play:
    folder = place.folder / "each"
    folder.mkdir()
    contents = {"a.exe": b"1", "my ä.exe": b"22", "c&d (1)%.exe": b"333"}
    for name, data in {**contents, "other.txt": b"x"}.items():
        (folder / name).write_bytes(data)
    arguments = command_line("arguments") + ' "{path}" tail'
    each, after, rest, too_many, place_of_it, fails, skipped, none, nothing = yield ask(
        steps.Each(str(folder), "*.exe", sys.executable, arguments, jobs=2),
        python("exit", "0", only_if_previous_ok=True),
        steps.Each(str(folder), "*.exe", sys.executable, arguments, leave_out=("A.EXE", "my ä.exe"), most=1),
        steps.Each(str(folder), "*.exe", sys.executable, arguments, leave_out=("A.EXE",), most=1),
        steps.Each(str(folder), "a.exe", sys.executable, command_line("folder")),
        steps.Each(str(folder), "*.exe", sys.executable, command_line("exit", "3")),
        python("exit", "0", only_if_previous_ok=True),
        steps.Each(str(folder / "none"), "*", sys.executable, ""),
        steps.Each(str(folder), "*.none", sys.executable, ""),
    )
    assert each.exists
    found = {one.name: (one.size, one.digest.size, one.digest.sha256) for one in each.files}
    assert found == {name: (len(data), len(data), digest(data)) for name, data in contents.items()}
    for one in each.files:
        path, tail = json.loads(one.result.stdout_bytes)
        assert (PureWindowsPath(path).as_posix(), tail) == ((folder / one.name).as_posix(), "tail")
    assert after.ok
    assert [one.name for one in rest.files] == ["c&d (1)%.exe"]
    assert too_many.exists
    assert too_many.files == ()
    # Others may write into the folder of the files: nothing works there.
    assert Path(place_of_it.files[0].result.stdout_bytes.decode("utf-8")).resolve() != folder.resolve()
    assert {one.result.exit_code for one in fails.files} == {3}
    assert isinstance(skipped, typed.Skipped)
    assert not none.exists
    assert none.files == ()
    assert nothing.exists
    assert nothing.files == ()


@case()
def each_digest_is_that_after_the_run(place: Place) -> Play:
    (place.folder / "a.bin").write_bytes(b"before")
    slow, environment, many = yield ask(
        steps.Each(
            str(place.folder), "*.bin", sys.executable, command_line("overwrite", "after") + ' "{path}"'
        ),
        steps.Each(
            str(place.folder),
            "*.bin",
            sys.executable,
            command_line("environment", "CODESIGN_A"),
            environment={"CODESIGN_A": "v"},
        ),
        steps.Each(str(place.folder), "*.bin", sys.executable, command_line("sleep", "60"), timeout=2),
    )
    assert slow.files[0].digest.sha256 == digest(b"after")
    assert environment.files[0].result.stdout == "v"
    assert many.files[0].result.timed_out


@case()
def folder_with_a_variable_in_its_path(place: Place) -> Play:
    folder = place.folder / "files"
    folder.mkdir()
    (folder / "one.cer").write_bytes(b"1")
    (folder / "zwei ü.cer").write_bytes(bytes(range(256)))
    (folder / "three.txt").write_bytes(b"3")
    inside = f"{place.variable}{os.sep}files"
    asked, none, large, empty = yield ask(
        steps.ReadFolder(inside, "*.cer"),
        steps.ReadFolder(inside + "_none"),
        steps.ReadFolder(inside, "*.cer", limit=10),
        steps.ReadFolder(inside, "*.none"),
    )
    assert asked.exists
    assert asked.files == {"one.cer": b"1", "zwei ü.cer": bytes(range(256))}
    assert not none.exists
    assert isinstance(large, typed.Failure)
    assert empty.exists
    assert empty.files == {}


@case()
def move_only_over_the_file_that_was_looked_at(place: Place) -> Play:
    folder = place.folder / "looked_at"
    folder.mkdir()
    target, other, source, second = (folder / name for name in ("a.bin", "none.bin", "new.bin", "second.bin"))
    for path, data in ((target, b"old"), (source, b"new"), (second, b"two")):
        path.write_bytes(data)
    seen = digest(b"old")
    refused, missing, moved, backed, skipped, there = yield ask(
        steps.MoveFile(str(source), str(target), if_sha256=digest(b"else")),
        steps.MoveFile(str(source), str(other), if_sha256=seen),
        steps.MoveFile(str(source), str(target), if_sha256=seen),
        steps.MoveFile(str(second), str(target), backup=str(folder / "backup"), if_sha256=seen),
        steps.AppendFile(str(folder / "log"), b"no\n", only_if_previous_ok=True),
        steps.ReadFile(str(target)),
    )
    assert (refused.changed, refused.sha256) == (True, seen)
    assert (missing.changed, missing.sha256) == (True, "")
    assert (moved.changed, moved.sha256, moved.kept) == (False, digest(b"new"), "")
    assert (backed.changed, backed.sha256) == (True, digest(b"new"))
    assert isinstance(skipped, typed.Skipped), "what follows a file that has changed is left out"
    assert there.content == b"new"
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "second.bin"]


@case()
def copy_only_of_the_file_that_was_looked_at(place: Place) -> Play:
    path, copy = place.folder / "a.bin", place.folder / "copy.bin"
    path.write_bytes(b"new")
    refused, well = yield ask(
        steps.CopyFile(str(path), str(copy), if_sha256=digest(b"old")),
        steps.CopyFile(str(path), str(copy), if_sha256=digest(b"new")),
    )
    assert (refused.changed, refused.sha256) == (True, digest(b"new"))
    assert (well.changed, well.sha256) == (False, digest(b"new"))
    assert copy.read_bytes() == b"new"


@case()
def program_without_a_signature_gets_its_digest_while_it_is_copied(place: Place) -> Play:
    contents = {"signed.exe": program(8000), "text.exe": b"text", "unsigned.exe": program(plus=True)}
    for name, content in contents.items():
        (place.folder / name).write_bytes(content)
    names = [*contents, "missing.exe"]
    each, *results = yield ask(
        steps.Each(
            str(place.folder),
            "*.exe",
            sys.executable,
            command_line("exit", "0"),
            digest_unless_unsigned=True,
        ),
        *(steps.Digest(str(place.folder / name), unless_unsigned=True) for name in names),
        *(
            steps.CopyFile(str(place.folder / name), str(place.folder / f"{name}.copy"), if_unsigned=True)
            for name in names
        ),
    )
    late = {**{name: digest(content) for name, content in contents.items()}, "unsigned.exe": ""}
    assert {one.name: one.digest.sha256 for one in each.files} == late
    assert [one.exists for one in results[:4]] == [True, True, True, False]
    assert [one.sha256 for one in results[:3]] == list(late.values())
    assert [one.size for one in results[:3]] == [len(content) for content in contents.values()]
    signed, text, unsigned, missing = results[4:]
    assert [signed.changed, text.changed, unsigned.changed] == [True, True, False]
    assert unsigned.sha256 == digest(contents["unsigned.exe"])
    assert unsigned.stamp
    assert isinstance(missing, typed.Failure)
    copies = [path.name for path in place.folder.iterdir() if path.name.endswith(".copy")]
    assert copies == ["unsigned.exe.copy"]
    assert (place.folder / copies[0]).read_bytes() == contents["unsigned.exe"]


@case()
def many_files_are_read_side_by_side(place: Place) -> Play:
    names = [place.folder / f"{number}.bin" for number in range(30)]
    for number, path in enumerate(names):
        path.write_bytes(bytes([number]) * 200_000)
    gone = place.folder / "gone.bin"
    copies = [
        steps.CopyFile(str(path), f"{path}.copy", if_sha256=digest(path.read_bytes()))
        for path in (*names[:15], gone, *names[15:])
        if path.exists()
    ]
    missing = steps.CopyFile(str(gone), f"{gone}.copy", if_sha256=digest(b""))
    results = yield ask(*copies, missing, *(steps.Digest(f"{path}.copy") for path in (*names, gone)))
    wanted = [digest(path.read_bytes()) for path in names]
    assert [one.sha256 for one in results[:30]] == wanted
    assert isinstance(results[30], typed.Failure)
    assert [one.sha256 for one in results[31:61]] == wanted
    assert not results[61].exists
    assert not Path(f"{gone}.copy").exists()


def long_ago(path: Path) -> None:
    """Nothing that is written now has this time."""
    os.utime(path, ns=(1_000_000_000_000_000_000, 1_000_000_000_000_000_000))


@case()
def what_was_written_since_it_had_its_stamp_is_neither_put_nor_replaced(place: Place) -> Play:
    old, new, copy = place.folder / "old.bin", place.folder / "new.bin", place.folder / "copy.bin"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    long_ago(old)
    copied, seen = yield ask(
        steps.CopyFile(str(old), str(copy), if_sha256=digest(b"old")), steps.Digest(str(new))
    )
    assert copied.stamp
    assert seen.stamp
    move = steps.MoveFile(str(new), str(old), str(place.folder / "backup"), digest(b"old"), digest(b"new"))
    move = replace(move, stamp=seen.stamp, if_stamp=copied.stamp)
    new.write_bytes(b"other")
    (wrong,) = yield ask(move)
    assert isinstance(wrong, typed.Failure)
    assert old.read_bytes() == b"old"
    new.write_bytes(b"new")
    # What is there counts, whatever time it has.
    for content, time in ((b"odd", None), (b"odd", long_ago), (b"odd and longer", long_ago)):
        old.write_bytes(content)
        if time:
            time(old)
        (refused,) = yield ask(move)
        assert (refused.changed, refused.sha256, refused.kept) == (True, digest(content), "")
        assert (old.read_bytes(), new.read_bytes()) == (content, b"new")
    old.write_bytes(b"old")
    (done,) = yield ask(move)
    assert (done.changed, done.sha256, old.read_bytes()) == (False, digest(b"new"), b"new")
    assert sorted(path.name for path in place.folder.iterdir()) == ["copy.bin", "old.bin"]


@case()
def verified_copies_are_placed_with_a_line_in_the_journal(place: Place) -> Play:
    """Only those whose runs all ended with 0 (not one of a step that has no runs, as one that failed); what they are, and what
    they replace, stands in the journal before.
    """
    ours = place.folder / ".ours"
    contents = {name: b"old " + name.encode() for name in ("a.bin", "b.bin", "c.bin", "d.bin")}
    contents |= {"e.exe": program(), "f.exe": program(8000), "g.bin": b"old g.bin"}
    names = list(contents)
    for name, content in contents.items():
        (place.folder / name).write_bytes(content)
        long_ago(place.folder / name)
    copies = [ours / "w1" / name for name in names]
    run = len(names)
    runs = {1: ((run, 0), (run, 1)), 6: ((0, 0),)}
    kept = digest(b"something else")

    def one(number: int, runs: tuple[tuple[int, int], ...]) -> steps.VerifiedCopy:
        target = place.folder / names[number]
        return steps.VerifiedCopy(
            str(copies[number]),
            str(target),
            str(ours / "w1" / f"back {number}"),
            "" if names[number].endswith(".exe") else digest(contents[names[number]]),
            str(ours / "journal"),
            f"w1/{names[number]}",
            digest=len(names) + 1 + number,
            runs=runs,
            copied=number,
        )

    inside = (
        *(
            steps.CopyFile(
                str(place.folder / name),
                str(copy),
                if_sha256=""
                if name.endswith(".exe")
                else kept
                if name == "d.bin"
                else digest(contents[name]),
                if_unsigned=name.endswith(".exe"),
            )
            for name, copy in zip(names, copies, strict=True)
        ),
        steps.Together((python("exit", "0"), python("exit", "1")), jobs=2),
        *(steps.Digest(str(copy)) for copy in copies),
        steps.Place(tuple(one(number, runs.get(number, ((run, 0),))) for number in range(len(names)))),
    )
    line = steps.JournalLine(str(ours), "", b"one\n", str(ours / "w1"))
    answer, journal = yield ask(steps.Journaled((line,), inside, clear=True), steps.ReadJournal(str(ours)))
    placed = answer.results[-1].placed
    assert [type(result) for result in placed] == [*[typed.Placed, typed.Skipped] * 3, typed.Skipped]
    assert [result.changed for result in placed[:6:2]] == [False] * 3
    good = {f"w1/{name}": [digest(contents[name])] * 2 for name in ("a.bin", "c.bin", "e.exe")}
    assert json.loads(journal.content.splitlines()[1]) == {"good": good}
    assert not answer.cleared, "what is left for later is kept"
    assert answer.journals == (digest(journal.content),)
    assert (place.folder / "b.bin").read_bytes() == b"old b.bin"
    assert not copies[0].exists()
    assert copies[1].exists()


@case()
def verified_copies_are_placed_only_over_what_was_copied(place: Place) -> Play:
    """Where nobody looked before, the digest that the copy got counts."""
    ours, target = place.folder / ".ours", place.folder / "a.exe"
    target.write_bytes(program())
    copy, other = ours / "w1" / "a.exe", program(plus=True)
    one = steps.VerifiedCopy(
        str(copy),
        str(target),
        str(ours / "w1" / "back"),
        "",
        str(ours / "journal"),
        "w1/a.exe",
        digest=2,
        runs=((1, 0),),
        copied=0,
    )
    inside = (
        steps.CopyFile(str(target), str(copy), if_unsigned=True),
        steps.Together((python("exit", "0"),), jobs=1),
        steps.Digest(str(copy)),
        steps.WriteFile(str(target), other),
        steps.Place((one,)),
    )
    line = steps.JournalLine(str(ours), "", b"one\n", str(ours / "w1"))
    (answer,) = yield ask(steps.Journaled((line,), inside, clear=True))
    (placed,) = answer.results[-1].placed
    assert (placed.changed, placed.sha256) == (True, digest(other))
    assert target.read_bytes() == other
    assert answer.cleared
    assert [path.name for path in place.folder.iterdir()] == ["a.exe"]


@case()
def append_once(place: Place) -> Play:
    path = place.folder / "once.jsonl"
    path.write_bytes(b"first\n\xff second\ntorn")
    yield ask(
        steps.AppendFile(str(path), b"\xff second\n", once=True),
        steps.AppendFile(str(path), b"torn\n", once=True),
        steps.AppendFile(str(path), b"third\n", once=True),
        steps.AppendFile(str(path), b"third\n", once=True),
    )
    assert path.read_bytes() == b"first\n\xff second\ntorn\ntorn\nthird\n"


@case()
def steps_under_a_journal(place: Place) -> Play:
    """Taken by who saw it last; kept while a step fails; gone when all is well."""
    ours, file = place.folder / ".ours", place.folder / "a.bin"
    file.write_bytes(b"1")
    path, copy = str(ours), str(ours / "w1" / "a.bin")
    none, first, seen, second, refused, kept, after = yield ask(
        steps.ReadJournal(path),
        steps.Journaled(
            (steps.JournalLine(path, "", b"one\n", str(ours / "w1")),),
            (steps.CopyFile(str(file), copy), python("exit", "3")),
        ),
        steps.ReadJournal(path),
        steps.Journaled((steps.JournalLine(path, digest(b"one\n"), b"two\n"),), (steps.Digest(copy),)),
        steps.Journaled(
            (steps.JournalLine(path, digest(b"one\n"), b"three\n"),), (steps.RemoveFile(str(file)),), True
        ),
        steps.Journaled(
            (steps.JournalLine(path, digest(b"one\ntwo\n"), b"three\n"),),
            (steps.CopyFile(str(file), copy),),
            clear=True,
            closing=b"ended\n",
        ),
        steps.ReadJournal(path),
    )
    assert not none.exists
    assert (first.taken, first.results[1].exit_code) == (True, 3)
    assert (seen.exists, seen.content, seen.held) == (True, b"one\n", False)
    assert 0 <= seen.age < 100
    assert second.results[0].sha256 == digest(b"1")
    assert (refused.taken, refused.folder, refused.held) == (False, path, False)
    assert file.exists(), "nothing is done under a journal that is another one"
    assert isinstance(kept.results[0], typed.Failure)
    assert (kept.cleared, after.content) == (False, b"one\ntwo\nthree\nended\n")
    assert (ours / "w1" / "a.bin").exists()
    cleared, gone, empty = yield ask(
        steps.Journaled((steps.JournalLine(path, digest(after.content), b"four\n"),), (), clear=True),
        steps.ReadJournal(path),
        steps.Journaled((steps.JournalLine(path, "", b"one\n"),), (steps.Digest(str(file)),), clear=True),
    )
    assert (cleared.taken, cleared.cleared, gone.exists) == (True, True, False)
    assert empty.cleared
    assert [one.name for one in place.folder.iterdir()] == ["a.bin"]


@case()
def journal_that_cannot_be_closed_loses_no_result(place: Place) -> Play:
    """What was done comes back, with why the journal has no last line: here a folder has taken its place."""
    ours, file = place.folder / ".ours", place.folder / "a.bin"
    journal = str(ours / "journal")
    inside = (steps.WriteFile(str(file), b"1"), steps.RemoveFile(journal), steps.Scratch(journal))
    line = steps.JournalLine(str(ours), "", b"one\n")
    (answer,) = yield ask(steps.Journaled((line,), inside, closing=b"ended\n"))
    assert (answer.taken, answer.cleared, answer.journals) == (True, False, ("",))
    written, removed, made = answer.results
    assert isinstance(written, typed.Done)
    assert removed.existed
    assert isinstance(made, typed.Done)
    assert answer.unclosed
    assert file.read_bytes() == b"1"


@case()
def journals_of_several_folders_are_taken_together_or_not_at_all(place: Place) -> Play:
    one, two = place.folder / "one", place.folder / "two"
    for folder in (one, two):
        folder.mkdir()
    (two / ".ours").mkdir()
    (two / ".ours" / "journal").write_bytes(b"somebody\n")
    lines = tuple(
        steps.JournalLine(str(folder / ".ours"), "", b"mine\n", str(folder / ".ours" / "w"))
        for folder in (one, two)
    )
    (refused,) = yield ask(steps.Journaled(lines, (steps.WriteFile(str(one / "x"), b"x"),)))
    assert (refused.taken, refused.folder) == (False, str(two / ".ours"))
    assert list(one.iterdir()) == []
    assert (two / ".ours" / "journal").read_bytes() == b"somebody\n"


@case("Linux")
def journal_that_a_call_holds(place: Place) -> Play:
    ours = place.folder / ".ours"
    ours.mkdir()
    (ours / "journal").write_bytes(b"somebody\n")
    (ours / "lock").write_bytes(b"")
    with place.held(ours / "lock", False):
        seen, refused = yield ask(
            steps.ReadJournal(str(ours)),
            steps.Journaled(
                (steps.JournalLine(str(ours), digest(b"somebody\n"), b"mine\n"),), (), clear=True
            ),
        )
    assert (seen.held, seen.content) == (True, b"somebody\n")
    assert (refused.taken, refused.held) == (False, True)
    assert (ours / "journal").read_bytes() == b"somebody\n"


@case()
def file_sent_and_fetched_in_parts(place: Place) -> Play:
    path, data = str(place.folder / "a0001.exe"), bytes(range(256)) * 9
    first, second, wrong, part, rest, beyond, missing = yield ask(
        steps.PutPart(path, 0, steps.pack(data[:1000])),
        steps.PutPart(path, 1000, steps.pack(data[1000:])),
        steps.PutPart(path, 1000, steps.pack(b"again")),
        steps.GetPart(path, 0, 1500),
        steps.GetPart(path, 1500, 5000),
        steps.GetPart(path, len(data), 10),
        steps.GetPart(str(place.folder / "none.exe"), 0, 10),
    )
    assert (first.size, second.size) == (1000, len(data))
    assert isinstance(wrong, typed.Failure)
    assert "where a part begins at 1000" in wrong.message
    assert (part.size, part.content + rest.content) == (len(data), data)
    assert beyond.content == b""
    assert isinstance(missing, typed.Failure)


@case()
def empty_file_sent_in_one_part(place: Place) -> Play:
    path = str(place.folder / "empty.ps1")
    sent, part = yield ask(steps.PutPart(path, 0, steps.pack(b"")), steps.GetPart(path, 0, 10))
    assert (sent.size, part.size, part.content) == (0, 0, b"")


@case()
def folders_of_a_folder(place: Place) -> Play:
    (place.folder / "no folder").write_bytes(b"x")
    _one, _two, found, none, missing = yield ask(
        steps.Scratch(str(place.folder / "cs-1")),
        steps.Scratch(str(place.folder / "other")),
        steps.ListFolders(str(place.folder), "cs-*"),
        steps.ListFolders(str(place.folder), "no*"),
        steps.ListFolders(str(place.folder / "gone")),
    )
    (folder,) = found.folders
    assert (folder.name, found.exists) == ("cs-1", True)
    assert 0 <= folder.age < 60
    if place.windows:
        assert folder.sddl.startswith("O:")
        assert found.account.startswith("S-1-5-")
    assert none.folders == ()
    assert (missing.exists, missing.folders) == (False, ())


@case()
def folders_that_hold_a_kind_of_file(place: Place) -> Play:
    top = place.folder / "tree"
    names = ("a.exe", "one/b.exe", "one/two/c.exe", "one/empty/notes.txt", "three/four/d.exe", "three/e.txt")
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"x")
    found, none, missing, few = yield ask(
        steps.FindFolders(str(top), "*.exe"),
        steps.FindFolders(str(top), "*.msi"),
        steps.FindFolders(str(place.folder / "gone"), "*"),
        steps.FindFolders(str(top), "*", 3),
    )
    folders = {name.replace("\\", "/") for name in found.folders}
    assert folders == {"", "one", "one/two", "three/four"}
    assert (found.exists, found.unread, none.exists, none.folders) == (True, (), True, ())
    assert (missing.exists, missing.folders) == (False, ())
    assert isinstance(few, typed.Failure)
    assert "has more than 3 folders" in few.message
