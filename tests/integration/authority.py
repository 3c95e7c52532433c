"""A certificate authority for a test, made by openssl."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path


class Authority:
    """A CA in a directory, and the certificates it signs: `issue("app")` leaves app.pem and app.key there."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.ca = home, home / "ca.pem"
        home.mkdir(parents=True)
        self._openssl("req", "-x509", *self._new_key("ca"), "-out", "ca.pem", "-days", "30", "-subj", f"/CN={name}",
                      "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name: str, names: str = "", *, subject: str = "") -> tuple[Path, Path]:
        """Replaces what is there by rename, the key first: whoever reads in between finds a pair that does not fit."""
        (self.home / "ext").write_text(f"subjectAltName={names}\n" if names else "extendedKeyUsage=clientAuth\n")
        self._openssl("req", "-new", *self._new_key("new"), "-out", "new.csr", "-subj", f"/CN={subject or name}")
        self._openssl("x509", "-req", "-in", "new.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "7", "-extfile", "ext", "-out", "new.pem")
        for kind in ("key", "pem"):
            os.replace(self.home / f"new.{kind}", self.home / f"{name}.{kind}")
        return self.home / f"{name}.pem", self.home / f"{name}.key"

    def _new_key(self, name: str) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.home, capture_output=True, check=True)


def trusting(ca: Path | str, pair: tuple[Path | str, Path | str] | None = None, *, names: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = names
    if pair:
        context.load_cert_chain(*map(str, pair))
    return context
