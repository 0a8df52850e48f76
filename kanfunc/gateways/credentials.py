"""What a client of the database shows: files of mounted Secrets, one folder for each user.

DIR/ca.crt is the authority of the cluster's certificates; DIR/USER/ holds `password`, or `tls.crt` and
`tls.key` (keys of the operators' Secrets), or all three; `uri` and the like are looked at, not used.
"""

from collections.abc import Iterable
from pathlib import Path

from kanfunc.domain.checks import Checks, LoginCheck
from kanfunc.domain.errors import Refused
from kanfunc.domain.hazards import host_in
from kanfunc.gateways.secrecy import keep_secret

PASSWORD, CERTIFICATE = "password", "certificate"
_ADDRESSES = ("host", "uri", "jdbc-uri", "fqdn-uri", "fqdn-jdbc-uri")
_FILES = {PASSWORD: ("password",), CERTIFICATE: ("tls.crt", "tls.key")}


class Credentials:
    """A folder of them. Nothing is read before it is used."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def authority(self) -> Path:
        """The certificate to trust."""
        return self._directory / "ca.crt"

    def file(self, user: str, name: str) -> Path:
        """One file of a user."""
        return self._directory / user / name

    def password(self, user: str) -> str:
        """Without the newline that an editor leaves."""
        found = self.file(user, "password").read_text(encoding="utf-8").removesuffix("\n")
        keep_secret(found, found.strip(), *found.split())
        return found

    def method(self, user: str) -> str | None:
        """What there is: a certificate before a password."""
        found = (method for method in (CERTIFICATE, PASSWORD) if not self._absent(user, method))
        return next(found, None)

    def addresses(self, user: str) -> list[tuple[str, str]]:
        """Key and host of the addresses that came with them; all else in these files stays here."""
        files = [file for key in _ADDRESSES if (file := self.file(user, key)).is_file()]
        return [(file.name, host_in(file.name, file.read_text("utf-8", "replace"))) for file in files]

    def require(self, checks: Checks) -> None:
        """Raises Refused where a check would need what is not there."""
        missing = [] if self.authority.is_file() else [self.authority]
        for check in checks.checks:
            user = checks.user(check)
            method = check.method if isinstance(check, LoginCheck) else self.method(user)
            missing += self._absent(user, method or PASSWORD)
        if missing:
            raise Refused(
                f"credentials that the checks need are not there: {_listed(missing)}",
                expected=f"in {self._directory}: ca.crt, and for each user a folder with password, or with "
                "tls.crt and tls.key",
                remedy="mount the Secrets of the restored cluster there; no check was made",
            )

    def _absent(self, user: str, method: str) -> list[Path]:
        files = (self.file(user, name) for name in _FILES[method])
        return [file for file in files if not file.is_file()]


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(sorted({str(path) for path in paths}))
