"""How busy the machine is: its processor, the memory of this process, and the GPU that is trained on; and what to do
where other programs keep its cores busy."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun

MEASURE_EVERY = 1.0
FIRST_GPU = "cuda:0"
OTHERS = 0.5  # cores that other programs have to take before anything is said of them
PATIENCE = 5  # looks that have to find the same: a moment may be anything
SHARED_WORK = 1_000_000  # multiplications of a layer, from which on PyTorch shares them out to its threads
CROWDED = "other programs keep the cores busy: OMP_NUM_THREADS={} d2ltui trains faster"


class Machine:
    """Looks at most once a second; between looks the last figures stand."""

    def __init__(self) -> None:
        self._cpu = self._gpu = ""  # as they are shown
        self._measured = 0.0
        self._device = ""
        self._opening: threading.Thread | None = None
        self._process: Any = None
        self._cores = 1
        self._others: deque[float] = deque(maxlen=2 * PATIENCE - 1)  # cores that other programs took
        self._nvml: Any = None  # None also where there is no NVIDIA driver

    def _open(self) -> None:
        """In a thread: a driver that wakes up takes its time."""
        import psutil

        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
        except Exception:
            # No driver, no library, no GPU: NVML says so in many ways, and each of them means that there is none.
            self._nvml = None
        self._cores = psutil.cpu_count() or 1
        self._process = psutil.Process()

    def describe(self, device: str = FIRST_GPU) -> str:
        """`cpu 96 %  mem 1.2 GB  gpu 40 % 3.1 GB`; a dash where there is no GPU. `device`: the run's, "" for none."""
        device = device if device.startswith("cuda") else FIRST_GPU
        now = time.monotonic()
        if self._opening is None:
            self._opening = threading.Thread(target=self._open, name="d2ltui-machine", daemon=True)
            self._opening.start()
        if self._process is None:
            return ""
        due = now - self._measured >= MEASURE_EVERY
        if due:
            self._measure(now)
        if due or device != self._device:
            self._device, self._gpu = device, self._gpu_text(device)
        return f"{self._cpu}  gpu {self._gpu}"

    def _measure(self, now: float) -> None:
        import psutil

        self._measured = now
        memory = gigabytes(self._process.memory_info().rss)
        busy, own = psutil.cpu_percent(), self._process.cpu_percent()  # of all cores, of one
        if not self._cpu:  # psutil has nothing to compare with yet, in this thread
            self._cpu = f"cpu   – %  mem {memory}"
            return
        self._others.append((busy * self._cores - own) / 100)
        self._cpu = f"cpu {busy:3.0f} %  mem {memory}"

    def advice(self, live: LiveRun | None) -> str:
        """What to do where other programs slow `live` down, "" where they do not.

        PyTorch's threads wait for each other, busily: one that has no core of its own holds up all of them.
        """
        if live is None or live.started is None or live.status != "training" or live.started.device != "cpu":
            return ""
        if len(self._others) < PATIENCE:
            return ""
        others = sorted(self._others)[len(self._others) // 2]  # the median
        left = self._cores - others
        if others < OTHERS or live.started.threads <= left + 0.5:
            return ""
        work = max(layer.num_inputs * layer.num_outputs for layer in live.started.layers) * live.config.batch_size
        return CROWDED.format(max(1, round(left))) if work >= SHARED_WORK else ""

    def _gpu_text(self, device: str) -> str:
        if self._nvml is None:
            return "–"
        parts = []
        # Each by itself: a part of a GPU (MIG) tells its memory, and not how busy it is.
        with contextlib.suppress(self._nvml.NVMLError):
            parts.append(f"{self._nvml.nvmlDeviceGetUtilizationRates(self._handle(device)).gpu:3d} %")
        with contextlib.suppress(self._nvml.NVMLError):
            parts.append(gigabytes(self._nvml.nvmlDeviceGetMemoryInfo(self._handle(device)).used))
        return " ".join(parts) or "–"

    def _handle(self, device: str) -> Any:
        name = physical(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
        if isinstance(name, int):
            return self._nvml.nvmlDeviceGetHandleByIndex(name)
        return self._nvml.nvmlDeviceGetHandleByUUID(name)


def physical(device: str, visible: str | None) -> int | str:
    """The number or the UUID by which the driver knows PyTorch's `cuda:N`; `visible` is CUDA_VISIBLE_DEVICES."""
    index = int(device.partition(":")[2] or 0)
    names = [name.strip() for name in visible.split(",")] if visible else []
    if index >= len(names):
        return index
    return int(names[index]) if names[index].isdigit() else names[index]


def gigabytes(size: int) -> str:
    """`size` bytes in GB, three figures."""
    return f"{size / 1e9:.1f} GB" if size < 99.5e9 else f"{size / 1e9:.0f} GB"
