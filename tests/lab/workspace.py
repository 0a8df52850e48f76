"""The lab's directory on this machine, the processes in it, and the one way in which both are cleaned up."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

JANITOR = Path(__file__).with_name("janitor.py")
REAP_SECONDS = 10.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only fresh directories are made there
ENOUGH_BYTES = 4 << 30


class LabError(Exception):
    """The lab could not be set up or run; the message says what to do or shows the program's own words."""


@dataclass(frozen=True)
class Identity:
    """Operating-system user that a process runs as and a file belongs to; both None: the lab's own user."""

    user: int | None
    group: int | None

    @classmethod
    def current(cls) -> Self:
        """Return the user that the lab itself runs as."""
        return cls(None, None)

    @classmethod
    def unprivileged(cls) -> Self:
        """Return the user for PostgreSQL, which refuses to run as root: `postgres`, else `nobody`."""
        if os.geteuid() != 0:
            return cls.current()
        accounts = {account.pw_name: account for account in pwd.getpwall()}
        account = accounts.get("postgres") or accounts["nobody"]
        return cls(account.pw_uid, account.pw_gid)

    @property
    def name(self) -> str:
        """Login name, as PostgreSQL's peer authentication sees it."""
        return pwd.getpwuid(os.geteuid() if self.user is None else self.user).pw_name

    @property
    def extra_groups(self) -> list[int] | None:
        """Supplementary groups in the form that `subprocess` takes: none after a switch, else unchanged."""
        return None if self.user is None else []

    def own(self, path: Path, mode: int) -> Path:
        """Give a file or directory to this user."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)
        path.chmod(mode)
        return path

    def directory(self, path: Path, mode: int = 0o700) -> Path:
        """Make a directory (its parent exists) of this user, or take over the one that is there."""
        path.mkdir(exist_ok=True)
        return self.own(path, mode)

    def write(self, path: Path, content: str | bytes, mode: int = 0o600) -> Path:
        """Replace a file by one of this user."""
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.own(path, mode)


def _roomy_parent() -> str | None:
    """Volumes are copied all the time, and memory is the quickest disk."""
    if (chosen := os.environ.get("KANFUNC_LAB_DIR")) is not None:
        return chosen
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free >= ENOUGH_BYTES
    return str(SHARED_MEMORY) if roomy else None


class Workspace:
    """A fresh directory that goes, with every process started for it, when its owner ends in whatever way.

    `path` is the directory, short because a Unix socket's path is limited to 107 characters; `identity` is
    the unprivileged user, who may traverse it. A process whose environment holds KANFUNC_LAB=`path` belongs
    to it.
    """

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self._children: list[subprocess.Popen[bytes]] = []
        self._reservations: list[socket.socket] = []
        # Its own session keeps Ctrl-C from it; Python never hands the pipe's write end to other children.
        self._janitor = subprocess.Popen(
            [sys.executable, "-I", str(JANITOR), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={"LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
        )

    @classmethod
    def open(cls) -> Self:
        """Make a workspace under $KANFUNC_LAB_DIR, in shared memory where there is room, or where else
        temporary files go.

        Raises LabError when the unprivileged user cannot reach it there.
        """
        path = Path(tempfile.mkdtemp(prefix="kanfunc-lab-", dir=_roomy_parent())).resolve()
        path.chmod(0o711)
        workspace = cls(path, Identity.unprivileged())
        try:
            workspace.run(["test", "-x", str(path)])
        except LabError as error:
            workspace.close()
            raise LabError(
                f"user {workspace.identity.name} cannot reach {path}: "
                "set KANFUNC_LAB_DIR to a directory that everybody may traverse"
            ) from error
        return workspace

    def close(self) -> None:
        """End all processes, remove the directory and give the reserved ports back; harmless when repeated.

        Raises LabError when something was left behind.
        """
        if self._janitor.stdin is not None:
            self._janitor.stdin.close()
        code = self._janitor.wait()
        for child in self._children:
            child.wait(REAP_SECONDS)
        for reservation in self._reservations:
            reservation.close()
        if code != 0:
            raise LabError(f"the janitor could not clean up {self.path} (exit code {code})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def environment(self, *binaries: Path, **extra: str) -> dict[str, str]:
        """Return the minimal environment of a process of this lab: `binaries` first on PATH, then `extra`."""
        return {
            "PATH": ":".join([*map(str, binaries), "/usr/bin", "/bin"]),
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": str(self.path),
            "KANFUNC_LAB": str(self.path),
        } | extra

    def directory(self, *parts: str) -> Path:
        """Return a directory inside the workspace that everybody may traverse, made where it is missing."""
        path = self.path
        for part in parts:
            path = path / part
            path.mkdir(exist_ok=True)
            path.chmod(0o711)
        return path

    def private_directory(self, prefix: str) -> Path:
        """Return a new directory that only the unprivileged user may enter."""
        return self.identity.own(Path(tempfile.mkdtemp(prefix=prefix, dir=self.path)), 0o700)

    def reserve_port(self) -> int:
        """Return a free TCP port of 127.0.0.1 that nobody but a listener who asks for it gets, until close().

        A bound socket that does not listen keeps the kernel from handing the port out, and lets another with
        SO_REUSEADDR (PostgreSQL has it) listen: so a stopped server finds its port free when it starts again.
        """
        reservation = socket.socket()
        self._reservations.append(reservation)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        port: int = reservation.getsockname()[1]
        return port

    def run(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        seconds: float = 60.0,
    ) -> str:
        """Run a program as the unprivileged user and return its standard output.

        Raises LabError with the program's messages when it fails or takes longer than `seconds`.
        """
        try:
            done = subprocess.run(
                command,
                env=dict(environment or self.environment()),
                cwd=self.path,
                user=self.identity.user,
                group=self.identity.group,
                extra_groups=self.identity.extra_groups,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=seconds,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            words = (error.stdout or b"") + (error.stderr or b"")
            raise LabError(f"{error}\n{words.decode(errors='replace')}") from error
        return done.stdout.decode()

    def spawn(
        self, command: Sequence[str | Path], environment: Mapping[str, str], *, log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a program as the unprivileged user, in its own session, its output appended to `log`."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                env={**environment, "KANFUNC_LAB": str(self.path)},
                cwd=self.path,
                user=self.identity.user,
                group=self.identity.group,
                extra_groups=self.identity.extra_groups,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)
        return child
