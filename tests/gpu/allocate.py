"""Takes MIB of device memory through the CUDA driver alone, says what became of it, and keeps it
for SECONDS: allocate.py MIB SECONDS."""
import ctypes
import sys
import time

MIB, SECONDS = int(sys.argv[1]), float(sys.argv[2])
cuda = ctypes.CDLL("libcuda.so.1")


def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    if code != 0:
        sys.exit(f"{name}: CUDA error {code}")


device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
call("cuInit", 0)
call("cuDeviceGet", ctypes.byref(device), 0)
call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
refused = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(MIB << 20))
print("refused" if refused == 2 else f"CUDA error {refused}" if refused else "taken", flush=True)
if not refused:
    call("cuMemsetD8_v2", memory, 1, ctypes.c_size_t(MIB << 20))
    call("cuCtxSynchronize")
    time.sleep(SECONDS)
