"""A throwaway certificate authority for one test cluster, made by openssl and keytool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .common import ToolError

PASSWORD = "penumbra"  # Protects nothing: the keys live and die with the cluster's directory.


def make_certificates(directory: Path, addresses: list[str]) -> None:
    """Leaves ca.pem, client.pem, client.key for clients and server.p12, trust.p12 for the nodes."""
    if (directory / "trust.p12").exists():
        return
    for program, package in (("openssl", "openssl"), ("keytool", "openjdk-17-jdk-headless")):
        if shutil.which(program) is None:
            raise ToolError(f"--tls needs {program}, which is missing: install {package} (tools/setup does)")
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(command)} failed in {directory}:\n{done.stdout}{done.stderr}")

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("openssl", "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
        "-subj", "/CN=Penumbra test authority", "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    names = ",".join([*(f"IP:{address}" for address in addresses), "DNS:localhost"])
    for who, extension in (("server", f"subjectAltName={names}"), ("client", "extendedKeyUsage=clientAuth")):
        (directory / f"{who}.ext").write_text(extension + "\n")
        run("openssl", "req", "-new", *key, "-keyout", f"{who}.key", "-out", f"{who}.csr", "-subj", f"/CN={who}")
        run("openssl", "x509", "-req", "-in", f"{who}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "3650", "-extfile", f"{who}.ext", "-out", f"{who}.pem")
    run("openssl", "pkcs12", "-export", "-name", "server", "-in", "server.pem", "-inkey", "server.key",
        "-certfile", "ca.pem", "-out", "server.p12", "-passout", f"pass:{PASSWORD}")
    # keytool, because Java does not trust a certificate in a PKCS12 file without the attribute that keytool adds.
    run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.new",
        "-storetype", "PKCS12", "-storepass", PASSWORD)
    (directory / "trust.new").rename(directory / "trust.p12")  # Last: its presence says that all is there.
