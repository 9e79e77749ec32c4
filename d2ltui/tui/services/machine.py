"""How busy the machine is: its processor, the memory of this process, and the GPU that is trained on."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import Any

from d2ltui.spec.numbers import size, whole_percent

MEASURE_EVERY = 1.0
FIRST_GPU = "cuda:0"


class Machine:
    """Looks at most once a second; between looks the last figures stand."""

    def __init__(self) -> None:
        self._cpu = self._gpu = ""  # as they are shown
        self._measured = 0.0
        self._device = ""
        self._opening: threading.Thread | None = None
        self._process: Any = None
        self._handles: dict[str, tuple[bool, Any]] = {}  # by device: whether it is certain, and NVML's
        self._nvml: Any = None  # None also where there is no NVIDIA driver

    def open(self) -> None:
        """Begin to look, in a thread: a driver that wakes up takes its time. Until then nothing is described."""
        if self._opening is None:
            self._opening = threading.Thread(target=self._open, name="d2ltui-machine", daemon=True)
            self._opening.start()

    def _open(self) -> None:
        import psutil

        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
        except Exception:
            # No driver, no library, no GPU: NVML says so in many ways, and each of them means that there is none.
            self._nvml = None
        self._process = psutil.Process()

    def describe(self, device: str = FIRST_GPU) -> str:
        """`cpu 96 %  mem 1.2 GB  gpu 40 % 3.1 GB`; a dash where there is no GPU. `device`: the run's, "" for none."""
        device = device if device.startswith("cuda") else FIRST_GPU
        now = time.monotonic()
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
        memory = size(self._process.memory_info().rss)
        busy = psutil.cpu_percent()  # of all cores
        if not self._cpu:  # psutil has nothing to compare with yet, in this thread
            self._cpu = f"cpu   – %  mem {memory}"
            return
        self._cpu = f"cpu {whole_percent(busy / 100):>5}  mem {memory}"

    def _gpu_text(self, device: str) -> str:
        if self._nvml is None:
            return "–"
        parts = []
        # Each by itself: a part of a GPU (MIG) tells its memory, and not how busy it is.
        with contextlib.suppress(self._nvml.NVMLError):
            parts.append(
                f"{whole_percent(self._nvml.nvmlDeviceGetUtilizationRates(self._handle(device)).gpu / 100):>5}"
            )
        with contextlib.suppress(self._nvml.NVMLError):
            parts.append(size(self._nvml.nvmlDeviceGetMemoryInfo(self._handle(device)).used))
        return " ".join(parts) or "–"

    def _handle(self, device: str) -> Any:
        if device not in self._handles:
            self._handles[device] = self._find(device)
        known, handle = self._handles[device]
        if not known and (uuid := uuid_of(device)):
            handle = self._by_uuid(uuid)
            self._handles[device] = (True, handle)
        if handle is None:
            raise self._nvml.NVMLError(self._nvml.NVML_ERROR_NOT_FOUND)
        return handle

    def _find(self, device: str) -> tuple[bool, Any]:
        """NVML's handle of PyTorch's `device`, None where it cannot be told which one it is; and whether it is certain.

        CUDA numbers the fastest GPU first, NVML the one at the lowest address: they agree where all are of one kind,
        or where CUDA_DEVICE_ORDER says so.
        """
        if uuid := uuid_of(device):
            return True, self._by_uuid(uuid)
        name = physical(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
        if isinstance(name, str):
            return True, self._nvml.nvmlDeviceGetHandleByUUID(name)
        handles = [self._nvml.nvmlDeviceGetHandleByIndex(i) for i in range(self._nvml.nvmlDeviceGetCount())]
        alike = len({self._nvml.nvmlDeviceGetName(handle) for handle in handles}) == 1
        ordered = alike or os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
        return False, handles[name] if ordered and name < len(handles) else None

    def _by_uuid(self, uuid: str) -> Any:
        """A whole GPU, or a part of one (MIG)."""
        try:
            return self._nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        except self._nvml.NVMLError:
            return self._nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")


def uuid_of(device: str) -> str:
    """The UUID of PyTorch's `cuda:N`, without its prefix; "" before CUDA is in use here.

    Asked for earlier, it would begin to use the GPU.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return ""
    index = int(device.partition(":")[2] or cuda.current_device())
    if index >= cuda.device_count():
        return ""
    return str(getattr(cuda.get_device_properties(index), "uuid", ""))


def physical(device: str, visible: str | None) -> int | str:
    """The number or the UUID by which the driver knows PyTorch's `cuda:N`; `visible` is CUDA_VISIBLE_DEVICES."""
    index = int(device.partition(":")[2] or 0)
    names = [name.strip() for name in visible.split(",")] if visible else []
    if index >= len(names):
        return index
    return int(names[index]) if names[index].isdigit() else names[index]
