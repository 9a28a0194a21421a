"""The disk under SQLite, seen and made to fail: the calls that SQLite makes for its files pass by.

SQLite reaches files through a table of functions (its VFS), and each open file through another.
Both are copied here with a few functions replaced, which note the call, perhaps refuse it with an
error of the disk, and call the original.
"""

import _sqlite3
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FULL = 13
"""What a write answers when there is no space left (ENOSPC)."""
WRITE_FAILED = 10 | 3 << 8
SYNC_FAILED = 10 | 4 << 8
TRUNCATE_FAILED = 10 | 6 << 8
"""What calls answer when the device fails (EIO)."""

_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_void_p), c_int, POINTER(c_int))
_CLOSE = CFUNCTYPE(c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(ctypes.Structure):
    """SQLite's `sqlite3_vfs`, version 3; what is of no interest here is left without a name."""

    _fields_ = [
        ("version_and_file_size", c_void_p),
        ("longest_path", c_void_p),
        ("next", c_void_p),
        ("name", c_char_p),
        ("own_data", c_void_p),
        ("open", c_void_p),
        ("others", c_void_p * 15),
    ]


class _Methods(ctypes.Structure):
    """SQLite's `sqlite3_io_methods`, version 3."""

    _fields_ = [
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        ("others", c_void_p * 13),
    ]


@dataclass(frozen=True)
class Call:
    """One call that changes a file or makes changes last: "write", "truncate" or "sync"."""

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


def commits(call: Call) -> bool:
    """Whether the call writes the header of a commit's last page to the write-ahead log: it has
    the size of the database where those of other pages have zero."""
    return call.kind == "write" and len(call.data) == 24 and any(call.data[4:8])


@dataclass
class Disk:
    """The calls so far, in order, and what refuses the next."""

    calls: list[Call] = field(default_factory=list)
    refuses: Callable[[Call], int] = lambda _call: 0
    """SQLite's error code for a call that fails, 0 for one that is done."""

    def fail(self, errors: dict[str, int], *, since: Callable[[Call], bool]) -> None:
        """Calls of the kinds in `errors` fail with its codes, from the first of which `since` is
        true."""
        has_begun = False

        def refuses(call: Call) -> int:
            nonlocal has_begun
            has_begun = has_begun or since(call)
            return errors.get(call.kind, 0) if has_begun else 0

        self.refuses = refuses

    def heal(self) -> None:
        """From now on nothing fails."""
        self.refuses = lambda _call: 0

    def call(self, call: Call, original: Callable[[], int]) -> int:
        """Do the call, unless it is refused; SQLite's error code."""
        if code := self.refuses(call):
            return code
        code = original()
        if not code:
            self.calls.append(call)
        return code


class _Shim:
    """A disk's functions, which SQLite calls while they are the default."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        # With Python's own extension, whether SQLite is a part of it or a library that it needs.
        self._sqlite = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        find = self._sqlite.sqlite3_vfs_find
        find.restype = POINTER(_Vfs)
        find.argtypes = [c_char_p]
        self._original: _Vfs = find(None).contents
        self._open_original = _OPEN(self._original.open)
        self._disk, self._folder = disk, folder
        self._names: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}  # by the address of the original ones
        self._vfs = _Vfs.from_buffer_copy(self._original)
        self._vfs.name = b"a disk to watch"
        self._functions: list[Any] = [_OPEN(self._open)]
        self._vfs.open = ctypes.cast(self._functions[0], c_void_p)

    def install(self) -> None:
        assert not self._sqlite.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)

    def uninstall(self) -> None:
        assert not self._sqlite.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
        assert not self._sqlite.sqlite3_vfs_register(ctypes.byref(self._original), 1)
        assert not self._names, "a file is still open"

    def _open(self, vfs: int, path: int, file: "ctypes._Pointer[c_void_p]", *rest: object) -> int:
        code: int = self._open_original(vfs, path, file, *rest)
        if code or not path:
            return code
        name = Path(ctypes.string_at(path).decode())
        if name.parent == self._folder:
            original = file[0]
            assert original is not None
            if original not in self._methods:
                self._methods[original] = self._watched(_Methods.from_address(original))
            address = ctypes.cast(file, c_void_p).value
            assert address is not None
            self._names[address] = name.name
            file[0] = ctypes.addressof(self._methods[original])
        return code

    def _watched(self, original: _Methods) -> _Methods:
        close, write = _CLOSE(original.close), _WRITE(original.write)
        truncate, sync = _TRUNCATE(original.truncate), _SYNC(original.sync)

        def closed(file: int) -> int:
            self._names.pop(file)
            return int(close(file))

        def written(file: int, data: int, size: int, offset: int) -> int:
            call = Call("write", self._names[file], offset, ctypes.string_at(data, size))
            return self._disk.call(call, lambda: write(file, data, size, offset))

        def truncated(file: int, size: int) -> int:
            call = Call("truncate", self._names[file], size)
            return self._disk.call(call, lambda: truncate(file, size))

        def synced(file: int, flags: int) -> int:
            return self._disk.call(Call("sync", self._names[file]), lambda: sync(file, flags))

        methods = _Methods.from_buffer_copy(original)
        for name, function in (
            ("close", _CLOSE(closed)),
            ("write", _WRITE(written)),
            ("truncate", _TRUNCATE(truncated)),
            ("sync", _SYNC(synced)),
        ):
            self._functions.append(function)
            setattr(methods, name, ctypes.cast(function, c_void_p))
        return methods


@contextmanager
def watched(folder: Path) -> Iterator[Disk]:
    """The disk as SQLite sees it in the folder; all files must be closed before the end."""
    disk = Disk()
    shim = _Shim(disk, folder)
    shim.install()
    try:
        yield disk
    finally:
        disk.heal()
        shim.uninstall()
