"""How busy the machine is: processor and memory of this process's machine, and the first GPU where there is one."""

from __future__ import annotations

import time
from typing import Any

MEASURE_EVERY = 1.0


class Machine:
    """Looks at most once a second; between looks the last figures stand."""

    def __init__(self) -> None:
        self._text = ""
        self._measured = 0.0
        self._process: Any = None
        self._gpu: Any = None
        self._nvml: Any = None

    def _open(self) -> None:
        import psutil

        self._process = psutil.Process()
        psutil.cpu_percent()  # the first call has nothing to compare with
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml, self._gpu = pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
        except Exception:
            # No driver, no library, no GPU: NVML says so in many ways, and each of them means that there is none.
            self._gpu = None

    def describe(self) -> str:
        """`cpu 96 %  mem 1.2 GB  gpu 40 % 3.1 GB`; a dash where there is no GPU."""
        now = time.monotonic()
        if self._text and now - self._measured < MEASURE_EVERY:
            return self._text
        if self._process is None:
            self._open()
        import psutil

        self._measured = now
        memory = self._process.memory_info().rss
        self._text = f"cpu {psutil.cpu_percent():3.0f} %  mem {gigabytes(memory)}  gpu {self._gpu_text()}"
        return self._text

    def _gpu_text(self) -> str:
        if self._gpu is None:
            return "–"
        try:
            used = self._nvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu
            memory = self._nvml.nvmlDeviceGetMemoryInfo(self._gpu).used
        except self._nvml.NVMLError:
            self._gpu = None  # it has gone away (a driver update, a container): do not ask again
            return "–"
        return f"{used:3d} % {gigabytes(memory)}"


def gigabytes(size: int) -> str:
    """`size` bytes in GB, three figures."""
    return f"{size / 1e9:.1f} GB" if size < 99.5e9 else f"{size / 1e9:.0f} GB"
