"""Job control as a shell has it: `job_control.py SOCKET COMMAND …`, as the leader of a terminal's session.

It starts the command in a process group of its own, in the foreground. When that stops, it takes the terminal back,
as it was, and waits for `fg` or `bg`. What happens it says on the socket, a line each: `started PID`,
`stopped SIGNAL SAME`, `ended STATUS SAME`, where SAME is whether the terminal's line discipline is what it was before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import termios
import threading

IGNORED = (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def main() -> None:
    control = socket.socket(socket.AF_UNIX)
    control.connect(sys.argv[1])
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    before, shell = termios.tcgetattr(0), os.getpgrp()
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        if sys.argv[2] == sys.executable and "torch" in sys.modules:  # forked by the server of tests.processes
            from tests.processes.server import run

            control.close()
            run(sys.argv[3:])
        os.execv(sys.argv[2], sys.argv[2:])

    def say(*words: object) -> None:
        control.sendall((" ".join(map(str, words)) + "\n").encode())

    def obey() -> None:
        for line in control.makefile():
            if line.strip() == "fg":
                os.tcsetpgrp(0, job)
            try:
                os.killpg(job, signal.SIGCONT)
            except ProcessLookupError:
                return
        with contextlib.suppress(ProcessLookupError):  # nobody is there any more who would see to it
            os.killpg(job, signal.SIGKILL)

    say("started", job)
    threading.Thread(target=obey, daemon=True).start()
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        same = int(termios.tcgetattr(0) == before)
        os.tcsetpgrp(0, shell)
        termios.tcsetattr(0, termios.TCSANOW, before)
        if os.WIFSTOPPED(status):
            say("stopped", os.WSTOPSIG(status), same)
            continue
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            say("ended", code if code >= 0 else 128 - code, same)
        return


if __name__ == "__main__":
    main()
