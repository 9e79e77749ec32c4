"""What is done before anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PATIENCE = 60


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, **options)  # type: ignore[call-overload, no-any-return]


def test_ctrl_c_among_the_imports_is_an_end_and_no_traceback() -> None:
    code = "from d2ltui.spec import startup; startup.prepare(); import os; os.kill(os.getpid(), 2); print('still here')"
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (-2, "", "")


def test_nothing_is_imported_before_interrupts_are_seen_to() -> None:
    code = (
        "import sys; before = set(sys.modules); from d2ltui.spec import startup; "
        "print(*sorted({name for name in set(sys.modules) - before if not name.startswith('d2ltui')}))"
    )
    assert run(code).stdout.split() == []


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A shell without job control starts what is followed by `&` so."""
    code = (
        "import signal; signal.signal(2, signal.SIG_IGN); from d2ltui.spec import startup; startup.prepare(); "
        "startup.catch_interrupts(); print(signal.getsignal(2) == signal.SIG_IGN)"
    )
    assert run(code).stdout == "True\n"


def test_closed_descriptors_are_opened(tmp_path: Path) -> None:
    found = tmp_path / "found"
    code = (
        "from d2ltui.spec import startup; startup.prepare(); import os; number = os.open(os.devnull, os.O_RDONLY); "
        f"open('{found}', 'w').write(str(number))"
    )
    subprocess.run(["/bin/sh", "-c", f'exec {sys.executable} -c "{code}" <&- >&- 2>&-'], timeout=PATIENCE, check=True)
    assert int(found.read_text()) > 2
